"""Small images cut out of photographs at their full resolution: what models of super-resolution learn from."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ganzoo.data.folders import ImageFile, Reading, existing_folder, find_images, no_images, read_images
from ganzoo.data.preprocessing import Size, channels_of, check_positive, parse_size

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["NUM_CROPS", "crops_of", "load_crops"]

NUM_CROPS = 8000


def load_crops(
    path: str | os.PathLike,
    image_size: Size,
    mode: str = "RGB",
    *,
    num: int = NUM_CROPS,
    seed: int = 0,
    skip_unreadable: bool = False,
    max_value: float | None = None,
) -> np.ndarray:
    """Random crops of the photographs in a folder, which are of any size and are not resized.

    Args:
        path: of the folder; subfolders are read too.
        image_size: (height, width) of the crops, or one number for both.
        mode: "RGB" for colour, "L" for grey, "RGBA" for colour with transparency.
        num: int, about how many in all: as many of each photograph, at least one.
        seed: of the places, which depend on it and on the photograph alone.
        skip_unreadable: leave out, with a warning that names them, photographs that cannot be read or are smaller.
        max_value: see `load_folder`.

    Returns:
        uint8 (n, height, width, channels), photograph by photograph, in the order of their paths.

    Raises:
        FileNotFoundError: no such folder, or no images in it.
        ValueError: photographs that cannot be read or are smaller than the crops, or a number that is not positive.

    Example:
        >>> crops = load_crops("photographs", 96)     # doctest: +SKIP
        >>> ganzoo.SRGAN((96, 96, 3), perceptual=None, adversarial_weight=0).fit(crops)     # doctest: +SKIP
    """
    path = existing_folder(path)
    files = find_images(path)
    if not files:
        raise no_images(path, recursive=True)
    reading = Reading(None, mode, max_value=max_value)
    crops = crops_of(files, parse_size(image_size), reading, path, num, seed, skip_unreadable)
    reading.warn(path)
    return crops


def crops_of(
    files: Sequence[ImageFile],
    size: tuple[int, int],
    read: Reading,
    source: Path,
    num: int = NUM_CROPS,
    seed: int = 0,
    skip_unreadable: bool | None = None,
) -> np.ndarray:
    """What `load_crops` does with the files of a folder, or of an archive; see there."""
    check_positive(num=num)
    each = -(-num // len(files))
    shape = (each, *size, channels_of(str(read.mode)))
    crops, _ = read_images(files, shape, _cutting(each, size, read, seed), source, skip_unreadable, stacklevel=4)
    return crops.reshape(-1, *shape[1:])


def _cutting(num: int, size: tuple[int, int], read: Reading, seed: int) -> Callable[[Image.Image], np.ndarray]:
    height, width = size

    def cut(image: Image.Image) -> np.ndarray:
        pixels = read(image)
        rows, columns = pixels.shape[0] - height + 1, pixels.shape[1] - width + 1
        if rows < 1 or columns < 1:
            raise ValueError(f"it has {pixels.shape[1]}x{pixels.shape[0]} pixels, and a crop {width}x{height}")
        rng = np.random.default_rng([seed, zlib.crc32(pixels.tobytes())])
        places = zip(rng.integers(rows, size=num), rng.integers(columns, size=num))
        return np.stack([pixels[top : top + height, left : left + width] for top, left in places])

    return cut
