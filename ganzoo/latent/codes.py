"""One code changed while all else stays, and latents that keep near their mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ganzoo.engine.parts import Labels
from ganzoo.latent.own import ENOUGH, continuous, is_one_hot, options_of, range_of

__all__ = ["traverse", "truncate"]

ROUNDS = 10_000  # of drawing anew, before a threshold is too small


def traverse(
    model: Any,
    name: str = "latents",
    index: int | None = None,
    values: Sequence[float] | None = None,
    rows: int = 8,
    seed: int | None = 0,
    **inputs: Any,
) -> np.ndarray:
    """Images in which one code alone changes along a row.

    Args:
        model: A `ganzoo.GAN`.
        name: The input of the generator that changes: a class (`labels`), a categorical code or latents.
        index: Which number of a vector changes; of classes and categorical codes all are shown, each in its column.
        values: What it becomes, column by column; by default eleven numbers over the range that the model draws from
            (99 % of it), or all classes.
        rows: Rows, each of its own latents.
        seed: Of the latents.
        **inputs: What else the generator is told, one for all rows or one for each.

    Returns:
        uint8 `(rows * columns, height, width, channels)`, row after row.

    Raises:
        ValueError: An unknown input; an index that the vector does not have, or none where one is needed.

    Reference:
        Chen et al. 2016, arXiv:1606.03657, figure 2.

    Example:
        >>> images = ganzoo.latent.traverse(ganzoo.load("infogan-mnist"), "codes", index=0)     # doctest: +SKIP
        >>> ganzoo.plot.save_png("slant.png", images, columns=11)                               # doctest: +SKIP
    """
    is_class = isinstance(model.data.get(name), Labels)
    begun = {**inputs, name: 0} if is_class else inputs
    drawn = model.inputs_for(rows, seed, **begun)
    if name not in drawn:
        raise ValueError(f"These can change: {', '.join(drawn)}. Received: name={name!r}")
    if name in inputs:
        raise ValueError(f"`{name}` is what changes: leave it out. Received: {name}=...")
    held = drawn[name]
    if is_class:
        columns = np.arange(model.data[name].num_classes) if values is None else np.asarray(values, "int32")
        changed = [np.full_like(held, column) for column in columns]
    elif name in model.data or held.ndim != 2:
        raise ValueError(f"Classes, codes and vectors of latents can change, not {name!r}: give images of your own.")
    elif is_one_hot(held):
        columns = np.arange(held.shape[1]) if values is None else np.asarray(values, "int32")
        changed = [np.tile(np.eye(held.shape[1], dtype="float32")[column], (rows, 1)) for column in columns]
    else:
        index = 0 if index is None and held.shape[1] == 1 else index
        if index is None or not 0 <= index < held.shape[1]:
            raise ValueError(f"Say which of `{name}` changes, index= 0 to {held.shape[1] - 1}. Received: index={index}")
        low, high = range_of(model, name, inputs)
        columns = np.linspace(low[index], high[index], 11) if values is None else np.asarray(values, "float32")
        changed = []
        for column in columns:
            changed.append(held.copy())
            changed[-1][:, index] = column
    across = len(columns)
    parts = {key: np.repeat(each, across, axis=0) for key, each in drawn.items()}
    parts[name] = np.stack(changed, axis=1).reshape(rows * across, *held.shape[1:])
    return model.generate(seed=seed, **parts)


def truncate(
    model: Any,
    thresholds: Sequence[float] = (2.0, 1.5, 1.0, 0.7, 0.4, 0.1),
    columns: int = 8,
    seed: int | None = 0,
    **inputs: Any,
) -> np.ndarray:
    """Images of latents that lie within a number of standard deviations of their mean: truer, and more alike.

    A latent beyond the threshold is drawn anew, as the model draws its latents, until it lies within. A model whose
    latents can be told `truncation` does this itself.

    Args:
        model: A `ganzoo.GAN` that draws from latents.
        thresholds: In standard deviations, above 0; a row for each.
        columns: Images in a row.
        seed: Of the latents.
        **inputs: What else the generator is told, one for all columns or one for each.

    Returns:
        uint8 `(len(thresholds) * columns, height, width, channels)`, row after row.

    Raises:
        ValueError: A threshold that is not above 0, or of which no latents are within.

    Reference:
        Brock et al. 2018, arXiv:1809.11096, section 3.1, the truncation trick.

    Example:
        >>> images = ganzoo.latent.truncate(ganzoo.load("dcgan-mnist"))     # doctest: +SKIP
        >>> ganzoo.plot.save_png("truncated.png", images, columns=8)        # doctest: +SKIP
    """
    if not len(thresholds) or not all(threshold > 0 for threshold in thresholds):
        raise ValueError(f"Thresholds are above 0. Received: {thresholds=}")
    if "truncation" in options_of(model):
        rows = [model.generate(columns, seed=seed, truncation=threshold, **inputs) for threshold in thresholds]
        return np.concatenate(rows)
    drawn = model.inputs_for(columns, seed, **inputs)
    free = [name for name in continuous(model, drawn) if name not in inputs]
    if not free:
        raise ValueError(f"There are no latents to truncate. Received: a generator of {', '.join(drawn)}")
    single = {name: values[:1] for name, values in drawn.items() if name not in free}
    many = model.inputs_for(ENOUGH, 0, **single)
    rows = []
    for threshold in thresholds:
        parts = dict(drawn)
        for name in free:
            centre, scale = many[name].mean(axis=0), many[name].std(axis=0)
            parts[name] = _within(model, name, drawn[name], centre, scale * threshold, seed, single)
        rows.append(model.generate(seed=seed, **parts))
    return np.concatenate(rows)


def _within(model: Any, name: str, values: np.ndarray, centre, reach, seed: int | None, single: dict) -> np.ndarray:
    """The latents, those out of reach drawn anew one by one."""
    values, entropy = values.copy(), np.random.SeedSequence(seed)
    for _ in range(ROUNDS):
        outside = np.abs(values - centre) > reach
        if not outside.any():
            return values
        own = int(entropy.spawn(1)[0].generate_state(1)[0])
        again = model.inputs_for(len(values), own, **single)[name]
        values[outside] = again[outside]
    raise ValueError(f"Of {ROUNDS} draws of `{name}` none lies within the threshold: take a larger one.")
