"""Which latents a model draws from, and which of them the tools move."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = [
    "continuous",
    "drawn_with",
    "is_one_hot",
    "moved_by_default",
    "options_of",
    "range_of",
    "require_one_for_all",
]

ENOUGH = 4096  # draws that tell how latents are distributed


def options_of(model: Any) -> list[str]:
    """What the model's `latents` can be told."""
    return list(inspect.signature(model.latents).parameters)[1:]


def is_one_hot(values: np.ndarray) -> bool:
    """Whether every row is a single 1 among zeros."""
    ones = values.ndim == 2 and values.shape[1] > 1 and bool(np.isin(values, (0, 1)).all())
    return ones and bool((values.sum(axis=1) == 1).all())


def continuous(model: Any, inputs: Mapping[str, np.ndarray]) -> list[str]:
    """Of a generator's inputs, the latents that are real numbers."""
    return [
        name
        for name, values in inputs.items()
        if name not in model.data and values.dtype.kind == "f" and not is_one_hot(values)
    ]


def moved_by_default(model: Any, inputs: Mapping[str, np.ndarray]) -> str:
    """The latents that are moved where nothing else is said: those called so, or the first.

    Raises:
        ValueError: the generator draws from none.
    """
    found = continuous(model, inputs)
    if not found:
        raise ValueError(
            f"{type(model).__name__} draws from {' and '.join(f'`{name}`' for name in inputs)}: there are no latents "
            "to move. Received: a model without latents"
        )
    return "latents" if "latents" in found else found[0]


def drawn_with(model: Any, n: int, seed: int | None, name: str | None, inputs: Mapping[str, Any]):
    """All inputs for n images, (n, ...) each, and the name of those to move.

    Raises:
        ValueError: `name` is none of the generator's latents.
    """
    drawn = model.inputs_for(n, seed, **inputs)
    chosen = moved_by_default(model, drawn) if name is None else name
    if chosen not in (found := continuous(model, drawn)):
        raise ValueError(f"These latents can be moved: {', '.join(found)}. Received: name={name!r}")
    if chosen in inputs and np.ndim(inputs[chosen]) == 0:
        raise ValueError(f"`{chosen}` are given as an array. Received: {chosen}={inputs[chosen]!r}")
    return drawn, chosen


def range_of(model: Any, name: str, inputs: Mapping[str, Any], share: float = 0.99) -> tuple[np.ndarray, np.ndarray]:
    """Between which numbers that share of each latent lies, as the model draws them: two arrays (latent_dim,)."""
    given = {key: values for key, values in inputs.items() if key != name}
    taken = {each.name: len(each.shape) for each in model._generator_of(given).inputs}
    first = {key: _first(model, key, values, taken.get(key)) for key, values in given.items()}
    values = model.inputs_for(ENOUGH, 0, **first)[name]
    low, high = np.quantile(values, [(1 - share) / 2, (1 + share) / 2], axis=0)
    return low, high


def _first(model: Any, name: str, values: Any, rank: int | None) -> Any:
    """An input for one image."""
    if name in model.data:
        return values if model.data[name].is_single(values) else np.asarray(values)[:1]
    return np.asarray(values)[:1] if rank is not None and np.ndim(values) == rank else values


def require_one_for_all(model: Any, inputs: Mapping[str, Any], otherwise: str = "") -> None:
    """Refuses parts that are told one for each image.

    Raises:
        ValueError: naming the part, and what to do `otherwise`.
    """
    for key, values in inputs.items():
        if key in model.data and not model.data[key].is_single(values) and len(values) != 1:
            raise ValueError(f"`{key}` is one for all images{otherwise}. Received: {len(values)} {key}")
