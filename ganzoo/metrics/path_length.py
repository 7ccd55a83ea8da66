"""Perceptual path length: how smoothly images change along a path through latent space."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ganzoo.data.sources import progress
from ganzoo.metrics.checks import checked_count

__all__ = ["perceptual_path_length", "slerp"]


def perceptual_path_length(
    generate: Callable[[np.ndarray], np.ndarray],
    features: Callable[[np.ndarray], np.ndarray],
    latent_dim: int,
    *,
    num_samples: int = 10_000,
    epsilon: float = 1e-4,
    trim: float = 0.01,
    seed: int = 0,
    batch_size: int = 250,
) -> float:
    """How far the features of an image move for a step along a path between two latents, per step squared.

    mean of |f(G(slerp(z1, z2; t))) - f(G(slerp(z1, z2; t + epsilon)))|^2 / epsilon^2, t uniform in [0, 1)

    Args:
        generate: float32 latents (n, latent_dim) to float images in [-1, 1], unrounded: a model itself.
        features: Float images in [-1, 1] to features (n, d): what distance is measured in.
        latent_dim: int, at least 2.
        num_samples: Paths, each looked at in one place.
        epsilon: The step.
        trim: The part of the samples that is left out at either end, against few very long ones.
        seed: Of latents and places.
        batch_size: Paths at a time.

    Returns:
        The mean over what was not trimmed, at least 0; lower is smoother. Of the square of the features' unit.

    Raises:
        ValueError: `epsilon` or `trim` out of range, or features that are not finite.

    Example:
        >>> model, see = ganzoo.load("dcgan-mnist"), ganzoo.metrics.extractor("mnist")
        >>> perceptual_path_length(model.predict_on_batch, see.float_features, model.latent_dim)

    Reference: Karras et al. 2019, arXiv:1812.04948, section 4.1, eq. 2.

    Differs from the paper: distance is measured in the features of the extractor that is given, where the paper's are
    those of VGG16 with learned weights: numbers compare under one extractor only. Paths run on the sphere of radius
    sqrt(latent_dim), since not every generator normalises its latents.
    """
    if not (1e-6 <= epsilon < 1 and 0 <= trim < 0.5):
        raise ValueError(
            "`epsilon` in [1e-6, 1), less is lost in the rounding of float32 latents, and `trim` in [0, .5). "
            f"Received: {epsilon=}, {trim=}"
        )
    num_samples, batch_size = checked_count(num_samples, "num_samples"), checked_count(batch_size, "batch_size")
    latent_dim = checked_count(latent_dim, "latent_dim", least=2)
    rng, lengths = np.random.default_rng(seed), []
    begins, ends = rng.standard_normal((2, num_samples, latent_dim))
    places = rng.random((num_samples, 1))
    starts = range(0, num_samples, batch_size)
    for start in progress(starts, len(starts), "Path length"):
        z1, z2, t = (x[start : start + batch_size] for x in (begins, ends, places))
        num = len(t)
        points = np.concatenate([slerp(z1, z2, t), slerp(z1, z2, t + epsilon)]).astype("float32")
        seen = np.asarray(features(np.asarray(generate(points), "float32")), "float64")
        if seen.ndim != 2 or len(seen) != 2 * num:
            raise ValueError(f"Features are (n, d) of n images. Received: {seen.shape} of {2 * num} images")
        lengths.append(np.sum((seen[:num] - seen[num:]) ** 2, axis=1) / epsilon**2)
    sorted_lengths = np.sort(np.concatenate(lengths))
    if not np.isfinite(sorted_lengths).all():
        raise ValueError("Images or features hold NaN or infinity. Received: non-finite lengths")
    cut = int(trim * num_samples)
    return float(sorted_lengths[cut : num_samples - cut].mean())


def slerp(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Spherical interpolation between the directions of `a` and `b`, (n, d), at `t` (n, 1), on the sphere of radius
    sqrt(d), where latents from N(0, 1) are at home.

    Example:
        >>> slerp(np.array([[2.0, 0.0]]), np.array([[0.0, 1.0]]), np.array([[0.5]]))
        array([[1., 1.]])
    """
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    cosine = np.clip(np.sum(a * b, axis=1, keepdims=True), -1, 1)
    across = b - cosine * a
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-12)
    angle = t * np.arccos(cosine)
    return np.sqrt(a.shape[1]) * (np.cos(angle) * a + np.sin(angle) * across)
