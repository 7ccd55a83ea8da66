"""What tensorflow-datasets prepares from a data set's original files: once, under a lock, and checked."""

from __future__ import annotations

import contextlib
import difflib
import os
import shutil
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np

from ganzoo.data import checks
from ganzoo.data.places import base_name, received

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

__all__ = ["prepared_builder"]

SERVER_TIMEOUT = 10.0  # seconds in which a server must answer before a download is begun


def prepared_builder(name: str, folders: list[Path]) -> tfds.core.DatasetBuilder:
    """A builder whose data are prepared, and are what they are called; see `ganzoo.data.load`."""
    root = _tfds_root(name, folders)
    builder = _make_builder(name, root)
    _require_images(builder)
    if _is_prepared(builder) and not checks.is_due(builder, folders):
        return builder
    with _lock(builder):  # two trainings that start together prepare the data once
        builder = _make_builder(name, root)
        mistake = checks.find_mistake(builder, folders) if _is_prepared(builder) else None
        if _is_prepared(builder) and mistake is None:
            return builder
        missing = _missing_files(builder, name, folders)
        if missing and not _any_server_answers(missing):
            hint = "" if mistake is None else f"{mistake}\n"
            raise FileNotFoundError(hint + _how_to_get(name, missing, folders))
        if mistake is None:
            _prepare(builder, name, folders)
            return builder
        warnings.warn(f"{mistake} They are prepared anew.", stacklevel=4)
        with _set_aside(builder, mistake):
            builder = _make_builder(name, root)
            _prepare(builder, name, folders)
    return builder


@contextlib.contextmanager
def _lock(builder: tfds.core.DatasetBuilder) -> Iterator[None]:
    """One process at a time; none is needed where nothing can be written."""
    from filelock import FileLock

    root = Path(builder.data_dir_root)
    if root.is_dir() and not os.access(root, os.W_OK):
        yield
        return
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / f".{builder.name}.lock"):
        yield


@contextlib.contextmanager
def _set_aside(builder: tfds.core.DatasetBuilder, mistake: str) -> Iterator[None]:
    """Takes prepared data out of the way, for good if what is done meanwhile succeeds."""
    data = Path(builder.data_dir)
    aside = data.with_name(f".wrong-{data.name}")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        data.rename(aside)
    except OSError as error:
        raise OSError(f"{mistake} They cannot be replaced ({error}): remove {data}, or name another folder.") from error
    try:
        yield
    except BaseException:
        if not data.exists():
            aside.rename(data)
        raise
    shutil.rmtree(aside, ignore_errors=True)


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
        if base_name(name) in known:
            raise
        close = difflib.get_close_matches(base_name(name), known, n=3)
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        empty = f" (The folder {name} holds no images.)" if Path(name).is_dir() else ""
        raise ValueError(
            f"There is no data set, file or folder of images called {name!r}.{empty}{hint} "
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

    unpacked = Path(builder.data_dir_root, "downloads", "extracted", builder.name)
    shutil.rmtree(unpacked, ignore_errors=True)  # left over where the machine went down
    config = tfds.download.DownloadConfig(
        # What has been unpacked is taken again by its file's name alone, and MNIST's files are called like
        # Fashion-MNIST's: each set has a folder of its own.
        extract_dir=str(unpacked),
        manual_dir=str(folders[0]) if folders else None,
        try_download_gcs=False,
    )
    try:
        builder.download_and_prepare(download_config=config)
    except NonMatchingChecksumError as error:
        raise OSError(f"A file of {name!r} is damaged or of another version. {error}") from error
    except tfds.download.DownloadError as error:
        raise OSError(
            f"The download of {name!r} failed: {error} If you have its original files, name their folder with "
            f"data_dir= or GANZOO_DATA. Received: source={name!r}, {received(folders)}"
        ) from error
    except AssertionError as error:  # files that can only be had by hand are not all there
        raise FileNotFoundError(f"{error} Received: source={name!r}, {received(folders)}") from error
    shutil.rmtree(unpacked, ignore_errors=True)
    checks.record(builder)


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
        f"name the folder with data_dir= or GANZOO_DATA. Received: source={name!r}, {received(folders)}"
    )
