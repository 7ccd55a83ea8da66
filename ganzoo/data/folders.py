"""Images from folders, of whatever sizes and formats."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

import numpy as np

from ganzoo.data.preprocessing import (
    channels_of,
    check_reading,
    is_deep,
    is_deep_colour,
    parse_size,
    resize_and_crop,
)
from ganzoo.data.progress import progress
from ganzoo.engine.quiet import printable

if TYPE_CHECKING:
    from PIL import Image

__all__ = [
    "Reading",
    "check_limit",
    "existing_folder",
    "find_images",
    "header",
    "load_folder",
    "named_together",
    "no_images",
    "opened",
    "pages_in",
    "read_images",
]

# What counts as an image in a folder. What of it Pillow cannot read is reported; files of other kinds are passed over.
IMAGE_SUFFIXES = (
    *(".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".jxl", ".pbm", ".pgm"),
    *(".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
)
MAX_NAMED = 10  # files that an error names
MOST_PIXELS = 89_478_485  # of an image, Pillow's own bound
LARGE = 2**24  # pixels of an image
DARK = 2**14  # in 16 bits: where no file reaches it, they hold fewer


_one_at_a_time, _one_header = threading.Lock(), threading.Lock()


class ImageFile(Protocol):
    """What can be opened for reading: a path, or a member of an archive."""

    def open(self, mode: str, /) -> IO[bytes]: ...


def load_folder(
    path: str | os.PathLike,
    image_size: int | tuple[int, int],
    mode: str = "RGB",
    *,
    recursive: bool = True,
    limit: int | None = None,
    skip_unreadable: bool = False,
    fit: str = "crop",
    max_value: float | None = None,
    pages: str = "first",
) -> np.ndarray:
    """All images of a folder, of whatever sizes and formats, resized and cropped to one size (`resize_and_crop`).

    Args:
        path: of the folder. Files that are hidden or have no ending of an image are passed over.
        image_size: (height, width), or one number for both.
        mode: "RGB" for colour, "L" for grey, "RGBA" for colour with transparency (see `resize_and_crop`).
        recursive: read subfolders too.
        limit: read only the first so many.
        skip_unreadable: leave out, with a warning that names them, files that cannot be read.
        fit: "crop", "pad" or "stretch" images of other proportions (see `resize_and_crop`).
        max_value: the value of white in files of more than 8 bits (see `resize_and_crop`).
        pages: of files with several, as animations and TIFF stacks: "first"; "all", an image of each; or "channels",
            one image whose channels are the pages, each read as grey.

    Returns:
        uint8 (n, height, width, channels), in the order of the paths below `path`.

    Raises:
        FileNotFoundError: no such folder, or no images in it.
        ValueError: files that cannot be read (all are named), among them images of more pixels than Pillow takes for
            sane (89 million; the environment variable ``GANZOO_MAX_PIXELS`` lifts that), or a wrong argument.

    Warns:
        UserWarning: files with several pages of which the first was read; files of 16 bits in which no value comes near
            65535, so that all images are dark (12 bits in 16, as cameras and medical devices write them).

    Example:
        >>> load_folder("photos", image_size=64).shape     # doctest: +SKIP
        (1200, 64, 64, 3)
    """
    check_limit(limit)
    path = existing_folder(path)
    files = find_images(path, recursive)[:limit]
    if not files:
        raise no_images(path, recursive)
    convert = Reading(parse_size(image_size), mode, fit=fit, max_value=max_value, pages=pages)
    images, _ = read_images(convert.pages_of(files), convert.shape(files), convert, path, skip_unreadable)
    convert.warn(path)
    return images


class Reading:
    """How a picture becomes an image, and what was seen on the way.

    Args:
        size, mode, nearest, fit, max_value: see `resize_and_crop`.
        pages: see `load_folder`.
    """

    def __init__(self, size, mode: str | None, nearest=False, fit="crop", max_value=None, pages: str = "first"):
        check_reading(fit=fit, max_value=max_value, pages=pages)
        mode = "L" if pages == "channels" else mode
        self._options = {"image_size": size, "mode": mode, "nearest": nearest, "fit": fit, "max_value": max_value}
        self.mode, self._pages, self._lock = mode, pages, threading.Lock()
        self._deep, self._highest, self._paged = 0, 0, 0

    def __call__(self, image: Image.Image) -> np.ndarray:
        from PIL import ImageSequence

        if self._pages == "channels":
            return np.concatenate([self._one(page) for page in ImageSequence.Iterator(image)], axis=-1)
        several = self._pages == "first" and getattr(image, "is_animated", False)
        with self._lock:
            self._paged += several
        return self._one(image)

    def _one(self, image: Image.Image) -> np.ndarray:
        in_colour = is_deep_colour(image)  # which is seen before it is decoded
        read = resize_and_crop(image, **self._options)
        if is_deep(image) and self._options["max_value"] is None:
            highest = int(np.asarray(image).max())
        elif in_colour:  # of which Pillow reads the upper 8 bits
            highest = int(np.asarray(image).max()) * 256 + 255
        else:
            return read
        with self._lock:
            self._deep, self._highest = self._deep + 1, max(self._highest, highest)
        return read

    def pages_of(self, files: Sequence[Path]) -> Sequence[ImageFile]:
        """The files, or every page of them, as it was asked for."""
        return [page for file in files for page in _pages_of(file)] if self._pages == "all" else files

    def shape(self, files: Sequence[ImageFile]) -> tuple[int, int, int]:
        """(height, width, channels) of what the files become."""
        size, mode = self._options["image_size"], self._options["mode"]
        for file in files if self._pages == "channels" else ():
            with contextlib.suppress(Exception), opened(file) as image:  # what cannot be read is reported later
                return (*size, pages_in(image))
        return (*size, channels_of(mode))

    def warn(self, source: Path, stacklevel: int = 3) -> None:
        """Says what the images may not be meant to be."""
        if self._paged:
            warnings.warn(
                f"{self._paged} files have several pages, of which the first was read: say pages='all' (--pages all) "
                f"for an image of each. Received: path={str(source)!r}",
                stacklevel=stacklevel,
            )
        if self._deep and self._highest < DARK:
            bits = max(self._highest, 1).bit_length()
            warnings.warn(
                f"{self._deep} files of 16 bits hold no value above {self._highest}, so that their images are nearly "
                f"black: if white is {2**bits - 1} ({bits} bits), say max_value={2**bits - 1} (--max-value); of files "
                f"in colour only 8 bits are read, so scale these yourself. Received: path={str(source)!r}",
                stacklevel=stacklevel,
            )


@dataclasses.dataclass(frozen=True)
class _Page:
    file: Path
    number: int
    damage: str = ""

    def open(self, mode: str, /) -> IO[bytes]:
        if self.damage:
            raise ValueError(self.damage)
        return self.file.open(mode)

    def __str__(self) -> str:
        return f"{self.file} (page {self.number + 1})" if self.number else str(self.file)


def _pages_of(file: Path) -> list[_Page]:
    try:
        with opened(file) as image:
            return [_Page(file, number) for number in range(pages_in(image))]
    except Exception as error:  # reported where it is read
        return [_Page(file, 0, f"its pages cannot be counted: {error}")]


def pages_in(image: Image.Image) -> int:
    """How many pages an open file has; of one cut off Pillow gives those before the cut, with a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return getattr(image, "n_frames", 1)


