"""What a generator's latents know: paths, truncation, arithmetic, codes, directions, and the latents of an image."""

from ganzoo.latent.arithmetic import Sum, arithmetic
from ganzoo.latent.codes import traverse, truncate
from ganzoo.latent.directions import Directions, ganspace, sefa, walk
from ganzoo.latent.paths import interpolate, slerp
from ganzoo.latent.projection import Projection, feature_distance, project

__all__ = [
    "Directions",
    "Projection",
    "Sum",
    "arithmetic",
    "feature_distance",
    "ganspace",
    "interpolate",
    "project",
    "sefa",
    "slerp",
    "traverse",
    "truncate",
    "walk",
]
