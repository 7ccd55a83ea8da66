"""Perceptual path length: how smoothly images change along a path through latent space."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ganzoo.data.progress import progress
from ganzoo.engine.drawing import Drawing
from ganzoo.metrics.checks import checked_count

__all__ = ["own_latents", "perceptual_path_length", "slerp"]


def perceptual_path_length(
    generate: Callable[[Any], np.ndarray],
    features: Callable[[np.ndarray], np.ndarray],
    latent_dim: int | None = None,
    *,
    num_samples: int = 10_000,
    epsilon: float = 1e-4,
    trim: float = 0.01,
    seed: int = 0,
    batch_size: int = 250,
    ends: np.ndarray | None = None,
    inputs: Mapping[str, np.ndarray] = {},
) -> float:
    """How far the features of an image move for a step along a path between two latents, per step squared.

    mean of |f(G(slerp(z1, z2; t))) - f(G(slerp(z1, z2; t + epsilon)))|^2 / epsilon^2, t uniform in [0, 1)

    Args:
        generate: float32 latents (n, latent_dim) to float images in [-1, 1], unrounded: a model itself. Where there are
            `inputs`, it is given a dictionary of them and `latents`.
        features: Float images in [-1, 1] to features (n, d): what distance is measured in.
        latent_dim: int, at least 2; not asked for where `ends` are given.
        num_samples: Paths, each looked at in one place.
        epsilon: The step.
        trim: The part of the samples that is left out at either end, against few very long ones.
        seed: Of latents and places.
        batch_size: Paths at a time.
        ends: (2, num_samples, ...), latents of another distribution than N(0, 1) to run between, in a straight line:
            where they are at home on no sphere.
        inputs: What else the generator takes, by name, (num_samples, ...) each: it stays the same along a path.

    Returns:
        The mean over what was not trimmed, at least 0; lower is smoother. Of the square of the features' unit.

    Raises:
        ValueError: `epsilon` or `trim` out of range, ends or inputs of another number than paths, or features that are
            not finite.

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
    rng, between = np.random.default_rng(seed), slerp if ends is None else _straight
    if ends is None:
        latent_dim = checked_count(latent_dim, "latent_dim", least=2)
        ends = rng.standard_normal((2, num_samples, latent_dim))
    _check_counts(num_samples, {"ends": ends[0], **inputs})
    places = rng.random((num_samples, 1))
    starts, lengths = range(0, num_samples, batch_size), []
    for start in progress(starts, len(starts), "Path length"):
        rows = slice(start, start + batch_size)
        z1, z2, t = ends[0][rows], ends[1][rows], places[rows]
        points = np.concatenate([between(z1, z2, t), between(z1, z2, t + epsilon)]).astype("float32")
        given = {name: np.concatenate([values[rows], values[rows]]) for name, values in inputs.items()}
        images = generate({"latents": points, **given} if given else points)
        lengths.append(_moved(features, images, len(t)) / epsilon**2)
    sorted_lengths = np.sort(np.concatenate(lengths))
    if not np.isfinite(sorted_lengths).all():
        raise ValueError("Images or features hold NaN or infinity. Received: non-finite lengths")
    cut = int(trim * num_samples)
    return float(sorted_lengths[cut : num_samples - cut].mean())


def _check_counts(num: int, arrays: Mapping[str, np.ndarray]) -> None:
    for name, values in arrays.items():
        if len(values) != num:
            raise ValueError(f"There is one of `{name}` for each of the {num} paths. Received: {len(values)}")


def _moved(features: Callable[[np.ndarray], np.ndarray], images: np.ndarray, num: int) -> np.ndarray:
    """The squared distance between the features of the first `num` images and those of the others."""
    seen = np.asarray(features(np.asarray(images, "float32")), "float64")
    if seen.ndim != 2 or len(seen) != 2 * num:
        raise ValueError(f"Features are (n, d) of n images. Received: {seen.shape} of {2 * num} images")
    return np.sum((seen[:num] - seen[num:]) ** 2, axis=1)


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


def _straight(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> np.ndarray:
    """The straight line from `a` to `b`, (n, ...), at `t` (n, 1)."""
    t = t.reshape(-1, *[1] * (a.ndim - 1))
    return (1 - t) * a + t * b


def own_latents(model: Any, num: int, seed: int) -> tuple[np.ndarray | None, dict[str, np.ndarray]] | None:
    """What paths of a model run between, and which of its latents stay the same along each.

    Args:
        model: A `GAN`.
        num: Paths.
        seed: Of latents that are the model's own.

    Returns:
        For latents of N(0, 1), the default, (None, {}): `perceptual_path_length` draws them. Of a model that overrides
        `latents`, what it draws: `ends` (2, num, ...) of those named "latents", and the others by name, (num, ...).
        None where nothing moves: there are no latents, or none of that name that are floats.
    """
    if getattr(type(model), "latents", Drawing.latents) is Drawing.latents:
        return None if model.latent_dim is None else (None, {})
    drawn = model.seeded_latents(2 * num, seed)
    held = dict(drawn) if isinstance(drawn, dict) else {"latents": drawn}
    moving = held.pop("latents", None)
    if moving is None or moving.dtype.kind != "f":
        return None
    taken = {x.name for x in model.generator.inputs}
    return moving.reshape(2, num, *moving.shape[1:]), {name: x[:num] for name, x in held.items() if name in taken}
