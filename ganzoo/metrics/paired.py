"""How near a drawn image comes to the one true image that it stands for: pixel by pixel and in structure."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ganzoo.metrics.checks import checked_images
from ganzoo.metrics.similarity import WINDOW, ssim_terms

__all__ = ["l1", "paired_measures", "psnr", "sharpness_difference", "ssim"]

_VALUES = 2**20  # of one side, compared at a time


def paired_measures(real: np.ndarray, drawn: np.ndarray) -> dict[str, float]:
    """Means over a set of the three measures of this module.

    All three compare places: an image that is right but shifted scores worse than a blurred one (Blau and Michaeli
    2018, arXiv:1711.06077). Say beside them how sharp the images are, as by a Frechet distance.

    Args:
        real: uint8 (n, height, width, channels), the true images; height and width at least 11.
        drawn: uint8 of the same shape; image i is compared with image i.

    Returns:
        "psnr" in decibels, infinite if an image equals its truth; "ssim" in [-1, 1]; "l1" in grey levels.

    Raises:
        ValueError: images of another dtype, of different shapes, or smaller than the window of `ssim`.

    Example:
        >>> real = np.full((2, 16, 16, 3), 100, "uint8")
        >>> paired_measures(real, real + 10)["l1"]
        10.0
    """
    measures: tuple[Callable[[np.ndarray, np.ndarray], np.ndarray], ...] = (psnr, ssim, l1)
    return {measure.__name__: float(measure(real, drawn).mean()) for measure in measures}


def psnr(real: np.ndarray, drawn: np.ndarray, data_range: float = 255) -> np.ndarray:
    """Peak signal-to-noise ratio of each image, 10 log10(data_range^2 / mean squared error).

    Args:
        real: uint8 (n, height, width, channels).
        drawn: uint8 of the same shape.
        data_range: The largest difference that two pixels can have.

    Returns:
        float64 (n,), in decibels; the mean squared error is over height, width and channels. An image that equals its
        truth has infinity, by definition, and so has the mean of a set that holds one: where that can happen, say how
        many there are and take the mean of the others.

    Raises:
        ValueError: images of another dtype or of different shapes, or `data_range` is not positive.

    Example:
        >>> black = np.zeros((1, 4, 4, 1), "uint8")
        >>> psnr(black, black + 255), psnr(black, black)
        (array([0.]), array([inf]))

    Differs from others: there, the error is sometimes taken over the whole set, or of the luminance alone.
    """
    if not data_range > 0:
        raise ValueError(f"`data_range` is positive, 255 for images as stored. Received: data_range={data_range!r}")
    error = by_chunk(real, drawn, lambda x, y: ((x - y) ** 2).mean(axis=(1, 2, 3)))
    with np.errstate(divide="ignore"):
        return 10 * np.log10(data_range**2 / error)


def ssim(real: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Structural similarity of each image with its truth.

    The mean over places of (2 m_x m_y + C1) (2 s_xy + C2) / ((m_x^2 + m_y^2 + C1) (s_x^2 + s_y^2 + C2)), where the
    means m, variances s^2 and the covariance s_xy are weighted by an 11 x 11 Gaussian (sigma 1.5) that lies wholly
    inside, C1 = (.01 255)^2 and C2 = (.03 255)^2.

    Args:
        real: uint8 (n, height, width, channels), height and width at least 11.
        drawn: uint8 of the same shape.

    Returns:
        float64 (n,) in [-1, 1], 1 for equal images; channels are compared one by one and averaged.

    Raises:
        ValueError: images of another dtype, of different shapes, or smaller than the window.

    Example:
        >>> real = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 1), "uint8")
        >>> ssim(real, real)
        array([1., 1.])

    Reference: Wang, Bovik, Sheikh and Simoncelli 2004, "Image quality assessment: from error visibility to structural
    similarity", eq. 13 to 17.

    Differs from the paper's code: images are not made smaller before, whatever their size.
    """
    return by_chunk(real, drawn, _ssim, least=WINDOW)


