"""The data of a recipe, or of a user's own, as the parts that a model takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ganzoo import data
from ganzoo.data.ages import holds_ages
from ganzoo.data.folders import find_images
from ganzoo.data.part_folders import image_folders, size_of
from ganzoo.data.preprocessing import check_reading
from ganzoo.data.sources import as_path, split_folder
from ganzoo.engine.attributes import Attribute
from ganzoo.engine.frames import Frames
from ganzoo.engine.naming import named
from ganzoo.engine.parts import Images, Labels, Part, as_array
from ganzoo.zoo.registry import suggestion

if TYPE_CHECKING:
    from ganzoo.zoo.recipes import Dataset

__all__ = [
    "DERIVED",
    "derived_of",
    "few_labels",
    "folder_of",
    "how_read",
    "layout_of",
    "read_parts",
    "reading_of",
    "shape_of",
]

_LOOKED_AT = 20  # images whose sizes tell what a folder holds

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
    reading: Mapping[str, Any] = {},
) -> dict[str, np.ndarray]:
    """Arrays by the names of a model's parts.

    Args:
        parts: the model's `data`.
        source: arrays, as for `fit`; a data set's name; the path of an archive (.npz, .npy), or of a folder: of images;
            of class folders or of faces with ages (`ganzoo.data.load_ages`), where the model takes labels; of pairs
            (two subfolders with equal names, or side-by-side images), where it takes two images that belong together;
            of two subfolders, where they do not; with a table, or of class folders, where it takes attributes
            (`ganzoo.data.load_attributes`); of films, also an archive or an animation (`ganzoo.data.load_films`),
            where it takes frames and the one that follows.
        split: the part of a data set.
        data_dir: a folder with the data set's original files.
        names: what the data set calls a part, where that is another name than the model's.
        derive: parts that are made of the target by a function of `DERIVED`.
        image_shape: (height, width, channels) that all images are brought to. By default they keep their own.
        folder_shape: the same for a folder of images, which have no shape of their own in common.
        reading: how the files of a folder are read: `fit`, `max_value`, `pages`, `skip_unreadable` of
            `ganzoo.data.load_folder`.

    Raises:
        ValueError: the source lacks a part.
    """
    _refuse_names(parts, names, derive)
    if unknown := set(reading) - set(inspect.signature(check_reading).parameters):
        raise ValueError(f"Files are not read with {unknown.pop()!r}: see `ganzoo.data.load_folder`.")
    check_reading(**reading)
    folder, derive = folder_of(source, split), derived_of(parts, source, split, derive)
    if folder is None and isinstance(source, (str, Path)) and (ignored := sorted({*reading} - {"skip_unreadable"})):
        raise ValueError(f"{' and '.join(ignored)}: these are for folders of image files. Received: {str(source)!r}")
    wanted = {name: part for name, part in parts.items() if not part.derived and name not in derive}
    if not isinstance(source, (str, Path)):
        found = {name: as_array(values) for name, values in named(source, None, wanted).items()}
    elif (films := films_of(wanted, source, split)) is not None:
        found = _of_films(films, wanted, image_shape and tuple(image_shape), folder is not None, dict(reading))
    elif folder is not None:
        shapes = (image_shape and tuple(image_shape), folder_shape and tuple(folder_shape))
        found = _of_folder(folder, wanted, *shapes, dict(reading))
    else:
        found = _of_set(source, split, data_dir, wanted, names, None if image_shape is None else tuple(image_shape))
    for name, function in derive.items():
        found[name] = DERIVED[function](found[next(iter(wanted))])
    return {name: found[name] for name in parts if name in found}


def derived_of(parts: Mapping[str, Part], source: Any, split: str, derive: Mapping[str, str]) -> dict[str, str]:
    """What is really derived: nothing that the source holds itself, as arrays or as pairs of images."""
    if not derive:
        return {}
    asked = {name: part for name, part in parts.items() if not part.derived}
    folder = folder_of(source, split)
    given = set(source) if isinstance(source, Mapping) else set()
    pairs = folder is not None and _holds_pairs(folder, asked)
    if pairs or (isinstance(source, tuple) and len(source) == len(asked)):
        given = set(asked)
    return {name: function for name, function in derive.items() if name not in given}


def few_labels(found: Mapping[str, np.ndarray], parts: Mapping[str, Part], per_class: int, draw: int) -> dict[str, Any]:
    """The parts, those beside labels cut to so many examples of each class; unlabelled images have another group."""
    (labels,) = [name for name, part in parts.items() if isinstance(part, Labels)]
    group = parts[labels].group
    if all(part.group == group for part in parts.values()):
        raise ValueError("dataset.few: the model takes a label for every image, so that few labels are few images.")
    values, rng = np.asarray(found[labels]), np.random.default_rng(draw)
    rows = [rng.permutation(np.flatnonzero(values == label))[:per_class] for label in np.unique(values)]
    if short := [int(label) for label, chosen in zip(np.unique(values), rows) if len(chosen) < per_class]:
        raise ValueError(f"dataset.few: there are not {per_class} examples of the class {short[0]}.")
    chosen = np.sort(np.concatenate(rows))
    return {name: values[chosen] if parts[name].group == group else values for name, values in found.items()}


def layout_of(parts: Mapping[str, Part]) -> str:
    """What a folder for these parts holds: "images", "classes", "pairs", "domains" or "attributes"."""
    if any(isinstance(part, Attribute) for part in parts.values()):
        return "attributes"
    images = [part for part in parts.values() if isinstance(part, Images) and not part.derived]
    images = [part for part in images if not isinstance(part, Frames)]  # of films: all images are frames
    if len(images) == 2:
        return "pairs" if images[0].group == images[1].group else "domains"
    return "classes" if any(isinstance(part, Labels) for part in parts.values()) else "images"


def shape_of(parts: Mapping[str, Part]) -> tuple[int, ...] | None:
    """(height, width, channels) of the last part of images, where it is known."""
    images = [part for part in parts.values() if isinstance(part, Images)]
    return _known(images[-1]) if images else None


def how_read(parts: Mapping[str, Part], source: Any, split: str, derive: Mapping[str, str]) -> str:
    """In words, which of a folder's images became which part; "" of other sources. `derive` is from `derived_of`."""
    folder = folder_of(source, split)
    if films_of(parts, source, split) is not None:
        (name, part), *_ = [(name, part) for name, part in parts.items() if isinstance(part, Frames)]
        return f"{name} from {part.num_frames} frames of a film, oldest first, and the next from that which follows"
    if folder is None:
        return ""
    images = [n for n, part in parts.items() if isinstance(part, Images) and not part.derived and n not in derive]
    said = [f"{name} by {function} of {images[0]}" for name, function in derive.items()]
    if len(images) == 2:
        within = [each.name + "/" for each in image_folders(folder)] or ["the left halves", "the right halves"]
        said = [f"{name} from {where}" for name, where in zip(images, within)]
    return ", ".join(said)


