"""Images from NumPy's archives and arrays."""

from __future__ import annotations

import contextlib
import math
import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

__all__ = ["SPLITS", "choose_keys", "load_npz", "open_archive", "read_npz", "split_keys"]

ALWAYS_UNPACKED = 256 * 10**6  # bytes
RATIO = 100  # to which packed bytes may unpack beyond that
SPLITS = ("train", "test", "val", "validation")


def load_npz(
    path: str | os.PathLike, key: str | None = None, *, split: str = "train", return_labels: bool = False
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    """Images from a NumPy archive (.npz) or array (.npy).

    Args:
        path: of the file.
        key: the name of the images in the archive. By default ``x_train``, ``train_images`` or ``images_train`` (with
            `split` in the place of train), else ``images`` or ``x``, else the only array there is. Their labels are
            called likewise: ``y`` for ``x``, ``labels`` for ``images``.
        split: which part of an archive that has parts.
        return_labels: return the labels as well.

    Returns:
        Images (n, height, width, channels), uint8 or float as stored; images that are stored as (n, height, width) get
        a channel. Floats (n, features) are returned as they are. With `return_labels` also labels, int64 (n,).

    Raises:
        FileNotFoundError: no such file.
        ValueError: not such a file, no such key, no labels, an array that cannot be images, or one that unpacks to more
            than 256 MB and 100 times what it takes (the environment variable ``GANZOO_MAX_UNPACKED``, bytes, lifts it).

    Example:
        >>> np.savez("digits.npz", images=np.zeros((10, 28, 28), "uint8"))
        >>> load_npz("digits.npz").shape
        (10, 28, 28, 1)
    """
    return read_npz(Path(path).expanduser(), key, split, return_labels)


def read_npz(
    path: Path, key: str | None, split: str, return_labels: bool | None
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    """What `load_npz` does. `return_labels` may be None: where there are labels."""
    with open_archive(path) as archive:
        image_key, label_key = choose_keys(path, list(archive), split, key)
        images = _as_images(archive[image_key], path)
        if return_labels is False or (return_labels is None and label_key not in archive):
            return images
        labels = archive.get(label_key)
    if labels is None or labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
        what = "none" if labels is None else f"labels of shape {labels.shape} and dtype {labels.dtype}"
        raise ValueError(
            f"{path} must hold an integer {label_key!r} for each of {len(images)} images. Received: {what}"
        )
    return images, labels.astype(np.int64)


@contextlib.contextmanager
def open_archive(path: Path) -> Iterator[Mapping[str, np.ndarray]]:
    """The arrays of an .npz, read when asked for; an .npy is an archive of one array."""
    if not path.is_file():
        raise FileNotFoundError(f"No such file: {path}")
    if path.suffix not in (".npz", ".npy"):
        raise ValueError(f"Arrays are read from .npz and .npy files, images from folders. Received: path={str(path)!r}")
    try:
        with open(path, "rb") as file:  # np.load would leave a damaged file open
            if path.suffix == ".npy" and not zipfile.is_zipfile(file):
                file.seek(0)
                _check_length(file, path.stat().st_size)
            file.seek(0)
            loaded = np.load(file, allow_pickle=False)
            yield {"images": loaded} if isinstance(loaded, np.ndarray) else _Arrays(loaded, path)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise ValueError(f"{path} is damaged, or encrypted: {error}") from error
    except ValueError as error:
        if str(path) in str(error):  # one of ours, about what the archive holds
            raise
        raise ValueError(f"{path} is no .npz or .npy file of plain arrays: {error}") from error


class _Arrays(Mapping):
    """The arrays of an archive. One that unpacks to very much more than it takes there is refused."""

    def __init__(self, loaded: np.lib.npyio.NpzFile, path: Path):
        self._loaded, self._path = loaded, path
        self._unpacked = 0

    def __getitem__(self, key: str) -> np.ndarray:
        archive: Any = self._loaded.zip
        if (name := key if key in archive.namelist() else f"{key}.npy") not in archive.namelist():
            raise KeyError(key)
        member = archive.getinfo(name)
        total = self._unpacked + member.file_size
        if total > _most_unpacked(self._path):
            raise ValueError(
                f"{self._path}: {key!r} unpacks from {member.compress_size / 1e6:.1f} MB to "
                f"{member.file_size / 1e6:.0f} MB, {total / 1e6:.0f} MB in all: if it is meant to, set the environment "
                f"variable GANZOO_MAX_UNPACKED={total}"
            )
        self._unpacked = total
        with archive.open(member) as file:
            _check_length(file, member.file_size)
        return self._loaded[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._loaded)

    def __len__(self) -> int:
        return len(self._loaded)


def _most_unpacked(path: Path) -> int:
    """Bytes that an archive may unpack to."""
    text = os.environ.get("GANZOO_MAX_UNPACKED") or str(max(ALWAYS_UNPACKED, RATIO * path.stat().st_size))
    if not text.isdecimal():
        raise ValueError(f"GANZOO_MAX_UNPACKED is a number of bytes; {path} needs it. Received: {text!r}")
    return int(text)


def _check_length(file: IO[bytes], length: int) -> None:
    """Refuses an array that says it is larger than its file, before memory is taken for it."""
    version = np.lib.format.read_magic(file)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = header(file)
    if not dtype.hasobject and math.prod(shape) * dtype.itemsize > length:
        raise ValueError(f"an array of {shape} {dtype} does not fit into {length} bytes")


def choose_keys(path: Path, keys: list[str], split: str, key: str | None = None) -> tuple[str, str]:
    """The names of images and labels in an archive."""
    if key is not None:
        pairs = [(key, re.sub(r"^x(?![a-z])", "y", key.replace("images", "labels")))]
    else:
        pairs = [*split_keys(split), ("images", "labels"), ("x", "y")]
        others = [name for name in SPLITS if name != split and any(images in keys for images, _ in split_keys(name))]
        if others and not any(images in keys for images, _ in split_keys(split)):
            raise ValueError(f"{path} has the splits {', '.join(others)}. Received: split={split!r}")
        pairs += [(keys[0], "labels")] if len(keys) == 1 else []
    for images, labels in pairs:
        if images in keys:
            return images, labels
    raise ValueError(
        f"{path} has no array called {' or '.join(images for images, _ in pairs)}: name one of its own, "
        f"{', '.join(keys) or '(it is empty)'}, with `key=`. Received: key={key!r}"
    )


def split_keys(split: str) -> list[tuple[str, str]]:
    return [
        (f"x_{split}", f"y_{split}"),
        (f"{split}_images", f"{split}_labels"),
        (f"images_{split}", f"labels_{split}"),
    ]


def _as_images(array: np.ndarray, path: Path) -> np.ndarray:
    if array.dtype != np.uint8 and array.dtype.kind != "f":
        raise ValueError(f"The images in {path} must be uint8 or float. Received: dtype {array.dtype}")
    if array.ndim == 3 and array.shape[-1] in (1, 3, 4):
        raise ValueError(
            f"{path} seems to hold one image; store several as (n, height, width, channels). "
            f"Received: shape {array.shape}"
        )
    if array.ndim == 4 or (array.ndim == 2 and array.dtype.kind == "f"):
        return array
    if array.ndim == 3:
        return array[..., None]
    raise ValueError(
        f"The images in {path} must have the shape (n, height, width, channels) or (n, height, width). "
        f"Received: shape {array.shape}"
    )
