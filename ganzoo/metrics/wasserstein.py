"""The sliced Wasserstein distance, of any features and of the patches of an image pyramid."""

from __future__ import annotations

import numpy as np

from ganzoo.data.progress import progress
from ganzoo.metrics.checks import checked_count, checked_images, checked_pair

__all__ = ["patch_wasserstein_distance", "sliced_wasserstein_distance"]

_PATCH, _SMALLEST = 7, 16  # pixels
_CHUNK = 64  # projections at a time


def sliced_wasserstein_distance(
    real_features: np.ndarray, fake_features: np.ndarray, num_projections: int = 512, seed: int = 0
) -> float:
    """Mean over random directions of the 1-Wasserstein distance between the projections of two sets.

    Along a line the Wasserstein distance of two sets of n is the mean distance of the sorted values.

    Args:
        real_features: (n, d).
        fake_features: (n, d), as many.
        num_projections: Directions, uniform on the sphere.
        seed: Of the directions.

    Returns:
        The distance, at least 0; 0 for equal sets. Of two samples of one distribution it falls with 1 / sqrt(n).

    Raises:
        ValueError: features that do not match in number or dimension, or that are not finite.

    Example:
        >>> sliced_wasserstein_distance([[0.0], [1.0]], [[4.0], [3.0]])
        3.0

    Reference: Rabin et al. 2011, "Wasserstein barycenter and its application to texture mixing", eq. 5, with the
    absolute distance in place of its square; Karras et al. 2018, arXiv:1710.10196, section 5.
    """
    real, fake = checked_pair(real_features, fake_features)
    num_projections = checked_count(num_projections, "num_projections")
    if len(real) != len(fake):
        raise ValueError(
            f"Sorted values are compared one by one: as many real as fake. Received: {len(real)} real, {len(fake)} fake"
        )
    directions = np.random.default_rng(seed).standard_normal((real.shape[1], num_projections))
    directions /= np.linalg.norm(directions, axis=0)
    total = 0.0
    starts = range(0, num_projections, _CHUNK)
    for start in progress(starts, len(starts), "Wasserstein distance"):
        chosen = directions[:, start : start + _CHUNK]
        difference = np.sort(real @ chosen, axis=0) - np.sort(fake @ chosen, axis=0)
        total += float(np.abs(difference).mean(axis=0).sum())
    return total / num_projections


def patch_wasserstein_distance(
    real: np.ndarray, fake: np.ndarray, patches_per_image: int = 128, num_projections: int = 512, seed: int = 0
) -> dict[int, float]:
    """Sliced Wasserstein distance between the 7 x 7 patches of the levels of a Laplacian pyramid, times 1000.

    The finest level compares texture and noise, the coarsest, at least 16 pixels, the shapes.

    Args:
        real: uint8 (n, height, width, channels), height and width at least 16.
        fake: uint8, of the same shape.
        patches_per_image: Random patches of each image and level.
        num_projections: As in `sliced_wasserstein_distance`.
        seed: Of patches and directions.

    Returns:
        dict from a level's height in pixels to its distance times 1000.

    Raises:
        ValueError: images of another dtype, of different shapes, or too small.

    Reference: Karras et al. 2018, arXiv:1710.10196, section 5.

    Differs from the paper: patches are drawn at the same places of real and fake images, and a level whose size is odd
    is the last.
    """
    real, fake = checked_images(real, "real"), checked_images(fake, "fake")
    patches_per_image = checked_count(patches_per_image, "patches_per_image")
    if real.shape != fake.shape or min(real.shape[1:3]) < _SMALLEST:
        raise ValueError(
            f"As many real as fake images of one shape, at least {_SMALLEST} pixels high and wide. "
            f"Received: real {real.shape}, fake {fake.shape}"
        )
    distances = {}
    for level, (a, b) in enumerate(zip(_pyramid(real), _pyramid(fake))):
        patches, others = (_patches(x, patches_per_image, [seed, level]) for x in (a, b))
        distances[a.shape[1]] = 1e3 * sliced_wasserstein_distance(patches, others, num_projections, seed)
    return distances


def _pyramid(images: np.ndarray) -> list[np.ndarray]:
    """Laplacian pyramid, the finest level first; each is what the next coarser one, enlarged, leaves over."""
    levels, image = [], images.astype("float32")
    while image.shape[1] % 2 == image.shape[2] % 2 == 0 and min(image.shape[1:3]) // 2 >= _SMALLEST:
        coarse = _blurred(image)[:, ::2, ::2]
        enlarged = np.zeros_like(image)
        enlarged[:, ::2, ::2] = 4 * coarse
        levels.append(image - _blurred(enlarged))
        image = coarse
    return [*levels, image]


def _blurred(images: np.ndarray) -> np.ndarray:
    """Convolution with the binomial window (1, 4, 6, 4, 1) / 16 in both directions, mirrored at the border."""
    for axis in (1, 2):
        padding = [(0, 0)] * 4
        padding[axis] = (2, 2)
        padded, size = np.pad(images, padding, mode="reflect"), images.shape[axis]
        images = np.zeros_like(images)
        for i, weight in enumerate((1, 4, 6, 4, 1)):
            images += np.float32(weight / 16) * padded.take(range(i, i + size), axis=axis)
    return images


def _patches(images: np.ndarray, per_image: int, seed: list[int]) -> np.ndarray:
    """Random patches as vectors (n * per_image, 49 * channels), each channel normalised over all of them."""
    rng = np.random.default_rng(seed)
    num, height, width, channels = images.shape
    image = np.repeat(np.arange(num), per_image)[:, None, None]
    top, left = (rng.integers(0, size - _PATCH + 1, num * per_image)[:, None, None] for size in (height, width))
    offsets = np.arange(_PATCH)
    patches = images[image, top + offsets[:, None], left + offsets]
    patches -= patches.mean(axis=(0, 1, 2), dtype="float64").astype("float32")
    patches /= np.maximum(patches.std(axis=(0, 1, 2), dtype="float64"), 1e-8).astype("float32")
    return patches.reshape(len(patches), _PATCH * _PATCH * channels)
