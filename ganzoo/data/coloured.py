"""Images of several attributes whose truth is known to the pixel: grey images in colours and fills."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from ganzoo.data.preprocessing import Size, check_images, check_positive, parse_size

__all__ = ["COLOURED", "COLOURS", "FILLS", "coloured", "coloured_parts"]

COLOURED = {"coloured_mnist": "mnist", "coloured_fashion_mnist": "fashion_mnist"}  # and of what they are made
COLOURS = {
    "red": (235, 60, 50),
    "yellow": (240, 210, 50),
    "green": (60, 190, 80),
    "blue": (60, 110, 240),
    "white": (255, 255, 255),
}
FILLS = ("plain", "striped", "chequered")

Names: TypeAlias = str | Sequence[str] | np.ndarray

_SHADE = 0.35  # of what is dark in a fill
_CELL = 2  # pixels
_CHUNK = 4096  # images drawn at a time


def coloured(images: np.ndarray, colours: Names, fills: Names, size: Size = 32) -> np.ndarray:
    """Grey images on black, each in a colour and a fill: their brightness times that of the fill times the colour.

    A fill is 1 where it is bright and .35 where it is dark: "plain" is bright everywhere, "striped" in rows and
    "chequered" in squares of two pixels in turn.

    Args:
        images: uint8 (n, height, width, 1), bright on black.
        colours: one of `COLOURS` for each image, or one for all.
        fills: one of "plain", "striped", "chequered" for each image, or one for all.
        size: (height, width), or one number for both, in whose middle the images are put.

    Returns:
        uint8 (n, *size, 3).

    Raises:
        ValueError: other images, an unknown colour or fill, a size that is smaller than the images.

    Example:
        >>> grey = np.full((2, 28, 28, 1), 255, "uint8")
        >>> coloured(grey, ["red", "blue"], "striped")[:, 2:6, 16].tolist()[0]
        [[235, 60, 50], [235, 60, 50], [82, 21, 18], [82, 21, 18]]
    """
    if getattr(images, "dtype", np.uint8) != np.uint8:
        raise ValueError(f"Give uint8 images, ganzoo.data.to_uint8(x). Received: images of dtype {images.dtype}")
    check_images(images, name="images")
    height, width = parse_size(size)
    above, left = (height - images.shape[1]) // 2, (width - images.shape[2]) // 2
    if images.shape[-1] != 1 or above < 0 or left < 0:
        raise ValueError(f"Images are grey, and fit into {height}x{width}. Received: images of shape {images.shape}")
    tints = np.array(list(COLOURS.values()), "float32")[_numbers(colours, list(COLOURS), "colours", len(images))]
    patterns = _patterns(height, width)
    which = _numbers(fills, list(FILLS), "fills", len(images))
    drawn = np.zeros((len(images), height, width, 3), "uint8")
    rows, columns = slice(above, above + images.shape[1]), slice(left, left + images.shape[2])
    for begin in range(0, len(images), _CHUNK):
        chunk = slice(begin, begin + _CHUNK)
        bright = images[chunk] / np.float32(255) * patterns[which[chunk], rows, columns, None]
        drawn[chunk, rows, columns] = np.rint(bright * tints[chunk, None, None])
    return drawn


def _patterns(height: int, width: int) -> np.ndarray:
    """float32 (fills, height, width)."""
    y, x = (np.arange(n) // _CELL for n in (height, width))
    dark = [np.zeros((height, width)), np.repeat(y[:, None] % 2, width, 1), (y[:, None] + x) % 2]
    return np.where(np.stack(dark) > 0, np.float32(_SHADE), np.float32(1))


def _numbers(given: Any, known: list[str], what: str, n: int) -> np.ndarray:
    names = [given] * n if isinstance(given, str) else list(map(str, given))
    if len(names) != n or not set(names) <= set(known):
        wrong = next((name for name in names if name not in known), None)
        raise ValueError(
            f"`{what}` are {', '.join(known)}: one for all, or one for each of {n} images. "
            f"Received: {f'{len(names)} of them' if wrong is None else repr(wrong)}"
        )
    return np.array([known.index(name) for name in names], int)


def coloured_parts(images: np.ndarray, seed: int, size: Size = 32) -> dict[str, np.ndarray]:
    """Images, each in a colour and a fill of its own, drawn by a seed; with their `colour` and `fill`."""
    check_positive(images=len(images))
    rng = np.random.default_rng(seed)
    colour = np.array(list(COLOURS))[rng.integers(len(COLOURS), size=len(images))]
    fill = np.array(FILLS)[rng.integers(len(FILLS), size=len(images))]
    return {"images": coloured(images, colour, fill, size), "colour": colour, "fill": fill}
