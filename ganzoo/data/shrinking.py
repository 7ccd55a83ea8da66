"""Images of small objects: reduced and enlarged again, so that what is left of them has the size of large ones."""

from __future__ import annotations

import numpy as np

from ganzoo.data.preprocessing import resize_and_crop

__all__ = ["checked_range", "shrunk"]


def shrunk(images: np.ndarray, size: int) -> np.ndarray:
    """Images as they would be if the objects on them were small: reduced, and enlarged to the size they had.

    Both by a Lanczos filter (`resize_and_crop`), without aliasing; nothing of what was lost comes back.

    Args:
        images: uint8 (n, height, width, channels).
        size: int, pixels to which the shorter side is reduced, the other in proportion.

    Returns:
        uint8 of the same shape.

    Raises:
        ValueError: other images, or a size that is larger than theirs.

    Example:
        >>> shrunk(np.full((1, 32, 32, 3), 7, "uint8"), 8).max()
        np.uint8(7)
    """
    height, width = images.shape[1:3]
    checked_range((size, size), min(height, width))
    sides = (round(height * size / min(height, width)), round(width * size / min(height, width)))
    small = (resize_and_crop(image, sides, None, fit="stretch") for image in images)
    return np.stack([resize_and_crop(image, (height, width), None, fit="stretch") for image in small])


def checked_range(small: tuple[int, int], side: int) -> tuple[int, int]:
    """The least and the most pixels of small objects on images whose shorter side has `side`.

    Raises:
        ValueError: they are no such numbers.
    """
    numbers = tuple(small) if isinstance(small, (tuple, list)) else ()
    if len(numbers) != 2 or not all(isinstance(n, int) for n in numbers) or not 1 <= numbers[0] <= numbers[1] <= side:
        raise ValueError(
            f"Small objects have from a least to a most number of pixels, (8, 16), at most {side}, the image's shorter "
            f"side. Received: {small!r}"
        )
    return numbers
