"""Sheets of images, and picture files that are never seen half written."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ganzoo.data.preprocessing import to_uint8

__all__ = [
    "checked_uint8",
    "image_grid",
    "remove_leftovers",
    "save_film",
    "save_gif",
    "save_png",
    "visible",
    "write_beside",
]


def image_grid(images: Any, columns: int | None = None, padding: int = 2, background: int = 255) -> np.ndarray:
    """Lays images out in rows, left to right, as one image.

    What cannot be seen as it is: of two channels the first is shown as red and the second as green; four are RGBA, and
    laid on the background by their transparency; of more than four the first three are shown as red, green and blue.

    Args:
        images: `(n, height, width, channels)` with any number of channels, uint8 or float in [-1, 1].
        columns: Images in a row; `None` for a sheet that is about as high as wide.
        padding: Pixels between the images and around them.
        background: Grey value of the padding, of the places that stay empty and behind transparent pixels, 0 to 255.

    Returns:
        The sheet, uint8 `(rows * (height + padding) + padding, columns * (width + padding) + padding, channels)`: of
        one channel where the images have one, otherwise of three.

    Raises:
        ValueError: Images of another shape, range or type.

    Example:
        >>> sheet = ganzoo.plot.image_grid(model.generate(64, seed=0))  # (242, 242, 1) for images of 28 x 28
    """
    images = checked_uint8(images)
    if images.ndim != 4 or 0 in images.shape:
        raise ValueError(f"Images are (n, height, width, channels). Received: images.shape={images.shape}")
    if columns is not None and columns < 1:
        raise ValueError(f"A row holds at least one image. Received: {columns=}")
    images = visible(images, background)
    number, height, width, channels = images.shape
    columns = min(columns or _columns(number), number)
    rows = -(-number // columns)
    down, across = height + padding, width + padding
    sheet = np.full((rows * down + padding, columns * across + padding, channels), background, "uint8")
    for index, image in enumerate(images):
        top, left = padding + index // columns * down, padding + index % columns * across
        sheet[top : top + height, left : left + width] = image
    return sheet


def visible(images: np.ndarray, background: int = 255) -> np.ndarray:
    """uint8 images `(..., channels)` of any number of channels as grey or RGB, as `image_grid` shows them."""
    channels = images.shape[-1]
    if channels == 2:
        return np.concatenate([images, np.zeros_like(images[..., :1])], axis=-1)
    if channels == 4:
        opacity = images[..., 3:] / 255
        return np.rint(images[..., :3] * opacity + background * (1 - opacity)).astype("uint8")
    return images[..., :3]


def _columns(number: int) -> int:
    """The nearest to a square that leaves no gap (10 as 5 x 2), or a square with gaps where that is too flat (7)."""
    side = math.ceil(math.sqrt(number))
    return next((columns for columns in range(side, 2 * side) if number % columns == 0), side)


def checked_uint8(images: Any) -> np.ndarray:
    """Images as files hold them.

    Raises:
        ValueError: Floats beyond [-1, 1], or another type.
    """
    images = np.asarray(images)
    if images.dtype.kind == "f" and images.size and max(-np.nanmin(images), np.nanmax(images)) > 1.001:
        raise ValueError(f"Float images lie in [-1, 1]. Received: {np.nanmin(images)} to {np.nanmax(images)}")
    return to_uint8(images)


def save_png(path: str | os.PathLike, images: Any, columns: int | None = None, scale: int = 1) -> Path:
    """Writes a sheet of images, or a single image, as a PNG.

    Args:
        path: Where to; its folder must exist. Written beside and renamed, so that no half file is ever seen.
        images: `(n, height, width, channels)`, laid out by `image_grid`, or one image `(height, width, channels)`,
            written as it is: grey, grey with transparency, RGB or RGBA by its 1 to 4 channels, and of more the first
            three. uint8 or float in [-1, 1].
        columns: Images in a row.
        scale: How many pixels of the file, in each direction, make one of the image.

    Returns:
        The path written.

    Example:
        >>> ganzoo.plot.save_png("digits.png", model.generate(64, seed=0), scale=2)
    """
    from PIL import Image

    picture = checked_uint8(images) if np.ndim(images) == 3 else image_grid(images, columns)
    if scale < 1 or scale != int(scale):
        raise ValueError(f"The scale is a whole number from 1 on. Received: {scale=}")
    picture = picture.repeat(int(scale), axis=0).repeat(int(scale), axis=1)  # sharp pixels: nothing is invented
    picture = picture if picture.shape[-1] <= 4 else visible(picture)
    picture = picture[..., 0] if picture.shape[-1] == 1 else picture
    return write_beside(path, lambda file: Image.fromarray(picture).save(file, "PNG", optimize=True))


def write_beside(path: str | os.PathLike, write: Callable[[BinaryIO], Any]) -> Path:
    """Calls `write` with a file beside `path`, and renames it to `path` once it is complete."""
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(beside, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    return path


def remove_leftovers(directory: str | os.PathLike, names: str) -> None:
    """Removes the files that `write_beside` left where its process was killed.

    Args:
        directory: Where to look.
        names: A regular expression of the names that were to be written; what is called otherwise stays. So does what
            a process that still runs may be writing, and on Windows everything: it has no harmless way to ask.

    Example:
        >>> ganzoo.plot.remove_leftovers("samples", r"epoch_[0-9]+[.]png")
    """
    for path in Path(directory).iterdir():
        match = re.fullmatch(rf"\.(?:{names})\.([0-9]+)", path.name)
        if match and not _is_running(int(match[1])):
            path.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    """Whether there is a process of that number besides this one (in containers a restarted one has the same)."""
    if process == os.getpid():
        return False
    if os.name == "nt":
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's
        return True
    return True


def save_gif(path: str | os.PathLike, sheets: Sequence[str | os.PathLike]) -> Path:
    """Writes picture files of one size as the frames of an animation.

    The frames pass in about ten seconds, no faster than 25 and no slower than 2 a second; the last one stays for two.

    Args:
        path: Where to. Written beside and renamed.
        sheets: The picture files, in order.

    Returns:
        The path written.

    Raises:
        ValueError: No pictures.

    Example:
        >>> ganzoo.plot.save_gif("training.gif", sorted(Path("samples").glob("epoch_*.png")))
    """
    from PIL import Image

    if not sheets:
        raise ValueError(f"An animation has at least one picture. Received: {sheets=}")
    duration = min(max(10_000 // len(sheets), 40), 500)
    durations = [duration] * (len(sheets) - 1) + [2000]
    first, *others = sheets
    with Image.open(first) as start:
        frames = (Image.open(sheet) for sheet in others)  # opened one by one: a long training has many
        options = {"append_images": frames, "duration": durations, "loop": 0}
        return write_beside(path, lambda file: start.save(file, "GIF", save_all=True, **options))


def save_film(
    path: str | os.PathLike, films: Any, columns: int | None = None, scale: int = 1, frames_per_second: float = 5
) -> Path:
    """Writes films as one animation, in which they run beside one another.

    Args:
        path: Where to. Written beside and renamed.
        films: `(n, frames, height, width, channels)`, laid out frame by frame by `image_grid`, or one film `(frames,
            height, width, channels)`; uint8 or float in [-1, 1].
        columns: Films in a row.
        scale: How many pixels of the file, in each direction, make one of a film.
        frames_per_second: At most 50, more than which viewers slow down; the last frame stays for a second longer.

    Returns:
        The path written.

    Raises:
        ValueError: Films of another shape or range, or another speed.

    Example:
        >>> ganzoo.plot.save_film("next.gif", model.predict_film(frames, steps=8), scale=4)
    """
    from PIL import Image

    films = checked_uint8(films)
    films = films[None] if films.ndim == 4 else films
    if films.ndim != 5 or 0 in films.shape:
        raise ValueError(f"Films are (n, frames, height, width, channels). Received: films.shape={films.shape}")
    if not 0 < frames_per_second <= 50:
        raise ValueError(f"An animation has up to 50 frames per second. Received: {frames_per_second=}")
    if scale < 1 or scale != int(scale):
        raise ValueError(f"The scale is a whole number from 1 on. Received: {scale=}")
    sheets = [image_grid(films[:, i], columns) for i in range(films.shape[1])]
    sheets = [sheet.repeat(int(scale), axis=0).repeat(int(scale), axis=1) for sheet in sheets]
    first, *others = (Image.fromarray(sheet[..., 0] if sheet.shape[-1] == 1 else sheet) for sheet in sheets)
    duration = round(1000 / frames_per_second)
    durations = [duration] * (len(sheets) - 1) + [duration + 1000]
    options = {"append_images": others, "duration": durations if others else durations[0], "loop": 0}
    return write_beside(path, lambda file: first.save(file, "GIF", save_all=True, **options))
