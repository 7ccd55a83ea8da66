"""The protocol of super-resolution: PSNR and SSIM of the luminance, without a rim."""

from __future__ import annotations

import numpy as np

from ganzoo.data.preprocessing import check_positive
from ganzoo.metrics.paired import by_chunk
from ganzoo.metrics.similarity import WINDOW, ssim_terms

__all__ = ["luminance", "luminance_psnr", "luminance_ssim"]

WEIGHTS = np.array([65.481, 128.553, 24.966]) / 255


def luminance(images: np.ndarray) -> np.ndarray:
    """``16 + (65.481 R + 128.553 G + 24.966 B) / 255``, from 16 to 235: Y of ITU-R BT.601, as MATLAB's `rgb2ycbcr`.

    Args:
        images: (..., channels) from 0 to 255; of one channel, R = G = B.

    Returns:
        float64 (..., 1), not rounded.

    Raises:
        ValueError: neither 1 nor 3 channels.

    Example:
        >>> luminance(np.array([[[255, 255, 255]]], "uint8"))
        array([[[235.]]])
    """
    images = np.asarray(images, "float64")
    if images.shape[-1] not in (1, 3):
        raise ValueError(f"Luminance is of images of 1 or 3 channels. Received: images of shape {images.shape}")
    return 16 + (images * (WEIGHTS if images.shape[-1] == 3 else WEIGHTS.sum())).sum(axis=-1, keepdims=True)


def luminance_psnr(real: np.ndarray, drawn: np.ndarray, crop: int = 4) -> np.ndarray:
    """Peak signal-to-noise ratio of the luminance of each image, of a range of 255, without a rim.

    Four choices move it by up to 2 dB, and papers of super-resolution make these: luminance from 16 to 235, a range of
    255 all the same, as many pixels cut off at each side as the images were enlarged times, and reductions by MATLAB's
    kernel (`ganzoo.data.bicubic`). Bicubic enlargement by 4 then has 28.43 dB on Set5.

    Args:
        real: uint8 (n, height, width, 1 or 3).
        drawn: uint8 of the same shape.
        crop: int, pixels cut off at each side; at least 1.

    Returns:
        float64 (n,), in decibels, infinite for equal images.

    Raises:
        ValueError: images of another dtype, of different shapes, or with nothing left.

    Example:
        >>> black = np.zeros((1, 16, 16, 3), "uint8")
        >>> luminance_psnr(black, black + 255).round(2)          # 10 log10(255^2 / 219^2)
        array([1.32])
    """
    inner = _without_rim(crop)
    error = by_chunk(real, drawn, lambda x, y: ((inner(x) - inner(y)) ** 2).mean(axis=(1, 2, 3)), least=2 * crop + 1)
    with np.errstate(divide="ignore"):
        return 10 * np.log10(255**2 / error)


def luminance_ssim(real: np.ndarray, drawn: np.ndarray, crop: int = 4) -> np.ndarray:
    """`ganzoo.metrics.ssim` of the luminance of each image, without a rim; see `luminance_psnr`.

    Args, Raises: as `luminance_psnr`; at least 11 pixels are left on a side.

    Returns:
        float64 (n,) in [-1, 1].
    """
    inner = _without_rim(crop)

    def measure(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        luminances, structures = ssim_terms(inner(x), inner(y))
        return (luminances * structures).mean(axis=(1, 2, 3))

    return by_chunk(real, drawn, measure, least=2 * crop + WINDOW)


def _without_rim(crop: int):
    check_positive(crop=crop)
    return lambda images: luminance(images[:, crop:-crop, crop:-crop])