def l1(real: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Mean absolute difference of each image from its truth.

    Args:
        real: uint8 (n, height, width, channels).
        drawn: uint8 of the same shape.

    Returns:
        float64 (n,) in grey levels, 0 to 255.

    Raises:
        ValueError: images of another dtype or of different shapes.

    Example:
        >>> black = np.zeros((1, 4, 4, 1), "uint8")
        >>> l1(black, black + 7)
        array([7.])
    """
    return by_chunk(real, drawn, lambda x, y: np.abs(x - y).mean(axis=(1, 2, 3)))


def sharpness_difference(real: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """How near each image comes to its truth in sharpness, in decibels: the higher, the nearer.

    ``10 log10(1 / mean |(down Y + across Y) - (down Y~ + across Y~)|)`` of images scaled to [0, 1], where ``down Y``
    and ``across Y`` are the absolute differences of a pixel from the one above and the one to the left.

    Args:
        real: uint8 (n, height, width, channels), height and width at least 2.
        drawn: uint8 of the same shape.

    Returns:
        float64 (n,); the mean is over channels and the pixels that have both neighbours. It is infinite where these
        differences are the same everywhere, as of an image that equals its truth, or is lighter throughout.

    Raises:
        ValueError: images of another dtype, of different shapes, or of one pixel's height or width.

    Example:
        >>> step = np.zeros((1, 2, 2, 1), "uint8"); step[0, 1, 1] = 255
        >>> sharpness_difference(step, np.zeros_like(step)).round(3)          # 10 log10(1 / 2)
        array([-3.01])

    Reference: Mathieu, Couprie and LeCun 2015, arXiv:1511.05440, section 4 ("sharpness difference").

    Differs from the paper: the peak value, which the paper leaves to the images, is 1, and so are white pixels; numbers
    of images scaled otherwise are not comparable. Pixels at the upper and left rim have no neighbour and do not count.
    """

    def difference(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.abs(_slope(x) - _slope(y)).mean(axis=(1, 2, 3)) / 255

    with np.errstate(divide="ignore"):
        return -10 * np.log10(by_chunk(real, drawn, difference, least=2))


def _slope(x: np.ndarray) -> np.ndarray:
    return np.abs(x[:, 1:, 1:] - x[:, :-1, 1:]) + np.abs(x[:, 1:, 1:] - x[:, 1:, :-1])


def _ssim(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    luminance, structure = ssim_terms(x, y)
    return (luminance * structure).mean(axis=(1, 2, 3))


def by_chunk(
    real: np.ndarray, drawn: np.ndarray, measure: Callable[[np.ndarray, np.ndarray], np.ndarray], least: int = 1
) -> np.ndarray:
    """A measure of float64 pairs, image by image, on as many at a time as `_VALUES` allows, but at least one."""
    real, drawn = _checked_pairs(real, drawn, least)
    step = max(1, _VALUES // real[0].size)
    chunks = [slice(start, start + step) for start in range(0, len(real), step)]
    return np.concatenate([measure(real[i].astype("float64"), drawn[i].astype("float64")) for i in chunks])


def _checked_pairs(real: np.ndarray, drawn: np.ndarray, least: int) -> tuple[np.ndarray, np.ndarray]:
    real, drawn = checked_images(real, "real"), checked_images(drawn, "drawn")
    if real.shape != drawn.shape:
        raise ValueError(
            "Each drawn image is compared with the true image in its place: give arrays of one shape. "
            f"Received: real.shape={real.shape}, drawn.shape={drawn.shape}"
        )
    if min(real.shape[1:3]) < least:
        raise ValueError(
            f"The measure takes images at least {least} pixels high and wide, the window of `ssim` {WINDOW}: measure "
            f"smaller ones by `psnr` and `l1`. Received: real.shape={real.shape}"
        )
    return real, drawn
