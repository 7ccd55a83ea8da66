"""Pictures: sheets of images, paths through the latent space, scatters of toy samples, training curves."""

from ganzoo.plot.figures import COLORS, curves, scatter
from ganzoo.plot.images import image_grid, remove_leftovers, save_gif, save_png, write_beside
from ganzoo.plot.paths import interpolate, slerp
from ganzoo.plot.sheets import drawable, sample_sheet, save_samples, sheet_inputs

__all__ = [
    "COLORS",
    "curves",
    "drawable",
    "image_grid",
    "interpolate",
    "remove_leftovers",
    "sample_sheet",
    "save_gif",
    "save_png",
    "save_samples",
    "scatter",
    "sheet_inputs",
    "slerp",
    "write_beside",
]