def folder_of(source: Any, split: str) -> Path | None:
    """The folder of images that a source is, or its split's; None of other sources."""
    path = as_path(source) if isinstance(source, (str, Path)) else None
    return split_folder(path, split) if path is not None and path.is_dir() else None


def films_of(parts: Mapping[str, Part], source: Any, split: str) -> Path | None:
    """The folder, archive or animation of films that a source is, for a model of frames; None of other sources."""
    if not any(isinstance(part, Frames) for part in parts.values()) or not isinstance(source, (str, Path)):
        return None
    return folder_of(source, split) or as_path(source)


def _of_films(path: Path, wanted: Mapping[str, Part], given: Any, resized: bool, reading: dict) -> dict[str, Any]:
    """Histories and the frames that follow them."""
    frames, part = next((name, part) for name, part in wanted.items() if isinstance(part, Frames))
    others = [name for name in wanted if name != frames]
    if len(others) != 1:
        raise ValueError(f"Films have frames and the one that follows. Received: a model of {', '.join(wanted)}")
    if ignored := sorted({*reading} - {"fit", "max_value"}):
        raise ValueError(f"Films are read whole, all pages and no frame left out. Received: {', '.join(ignored)}")
    shape = given or (_known(wanted[others[0]]) if resized or path.suffix not in (".npz", ".npy") else None)
    films = data.load_films(path, shape and shape[:2], shape and _mode(shape[2]), **reading)
    return dict(zip((frames, others[0]), data.film_examples(films, part.num_frames)))


def _holds_pairs(folder: Path, asked: Mapping[str, Part]) -> bool:
    """Whether it has two subfolders, or its first images are all two of the model's beside each other."""
    if subfolders := image_folders(folder):
        return len(subfolders) == 2
    shapes = [part.shape for part in asked.values() if isinstance(part, Images)]
    height, width = shapes[-1][:2] if len(shapes) == 2 else (None, None)
    if height is None or width is None:
        return False
    sizes = [size for file in find_images(folder)[:_LOOKED_AT] if (size := size_of(file)) is not None]
    return bool(sizes) and all(abs(wide * height - 2 * high * width) <= 2 * width for wide, high in sizes)


