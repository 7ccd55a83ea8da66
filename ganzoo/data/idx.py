"""MNIST and its kin: their own files, and how to tell apart sets whose files have the same names.

MNIST, Fashion-MNIST and KMNIST are published as files of equal names, shapes and classes. Nothing but their content
says which of them lies somewhere.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

__all__ = ["FAMILY", "PREFIXES", "Content", "content_of", "name_of", "read_files", "read_folder", "refuse_another"]

FAMILY = ("mnist", "fashion_mnist", "kmnist")
PREFIXES = {"train": "train", "test": "t10k"}  # of a split's files


class Content(NamedTuple):
    """What a split holds, whatever its order: how much, a hash of its images, one of its images with their labels."""

    num: int
    images: str
    pairs: str


KNOWN = {  # computed from the original files
    "mnist": {
        "train": Content(60_000, "03a8a048601ebb4610dcd79cd759c718", "54e1ab866c9484947dd4821c52bb7a43"),
        "test": Content(10_000, "e2842441ab1468bab7eeaa886875a3a7", "97b756d55950f1841ebd48df7379b9b2"),
    },
    "fashion_mnist": {
        "train": Content(60_000, "aa670e63ae523d8fb206db0595287cd9", "fb88a2f5c1b590c907f860b47803d006"),
        "test": Content(10_000, "f966ad9a453e7d5ef297476fd4939780", "0b381379398a0943a88bf3864ff3f517"),
    },
}


def content_of(images: np.ndarray, labels: np.ndarray | None = None) -> Content:
    """The content of images (n, ...) uint8 and labels (n,) from 0 to 255; without labels its `pairs` are empty."""
    bytes_of = [np.ascontiguousarray(image).tobytes() for image in images]
    if labels is None:
        return Content(len(images), _hash(bytes_of), "")
    pairs = (image + bytes([label]) for image, label in zip(bytes_of, labels.tolist()))
    return Content(len(images), _hash(bytes_of), _hash(pairs))


def _hash(examples: Iterable[bytes]) -> str:
    digests = sorted(hashlib.sha256(example).digest() for example in examples)
    return hashlib.sha256(b"".join(digests)).hexdigest()[:32]


def name_of(content: Content) -> str | None:
    """The set whose images these are, of those that are known."""
    for name, splits in KNOWN.items():
        if any(content.images == known.images for known in splits.values()):
            return name
    return None


def refuse_another(name: str, images: np.ndarray, where: Path) -> None:
    """Refuses the images of MNIST under the name of Fashion-MNIST, and their like.

    Raises:
        OSError: the images are those of another set than `name`.
    """
    if name not in FAMILY:
        return
    other = name_of(content_of(images))
    if other not in (None, name):
        raise OSError(
            f"The files in {where} are those of {other!r}: put the files of {name!r} in their place, or name another "
            f"folder with data_dir= or GANZOO_DATA. Received: source={name!r}"
        )


def read_folder(name: str, split: str, folders: list[Path]) -> tuple[np.ndarray, np.ndarray] | None:
    """Images uint8 (n, height, width, 1) and labels int64 (n,) from the folder called `name`; None where there is none.

    Raises:
        ValueError: another split than train and test.
        OSError: files that are damaged, do not belong together, or are those of another set.
    """
    own = [folder for folder in folders if folder.name == name]
    if split not in PREFIXES and any(any(folder.glob("*-ubyte.gz")) for folder in own):
        raise ValueError(f"{name} has the splits 'train' and 'test'. Received: split={split!r}")
    for folder in own:
        files = _files(folder, split) if split in PREFIXES else []
        if files and all(file.is_file() for file in files):
            images, labels = read_files(folder, split)
            refuse_another(name, images, folder)
            return images, labels
    return None


def _files(folder: Path, split: str) -> list[Path]:
    return [folder / f"{PREFIXES[split]}-{part}-ubyte.gz" for part in ("images-idx3", "labels-idx1")]


def read_files(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (n, height, width, 1) and labels int64 (n,) of a split, in the files' order.

    Raises:
        OSError: files that are missing, damaged or do not belong together.
    """
    files = _files(folder, split)
    images, labels = map(_read_file, files)
    if images.ndim != 3 or labels.shape != images.shape[:1]:
        raise OSError(
            f"{files[0]} and {files[1].name} do not belong together: fetch them anew. "
            f"Received: images of shape {images.shape} and labels of shape {labels.shape}"
        )
    return images[..., None], labels.astype(np.int64)


def _read_file(file: Path) -> np.ndarray:
    """The format: two zero bytes, 8 for uint8, the number of dimensions, each dimension in 4 bytes, the data."""
    try:
        data = gzip.decompress(file.read_bytes())
        shape = np.frombuffer(data, ">i4", count=data[3], offset=4)
        return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape).copy()  # the buffer is read-only
    except (EOFError, ValueError, IndexError, OSError, zlib.error) as error:
        raise OSError(f"{file} is damaged: {error}") from error
