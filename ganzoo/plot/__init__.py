"""Pictures: sheets of images, scatters of toy samples, training curves."""

from typing import Any

from ganzoo.plot.figures import COLORS, curves, scatter
from ganzoo.plot.images import image_grid, remove_leftovers, save_film, save_gif, save_png, write_beside
from ganzoo.plot.sheets import drawable, sample_sheet, save_samples, sheet_inputs

__all__ = [
    "COLORS",
    "curves",
    "drawable",
    "image_grid",
    "remove_leftovers",
    "sample_sheet",
    "save_film",
    "save_gif",
    "save_png",
    "save_samples",
    "scatter",
    "sheet_inputs",
    "write_beside",
]


def __getattr__(name: str) -> Any:
    if name in ("interpolate", "slerp"):  # which were here before there was a package of their own
        from ganzoo.latent import paths

        return getattr(paths, name)
    raise AttributeError(f"module 'ganzoo.plot' has no attribute {name!r}. It has: {', '.join(__all__)}")
