"""Data sets by name: tensorflow-datasets, and what stands in for its servers where there is no network."""

from __future__ import annotations

import contextlib
import difflib
import gzip
import importlib.util
import logging
import os
import re
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np

from ganzoo.data.preprocessing import channels_of, parse_size, resize
from ganzoo.data.sources import Size, choose_keys, load_npz, open_archive, progress, resize_loaded

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

__all__ = ["load_named"]

SERVER_TIMEOUT = 10.0  # seconds in which a server must answer before a download is begun


def load_named(
    name: str, split: str, data_dir: str | os.PathLike | None, size: Size | None, mode: str | None, return_labels: bool
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    """What `ganzoo.data.load` does for a name; see there."""
    folders = _folders(name, data_dir)
    if (archive := _find_archive(name, folders)) is not None:
        _require_split(archive, split)
        return resize_loaded(load_npz(archive, split=split, return_labels=return_labels), size, mode)
    if not _has_tensorflow():
        pair = _read_idx(name, split, folders)
        return resize_loaded(pair if return_labels else pair[0], size, mode)
    with _quiet():
        return _read_builder(_prepared_builder(name, folders), split, size, mode, return_labels)


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


def _base(name: str) -> str:
    """The data set in ``"name/config:version"``."""
    return re.split(r"[/:]", name)[0]


def _folders(name: str, data_dir: str | os.PathLike | None) -> list[Path]:
    """Where the user keeps files of this data set, the likeliest place first."""
    root = data_dir or os.environ.get("GANZOO_DATA")
    if not root:
        return []
    root = Path(root).expanduser()
    if not root.is_dir() and not (root.is_file() and root.suffix == ".npz"):
        origin = "data_dir" if data_dir else "GANZOO_DATA"
        raise FileNotFoundError(f"No such folder or .npz file: {root}. Received: {origin}={str(root)!r}")
    return [folder for folder in (root / _base(name), root) if folder.exists()]


def _find_archive(name: str, folders: list[Path]) -> Path | None:
    for folder in folders:
        if folder.suffix == ".npz":
            return folder
        if (folder / f"{_base(name)}.npz").is_file():
            return folder / f"{_base(name)}.npz"
    inside = sorted(folders[0].glob("*.npz")) if len(folders) == 2 else []  # only in a folder of the set's own
    return inside[0] if len(inside) == 1 else None


def _require_split(archive: Path, split: str) -> None:
    """Refuses to pass an archive without splits off as anything but the training set."""
    with open_archive(archive) as arrays:
        images, _ = choose_keys(archive, list(arrays), split)
    if split != "train" and split not in images:
        raise ValueError(f"{archive} has no splits, so it serves as train only. Received: split={split!r}")


def _prepared_builder(name: str, folders: list[Path]) -> tfds.core.DatasetBuilder:
    from filelock import FileLock

    root = _tfds_root(name, folders)
    builder = _make_builder(name, root)
    _require_images(builder)
    if _is_prepared(builder):
        return builder
    missing = _missing_files(builder, name, folders)
    if missing and not _any_server_answers(missing):
        raise FileNotFoundError(_how_to_get(name, missing, folders))
    lock = Path(builder.data_dir_root, f".{builder.name}.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):  # two trainings that start together prepare the data once
        builder = _make_builder(name, root)
        if not _is_prepared(builder):
            _prepare(builder, name, folders)
    return builder


def _tfds_root(name: str, folders: list[Path]) -> str | None:
    """Where prepared data are: the user's folder if it holds some, else where tensorflow-datasets keeps them."""
    if len(folders) == 2:
        for pattern in ("*/dataset_info.json", "*/*/dataset_info.json"):  # version, or configuration and version
            if any(folders[0].glob(pattern)):
                return str(folders[1])
    return os.environ.get("TFDS_DATA_DIR")


def _make_builder(name: str, root: str | None) -> tfds.core.DatasetBuilder:
    import tensorflow_datasets as tfds

    try:
        return tfds.builder(name, data_dir=root)
    except ValueError as error:  # tensorflow-datasets lists its 1300 names
        known = tfds.list_builders(with_community_datasets=False)
        if _base(name) in known:
            raise
        close = difflib.get_close_matches(_base(name), known, n=3)
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        raise ValueError(
            f"There is no data set, file or folder of images called {name!r}.{hint} "
            f"All names: https://www.tensorflow.org/datasets/catalog. Received: source={name!r}"
        ) from error


def _require_images(builder: tfds.core.DatasetBuilder) -> None:
    import tensorflow_datasets as tfds

    features = builder.info.features
    image = features["image"] if "image" in features else None  # noqa: SIM401 (it has no get)
    if not isinstance(image, tfds.features.Image) or image.np_dtype != np.uint8:
        raise ValueError(
            f"The data set {builder.name!r} has no 8-bit images under the name 'image'. "
            f"Received: a data set of {', '.join(sorted(features))}"
        )


def _is_prepared(builder: tfds.core.DatasetBuilder) -> bool:
    return (builder.data_path / "dataset_info.json").exists()  # builder.is_prepared() logs a warning where it is not


def _prepare(builder: tfds.core.DatasetBuilder, name: str, folders: list[Path]) -> None:
    from ganzoo.engine.backend import import_tensorflow

    import_tensorflow()  # so that its GPU is hidden before it writes a record
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError

    config = tfds.download.DownloadConfig(manual_dir=str(folders[0]) if folders else None, try_download_gcs=False)
    try:
        builder.download_and_prepare(download_config=config)
    except NonMatchingChecksumError as error:
        raise OSError(f"A file of {name!r} is damaged or of another version. {error}") from error
    except tfds.download.DownloadError as error:
        raise OSError(
            f"The download of {name!r} failed: {error} If you have its original files, name their folder with "
            f"data_dir= or GANZOO_DATA. Received: source={name!r}, {_received(folders)}"
        ) from error
    except AssertionError as error:  # files that can only be had by hand are not all there
        raise FileNotFoundError(f"{error} Received: source={name!r}, {_received(folders)}") from error


def _missing_files(builder: tfds.core.DatasetBuilder, name: str, folders: list[Path]) -> dict[str, str]:
    """{address: file name} of the original files that the user's folder lacks.

    Empty also where that cannot be told: of sets with several configurations, one needs only some of the files, and of
    sets that can only be had by hand the files are not registered.
    """
    if builder.MANUAL_DOWNLOAD_INSTRUCTIONS:
        if folders:
            return {}
        raise FileNotFoundError(
            f"The data set {name!r} must be fetched by hand, and its folder named with data_dir= or GANZOO_DATA:\n"
            f"{' '.join(builder.MANUAL_DOWNLOAD_INSTRUCTIONS.split())} Received: source={name!r}, data_dir=None"
        )
    infos = builder.url_infos or {}
    names = {url: info.filename or url.rsplit("/", 1)[-1] for url, info in infos.items()}
    missing = {url: file for url, file in names.items() if not (folders and (folders[0] / file).is_file())}
    return {} if builder.BUILDER_CONFIGS and len(missing) < len(names) else missing


def _any_server_answers(urls: dict[str, str]) -> bool:
    """Whether a download is worth trying: tensorflow-datasets retries for many minutes where there is no network."""
    import requests

    answered = threading.Event()

    def ask(url: str) -> None:
        try:
            with requests.get(url, stream=True, timeout=SERVER_TIMEOUT) as response:
                if response.status_code < 500:
                    answered.set()
        except requests.RequestException:
            pass

    one_per_server = {urlsplit(url).netloc: url for url in urls}
    threads = [threading.Thread(target=ask, args=(url,), daemon=True) for url in list(one_per_server.values())[:4]]
    for thread in threads:
        thread.start()
    for thread in threads:  # daemons, joined with a limit: looking up a name has no timeout of its own
        thread.join(SERVER_TIMEOUT)
    return answered.is_set()


def _how_to_get(name: str, missing: dict[str, str], folders: list[Path]) -> str:
    """Two lines: what is the matter, and what to do."""
    files, urls = list(missing.values()), list(missing)
    servers = ", ".join(sorted({urlsplit(url).netloc for url in urls}))
    shown = ", ".join(files[:4]) + (f" and {len(files) - 4} more" if len(files) > 4 else "")
    where = f"{folders[0]} lacks" if folders else "no folder was named that holds"
    return (
        f"The data set {name!r} is not on this machine: {servers} does not answer, and {where} {shown}.\n"
        f"Get {'them' if len(files) > 1 else 'it'} from {urls[0].rsplit('/', 1)[0]}/ where there is a network, and "
        f"name the folder with data_dir= or GANZOO_DATA. Received: source={name!r}, {_received(folders)}"
    )


def _received(folders: list[Path]) -> str:
    return f"data_dir={str(folders[-1]) if folders else None!r}"


def _read_builder(
    builder: tfds.core.DatasetBuilder, split: str, size: Size | None, mode: str | None, return_labels: bool
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    from ganzoo.engine.backend import import_tensorflow

    import_tensorflow()
    import tensorflow_datasets as tfds

    stored = builder.info.features["image"].shape
    if return_labels and "label" not in builder.info.features:
        raise ValueError(f"The data set {builder.name!r} has no 'label'. Received: return_labels=True")
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


def _read_idx(name: str, split: str, folders: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    """MNIST and its kin from their own files, for machines without TensorFlow.

    All of them use the same file names, and nothing here compares checksums: the folder's name must tell them apart.
    """
    prefix = {"train": "train", "test": "t10k"}.get(split)
    if prefix is None and any(folder.name == _base(name) and any(folder.glob("*-ubyte.gz")) for folder in folders):
        raise ValueError(f"{name} has the splits 'train' and 'test'. Received: split={split!r}")
    for folder in folders:
        files = [folder / f"{prefix}-{part}-ubyte.gz" for part in ("images-idx3", "labels-idx1")]
        if folder.name == _base(name) and all(file.is_file() for file in files):
            images, labels = map(_read_idx_file, files)
            if images.ndim != 3 or labels.shape != images.shape[:1]:
                raise OSError(
                    f"{files[0]} and {files[1].name} do not belong together: fetch them anew. "
                    f"Received: images of shape {images.shape} and labels of shape {labels.shape}"
                )
            return images[..., None], labels.astype(np.int64)
    raise ImportError(
        f"Data sets by name are read by tensorflow-datasets, which needs TensorFlow: `pip install tensorflow`, or name "
        f"an .npz file or a folder of images. Received: source={name!r}, split={split!r}, {_received(folders)}"
    )


def _read_idx_file(file: Path) -> np.ndarray:
    """The format: two zero bytes, 8 for uint8, the number of dimensions, each dimension in 4 bytes, the data."""
    try:
        data = gzip.decompress(file.read_bytes())
        shape = np.frombuffer(data, ">i4", count=data[3], offset=4)
        return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape).copy()  # the buffer is read-only
    except (EOFError, ValueError, IndexError, OSError, zlib.error) as error:
        raise OSError(f"{file} is damaged: {error}") from error
