"""Directions of the latent space along which a generator changes most: SeFa and GANSpace."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from ganzoo.data.preprocessing import check_positive
from ganzoo.engine import backend
from ganzoo.engine.parts import input_names
from ganzoo.latent.own import drawn_with
from ganzoo.networks.making import kernel_of, operations_of

__all__ = ["Directions", "ganspace", "sefa", "walk"]


class Directions(NamedTuple):
    """Unit vectors, float32 (n, latent_dim), and the share that each has of all change, float32 (n,), falling."""

    vectors: np.ndarray
    shares: np.ndarray


def sefa(model: Any, n: int | None = None, name: str | None = None, **inputs: Any) -> Directions:
    """Directions that change most what the first layers make of the latents; nothing is drawn, and nothing trained.

    ``A^T A n_i = lambda_i n_i`` (eq. 8), A the weights that the latents are first multiplied by; of several layers that
    take latents (the blocks of `ganzoo.BigGAN`) A is all of them, one below the other.

    Args:
        model: A `ganzoo.GAN` that draws from latents.
        n: How many directions, those of the greatest eigenvalues; by default eight, or all where there are fewer.
        name: Which latents, where a model has several; by default those called "latents", or the first.
        **inputs: What else the generator is told, one for all; of what is not given an example is taken.

    Returns:
        `Directions`; the shares are eigenvalues over their sum.

    Raises:
        ValueError: A generator whose first layers are not linear in the latents, or more directions than latents.

    Reference:
        Shen and Zhou 2020, arXiv:2007.06600, eq. 8.

    Example:
        >>> found = ganzoo.latent.sefa(ganzoo.load("dcgan-mnist"))                          # doctest: +SKIP
        >>> images = ganzoo.latent.walk(ganzoo.load("dcgan-mnist"), found.vectors)          # doctest: +SKIP
    """
    generator, inputs, name = _one_example(model, name, inputs)
    dim = inputs[name].shape[-1]
    n = _number(n, dim)
    first, _ = _first_layers(model, generator, name)
    square = np.zeros((dim, dim))
    for layer in first:
        a = _linear_map(model, generator, layer, inputs, name)
        square += a @ a.T
    values, vectors = np.linalg.eigh(square)
    return _directions(vectors.T[::-1][:n], values[::-1][:n] / values.sum())


def ganspace(
    model: Any,
    n: int | None = None,
    name: str | None = None,
    layer: str | None = None,
    num_samples: int = 2000,
    seed: int = 0,
    **inputs: Any,
) -> Directions:
    """Directions along the principal components of what a layer computes.

    ``y_i`` of many drawn latents ``z_i`` have principal components V; ``U = argmin sum |U x_i - z_i|^2`` takes their
    coordinates ``x_i = V^T (y_i - mean)`` back to latents (eq. 1), whose columns are the directions.

    Args:
        model, n, name: See `sefa`.
        layer: The layer of the generator, by its name; by default what the first convolution takes (the second layer
            of weights, where there is none).
        num_samples: Latents that are drawn.
        seed: Of these.
        **inputs: What else the generator is told, one for all. All but the latents stays the same.

    Returns:
        `Directions`; the shares are explained variances.

    Raises:
        ValueError: There is no such layer, or it does not depend on the latents.

    Reference:
        Harkonen et al. 2020, arXiv:2004.02546, section 2.2.

    Example:
        >>> found = ganzoo.latent.ganspace(ganzoo.load("dcgan-mnist"), n=4)                 # doctest: +SKIP
    """
    generator, inputs, name = _one_example(model, name, inputs)
    n = _number(n, inputs[name].shape[-1])
    if num_samples <= n:
        raise ValueError(f"More samples than directions are needed. Received: {num_samples=}, {n=}")
    held = {key: values for key, values in inputs.items() if key != name}
    drawn = model.inputs_for(num_samples, seed, **held)
    tensor = _feature(model, generator, name, layer)
    features = _evaluate(model, keras.Model(generator.inputs, tensor), drawn).reshape(num_samples, -1)
    features = features.astype("float64") - features.mean(axis=0, dtype="float64")
    latents = drawn[name].astype("float64") - drawn[name].mean(axis=0, dtype="float64")
    left, scales = _principal(features, n)
    if not scales[0] > 1e-9:
        raise ValueError(f"What the layer computes does not depend on `{name}`. Received: layer={layer!r}")
    vectors = left.T @ latents  # least squares: the columns of `left` are orthonormal, x = left * scales
    shares = scales**2 / max(float(np.square(features).sum()), 1e-30)
    return _directions(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30), shares)


def walk(
    model: Any,
    directions: Any,
    reach: float = 3.0,
    steps: int = 9,
    seed: int | None = 0,
    name: str | None = None,
    **inputs: Any,
) -> np.ndarray:
    """Images along directions, all from the same latents.

    Args:
        model: A `ganzoo.GAN` that draws from latents.
        directions: `(n, latent_dim)`; a row of images for each.
        reach: How far, in lengths of a direction, to either side.
        steps: Images in a row; of an odd number the middle one is where the walk begins.
        seed: Of the latents where it begins.
        name: Which latents, where a model has several.
        **inputs: What else the generator is told.

    Returns:
        uint8 `(n * steps, height, width, channels)`, direction after direction.

    Raises:
        ValueError: Directions of another length, fewer than two steps.
    """
    if steps < 2:
        raise ValueError(f"Two steps make a walk, at least. Received: {steps=}")
    drawn, name = drawn_with(model, 1, seed, name, inputs)
    directions = np.atleast_2d(np.asarray(directions, "float32"))
    if directions.shape[1:] != drawn[name].shape[1:]:
        raise ValueError(f"Directions are (n, {drawn[name].shape[-1]}). Received: {directions.shape}")
    ways = np.linspace(-reach, reach, steps, dtype="float32")[None, :, None] * directions[:, None, :]
    latents = (drawn[name] + ways.reshape(-1, directions.shape[1])).astype("float32")
    held = {key: np.repeat(values, len(latents), axis=0) for key, values in drawn.items()}
    return model.generate(seed=seed, **{**held, name: latents})


# --- The layers that take latents


def _one_example(model: Any, name: str | None, given: dict) -> tuple[keras.Model, dict[str, np.ndarray], str]:
    """The averaged generator, inputs for one image with examples for what it must be told, and the latents' name."""
    generator = model.generators()[0]
    conditions = {part: model.data[part].examples(1) for part in model.conditions(generator)}
    inputs, name = drawn_with(model, 1, 0, name, {**conditions, **given})
    return model.average_of(generator), inputs, name