@contextlib.contextmanager
def opened(file: ImageFile) -> Iterator[Image.Image]:
    """A Pillow image, at its page. One of very many pixels is refused; of large ones, one is open at a time."""
    with file.open("rb") as stream, header(stream) as image:
        pixels, most = image.width * image.height, _most_pixels()
        if pixels > most:
            raise ValueError(
                f"it has {pixels / 1e6:.0f} million pixels, more than {most / 1e6:.0f}: shrink it, or set the "
                f"environment variable GANZOO_MAX_PIXELS={pixels}"
            )
        with _one_at_a_time if pixels > LARGE else contextlib.nullcontext():
            if number := getattr(file, "number", 0):
                image.seek(number)
            if image.mode.startswith("I;16") and getattr(image, "tag_v2", {}).get(262) == 0:  # Pillow reads a negative
                raise ValueError("its grey of 16 bits counts down from white (min-is-white): save it with black as 0")
            yield image


def header(stream: IO[bytes]) -> Image.Image:
    """A Pillow image of however many pixels, of which none is decoded yet."""
    from PIL import Image

    with _one_header:  # Pillow's own bound is lifted meanwhile: it tells no remedy
        kept, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(stream)
        finally:
            Image.MAX_IMAGE_PIXELS = kept


def _most_pixels() -> int:
    text = os.environ.get("GANZOO_MAX_PIXELS") or str(MOST_PIXELS)
    if not text.isdecimal() or not int(text):
        raise ValueError(f"GANZOO_MAX_PIXELS is a number of pixels. Received: GANZOO_MAX_PIXELS={text!r}")
    return int(text)


