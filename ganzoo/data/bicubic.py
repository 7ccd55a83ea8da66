"""MATLAB's `imresize` by cubic convolution, on whose reductions papers of super-resolution train and are compared."""

from __future__ import annotations

import functools

import numpy as np

from ganzoo.data.preprocessing import Size, check_positive, parse_size

__all__ = ["bicubic", "bicubic_matrix"]

A = -0.5  # Keys' kernel
REACH = 2  # pixels to either side, before it is stretched


def bicubic(images: np.ndarray, image_size: Size) -> np.ndarray:
    """Images at another size, as MATLAB's ``imresize(image, [height width], "bicubic")`` makes them.

    Where an image shrinks, the kernel is stretched by as much, so that no pixel is passed over (antialiasing); beyond
    the border lies the image mirrored. Pillow, OpenCV and frameworks have other kernels, other borders or no
    antialiasing: on their reductions a model meets what it has not learned, and its decibels do not compare.

    Args:
        images: uint8 or float (n, height, width, channels), or one image (height, width, channels).
        image_size: (height, width), or one number for both.

    Returns:
        Of the same dtype; uint8 is rounded once, at the end, and clipped.

    Raises:
        ValueError: another dtype or shape, or a size that is not positive.

    Example:
        >>> bicubic(np.full((1, 32, 48, 3), 7, "uint8"), (8, 12)).shape
        (1, 8, 12, 3)

    Reference: Keys 1981, "Cubic convolution interpolation for digital image processing".

    Differs from MATLAB: floats are not clipped there either, but uint8 is rounded after rows and again after columns.
    """
    images = np.asarray(images)
    if images.ndim not in (3, 4) or (images.dtype != np.uint8 and images.dtype.kind != "f"):
        raise ValueError(
            "Give uint8 or float images, (n, height, width, channels) or one of them. "
            f"Received: images of shape {images.shape} and dtype {images.dtype}"
        )
    height, width = parse_size(image_size)
    rows = bicubic_matrix(images.shape[-3], height)
    columns = bicubic_matrix(images.shape[-2], width)
    resized = np.einsum("ij,...jkc->...ikc", rows, images.astype("float64"), optimize=True)
    resized = np.einsum("ij,...kjc->...kic", columns, resized, optimize=True)
    if images.dtype == np.uint8:
        return np.clip(np.floor(resized + 0.5), 0, 255).astype("uint8")
    return resized.astype(images.dtype)


@functools.lru_cache(maxsize=64)
def bicubic_matrix(size: int, new: int) -> np.ndarray:
    """What brings a line of `size` pixels to `new` ones: float64 (new, size), rows that sum to 1.

    Raises:
        ValueError: a number that is not positive.

    Example:
        >>> bicubic_matrix(2, 4)[0].round(4)
        array([ 1.0938, -0.0938])
    """
    check_positive(size=size, new=new)
    scale = new / size
    stretch = max(1.0, 1.0 / scale)
    centres = (np.arange(new) + 0.5) / scale - 0.5
    first = np.floor(centres - REACH * stretch).astype(int)
    places = first[:, None] + np.arange(int(np.ceil(2 * REACH * stretch)) + 2)
    weights = _kernel((centres[:, None] - places) / stretch)
    weights /= weights.sum(axis=1, keepdims=True)
    matrix = np.zeros((new, size))
    mirrored = places % (2 * size)
    np.add.at(matrix, (np.arange(new)[:, None], np.minimum(mirrored, 2 * size - 1 - mirrored)), weights)
    matrix.flags.writeable = False
    return matrix


def _kernel(x: np.ndarray) -> np.ndarray:
    x = np.abs(x)
    near = ((A + 2) * x - (A + 3)) * x**2 + 1
    far = ((A * x - 5 * A) * x + 8 * A) * x - 4 * A
    return np.where(x <= 1, near, np.where(x < REACH, far, 0.0))
