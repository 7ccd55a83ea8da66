"""Structural similarity of pairs of images, and the diversity of a set of them."""

from __future__ import annotations

import numpy as np

from ganzoo.data.progress import progress
from ganzoo.metrics.checks import checked_count, checked_images, checked_labels

__all__ = ["ms_ssim", "ms_ssim_diversity"]

_SCALE_WEIGHTS = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])  # Wang et al. 2003, section 3.2
WINDOW, _STD = 11, 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def ms_ssim(images: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Multi-scale structural similarity of pairs of images.

    l_M(x, y)^w_M times the product over scales j = 1 ... M of cs_j(x, y)^w_j, where l compares luminance at the
    coarsest scale and cs contrast and structure, each a mean over an 11 x 11 Gaussian window (sigma 1.5) that lies
    wholly inside. From scale to scale the images are averaged over 2 x 2 pixels.

    Args:
        images: uint8 (n, height, width, channels), height and width at least 11.
        others: uint8, of the same shape.

    Returns:
        float64 (n,), 1 for equal images; channels are compared one by one and averaged. Negative structure at a scale
        counts as 0.

    Raises:
        ValueError: images of another dtype, of different shapes, or smaller than the window.

    Reference: Wang, Simoncelli and Bovik 2003, "Multiscale structural similarity for image quality assessment", eq. 7.

    Differs from the paper: images under 176 pixels do not have five scales that hold the window; as many are taken as
    fit (two of 28 pixels), their weights scaled to the sum of 1.
    """
    x, y = checked_images(images), checked_images(others, "others")
    if x.shape != y.shape:
        raise ValueError(f"Images are compared in pairs of one shape. Received: {x.shape} and {y.shape}")
    side = min(x.shape[1:3])
    if side < WINDOW:
        raise ValueError(f"Images are at least {WINDOW} pixels high and wide. Received: shape={x.shape}")
    num_scales = min(len(_SCALE_WEIGHTS), int(np.log2(side / WINDOW)) + 1)
    weights = _SCALE_WEIGHTS[:num_scales] / _SCALE_WEIGHTS[:num_scales].sum()
    x, y = x.astype("float64"), y.astype("float64")
    similarity = np.ones((len(x), x.shape[-1]))
    for scale, weight in enumerate(weights):
        luminance, structure = ssim_terms(x, y)
        last = scale == num_scales - 1
        term = (luminance * structure if last else structure).mean(axis=(1, 2))
        similarity *= np.maximum(term, 0) ** weight
        x, y = _halved(x), _halved(y)
    return similarity.mean(axis=1)


def ms_ssim_diversity(
    images: np.ndarray, labels: np.ndarray | None = None, num_pairs: int = 1000, seed: int = 0, batch_size: int = 100
) -> float:
    """Mean similarity of random pairs of images of one set: the lower, the more diverse.

    Compare with the value of the real images. A collapsed generator has 1; but noise, too, has a low value.

    Args:
        images: uint8 (n, height, width, channels).
        labels: int (n,); with them, pairs are of one class, and classes count equally.
        num_pairs: Random pairs, never of an image with itself; of each class where there are labels.
        seed: Of the pairs.
        batch_size: Pairs at a time.

    Returns:
        The mean of `ms_ssim`, in [0, 1].

    Raises:
        ValueError: fewer than two images (of a class).

    Example:
        >>> images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 1), "uint8")
        >>> ms_ssim_diversity(images[[0, 0, 0]])
        1.0

    Reference: Odena, Olah and Shlens 2017, arXiv:1610.09585, section 4.2.
    """
    images = checked_images(images)
    num_pairs, batch_size = checked_count(num_pairs, "num_pairs"), checked_count(batch_size, "batch_size")
    labels = np.zeros(len(images), "int64") if labels is None else checked_labels(labels, len(images))
    rng, means, starts = np.random.default_rng(seed), [], range(0, num_pairs, batch_size)
    for each in np.unique(labels):
        members = np.flatnonzero(labels == each)
        if len(members) < 2:
            raise ValueError(f"A pair takes two images. Received: {len(members)} of class {each}")
        first = rng.integers(len(members), size=num_pairs)
        second = (first + rng.integers(1, len(members), size=num_pairs)) % len(members)
        values = [
            ms_ssim(images[members[first[i : i + batch_size]]], images[members[second[i : i + batch_size]]])
            for i in progress(starts, len(starts), "Similarity of pairs")
        ]
        means.append(np.concatenate(values).mean())
    return float(np.mean(means))


def ssim_terms(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Luminance and contrast-structure at each place of the window (Wang et al. 2004, eq. 6 and 13)."""
    mean_x, mean_y = _blurred(x), _blurred(y)
    var_x, var_y = _blurred(x * x) - mean_x**2, _blurred(y * y) - mean_y**2
    covariance = _blurred(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    return luminance, (2 * covariance + _C2) / (var_x + var_y + _C2)


def _blurred(x: np.ndarray) -> np.ndarray:
    offsets = np.arange(WINDOW) - WINDOW // 2
    window = np.exp(-(offsets**2) / (2 * _STD**2))
    window /= window.sum()
    for axis in (1, 2):
        size = x.shape[axis] - WINDOW + 1
        x = sum(weight * x.take(range(i, i + size), axis=axis) for i, weight in enumerate(window))
    return x


def _halved(x: np.ndarray) -> np.ndarray:
    height, width = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    x = x[:, :height, :width]
    return (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4
