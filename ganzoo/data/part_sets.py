"""Data sets of several parts that are read from their own files: pairs, two domains, images with captions.

Each is an archive in a folder of its own, or that archive unpacked, below the folder that `data_dir` or ``GANZOO_DATA``
names. An archive is read where it lies.
"""

from __future__ import annotations

import collections
import csv
import functools
import hashlib
import io
import os
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from ganzoo.data.crops import NUM_CROPS, crops_of
from ganzoo.data.folders import IMAGE_SUFFIXES, ImageFile, Reading, find_images, named_together, read_images
from ganzoo.data.part_folders import halves
from ganzoo.data.places import received, user_folders
from ganzoo.data.preprocessing import Size, channels_of, parse_size, resize_and_crop
from ganzoo.data.sentences import held_out, sentences_of

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["SETS", "find_set", "load_set"]

LEAST_EMOJI = 3  # that have a keyword, for it to be a word of sentences

Parts = dict[str, np.ndarray]


def load_set(
    name: str, split: str, data_dir: str | os.PathLike | None, size: Size | None, mode: str | None
) -> dict[str, np.ndarray]:
    """What `ganzoo.data.load_parts` does for one of `SETS`; see there."""
    if split not in ("train", "test"):
        raise ValueError(f"{name!r} has the splits 'train' and 'test'. Received: split={split!r}")
    return SETS[name].read(find_set(name, data_dir), split, size, mode or "RGB")


@dataclass(frozen=True)
class Place:
    """Where the files of a set are: a folder, and the archive in it or the folder into which that was unpacked."""

    home: Path
    images: Path

    def files(self, folder: str) -> dict[str, ImageFile]:
        """The images of a folder by their names without the ending, sorted."""
        found = self._members(folder) if self.images.suffix == ".zip" else self._paths(folder)
        if not found:
            raise FileNotFoundError(f"No images in {self.images / folder}. Fetch the data set anew.")
        return dict(sorted(found.items()))

    def _paths(self, folder: str) -> dict[str, ImageFile]:
        return {file.stem: file for file in find_images(self.images / folder, recursive=False)}

    def _members(self, folder: str) -> dict[str, ImageFile]:
        try:
            with zipfile.ZipFile(self.images) as archive:
                names = [name for name in archive.namelist() if name.rpartition("/")[0] == folder]
                names = [name for name in names if name.lower().endswith(IMAGE_SUFFIXES)]
                return {Path(name).stem: Member(str(self.images / name), archive.read(name)) for name in names}
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
            raise OSError(f"{self.images} is damaged: {error}. Fetch it anew.") from error


@dataclass(frozen=True)
class Member:
    """A file of an archive, unpacked in memory: several threads cannot read one archive."""

    name: str
    content: bytes

    def open(self, mode: str, /) -> IO[bytes]:
        return io.BytesIO(self.content)

    def __str__(self) -> str:
        return self.name


def find_set(name: str, data_dir: str | os.PathLike | None) -> Place:
    known = SETS[name]
    folders = user_folders(known.folder, data_dir)
    for home in folders:
        if (home / known.archive).is_file():
            return Place(home, home / known.archive)
        unpacked = [home / Path(known.archive).stem, *([home] if home.name == known.folder else [])]
        for place in unpacked:
            if (place / known.holds).is_dir():
                return Place(home, place)
    where = f"{folders[-1]} has neither" if folders else "no folder was named that has either"
    raise FileNotFoundError(
        f"The data set {name!r} is read from {known.folder}/{known.archive}, or from that archive unpacked there, and "
        f"{where}: name it with data_dir= or GANZOO_DATA. Received: source={name!r}, {received(folders)}"
    )


def _read(
    files: Mapping[str, ImageFile], native: tuple[int, int], size: Size | None, mode: str, place: Place
) -> np.ndarray:
    """Images of a size that the set is known for, brought to another; uint8 (n, height, width, channels)."""
    height, width = native if size is None else (size, size) if isinstance(size, int) else size

    def convert(image: Image.Image) -> np.ndarray:
        _require_size(image, native)
        return resize_and_crop(image, (height, width), mode)

    return read_images(list(files.values()), (height, width, channels_of(mode)), convert, place.images)[0]


def _require_size(image: Image.Image, native: tuple[int, int]) -> None:
    if image.size != native[::-1]:
        raise ValueError(f"{native[1]}x{native[0]} pixels are expected, it has {image.width}x{image.height}")


