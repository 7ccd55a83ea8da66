"""Data sets by name: tensorflow-datasets, and what stands in for its servers where there is no network."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ganzoo.data import idx
from ganzoo.data.archives import choose_keys, open_archive, read_npz
from ganzoo.data.coloured import COLOURED
from ganzoo.data.moving import MOVING
from ganzoo.data.part_sets import SETS
from ganzoo.data.places import base_name, received, user_folders
from ganzoo.data.prepared import prepared_builder
from ganzoo.data.preprocessing import Size, channels_of, parse_size, resize, resize_loaded
from ganzoo.data.progress import progress
from ganzoo.data.rendered import RENDERED

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

__all__ = ["ARCHIVES", "load_named"]

ARCHIVES = {"gtsrb": "gtsrb_subset/gtsrb32_subset.npz"}  # sets that are read from an archive of another name alone


def load_named(
    name: str,
    split: str,
    data_dir: str | os.PathLike | None,
    size: Size | None,
    mode: str | None,
    return_labels: bool | None,
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    """What `ganzoo.data.load` does for a name; see there. `return_labels` may be None: where there are labels."""
    folders = user_folders(name, data_dir)
    if name in ARCHIVES and split not in ("train", "test"):
        raise ValueError(f"{name!r} has the splits 'train' and 'test'. Received: split={split!r}")
    if (archive := _find_archive(name, folders)) is not None:
        return resize_loaded(_read_archive(name, archive, split, return_labels), size, mode)
    if name in SETS or name in MOVING or name in RENDERED or name in COLOURED:
        raise ValueError(f"The data set has several parts: use ganzoo.data.load_parts. Received: source={name!r}")
    if name in ARCHIVES:
        raise FileNotFoundError(
            f"The data set {name!r} is read from {ARCHIVES[name]}: name the folder that holds it with data_dir= or "
            f"GANZOO_DATA. Received: source={name!r}, {received(folders)}"
        )
    if not _has_tensorflow():
        pair = _read_idx(name, split, folders)
        return resize_loaded(pair[0] if return_labels is False else pair, size, mode)
    with _quiet():
        return _read_builder(prepared_builder(name, folders), split, size, mode, return_labels)


def _has_tensorflow() -> bool:
    try:
        return importlib.util.find_spec("tensorflow") is not None
    except (ImportError, ValueError):  # kept from being imported
        return False


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """tensorflow-datasets warns of its own deprecated calls, which no user can mend."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _find_archive(name: str, folders: list[Path]) -> Path | None:
    for folder in folders:
        if folder.suffix == ".npz":
            return folder
        for file in filter(None, (f"{base_name(name)}.npz", ARCHIVES.get(name))):
            if (folder / file).is_file():
                return folder / file
    inside = sorted(folders[0].glob("*.npz")) if len(folders) == 2 else []  # only in a folder of the set's own
    return inside[0] if len(inside) == 1 else None


def _read_archive(name: str, archive: Path, split: str, return_labels: bool | None):
    _require_split(archive, split)
    loaded = read_npz(archive, None, split, return_labels)
    idx.refuse_another(base_name(name), loaded[0] if isinstance(loaded, tuple) else loaded, archive)
    return loaded


def _require_split(archive: Path, split: str) -> None:
    """Refuses to pass an archive without splits off as anything but the training set."""
    with open_archive(archive) as arrays:
        images, _ = choose_keys(archive, list(arrays), split)
    if split != "train" and split not in images:
        raise ValueError(f"{archive} has no splits, so it serves as train only. Received: split={split!r}")


def _read_builder(
    builder: tfds.core.DatasetBuilder, split: str, size: Size | None, mode: str | None, return_labels: bool | None
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    from ganzoo.engine.backend import import_tensorflow

    import_tensorflow()
    import tensorflow_datasets as tfds

    stored = builder.info.features["image"].shape
    has_labels = _has_labels(builder)
    if return_labels and not has_labels:
        raise ValueError(f"The data set {builder.name!r} has no 'label' of one number. Received: return_labels=True")
    return_labels = has_labels if return_labels is None else return_labels
    if size is None and None in stored[:2]:
        raise ValueError(
            f"The images of {builder.name!r} vary in size: say image_shape=(height, width, channels). "
            "Received: image_shape=None"
        )
    mode = mode or ("RGB" if stored[2] is None else None)
    height, width = parse_size(size or stored[:2])
    shape = (height, width, channels_of(mode) if mode else stored[2])
    count = builder.info.splits[split].num_examples
    images, labels = np.empty((count, *shape), np.uint8), np.empty(count, np.int64)
    wanted = dict.fromkeys(["image", "label"] if return_labels else ["image"], True)
    dataset = builder.as_dataset(split=split, decoders=tfds.decode.PartialDecoding(wanted))
    chunk = 1 if None in stored else 512  # images of varying size make no batch
    start = 0
    for batch in progress(dataset.batch(chunk).as_numpy_iterator(), -(-count // chunk), f"Reading {builder.name}"):
        stop = start + len(batch["image"])
        images[start:stop] = resize(batch["image"], shape[:2], mode)
        if return_labels:
            labels[start:stop] = batch["label"]
        start = stop
    return (images, labels) if return_labels else images


def _has_labels(builder: tfds.core.DatasetBuilder) -> bool:
    features = builder.info.features
    if "label" not in features:
        return False
    return features["label"].shape == () and np.dtype(features["label"].np_dtype).kind in "iu"


def _read_idx(name: str, split: str, folders: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    """MNIST and its kin from their own files, for machines without TensorFlow: the folder's name tells them apart."""
    if (pair := idx.read_folder(base_name(name), split, folders)) is not None:
        return pair
    raise ImportError(
        f"Data sets by name are read by tensorflow-datasets, which needs TensorFlow: `pip install tensorflow`, or name "
        f"an .npz file or a folder of images. Received: source={name!r}, split={split!r}, {received(folders)}"
    )
