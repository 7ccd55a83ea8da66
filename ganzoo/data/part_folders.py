"""Folders whose images belong to classes, to one another in pairs, or to two domains."""

from __future__ import annotations

import functools
import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ganzoo.data.archives import SPLITS
from ganzoo.data.folders import (
    Reading,
    check_limit,
    existing_folder,
    find_images,
    named_together,
    no_images,
    read_images,
)
from ganzoo.data.preprocessing import Size, channels_of, parse_size, resize_and_crop

if TYPE_CHECKING:
    from PIL import Image

__all__ = [
    "class_folders",
    "halves",
    "image_folders",
    "load_class_folders",
    "load_domains",
    "load_pairs",
    "matched",
    "names_alone",
    "size_of",
    "unequal_pairs",
]

ORIENTATION = 0x0112  # the tag in EXIF data


def load_class_folders(
    path: str | os.PathLike,
    image_size: Size,
    mode: str = "RGB",
    *,
    limit: int | None = None,
    skip_unreadable: bool = False,
    **reading,
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Images and their classes from a folder that holds one folder per class.

    Args:
        path: of the folder. The images of a class may lie in folders of its own folder. What is hidden is passed over.
        image_size: (height, width), or one number for both; see `load_folder`.
        mode: "RGB" for colour, "L" for grey, "RGBA" for colour with transparency (see `resize_and_crop`).
        limit: read only the first so many of each class.
        skip_unreadable: leave out, with a warning that names them, files that cannot be read.
        **reading: `fit`, `max_value` and `pages` of `load_folder`.

    Returns:
        Images uint8 (n, height, width, channels), class by class; labels int64 (n,), from 0 in the order of the
        classes' sorted names; and these names.

    Raises:
        FileNotFoundError: no such folder, or no folders in it.
        ValueError: images that are in no class's folder, a class without images, folders that are called train and test
            (name one of them), files that cannot be read, or a wrong `image_size`, `mode` or `limit`.

    Example:
        >>> images, labels, class_names = load_class_folders("animals", 64)     # doctest: +SKIP
        >>> class_names
        ['cats', 'dogs']
    """
    check_limit(limit)
    path = existing_folder(path)
    folders = class_folders(path)
    convert = Reading(parse_size(image_size), mode, **reading)
    files = [convert.pages_of(find_images(folder)[:limit]) for folder in folders]
    if empty := [folder.name for folder, found in zip(folders, files) if not found]:
        raise ValueError(
            f"Classes without images: {named_together(empty, ', ')}. Fill or remove their folders. "
            f"Received: path={str(path)!r}"
        )
    images, was_read = _read(list(itertools.chain(*files)), path, skip_unreadable, convert)
    labels = np.repeat(np.arange(len(files)), [len(found) for found in files]).astype(np.int64)
    return images, labels[was_read], [folder.name for folder in folders]


def class_folders(path: Path) -> list[Path]:
    """The folder of each class, in the order of their labels."""
    folders = _subfolders(path)
    if stray := find_images(path, recursive=False):
        raise ValueError(
            f"Images that are in no class's folder: {named_together((file.name for file in stray), ', ')}. "
            f"Received: path={str(path)!r}"
        )
    if not folders:
        raise FileNotFoundError(f"{path} holds no folders, one per class. Received: path={str(path)!r}")
    if all(folder.name.lower() in SPLITS for folder in folders):
        raise ValueError(
            f"The folders {', '.join(folder.name for folder in folders)} look like splits, not like classes: name one "
            f"of them, {str(folders[0])!r}. Received: path={str(path)!r}"
        )
    return folders


def _subfolders(path: Path) -> list[Path]:
    return sorted(f for f in path.iterdir() if f.is_dir() and not f.name.startswith((".", "__MACOSX")))


def image_folders(path: Path) -> list[Path]:
    """The subfolders that hold images, in the order in which they are read: that called `real` last."""
    folders = sorted(_subfolders(path), key=lambda folder: folder.name.lower() == "real")
    return [folder for folder in folders if find_images(folder, first=True)]


def _read(files, source: Path, skip: bool, convert: Reading) -> tuple:
    """Images, and which files were read."""
    images, was_read = read_images(files, convert.shape(files), convert, source, skip, stacklevel=4)
    convert.warn(source, stacklevel=4)
    return images, was_read


def load_domains(
    path: str | os.PathLike,
    image_size: Size,
    mode: str = "RGB",
    *,
    limit: int | None = None,
    skip_unreadable: bool = False,
    **reading,
) -> tuple[np.ndarray, np.ndarray]:
    """Images of two domains that are no pairs, from the two subfolders of a folder.

    Args:
        path: of the folder. The first domain is the subfolder that comes first in the alphabet; but one that is called
            `real` is the second, so that synthetic images are the sources.
        image_size: (height, width), or one number for both; see `load_folder`.
        mode: "RGB" for colour, "L" for grey, "RGBA" for colour with transparency (see `resize_and_crop`).
        limit: read only the first so many of each domain.
        skip_unreadable: leave out, with a warning that names them, files that cannot be read.
        **reading: `fit`, `max_value` and `pages` of `load_folder`.

    Returns:
        Two arrays uint8 (n, height, width, channels), whose n may differ.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: not two subfolders of images, files that cannot be read, or a wrong `image_size`, `mode` or `limit`.

    Example:
        >>> horses, zebras = load_domains("horses_and_zebras", 128)     # doctest: +SKIP
    """
    check_limit(limit)
    path = existing_folder(path)
    domains = image_folders(path)
    if len(domains) != 2:
        raise ValueError(
            "Two domains are two subfolders of images: for others, use ganzoo.data.load_folder for each. "
            f"Received: path={str(path)!r} with {_told(domains, path)}"
        )
    found = []
    for folder in domains:
        convert = Reading(parse_size(image_size), mode, **reading)
        files = convert.pages_of(find_images(folder)[:limit])
        found.append(_read(files, folder, skip_unreadable, convert)[0])
    return found[0], found[1]


def _told(folders: list[Path], path: Path) -> str:
    names = f" ({named_together((folder.name for folder in folders), ', ')})" if folders else ""
    return f"{len(folders)} subfolders of images{names} and {len(find_images(path, recursive=False))} images of its own"


def load_pairs(
    path: str | os.PathLike,
    image_size: Size,
    mode: str = "RGB",
    *,
    other: str | os.PathLike | None = None,
    nearest: tuple[bool, bool] = (False, False),
    limit: int | None = None,
    skip_unreadable: bool = False,
    fit: str = "crop",
    max_value: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Images in pairs: from two folders with equal file names, or from images side by side in one file.

    Args:
        path: of the first folder, where `other` is the second; else of a folder with two subfolders, of which the first
            in the alphabet holds the firsts (one called `real` the seconds); else of a folder of images, of which each
            is cut into its left half (the first) and its right half. The endings of two files that are a pair may
            differ.
        image_size: (height, width) of one image, or one number for both; see `load_folder`.
        mode: "RGB" for colour, "L" for grey, "RGBA" for colour with transparency (see `resize_and_crop`).
        other: the folder of the seconds.
        nearest: whether the firsts, and whether the seconds, are label maps, in which resizing must make no new
            colours.
        limit: read only the first so many pairs.
        skip_unreadable: leave out, with a warning that names them, pairs of which a file cannot be read.
        fit, max_value: see `load_folder`; each image is brought to `image_size` in the same way.

    Returns:
        Two arrays uint8 (n, height, width, channels), pair by pair, in the order of the file names.

    Raises:
        FileNotFoundError: no such folder, or no images in it.
        ValueError: names without a partner (they are listed), pairs of unequal proportions, no folder of either layout,
            an image of odd width to be cut, files that cannot be read, or a wrong `image_size`, `mode` or `limit`.

    Example:
        >>> maps, photos = load_pairs("maps", 256, other="photos")     # doctest: +SKIP
        >>> photos, maps = load_pairs("facades/train", 256, nearest=(False, True))     # doctest: +SKIP
    """
    size, channels = parse_size(image_size), channels_of(mode)
    check_limit(limit)
    folders = _pair_folders(existing_folder(path), None if other is None else existing_folder(other))
    if len(folders) == 1:
        files = find_images(folders[0])[:limit]
        whole = Reading(None, mode, max_value=max_value)
        cut = functools.partial(halves, size=size, mode=mode, nearest=nearest, fit=fit, read=whole)
        images = read_images(files, (2, *size, channels), cut, folders[0], skip_unreadable)[0]
        whole.warn(folders[0])
        return images[:, 0].copy(), images[:, 1].copy()
    paired = [files[:limit] for files in matched(*folders)]
    _require_same_proportions(*paired)
    sides = []
    for folder, files, is_map in zip(folders, paired, nearest):
        convert = Reading(size, mode, is_map, fit, max_value)
        sides.append(read_images(files, (*size, channels), convert, folder, skip_unreadable))
        convert.warn(folder)
    (first, first_read), (second, second_read) = sides
    return first[second_read[first_read]], second[first_read[second_read]]


def _pair_folders(path: Path, other: Path | None) -> list[Path]:
    """Two folders, or one of images side by side."""
    if other is not None:
        return [path, other]
    folders = image_folders(path)
    own = find_images(path, recursive=False)
    if not folders and not own:
        raise no_images(path, True)
    if (len(folders), bool(own)) not in ((2, False), (0, True)):
        raise ValueError(
            "Pairs are read from two folders (`path` and `other`, or the two subfolders of `path`) or from a folder of "
            f"images side by side. Received: path={str(path)!r} with {_told(folders, path)}"
        )
    return folders or [path]


def matched(first: Path, second: Path) -> tuple[list[Path], list[Path]]:
    """The files of two folders, pair by pair."""
    firsts, seconds = _by_name(first), _by_name(second)
    if not firsts or not seconds:
        raise no_images(second if firsts else first, True)
    if alone := names_alone(first, second):
        raise ValueError(
            f"{len(alone)} images have no partner of the same name: {named_together(alone, ', ')}. Add or "
            f"remove them. Received: folders {str(first)!r} and {str(second)!r}"
        )
    return list(firsts.values()), [seconds[name] for name in firsts]


def names_alone(first: Path, second: Path) -> list[Path]:
    """The images of two folders that have no partner of the same name in the other."""
    firsts, seconds = _by_name(first), _by_name(second)
    return sorted([*(firsts[n] for n in firsts.keys() - seconds), *(seconds[n] for n in seconds.keys() - firsts)])


def _by_name(folder: Path) -> dict[str, Path]:
    """The images of a folder by their path below it, without its ending."""
    found: dict[str, Path] = {}
    for file in find_images(folder):
        name = file.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            raise ValueError(f"Two images of one name: {found[name]} and {file}. Remove one of them.")
        found[name] = file
    return found


def _require_same_proportions(firsts: list[Path], seconds: list[Path]) -> None:
    """Refuses pairs that would be cropped each in its own way, and lie on one another no more."""
    if unequal := unequal_pairs(firsts, seconds):
        raise ValueError(
            f"{len(unequal)} pairs have unequal proportions: crop one image of each. "
            f"Received: {named_together(unequal)}"
        )


def unequal_pairs(firsts: list[Path], seconds: list[Path]) -> list[str]:
    """Pairs whose images have unequal proportions, in words."""
    return [
        f"{first} ({a[0]}x{a[1]}) and {second} ({b[0]}x{b[1]})"
        for first, second in zip(firsts, seconds)
        if (a := size_of(first)) and (b := size_of(second)) and abs(a[0] * b[1] - a[1] * b[0]) > max(*a, *b)
    ]


def size_of(file: Path) -> tuple[int, int] | None:
    """(width, height) the right way up; None of what cannot be read, which is reported where it is read."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            turned = image.getexif().get(ORIENTATION, 1) >= 5
            return image.size[::-1] if turned else image.size
    except Exception:  # Pillow's readers raise all sorts on damaged files
        return None


def halves(image: Image.Image, size: Size, mode: str, nearest: tuple[bool, bool], fit="crop", read=None):
    """The left and the right half of an image, each at a size: uint8 (2, height, width, channels)."""
    whole = resize_and_crop(image, None, mode) if read is None else read(image)
    if whole.shape[1] % 2:
        raise ValueError(f"its width is odd, {whole.shape[1]}, so it has no halves")
    sides = np.split(whole, 2, axis=1)
    fitted = [resize_and_crop(side, size, mode, nearest=is_map, fit=fit) for side, is_map in zip(sides, nearest)]
    return np.stack(fitted)