def _first_layers(model: Any, generator: keras.Model, name: str) -> tuple[list, list]:
    """The layers of weights that take the latents as they are or cut and joined; and those that come after."""
    names = input_names(generator, "latents", model.data)
    raw = {id(generator.inputs[names.index(name)])}
    mixed: set[int] = set()
    first, after = [], []
    for layer, taken, made in operations_of(generator):
        if taken & mixed:
            mixed |= made
            after.append(layer)
        elif taken & raw and getattr(layer, "weights", None):
            mixed |= made
            first.append(layer)
        elif taken & raw:
            raw |= made
    if not first:
        raise ValueError(f"No layer of weights takes `{name}`. Received: the generator {generator.name!r}")
    return first, after


def _feature(model: Any, generator: keras.Model, name: str, layer: str | None) -> Any:
    """What GANSpace looks at."""
    if layer is not None:
        known = [each.name for each in generator.layers]
        if layer not in known:
            raise ValueError(f"The generator's layers are {', '.join(known)}. Received: layer={layer!r}")
        return keras.tree.flatten(generator.get_layer(layer).output)[0]
    first, after = _first_layers(model, generator, name)
    kernels = [each for each in after if kernel_of(each) is not None]
    spatial = [each for each in kernels if len(keras.tree.flatten(each.input)[0].shape) == 4]
    chosen = (spatial or kernels or [None])[0]
    return keras.tree.flatten(first[0].output if chosen is None else chosen.input)[0]


def _linear_map(model: Any, generator: keras.Model, layer: Any, inputs: dict, name: str) -> np.ndarray:
    """(latent_dim, outputs): by what the layer multiplies the latents, before its activation."""
    dim = inputs[name].shape[-1]
    probe = np.random.default_rng(0).standard_normal(dim)
    rows = np.concatenate([np.zeros((1, dim)), np.eye(dim), probe[None]]).astype("float32")
    parts = {key: np.repeat(values, len(rows), axis=0) for key, values in inputs.items()}
    before = _evaluate(model, keras.Model(generator.inputs, layer.input), {**parts, name: rows}, structured=True)
    with _without_activation(getattr(layer, "layer", layer)), backend.no_gradient():
        made = layer(before, training=False) if isinstance(layer, keras.layers.Layer) else layer(before)
    made = ops.convert_to_numpy(ops.cast(made, "float32")).reshape(len(rows), -1).astype("float64")
    a = made[1:-1] - made[0]
    off = np.linalg.norm(probe @ a - (made[-1] - made[0]))
    if not off <= 0.03 * np.linalg.norm(made[-1] - made[0]) + 1e-6:
        raise ValueError(
            f"The layer {layer.name!r} is not linear in `{name}`, which SeFa needs: use ganspace. "
            f"Received: the generator {generator.name!r}"
        )
    return a


@contextlib.contextmanager
def _without_activation(layer: Any) -> Iterator[None]:
    kept = getattr(layer, "activation", None)
    if kept is None:
        yield
        return
    layer.activation = keras.activations.linear
    try:
        yield
    finally:
        layer.activation = kept


def _evaluate(model: Any, network: keras.Model, parts: dict[str, np.ndarray], structured: bool = False) -> Any:
    """What a network computes of the generator's inputs, 256 rows at once; the tensors themselves if `structured`."""
    names = input_names(network, "latents", model.data)

    def compute(begin: int, end: int) -> Any:
        batch = [model._to_device(name, parts[name][begin:end]) for name in names]
        with backend.no_gradient():
            return network(batch if len(batch) > 1 else batch[0], training=False)

    count = len(next(iter(parts.values())))
    if structured:
        return compute(0, count)
    made = [compute(begin, begin + 256) for begin in range(0, count, 256)]
    return np.concatenate([ops.convert_to_numpy(ops.cast(each, "float32")) for each in made])


def _principal(features: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Left singular vectors (samples, n) and singular values of centred features, by the smaller square matrix."""
    if features.shape[1] < features.shape[0]:
        values, right = np.linalg.eigh(features.T @ features)
        scales = np.sqrt(np.maximum(values[::-1][:n], 0))
        return features @ right[:, ::-1][:, :n] / np.maximum(scales, 1e-30), scales
    values, left = np.linalg.eigh(features @ features.T)
    return left[:, ::-1][:, :n], np.sqrt(np.maximum(values[::-1][:n], 0))


def _directions(vectors: np.ndarray, shares: np.ndarray) -> Directions:
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=1)[:, None], axis=1)
    return Directions((vectors * np.sign(largest)).astype("float32"), np.asarray(shares, "float32"))


def _number(n: int | None, dim: int) -> int:
    n = min(8, dim) if n is None else n
    check_positive(n=n)
    if n > dim:
        raise ValueError(f"There are as many directions as latents, {dim}. Received: {n=}")
    return n
