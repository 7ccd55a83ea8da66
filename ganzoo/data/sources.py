"""Images from data sets by name, archives and folders, as NumPy arrays."""

from __future__ import annotations

import contextlib
import os
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ganzoo.data.preprocessing import channels_of, parse_size, resize, resize_and_crop

__all__ = ["load", "load_folder", "load_npz"]

Size = int | tuple[int, int]

# What counts as an image in a folder. What of it Pillow cannot read is reported; files of other kinds are passed over.
IMAGE_SUFFIXES = (
    *(".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".jxl", ".pbm", ".pgm"),
    *(".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
)
MAX_NAMED = 10  # files that an error names
SPLITS = ("train", "test", "val", "validation")


def load(
    source: str | os.PathLike,
    split: str = "train",
    *,
    data_dir: str | os.PathLike | None = None,
    image_shape: int | tuple[int, ...] | None = None,
    return_labels: bool = False,
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    """Images from a data set's name, an archive or a folder.

    A name is one of tensorflow-datasets (``"mnist"``, ``"cifar10"``, ``"emnist/letters"``, ...; any set with an
    ``image``). In this order, its images come from

    1. an .npz archive in the folder that `data_dir` or the environment variable ``GANZOO_DATA`` names;
    2. what tensorflow-datasets has prepared before (in ``TFDS_DATA_DIR``, by default ``~/tensorflow_datasets``);
    3. the original files, as their authors publish them, in that same folder, from which they are prepared once;
    4. the data set's server.

    They are in the order of the source: tensorflow-datasets has its own, which is always the same. Where TensorFlow is
    not installed, the ``*-ubyte.gz`` files of MNIST and its kin are read directly from a folder called like the data
    set, in the files' own order.

    Args:
        source: a name; a path to an .npz or .npy file (`load_npz`); or a path to a folder of images (`load_folder`;
            where it has folders called train, test, ..., the one called `split` is read). A folder of images wins over
            a data set of the same name.
        split: for a name, whatever tensorflow-datasets accepts, ``"train[:1000]"`` among it.
        data_dir: folder with the original files or an archive, directly or in a subfolder called like the data set;
            also an .npz file, or a folder of prepared tensorflow-datasets.
        image_shape: (height, width, channels) or (height, width) or one number for both: images of another size are
            resized and cropped, and made grey or coloured. Needed for folders and for data sets of varying size.
        return_labels: return the classes as well.

    Returns:
        uint8 (n, height, width, channels) (an archive of floats stays float), and with `return_labels` also
        int64 (n,).

    Raises:
        ValueError: an unknown name or split, images of varying size without `image_shape`, no labels.
        OSError: files that are missing or damaged, or no server where it is needed.

    Example:
        >>> images, labels = load("mnist", "test", return_labels=True)
        >>> images.shape, labels.shape
        ((10000, 28, 28, 1), (10000,))
    """
    size, mode = _parse_shape(image_shape)
    path = as_path(source)
    if path is None:
        return _load_name(str(source), split, data_dir, size, mode, return_labels)
    if not path.is_dir():
        return resize_loaded(load_npz(path, split=split, return_labels=return_labels), size, mode)
    if return_labels:
        raise ValueError(f"A folder of images has no labels. Received: source={str(source)!r}, return_labels=True")
    if size is None:
        raise ValueError(
            "A folder of images needs a size to bring them to: say image_shape=(height, width, channels). "
            f"Received: source={str(source)!r}, image_shape=None"
        )
    return load_folder(_split_folder(path, split), size, mode or "RGB")


def _parse_shape(image_shape: int | tuple[int, ...] | None) -> tuple[tuple[int, int] | None, str | None]:
    """(size, mode) of any of the ways to write `image_shape`."""
    if image_shape is None:
        return None, None
    if isinstance(image_shape, (tuple, list)) and len(image_shape) == 3:
        *size, channels = image_shape
        if channels not in (1, 3):
            raise ValueError(f"Images are made with 1 or 3 channels. Received: image_shape={tuple(image_shape)}")
        return parse_size(tuple(size)), "L" if channels == 1 else "RGB"
    return parse_size(image_shape), None


def as_path(source: str | os.PathLike) -> Path | None:
    """The path that `source` is, or None where it is the name of a data set."""
    path = Path(source).expanduser()
    if (path.suffix and path.is_file()) or (path.is_dir() and _find_images(path, first=True)):
        return path
    looks_like_path = not isinstance(source, str) or re.match(r"[.~/\\]", source) or source.endswith(("/", "\\"))
    if not looks_like_path and path.suffix not in (".npz", ".npy"):
        return None
    if path.is_dir():
        raise FileNotFoundError(f"{path} holds no images (nor do its subfolders). Received: source={str(source)!r}")
    raise FileNotFoundError(f"No such file or folder: {path}. Received: source={str(source)!r}")


def has_split(path: Path, split: str) -> bool:
    """Whether a folder or an archive holds images of that split under its name, not only images."""
    if path.is_dir():
        return (path / split).is_dir()
    if path.suffix != ".npz":
        return False
    with np.load(path) as archive:
        return any(images in archive.files for images, _ in _split_keys(split))


def _split_folder(path: Path, split: str) -> Path:
    if (path / split).is_dir():
        return path / split
    if others := [name for name in SPLITS if (path / name).is_dir()]:
        raise ValueError(f"{path} has folders for the splits {', '.join(others)}. Received: split={split!r}")
    return path


def resize_loaded(loaded: np.ndarray | tuple[np.ndarray, np.ndarray], size: Size | None, mode: str | None):
    """Images, or a pair of images and labels, with the images brought to a size."""
    if size is None:
        return loaded
    if isinstance(loaded, tuple):
        return resize(loaded[0], size, mode), loaded[1]
    return resize(loaded, size, mode)


def _load_name(name: str, split: str, data_dir, size: Size | None, mode: str | None, return_labels: bool):
    from ganzoo.data import named  # needs TensorFlow, which paths do not

    return named.load_named(name, split, data_dir, size, mode, return_labels)


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
    path = Path(path).expanduser()
    with open_archive(path) as archive:
        image_key, label_key = choose_keys(path, list(archive), split, key)
        images = _as_images(archive[image_key], path)
        if not return_labels:
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
        pairs = [*_split_keys(split), ("images", "labels"), ("x", "y")]
        others = [name for name in SPLITS if name != split and any(images in keys for images, _ in _split_keys(name))]
        if others and not any(images in keys for images, _ in _split_keys(split)):
            raise ValueError(f"{path} has the splits {', '.join(others)}. Received: split={split!r}")
        pairs += [(keys[0], "labels")] if len(keys) == 1 else []
    for images, labels in pairs:
        if images in keys:
            return images, labels
    raise ValueError(
        f"{path} has no array called {' or '.join(images for images, _ in pairs)}: name one of its own, "
        f"{', '.join(keys) or '(it is empty)'}, with `key=`. Received: key={key!r}"
    )


def _split_keys(split: str) -> list[tuple[str, str]]:
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


def load_folder(
    path: str | os.PathLike,
    image_size: int | tuple[int, int],
    mode: str = "RGB",
    *,
    recursive: bool = True,
    limit: int | None = None,
    skip_unreadable: bool = False,
) -> np.ndarray:
    """All images of a folder, of whatever sizes and formats, resized and cropped to one size (`resize_and_crop`).

    Args:
        path: of the folder. Files that are hidden or have no ending of an image are passed over.
        image_size: (height, width), or one number for both.
        mode: "RGB" for colour, "L" for grey.
        recursive: read subfolders too.
        limit: read only the first so many.
        skip_unreadable: leave out, with a warning that names them, files that cannot be read.

    Returns:
        uint8 (n, height, width, channels), in the order of the paths below `path`.

    Raises:
        FileNotFoundError: no such folder, or no images in it.
        ValueError: files that cannot be read (all are named), or a wrong `image_size`, `mode` or `limit`.

    Example:
        >>> load_folder("photos", image_size=64).shape     # doctest: +SKIP
        (1200, 64, 64, 3)
    """
    path = Path(path).expanduser()
    size, channels = parse_size(image_size), channels_of(mode)
    if limit is not None and limit < 1:
        raise ValueError(f"`limit` must be positive. Received: limit={limit!r}")
    if not path.is_dir():
        raise FileNotFoundError(f"No such folder: {path}")
    files = _find_images(path, recursive)[:limit]
    if not files:
        hint = "" if recursive else ", with recursive=True if they are in subfolders"
        raise FileNotFoundError(
            f"No images in {path}: name a folder of files that end in {' '.join(IMAGE_SUFFIXES)}{hint}."
        )
    images = np.empty((len(files), *size, channels), np.uint8)
    unreadable = _read_images(files, images, mode)
    if not unreadable:
        return images
    shown = "; ".join(f"{files[i]} ({error})" for i, error in sorted(unreadable.items())[:MAX_NAMED])
    more = f"; and {len(unreadable) - MAX_NAMED} more" if len(unreadable) > MAX_NAMED else ""
    message = f"{len(unreadable)} of {len(files)} files cannot be read: {shown}{more}."
    if not skip_unreadable or len(unreadable) == len(files):
        raise ValueError(f"{message} Mend or remove them, or say skip_unreadable=True. Received: path={str(path)!r}")
    warnings.warn(f"Left out: {message}", stacklevel=2)
    return np.delete(images, list(unreadable), axis=0)


def _find_images(path: Path, recursive: bool = True, first: bool = False) -> list[Path]:
    """The image files below `path`, sorted; with `first`, one of them at most."""
    found: list[Path] = []
    visited = set()
    for root, folders, files in os.walk(path, followlinks=True):
        if (real := os.path.realpath(root)) in visited:  # a link back up would be followed for ever
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(name for name in folders if recursive and not name.startswith((".", "__MACOSX")))
        names = (name for name in files if not name.startswith("."))
        found += [Path(root, name) for name in names if name.lower().endswith(IMAGE_SUFFIXES)]
        if first and found:
            return found[:1]
    return sorted(found, key=lambda file: file.relative_to(path).as_posix())


def _read_images(files: list[Path], images: np.ndarray, mode: str) -> dict[int, Exception]:
    """Fills `images` from `files`. Returns what went wrong, by the file's index."""
    from PIL import Image

    unreadable: dict[int, Exception] = {}

    def read(index: int) -> None:
        try:
            with Image.open(files[index]) as image:
                images[index] = resize_and_crop(image, images.shape[1:3], mode)
        except Exception as error:  # Pillow's readers raise all sorts on damaged files
            unreadable[index] = error

    # Pillow decodes and resizes outside the interpreter lock: threads are enough to use every core.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in progress(pool.map(read, range(len(files))), len(files), "Reading images"):
            pass
    return unreadable


def progress(items: Iterable, total: int, what: str) -> Iterable:
    """A bar on a terminal, for what takes longer than a second; one inside another goes when it is full."""
    from tqdm import tqdm

    return tqdm(items, total=total, desc=what, delay=1, disable=None, leave=None)
