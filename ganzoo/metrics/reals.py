"""The real images of a data set, and the conditions that belong to them, as a reference for a model."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from ganzoo import data
from ganzoo.engine import backend
from ganzoo.engine.parts import Images, Part
from ganzoo.metrics.scores import Reference
from ganzoo.zoo.reading import read_parts, reading_of

if TYPE_CHECKING:
    from ganzoo.zoo.recipes import Dataset

__all__ = ["is_named", "read_reference", "rows_of", "some_of"]

_BATCH = 256  # images of which the model makes derived parts at a time


def read_reference(
    dataset: Any,
    extractor: Any,
    split: str,
    num_images: int | None,
    model: Any = None,
    image_shape: Sequence[int] | None = None,
    learned: Dataset | None = None,
    data_dir: str | Path | None = None,
) -> Reference:
    """Real images, with the conditions that the model draws from.

    Args:
        dataset: As for `ganzoo.metrics.evaluate`.
        extractor: What the reference sees images with, or None.
        split: "test" or "train".
        num_images: How many, or None for all: as many as there are of each part.
        model: What is measured: its parts are read. None reads images alone.
        image_shape: (height, width, channels) that images of a folder are brought to.
        learned: What the model learned from: which parts of a data set it takes, and what is made of them.
        data_dir: Folder with the data set's original files.

    Raises:
        ValueError: There are fewer, or the data set lacks a part.
    """
    own = getattr(model, "data", None) or {"images": Images(tuple(image_shape or (1, 1, 1)))}
    target = getattr(model, "target", "images") or "images"
    conditions = list(model.conditions()) if hasattr(model, "conditions") else []
    parts = _needed(own, target, conditions)
    options = {"data_dir": data_dir, "folder_shape": image_shape, **reading_of(learned, dataset)}
    for key in ("names", "derive"):  # also of parts that only training takes
        options[key] = {name: what for name, what in options.get(key, {}).items() if name in parts}
    read = functools.partial(_read, parts, dataset, options)
    found = _with_derived(model, conditions, read(split))
    found = _some_of_each({name: found[name] for name in (target, *conditions)}, own, target, num_images)
    inputs = {name: found[name] for name in conditions}
    reference = Reference(extractor, found[target], lambda: read("train")[target], inputs)
    reference.same_as_train = not is_named(dataset) and not _has_test_split(dataset)
    reference.resized = options.get("image_shape") is not None and isinstance(dataset, (str, Path))
    return reference


def _read(parts: Mapping[str, Part], dataset: Any, options: Mapping[str, Any], split: str) -> dict[str, np.ndarray]:
    return read_parts(parts, dataset, split, **options)


def is_named(dataset: Any) -> bool:
    """Whether it is the name of a data set: no path and no arrays."""
    return isinstance(dataset, str) and data.sources.as_path(dataset) is None


def _has_test_split(dataset: Any) -> bool:
    return isinstance(dataset, (str, Path)) and data.sources.has_split(Path(dataset), "test")


def _needed(own: Mapping[str, Part], target: str, conditions: list[str]) -> dict[str, Part]:
    """The parts to be read, in the model's order: all, where the model makes one of its conditions of the others."""
    if any(own[name].derived for name in conditions):
        return dict(own)
    return {name: part for name, part in own.items() if name == target or name in conditions}


def _with_derived(model: Any, conditions: list[str], found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The parts, and those that the model's `prepare` makes of them."""
    if not (missing := [name for name in conditions if name not in found]):
        return found
    made: dict[str, list[np.ndarray]] = {name: [] for name in missing}
    with backend.no_gradient(), model._noise_of(np.random.default_rng(0)):
        for begin in range(0, len(next(iter(found.values()))), _BATCH):
            batch = model.as_batch({name: x[begin : begin + _BATCH] for name, x in found.items()})
            for name in missing:
                made[name].append(keras.ops.convert_to_numpy(batch[name]))
    return {**found, **{name: np.concatenate(values) for name, values in made.items()}}


def _some_of_each(
    found: dict[str, np.ndarray], own: Mapping[str, Part], target: str, num: int | None
) -> dict[str, np.ndarray]:
    """The same rows of all parts that belong together: those of the target chosen by its images, of others by their
    first part."""
    leaders = {own[target].group: target}
    for name in found:
        leaders.setdefault(own[name].group, name)
    num = min(len(found[name]) for name in leaders.values()) if num is None else num
    chosen = {group: rows_of(found[name], num) for group, name in leaders.items()}
    return {name: np.asarray(values)[chosen[own[name].group]] for name, values in found.items()}


def some_of(images: np.ndarray, num: int) -> np.ndarray:
    """`num` of the images, the same ones in whatever order they come: readers of one data set differ in it."""
    return images[rows_of(images, num)]


def rows_of(images: np.ndarray, num: int) -> slice | np.ndarray:
    """Which rows `some_of` chooses."""
    if not 1 <= num <= len(images):
        raise ValueError(f"There are {len(images)} real images to compare with. Received: {num} asked for")
    if num == len(images):
        return slice(None)
    return np.argsort([hashlib.sha256(image.tobytes()).digest() for image in images], kind="stable")[:num]
