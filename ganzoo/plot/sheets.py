"""Sheets of what a model draws: of classes a row each, of translating models source | drawn | target."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ganzoo.plot.figures import scatter
from ganzoo.plot.images import checked_uint8, image_grid, save_png, visible, write_beside

__all__ = ["drawable", "sample_sheet", "save_samples", "sheet_inputs"]

NUM_IMAGES, NUM_POINTS = 64, 2000
NUM_CLASSES, PER_CLASS = 16, 8
NUM_ROWS, SMALL = 8, 64  # of translated images; pixels up to which two of them are side by side


def drawable(sample_shape: Sequence[int | None]) -> bool:
    """Whether `save_samples` can draw samples of that shape: images of any channels, vectors of 1 or 2 numbers."""
    return len(sample_shape) == 3 or tuple(sample_shape) in ((1,), (2,))


def save_samples(
    path: str | os.PathLike,
    model: Any,
    num: int | None,
    seed: int,
    title: str = "",
    data: Any = None,
    **sheet: Any,
) -> Path:
    """Draws samples of a model as a PNG: a `sample_sheet` of images, or a `scatter` of points (2000 by default).

    Args:
        path: Where to; its folder must exist.
        model: A `GAN` whose `image_shape` is `drawable`.
        num: Samples, as for `sample_sheet`.
        seed: Of the latents.
        title: Over the points.
        data: A few examples as for `fit`, where the model needs more than classes to draw: see `sample_sheet`.
        **sheet: `columns` of `sample_sheet` and `scale` of `save_png`.

    Returns:
        The path written.

    Raises:
        ValueError: As `sample_sheet`.
    """
    if len(model.image_shape) == 3:
        columns = sheet.pop("columns", None)
        return save_png(path, sample_sheet(model, num, seed, data, columns), **sheet)
    num = num or NUM_POINTS
    inputs = sheet_inputs(model, num, data)[0]
    told = {name: values[np.arange(num) % len(values)] for name, values in inputs.items()}
    figure = scatter(model.generate(num, seed=seed, **told), title=title)
    return write_beside(path, lambda file: figure.savefig(file, format="png"))


def sample_sheet(
    model: Any, num: int | None = None, seed: int = 0, data: Any = None, columns: int | None = None
) -> np.ndarray:
    """A sheet of images that a model draws, laid out by what it draws them from.

    - Latents alone: `num` images (64), by `image_grid`.
    - A class: a row for each of the first 16 classes.
    - Frames of a film: these, one beside the other, and then as for images.
    - Images: groups of source | drawn | target for the first examples in `data`, in up to 8 rows, two groups to a row
      where no image is larger than 64 pixels. The target is there where `data` has it and it belongs to the source.
      Grey images are repeated to colour beside coloured ones, smaller ones enlarged by repeating pixels.
    - Anything else, sentences for example: an image for each example in `data`.
    - Several generators: source | drawn of the first, source | drawn of the second, and so on in each row.

    Args:
        model: A `ganzoo.GAN` of images.
        num: Drawn images at most (of each generator); `None` for as many as said above. Classes share them evenly.
        seed: Of the latents, and of layers that draw.
        data: A few examples as for `fit`: an array, a tuple in the order of `model.data`, or a dictionary, of which
            only what the generator takes must be there. Models that draw from latents and a class need none.
        columns: Images in a row; of classes 8, of source | drawn | target the number of such groups.

    Returns:
        The sheet, uint8 `(height, width, 1 or 3)`.

    Raises:
        ValueError: The model draws from what `data` does not have, or has in another form than `fit` takes it.

    Example:
        >>> sheet = ganzoo.plot.sample_sheet(ganzoo.load("cgan-mnist"))  # ten rows of eight
        >>> sheet = ganzoo.plot.sample_sheet(pix2pix, data=(maps[:8], photos[:8]))
        >>> ganzoo.plot.save_png("sheet.png", sheet, scale=2)
    """
    examples = _examples(model, data, num)
    inputs = _inputs(model, examples, num, columns)
    drawn = [_drawn(model, num, seed, own) for own in inputs]
    groups = [[*_shown(model, own), images] for own, images in zip(inputs, drawn)]
    if all(len(group) == 1 for group in groups):
        return image_grid(np.concatenate(drawn), columns or _per_class(model, inputs[0]))
    target = _target(model, examples, inputs)
    groups[0] += [] if target is None else [target[: len(drawn[0])]]
    return _beside(groups, columns or _groups_in_a_row(model, examples))


def sheet_inputs(
    model: Any, num: int | None = None, data: Any = None, columns: int | None = None
) -> list[dict[str, np.ndarray]]:
    """What `sample_sheet` hands to `generate`, for each of the model's generators; nothing is drawn.

    Args, Raises: as for `sample_sheet`.

    Returns:
        Inputs by name, `(n, ...)` each, for each generator: empty where it takes latents alone.

    Example:
        >>> ganzoo.plot.sheet_inputs(ganzoo.load("cgan-mnist"), columns=2)[0]["labels"][:6]
        array([0, 0, 1, 1, 2, 2])
    """
    return _inputs(model, _examples(model, data, num), num, columns)


# What is drawn from ---------------------------------------------------------------------------------------------------


def _examples(model: Any, data: Any, num: int | None) -> dict[str, np.ndarray]:
    """The first of the examples that were given, by part, checked as `fit` does; with parts that the model derives."""
    from ganzoo.engine.naming import is_in_memory

    if data is None:
        return {}
    if not is_in_memory(data, model.data):
        raise TypeError(f"Give the examples of a sheet as arrays. Received: data of type {type(data).__name__}")
    order = sorted(model.data, key=lambda name: model.data[name].derived)  # as for `fit`: derived ones last
    given = data if isinstance(data, Mapping) else dict(zip(order, data if isinstance(data, tuple) else (data,)))
    found = {name: given.get(name, given.get(name.removesuffix("s"))) for name in model.data}
    first = {name: values[: num or NUM_IMAGES] for name, values in found.items() if values is not None}
    examples = {name: model.data[name].check(values, name, True) for name, values in first.items()}
    wanted = {name for generator in model.generators() for name in model.conditions(generator)} - set(examples)
    if examples and any(model.data[name].derived for name in wanted):
        examples = {**_prepared(model, examples, sorted(wanted)), **examples}
    return examples


def _prepared(model: Any, examples: dict[str, np.ndarray], wanted: list[str]) -> dict[str, np.ndarray]:
    """Parts that the model makes itself, of these examples; its random state is not moved."""
    from keras import ops

    with model._noise_of(np.random.default_rng(0)):
        batch = model.as_batch(examples, allow_nonnegative=True)
    return {name: ops.convert_to_numpy(batch[name]) for name in wanted if name in batch}


def _inputs(
    model: Any, examples: Mapping[str, np.ndarray], num: int | None, columns: int | None
) -> list[dict[str, np.ndarray]]:
    """What `generate` is told, for each generator."""
    return [
        _class_inputs(model, names[0], num, columns)
        if _is_by_class(model, names)
        else _example_inputs(model, names, examples, num, columns)
        for names in map(model.conditions, model.generators())
    ]


def _is_by_class(model: Any, names: list[str]) -> bool:
    """Whether a class is all that a generator must be told."""
    from ganzoo.engine.parts import Labels

    return len(names) == 1 and isinstance(model.data[names[0]], Labels)


def _class_inputs(model: Any, name: str, num: int | None, columns: int | None) -> dict[str, np.ndarray]:
    classes = np.arange(min(model.data[name].num_classes, NUM_CLASSES), dtype="int32")
    per_class = columns or (max(num // len(classes), 1) if num else PER_CLASS)
    return {name: classes.repeat(per_class)[:num]}


def _example_inputs(
    model: Any, names: list[str], examples: Mapping[str, np.ndarray], num: int | None, columns: int | None
) -> dict[str, np.ndarray]:
    if not names:
        return {}
    if not all(len(examples.get(name, ())) for name in names):
        order = [name for name, part in model.data.items() if not part.derived]
        shown = ", ".join(f"{name!r}: ..." for name in names)
        raise ValueError(
            f"This model draws from {' and '.join(f'`{name}`' for name in names)}: give a sheet a few examples as for "
            f"fit, data=({', '.join(order)}{',' * (len(order) == 1)}) or data={{{shown}}}. "
            f"Received: {' and '.join(examples) or 'no data'}"
        )
    groups = columns or _groups_in_a_row(model, examples)
    most = num or (NUM_ROWS * groups if _images_among(model, names) else NUM_IMAGES)
    count = min(most, *(len(examples[name]) for name in names))
    return {name: examples[name][:count] for name in names}


def _images_among(model: Any, names: Iterable[str]) -> list[str]:
    from ganzoo.engine.parts import Images

    return [name for name in names if isinstance(model.data[name], Images)]


def _shown(model: Any, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """The images among what a generator is told, the frames of films each on its own."""
    from ganzoo.engine.frames import Frames

    parts = [(model.data[name], inputs[name]) for name in _images_among(model, inputs)]
    return [each for part, x in parts for each in (part.frames_of(x) if isinstance(part, Frames) else [x])]


# How it is laid out ---------------------------------------------------------------------------------------------------


def _drawn(model: Any, num: int | None, seed: int, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    images = model.generate(None if inputs else num or NUM_IMAGES, seed=seed, **inputs)
    return images if images.dtype == np.uint8 else np.clip(images, -1, 1)  # numbers that are no images: any range


def _per_class(model: Any, inputs: Mapping[str, np.ndarray]) -> int | None:
    """Images in a row of a class; None where rows are of no class."""
    if not _is_by_class(model, list(inputs)):
        return None
    (labels,) = inputs.values()
    return int(np.sum(labels == labels[0]))


def _groups_in_a_row(model: Any, examples: Mapping[str, np.ndarray]) -> int:
    """Two of source | drawn | target where they are small, of several generators one of each."""
    sides = [
        *model.image_shape[:2],
        *(side for name in _images_among(model, examples) for side in examples[name].shape[1:3]),
    ]
    is_small = all(side is not None and side <= SMALL for side in sides)
    return 2 if is_small and len(model.generators()) == 1 else 1


def _target(model: Any, examples: Mapping[str, np.ndarray], inputs: Sequence[Mapping]) -> np.ndarray | None:
    """The images that should have been drawn, where it is known which."""
    if len(inputs) > 1 or model.target not in examples:
        return None
    groups = {model.data[name].group for name in [model.target, *_images_among(model, inputs[0])]}
    return examples[model.target] if len(groups) == 1 else None  # one group: they belong together row by row


def _beside(groups: Sequence[Sequence[np.ndarray]], groups_in_a_row: int) -> np.ndarray:
    """Rows of groups of images, wider gaps between the groups than within.

    Args:
        groups: For each generator, the images that stand beside each other, `(n, height, width, channels)` each.
        groups_in_a_row: Of each generator.
    """
    alike = iter(_alike([images for group in groups for images in group]))
    strips = [
        [image_grid(list(row), columns=len(row)) for row in zip(*(next(alike) for _ in group))] for group in groups
    ]
    rows = [strip for together in zip(*strips) for strip in together]
    width = max(strip.shape[1] for strip in rows)
    rows = [np.pad(strip, ((0, 0), (0, width - strip.shape[1]), (0, 0)), constant_values=255) for strip in rows]
    return image_grid(np.stack(rows), columns=len(groups) * groups_in_a_row)


def _alike(images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Images of common channels and size: grey repeated, small ones enlarged to the nearest pixel."""
    seen = [visible(checked_uint8(each)) for each in images]
    height, width, channels = np.max([each.shape[1:] for each in seen], axis=0)
    return [_enlarged(each, height, width).repeat(channels // each.shape[3], axis=3) for each in seen]


def _enlarged(images: np.ndarray, height: int, width: int) -> np.ndarray:
    """By the nearest pixel, which repeats every pixel as often where the ratio is whole."""
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(int) for new, old in zip((height, width), images.shape[1:3])
    )
    return images[:, rows][:, :, columns]