def _hash_of(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _facades(place: Place, split: str, size: Size | None, mode: str) -> Parts:
    files = place.files("train")
    in_order = sorted(files, key=_hash_of)
    num_train = len(files) - len(files) * 75 // 400
    chosen = in_order[:num_train] if split == "train" else in_order[num_train:]
    wanted = {f"train/{name}": files[name] for name in sorted(chosen)}
    if split == "test":
        wanted |= {f"test/{name}": file for name, file in place.files("test").items()}
    size = size or (256, 256)
    shape = (2, *((size, size) if isinstance(size, int) else size), channels_of(mode))

    def convert(image: Image.Image) -> np.ndarray:
        _require_size(image, (256, 512))
        return halves(image, size, mode, nearest=(False, True))

    pairs = read_images(list(wanted.values()), shape, convert, place.images)[0]
    return {"photo": pairs[:, 0].copy(), "label_map": pairs[:, 1].copy()}


def _summer2winter(place: Place, split: str, size: Size | None, mode: str) -> Parts:
    read = functools.partial(_read, native=(128, 128), size=size, mode=mode, place=place)
    return {"summer": read(place.files(f"{split}A")), "winter": read(place.files(f"{split}B"))}


def _rain100l(place: Place, split: str, size: Size | None, mode: str) -> Parts:
    read = functools.partial(_read, native=(256, 256), size=size, mode=mode, place=place)
    rainy, clean = (place.files(f"{split}/{folder}") for folder in ("input", "target"))
    if alone := sorted(rainy.keys() ^ clean.keys()):
        raise FileNotFoundError(
            f"{place.images} lacks {split}/{'target' if alone[0] in rainy else 'input'}/{alone[0]}. "
            "Fetch the data set anew."
        )
    return {"rainy": read(rainy), "clean": read(clean)}


def _emoji(place: Place, split: str, size: Size | None, mode: str) -> Parts:
    captions = {row["name"]: row["caption"] for row in _table(place.home) if _is_of(split, row["name"])}
    return _styles(place, list(captions), size, mode) | {"captions": np.array(list(captions.values()), dtype=np.str_)}


def _styles(place: Place, names: Sequence[str], size: Size | None, mode: str) -> Parts:
    """Emoji of these names in both styles."""
    parts: Parts = {}
    for style in ("twemoji", "noto"):
        files = place.files(style)
        if missing := [name for name in names if name not in files]:
            raise FileNotFoundError(
                f"{place.images} lacks {style}/ of {named_together(missing, ', ')}, which captions.csv names. "
                "Fetch the data set anew."
            )
        parts[style] = _read({name: files[name] for name in names}, (72, 72), size, mode, place)
    return parts


def _emoji_captions(place: Place, split: str, size: Size | None, mode: str) -> Parts:
    table = sorted(_table(place.home), key=lambda row: _hash_of(row["name"]))  # as mixed as sheets of them should be
    test = {*held_out({row["name"]: row["caption"] for row in table})}
    rows = [row for row in table if (row["name"] in test) == (split == "test")]
    keywords = [[word for word in (row.get("keywords") or "").split("|") if word] for row in rows]
    counts = collections.Counter(word for own in keywords for word in own)
    told = [[row["caption"]] for row in rows]
    if split == "train":
        told = [
            sentences_of(row["name"], row["caption"], [word for word in own if counts[word] >= LEAST_EMOJI])
            for row, own in zip(rows, keywords)
        ]
    styles = np.stack(list(_styles(place, [row["name"] for row in rows], size, mode).values()), axis=1)
    images = styles.reshape(-1, *styles.shape[2:])
    sentences = np.array(told).T  # all captions first, then all with the first addition, ...
    columns = {own: np.array([row.get(key) or "" for row in rows]) for own, key in (("emoji", "name"), ("group",) * 2)}
    parts = {"images": np.tile(images, (len(sentences), 1, 1, 1)), "captions": sentences.repeat(2, axis=1).ravel()}
    return parts | {own: np.tile(x.repeat(2), len(sentences)) for own, x in columns.items()}


def _is_of(split: str, name: str) -> bool:
    return (int(_hash_of(name), 16) % 10 == 0) == (split == "test")


def _photos(place: Place, split: str, size: Size | None, mode: str) -> Parts:
    files = place.files("BSDS500_train" if split == "train" else "BSDS500_val")
    num, reading = NUM_CROPS if split == "train" else 10 * len(files), Reading(None, mode)
    return {"photo": crops_of(list(files.values()), parse_size(size or 96), reading, place.images, num)}


def _table(folder: Path) -> list[dict[str, str]]:
    """The rows of the table of captions."""
    file = folder / "captions.csv"
    if not file.is_file():
        raise FileNotFoundError(f"No such file: {file}. Fetch the data set anew.")
    with open(file, newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    if not rows or not all(row.get("name") and row.get("caption") for row in rows):
        raise ValueError(f"{file} must have the columns 'name' and 'caption', filled in every row. Fetch it anew.")
    return rows


@dataclass(frozen=True)
class PartSet:
    """A data set of several parts: its folder, the archive in it, a folder in that archive, and what reads it."""

    folder: str
    archive: str
    holds: str
    read: Callable[[Place, str, Size | None, str], Parts]


SETS = {
    "facades": PartSet("facades", "facades.zip", "train", _facades),
    "summer2winter": PartSet("summer2winter", "summer2winter128.zip", "trainA", _summer2winter),
    "photos": PartSet("sr_photos", "sr_photos.zip", "BSDS500_train", _photos),
    "rain100l": PartSet("rain100l", "rain100l_256.zip", "train/input", _rain100l),
    "emoji": PartSet("emoji_captions", "emoji72.zip", "twemoji", _emoji),
    "emoji_captions": PartSet("emoji_captions", "emoji72.zip", "twemoji", _emoji_captions),
}
