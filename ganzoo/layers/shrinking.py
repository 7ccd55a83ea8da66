"""Images reduced and enlarged again inside of a step, each by a factor of its own, as matrix products."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from keras import ops

from ganzoo.layers.augmentation import transform

__all__ = ["shrunk_by"]

LOBES = 3  # of Lanczos' filter, as in Pillow


def shrunk_by(images: Any, draws: Any, least: int, most: int) -> Any:
    """What `ganzoo.data.shrunk` does, but for rounding to grey levels, each image to a size that is drawn for it.

    Args:
        images: float32 (batch, height, width, channels) in [-1, 1]; height and width are known.
        draws: float32 (batch,) from U[0, 1): which size from `least` to `most`, each as likely.
        least, most: ints, pixels of the shorter side.

    Returns:
        float32 of the same shape, in [-1, 1].

    Example:

    >>> shrunk_by(np.ones((2, 32, 32, 3), "float32"), np.zeros(2, "float32"), 8, 16).shape
    (2, 32, 32, 3)
    """
    height, width = images.shape[1:3]
    which = ops.cast(ops.floor(draws * (most + 1 - least)), "int32")  # draws lie below 1
    rows, columns = (
        ops.take(ops.convert_to_tensor(_matrices(side, min(height, width), least, most)), which, axis=0)
        for side in (height, width)
    )
    return ops.clip(transform(columns, transform(rows, images)), -1.0, 1.0)


@functools.cache
def _matrices(side: int, shorter: int, least: int, most: int) -> np.ndarray:
    """float32 (most + 1 - least, side, side): for each size, what becomes of a line of pixels."""
    sizes = [round(side * size / shorter) for size in range(least, most + 1)]
    return np.stack([_lanczos(size, side) @ _lanczos(side, size) for size in sizes]).astype("float32")


def _lanczos(old: int, new: int) -> np.ndarray:
    """float64 (new, old): from a line of so many pixels to one of so many others; rows sum to one."""
    scale = max(old / new, 1.0)  # the filter is as wide as a pixel of the coarser of the two
    centres = (np.arange(new) + 0.5) * old / new
    at = (np.arange(old) + 0.5 - centres[:, None]) / scale
    weights = np.where(np.abs(at) < LOBES, np.sinc(at) * np.sinc(at / LOBES), 0.0)
    return weights / weights.sum(axis=1, keepdims=True)
