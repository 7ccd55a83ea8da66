"""Images from data sets by name, archives and folders, as NumPy arrays."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from ganzoo.data.archives import SPLITS, open_archive, read_npz, split_keys
from ganzoo.data.folders import find_images, load_folder
from ganzoo.data.named import load_named
from ganzoo.data.preprocessing import parse_shape, resize_loaded

__all__ = ["as_path", "has_split", "load", "read_source"]


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

    MNIST, Fashion-MNIST and KMNIST, whose files are called alike, are told apart by their content: what was prepared
    from another set's files is prepared anew, with a warning, or refused where the right files are not at hand.

    Images are in the order of the source; tensorflow-datasets has its own, always the same. Where TensorFlow is
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
            resized and cropped, and made grey (1 channel), coloured (3) or coloured with transparency (4). Needed for
            folders and for data sets of varying size.
        return_labels: return the classes as well.

    Returns:
        uint8 (n, height, width, channels) (an archive of floats stays float), and with `return_labels` also
        int64 (n,).

    Raises:
        ValueError: an unknown name or split, a set of several parts (`load_parts`), images of varying size without
            `image_shape`, no labels.
        OSError: files that are missing or damaged, or no server where it is needed.

    Example:
        >>> images, labels = load("mnist", "test", return_labels=True)
        >>> images.shape, labels.shape
        ((10000, 28, 28, 1), (10000,))
    """
    return read_source(source, split, data_dir, image_shape, return_labels)


def read_source(
    source: str | os.PathLike,
    split: str,
    data_dir: str | os.PathLike | None,
    image_shape: int | tuple[int, ...] | None,
    return_labels: bool | None,
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    """What `load` does. `return_labels` may be None: where there are labels."""
    size, mode = parse_shape(image_shape)
    path = as_path(source)
    if path is None:
        return load_named(str(source), split, data_dir, size, mode, return_labels)
    if not path.is_dir():
        return resize_loaded(read_npz(path, None, split, return_labels), size, mode)
    if return_labels:
        raise ValueError(
            "A folder of images has no labels (but see ganzoo.data.load_class_folders). "
            f"Received: source={str(source)!r}, return_labels=True"
        )
    if size is None:
        raise ValueError(
            "A folder of images needs a size to bring them to: say image_shape=(height, width, channels). "
            f"Received: source={str(source)!r}, image_shape=None"
        )
    return load_folder(split_folder(path, split), size, mode or "RGB")


def as_path(source: str | os.PathLike) -> Path | None:
    """The path that `source` is, or None where it is the name of a data set."""
    path = Path(source).expanduser()
    if (path.suffix and path.is_file()) or (path.is_dir() and find_images(path, first=True)):
        return path
    looks_like_path = not isinstance(source, str) or re.match(r"[.~/\\]", source) or source.endswith(("/", "\\"))
    looks_like_path = looks_like_path or (
        path.is_dir() and path.parent != Path(".")
    )  # of a set's names few are folders
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
    with open_archive(path) as archive:
        return any(images in archive for images, _ in split_keys(split))


def split_folder(path: Path, split: str) -> Path:
    """The folder of a split, or the folder itself where it has none; refused where it has others."""
    named = {folder.name.lower(): folder for folder in path.iterdir() if folder.is_dir()}
    if (path / split).is_dir() or split.lower() in named:
        return path / split if (path / split).is_dir() else named[split.lower()]
    if others := [named[name].name for name in SPLITS if name in named]:
        raise ValueError(f"{path} has folders for the splits {', '.join(others)}. Received: split={split!r}")
    return path
