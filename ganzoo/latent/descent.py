"""Descents in the latents, many side by side, each towards a smaller error of what is drawn from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from ganzoo.engine import backend
from ganzoo.engine.parts import input_names, pick
from ganzoo.latent.lbfgs import minimize

__all__ = ["METHODS", "adam", "drawing", "lbfgs"]


def drawing(model: Any, parts: Mapping[str, np.ndarray], name: str, inputs: Mapping[str, Any]) -> Callable[[Any], Any]:
    """What the averaged generator draws as a function of some of its latents.

    Args:
        model: A `ganzoo.GAN`.
        parts: All that it draws from, (rows, ...) each.
        name: Which latents are the argument; the others are held.
        inputs: What the model was told, which says which of several generators draws.

    Returns:
        A function of a float32 tensor (rows, latent_dim) to a float32 tensor (rows, height, width, channels).
    """
    network = model.average_of(model._generator_of(inputs))
    names = input_names(network, "latents", model.data)
    held = {key: model._to_device(key, values) for key, values in parts.items()}

    def draw(moved):
        batch = {**held, name: moved}
        return network(pick(network, {each: batch[each] for each in names}, "latents"), training=False)

    return draw


def adam(error: Callable, start: np.ndarray, low, high, steps: int, learning_rate: float):
    """Steps of Adam (Kingma and Ba 2015, arXiv:1412.6980) whose length falls to zero along a cosine.

    Args:
        error: Function of a float32 tensor (rows, latent_dim) to a float32 tensor (rows,), of each row by itself.
        start: float32 (rows, latent_dim).
        low, high: Arrays (latent_dim,) between which latents stay.
        steps, learning_rate: How many, and how long the first is.

    Returns:
        The latents of each row's smallest error, float32 (rows, latent_dim), and these errors (rows,).
    """
    look = _looking(error)
    low, high = (ops.convert_to_tensor(edge.astype("float32")) for edge in (low, high))
    latents = keras.Variable(start, dtype="float32", name="latents")
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(learning_rate, steps))
    optimizer.build([latents])
    best, least = start.copy(), np.full(len(start), np.inf)
    for step in range(steps + 1):
        values = ops.convert_to_numpy(latents)
        errors, slopes = look(values)
        errors = ops.convert_to_numpy(errors)
        better = errors < least
        best[better], least[better] = values[better], errors[better]
        if step < steps:
            optimizer.apply([slopes], [latents])
            latents.assign(ops.clip(latents, low, high))
    return best, least


def lbfgs(error: Callable, start: np.ndarray, low, high, steps: int, learning_rate: float):
    """The same by L-BFGS, which chooses the lengths of its steps: see `ganzoo.latent.lbfgs.minimize`."""
    look = _looking(error)

    def function(x):
        errors, slopes = look(x.astype("float32"))
        return ops.convert_to_numpy(errors), ops.convert_to_numpy(slopes)

    found, least = minimize(function, start, low, high, steps)
    return found.astype("float32"), least


def _looking(error: Callable) -> Callable[[np.ndarray], tuple[Any, Any]]:
    """A function of latents to the errors of all rows and their gradients."""
    both = backend.compiled(lambda latents: (error(latents), backend.input_gradient(error, latents)))

    def look(latents):
        with backend.no_gradient():
            return both(ops.convert_to_tensor(latents.copy()))

    return look


METHODS = {"adam": adam, "lbfgs": lbfgs}
