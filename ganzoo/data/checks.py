"""Whether what tensorflow-datasets has prepared is the data set that it is called.

It unpacks a file `name.gz` of the user's to ``<folder of downloads>/extracted/GZIP.name.gz``, and takes what lies there
without looking into it. MNIST, Fashion-MNIST and KMNIST, whose files are called alike, have been prepared from one
another's files that way.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ganzoo.data import idx
from ganzoo.data.progress import progress

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

__all__ = ["find_mistake", "is_due", "record"]

MARKER = ".ganzoo_checked"  # beside the prepared data, where they have been found right
BATCH = 1024
UNSURE = ", as far as can be told without the original files"
_looked_at: set[str] = set()  # the same for this process, where nothing can be written


def is_due(builder: tfds.core.DatasetBuilder, folders: list[Path]) -> bool:
    """Whether prepared data may be another set's, and have not been looked at."""
    if builder.data_dir in _looked_at or not _has_files_of_common_names(builder):
        return False
    try:
        noted = Path(builder.data_dir, MARKER).read_text()
    except OSError:
        return True
    if noted == builder.info.full_name + UNSURE:
        return _has_originals(builder, folders)
    return noted != builder.info.full_name


def _has_files_of_common_names(builder: tfds.core.DatasetBuilder) -> bool:
    return any(_file_name(url, info) == "train-images-idx3-ubyte.gz" for url, info in _originals(builder).items())


def _originals(builder: tfds.core.DatasetBuilder) -> dict:
    return builder.url_infos or {}


def _file_name(url: str, info) -> str:
    return info.filename or url.rsplit("/", 1)[-1]


def record(builder: tfds.core.DatasetBuilder, sure: bool = True) -> None:
    """Notes that a builder's data are what they are called."""
    if not _has_files_of_common_names(builder):
        return
    _looked_at.add(builder.data_dir)
    with contextlib.suppress(OSError):  # prepared by somebody else, in a folder that is not ours
        Path(builder.data_dir, MARKER).write_text(builder.info.full_name + ("" if sure else UNSURE))


def find_mistake(builder: tfds.core.DatasetBuilder, folders: list[Path]) -> str | None:
    """What is wrong with prepared data, in two sentences; None where nothing is, or where that cannot be told.

    They are compared with the original files where these are at hand, else with what is known of MNIST and
    Fashion-MNIST. All examples are read, in seconds, once: that they were found right is noted beside the data.
    """
    if not is_due(builder, folders):
        return None
    sure = True
    for split in [split for split in idx.PREFIXES if split in builder.info.splits]:
        held, expected = _read(builder, split), _expected(builder, split, folders)
        if what := _difference(builder.name, held, expected):
            return (
                f"What is prepared as {builder.name!r} in {builder.data_dir} is something else: its split {split!r} "
                f"holds {what}. Results on it before now are not results on {builder.name!r}."
            )
        sure = sure and held == expected
    record(builder, sure)
    return None


def _difference(name: str, held: idx.Content, expected: idx.Content | None) -> str | None:
    other = idx.name_of(held)
    if other not in (None, name):
        return f"the images of {other!r}"
    if expected is None or expected.num != held.num or expected == held:  # another number: prepared in part, on purpose
        return None
    return "other labels" if expected.images == held.images else "other images"


def _expected(builder: tfds.core.DatasetBuilder, split: str, folders: list[Path]) -> idx.Content | None:
    if _has_originals(builder, folders):
        return idx.content_of(*idx.read_files(folders[0], split))
    return idx.KNOWN.get(builder.name, {}).get(split)


def _read(builder: tfds.core.DatasetBuilder, split: str) -> idx.Content:
    from ganzoo.engine.backend import import_tensorflow

    import_tensorflow()
    examples = builder.as_dataset(split=split).batch(BATCH).as_numpy_iterator()
    count = -(-builder.info.splits[split].num_examples // BATCH)
    batches = list(progress(examples, count, f"Checking {builder.name}"))
    images, labels = (np.concatenate([batch[key] for batch in batches]) for key in ("image", "label"))
    return idx.content_of(images, labels)


def _has_originals(builder: tfds.core.DatasetBuilder, folders: list[Path]) -> bool:
    """Whether the user's folder holds the files with the set's checksums."""
    return bool(folders) and all(
        (file := folders[0] / _file_name(url, info)).is_file()
        and hashlib.sha256(file.read_bytes()).hexdigest() == info.checksum
        for url, info in _originals(builder).items()
    )
