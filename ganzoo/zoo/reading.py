"""The data of a recipe, or of a user's own, as the parts that a model takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ganzoo import data
from ganzoo.data.sources import as_path, split_folder
from ganzoo.engine.naming import named
from ganzoo.engine.parts import Images, Labels, Part
from ganzoo.zoo.registry import suggestion

__all__ = ["DERIVED", "read_parts"]

# What a recipe may derive from another part of the same data, `derive: {source: edges}`.
DERIVED: dict[str, Callable[[np.ndarray], np.ndarray]] = {"edges": data.edges, "grey": data.grey}


def read_parts(
    parts: Mapping[str, Part],
    source: Any,
    split: str = "train",
    *,
    data_dir: str | Path | None = None,
    names: Mapping[str, str] = {},
    derive: Mapping[str, str] = {},
    image_shape: Sequence[int] | None = None,
    folder_shape: Sequence[int] | None = None,
) -> dict[str, np.ndarray]:
    """Arrays by the names of a model's parts.

    Args:
        parts: the model's `data`.
        source: arrays, as for `fit`; a data set's name; the path of an archive (.npz, .npy), or of a folder: of images;
            of class folders, where the model takes labels; of pairs (two subfolders with equal names, or side-by-side
            images), where it takes two images that belong together; of two subfolders, where they do not.
        split: the part of a data set.
        data_dir: a folder with the data set's original files.
        names: what the data set calls a part, where that is another name than the model's.
        derive: parts that are made of the target by a function of `DERIVED`.
        image_shape: (height, width, channels) that all images are brought to. By default they keep their own.
        folder_shape: the same for a folder of images, which have no shape of their own in common.

    Raises:
        ValueError: the source lacks a part.
    """
    wanted = {name: part for name, part in parts.items() if not part.derived and name not in derive}
    path = as_path(source) if isinstance(source, (str, Path)) else None
    if not isinstance(source, (str, Path)):
        found = named(source, None, wanted)
    elif path is not None and path.is_dir():
        found = _of_folder(split_folder(path, split), wanted, tuple(image_shape or folder_shape or ()))
    else:
        shape = None if image_shape is None else tuple(image_shape)
        found = _of_set(source, split, data_dir, wanted, names, shape)
    for name, function in derive.items():
        if function not in DERIVED:
            raise ValueError(f"Nothing is derived by that name.{suggestion(function, DERIVED)} Received: {function!r}")
        target = next(iter(found))
        found[name] = DERIVED[function](found[target])
    return {name: found[name] for name in parts if name in found}


def _of_set(source, split, data_dir, wanted: Mapping[str, Part], names: Mapping[str, str], shape) -> dict[str, Any]:
    if list(wanted) == ["images"] and not names:  # also data without labels, and arrays of vectors
        return {"images": data.load(source, split, data_dir=data_dir, image_shape=shape)}
    given = data.load_parts(source, split, data_dir=data_dir, image_shape=shape)
    for name in wanted:
        if names.get(name, name) not in given:
            raise ValueError(
                f"The model takes `{name}`, and {str(source)!r} has {', '.join(given)}: say which of them it is with "
                f"`parts: {{{name}: ...}}` in the recipe's dataset. Received: {names.get(name, name)!r}"
            )
    return {name: given[names.get(name, name)] for name in wanted}


def _of_folder(path: Path, wanted: Mapping[str, Part], shape: tuple[int, ...]) -> dict[str, Any]:
    if len(shape) != 3:
        raise ValueError(
            "A folder of images needs a size to bring them to: say image_shape=(height, width, channels), on the "
            f"command line --image-shape 64x64x3. Received: {str(path)!r}"
        )
    size, mode = shape[:2], {1: "L", 3: "RGB", 4: "RGBA"}.get(shape[2])
    if mode is None:
        raise ValueError(f"Image files have 1, 3 or 4 channels. Received: image_shape={shape}")
    images = [name for name, part in wanted.items() if isinstance(part, Images)]
    others = [name for name, part in wanted.items() if not isinstance(part, Images)]
    if len(images) == 1 and not others:
        return {images[0]: data.load_folder(path, size, mode)}
    if len(images) == 1 and len(others) == 1 and isinstance(wanted[others[0]], Labels):
        pictures, labels, _ = data.load_class_folders(path, size, mode)
        return {images[0]: pictures, others[0]: labels}
    if len(images) == 2 and not others:
        load = data.load_pairs if wanted[images[0]].group == wanted[images[1]].group else data.load_domains
        return dict(zip(images, load(path, size, mode)))
    raise ValueError(
        f"A folder holds images, classes, pairs or two domains; the model takes {' and '.join(wanted)}: give arrays, "
        f"ganzoo.train(..., data={{{next(iter(wanted))!r}: ...}}). Received: {str(path)!r}"
    )
