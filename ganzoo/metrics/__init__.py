"""Metrics of generated images, on features or as a protocol that names everything that moves a number.

On features (n, d), NumPy in and a float out:

    frechet_distance, GaussianMoments    how far apart the two Gaussians are (FID, between Inception features)
    kernel_distance                      the same question without bias from the sample count (KID)
    prdc                                 precision, recall, density, coverage

On images:

    extractor("mnist").features(images)  what the bundled classifiers see
    evaluate("dcgan-mnist")              a preset's numbers under the protocol, `ganzoo.metrics.protocol`
"""

from __future__ import annotations

from ganzoo.metrics.extractors import Extractor, extractor, extractor_names
from ganzoo.metrics.frechet import GaussianMoments, frechet_distance
from ganzoo.metrics.kernel import kernel_distance
from ganzoo.metrics.neighbours import prdc
from ganzoo.metrics.protocol import Reference, evaluate, score

__all__ = [
    "Extractor",
    "GaussianMoments",
    "Reference",
    "evaluate",
    "extractor",
    "extractor_names",
    "frechet_distance",
    "kernel_distance",
    "prdc",
    "score",
]