def check_limit(limit: int | None) -> None:
    if limit is not None and limit < 1:
        raise ValueError(f"`limit` must be positive. Received: limit={limit!r}")


def existing_folder(path: str | os.PathLike) -> Path:
    path = Path(path).expanduser()
    if not path.is_dir():
        raise FileNotFoundError(f"No such folder: {path}")
    return path


def no_images(path: Path, recursive: bool) -> FileNotFoundError:
    hint = "" if recursive else ", with recursive=True if they are in subfolders"
    return FileNotFoundError(
        f"No images in {path}: name a folder of files that end in {' '.join(IMAGE_SUFFIXES)}{hint}."
    )


def find_images(path: Path, recursive: bool = True, first: bool = False) -> list[Path]:
    """The image files below `path`, sorted; with `first`, one of them at most."""
    found: list[Path] = []
    visited = set()
    for root, folders, files in os.walk(path, followlinks=True, onerror=_refuse):
        if (real := os.path.realpath(root)) in visited:  # a link back up would be followed for ever
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(name for name in folders if recursive and not name.startswith((".", "__MACOSX")))
        names = (name for name in files if not name.startswith("."))
        images = (Path(root, name) for name in names if name.lower().endswith(IMAGE_SUFFIXES))
        found += [path for path in images if path.is_file()]  # no pipe, which would be waited for, no broken link
        if first and found:
            return found[:1]
    return sorted(found, key=lambda file: file.relative_to(path).as_posix())


def _refuse(error: OSError) -> None:
    raise OSError(f"{error.filename} cannot be read ({error.strerror}): give yourself access, or move it away.")


def read_images(
    files: Sequence[ImageFile],
    shape: tuple[int, ...],
    convert: Callable[[Image.Image], np.ndarray],
    source: Path,
    skip_unreadable: bool | None = None,
    stacklevel: int = 3,
) -> tuple[np.ndarray, np.ndarray]:
    """What `convert` makes of every file.

    Args:
        files: what can be opened, and shown in errors.
        shape: of what `convert` returns.
        convert: takes a Pillow image.
        source: where they all are, for errors.
        skip_unreadable: leave out, with a warning that names them, files that cannot be read; None where the caller has
            no such choice.
        stacklevel: of the warning.

    Returns:
        uint8 (n, *shape), and bool (number of files,): which of them were read.

    Raises:
        ValueError: files that cannot be read. All are named.
    """
    images = np.empty((len(files), *shape), np.uint8)
    unreadable = _read_into(images, files, convert)
    was_read = np.array([i not in unreadable for i in range(len(files))], bool)
    if not unreadable:
        return images, was_read
    shown = named_together(f"{files[i]} ({error})" for i, error in sorted(unreadable.items()))
    message = f"{len(unreadable)} of {len(files)} files cannot be read: {shown}."
    if not skip_unreadable or not was_read.any():
        fix = (
            "Fetch them anew."
            if skip_unreadable is None
            else "Mend or remove them, or say skip_unreadable=True (--skip-unreadable)."
        )
        raise ValueError(f"{message} {fix} Received: path={str(source)!r}")
    warnings.warn(f"Left out: {message}", stacklevel=stacklevel)
    return images[was_read], was_read


def named_together(items: Iterable, separator: str = "; ") -> str:
    """The first of many names, and how many more there are."""
    names = [printable(str(item)) for item in items]
    more = f"{separator}and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return separator.join(names[:MAX_NAMED]) + more


def _read_into(
    images: np.ndarray, files: Sequence[ImageFile], convert: Callable[[Image.Image], np.ndarray]
) -> dict[int, Exception]:
    """Fills `images` from `files`. Returns what went wrong, by the file's index."""
    unreadable: dict[int, Exception] = {}

    def read(index: int) -> None:
        try:
            with opened(files[index]) as image:
                made = convert(image)
                if made.shape != images.shape[1:]:
                    raise ValueError(f"it has {made.shape[-1]} pages, and the first file {images.shape[-1]}")
                images[index] = made
        except Exception as error:  # Pillow's readers raise all sorts on damaged files
            unreadable[index] = error

    # Pillow decodes and resizes outside the interpreter lock: threads are enough to use every core.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in progress(pool.map(read, range(len(files))), len(files), "Reading images"):
            pass
    return unreadable