def reading_of(learned: Dataset | None, source: Any) -> dict[str, Any]:
    """Arguments of `read_parts` for a model that learned from one data set and now reads `source`, this one or another:
    the names of parts are of the one data set."""
    if learned is None:
        return {}
    same = isinstance(source, (str, Path)) and str(source) == learned.name
    names = learned.parts if same else {}
    options = {"derive": learned.derive, "image_shape": learned.image_shape, "reading": learned.reading}
    return {"names": names, **options}


def _refuse_names(parts: Mapping[str, Part], names: Mapping[str, str], derive: Mapping[str, str]) -> None:
    for key, given in (("parts", names), ("derive", derive)):
        for name in given:
            if name not in parts:
                raise ValueError(
                    f"dataset.{key}: the model has no part of that name.{suggestion(name, parts)} Received: {name!r}"
                )
    if both := sorted(set(names) & set(derive)):
        raise ValueError(f"A part is read or derived, not both. Received: {both[0]!r} in dataset.parts and .derive")
    for function in derive.values():
        if function not in DERIVED:
            raise ValueError(f"Nothing is derived by that name.{suggestion(function, DERIVED)} Received: {function!r}")


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


def _of_folder(path: Path, wanted: Mapping[str, Part], given: Any, of_recipe: Any, reading: dict) -> dict[str, Any]:
    images = {name: given or _known(part) or of_recipe for name, part in wanted.items() if isinstance(part, Images)}
    others = [name for name, part in wanted.items() if not isinstance(part, Images)]
    if None in images.values():
        raise ValueError(
            "A folder of images needs a size to bring them to: say image_shape=(height, width, channels), on the "
            f"command line --image-shape 64x64x3. Received: {str(path)!r}"
        )
    (first, shape), *rest = images.items()
    size = shape[:2]
    if others and not rest and all(isinstance(wanted[name], Attribute) for name in others):
        return data.load_attributes(path, size, _mode(shape[2]), attributes=others, **reading)
    mode = "L" if reading.get("pages") == "channels" else _mode(max(each[2] for each in images.values()))
    if not rest and not others and getattr(wanted[first], "cropped", False):
        if ignored := sorted({*reading} - {"max_value", "skip_unreadable"}):
            raise ValueError(f"Photographs are not resized, and are read whole. Received: {', '.join(ignored)}")
        return {first: data.load_crops(path, size, mode, **reading)}
    if not rest and not others:
        pictures = data.load_folder(path, size, mode, **reading)
        if pictures.shape[-1] != shape[2] and reading.get("pages") == "channels":
            raise ValueError(
                f"The files have {pictures.shape[-1]} pages, so the images have as many channels: say so in the shape, "
                f"{size[0]}x{size[1]}x{pictures.shape[-1]}. Received: image_shape={tuple(shape)}"
            )
        return {first: pictures}
    if not rest and len(others) == 1 and isinstance(wanted[others[0]], Labels):
        load = data.load_ages if holds_ages(path) else data.load_class_folders
        pictures, labels, _ = load(path, size, mode, **reading)
        return {first: pictures, others[0]: labels}
    if len(rest) == 1 and not others:
        paired = wanted[first].group == wanted[rest[0][0]].group
        if paired and not image_folders(path):
            _check_halves(path, size)
        if paired and reading.get("pages", "first") != "first":
            raise ValueError(f"Pairs are read from the first page of each file. Received: reading={reading}")
        read = (data.load_pairs if paired else data.load_domains)(path, size, mode, **reading)
        return {name: _of_channels(part, images[name][2]) for name, part in zip(images, read)}
    raise ValueError(
        f"A folder holds images, classes, pairs or two domains; the model takes {' and '.join(wanted)}: give arrays, "
        f"ganzoo.train(..., data={{{next(iter(wanted))!r}: ...}}). Received: {str(path)!r}"
    )


def _known(part: Part) -> Any:
    return None if None in part.shape else part.shape


def _mode(channels: int) -> str:
    if channels not in (1, 3, 4):
        raise ValueError(f"Image files have 1, 3 or 4 channels. Received: {channels} channels")
    return {1: "L", 3: "RGB", 4: "RGBA"}[channels]


def _of_channels(images: np.ndarray, channels: int) -> np.ndarray:
    return data.grey(images) if channels == 1 < images.shape[-1] else images


def _check_halves(path: Path, size: tuple[int, int]) -> None:
    """Refuses a folder of ordinary pictures as one of pairs side by side, by the proportions of its first picture."""
    for file in find_images(path, recursive=False):
        if found := size_of(file):
            wide, high = found
            if not 0.6 < (wide / 2 / high) / (size[1] / size[0]) < 1.7:
                raise ValueError(
                    "Pairs are two folders with files of equal names, or images side by side in one file, each half in "
                    f"the proportions of {size[0]}x{size[1]}. Received: {file} of {wide}x{high} pixels"
                )
            return
