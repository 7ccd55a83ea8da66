"""Images from NumPy's archives and arrays."""

from __future__ import annotations

import contextlib
import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

__all__ = ["SPLITS", "choose_keys", "load_npz", "open_archive", "read_npz", "split_keys"]

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
        ValueError: not such a file, no such key, no labels, or an array that cannot be images.

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
            loaded = np.load(file, allow_pickle=False)
            yield {"images": loaded} if isinstance(loaded, np.ndarray) else loaded
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    except ValueError as error:
        if str(path) in str(error):  # one of ours, about what the archive holds
            raise
        raise ValueError(f"{path} is no .npz or .npy file of plain arrays: {error}") from error


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
