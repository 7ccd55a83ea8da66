"""The latents of a given image."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from ganzoo.data.preprocessing import check_positive, to_uint8
from ganzoo.engine.parts import Images
from ganzoo.latent.descent import METHODS, drawing
from ganzoo.latent.own import drawn_with, range_of, require_one_for_all

__all__ = ["Projection", "feature_distance", "project"]


class Projection(NamedTuple):
    """What `project` found for each of n images; errors are root mean squares, in steps of 255.

    Attributes:
        latents: float32 (n, latent_dim).
        images: uint8 (n, height, width, channels), drawn from them.
        error: float32 (n,).
        start_errors: float32 (n, starts), of each start after its steps.
        nearest: uint8 (n, height, width, channels), the nearest of the drawn images, or what `begin` draws.
        nearest_error: float32 (n,).
    """

    latents: np.ndarray
    images: np.ndarray
    error: np.ndarray
    start_errors: np.ndarray
    nearest: np.ndarray
    nearest_error: np.ndarray


def project(
    model: Any,
    images: Any,
    starts: int = 4,
    steps: int = 200,
    learning_rate: float = 0.05,
    num_drawn: int = 2000,
    distance: Callable[[Any, Any], Any] | None = None,
    seed: int = 0,
    name: str | None = None,
    method: str = "adam",
    begin: Any = None,
    **inputs: Any,
) -> Projection:
    """Finds latents from which the averaged generator draws given images.

    From the `starts` nearest of `num_drawn` drawn images, or from `begin`, the latents move towards a smaller distance;
    they stay within the range of nearly all that the model draws from. Of each image's starts that of the smallest
    distance is kept. How much nearer it comes than the nearest drawn image says whether the image is among those
    that the generator can draw.

    Args:
        model: A `ganzoo.GAN` that draws from latents.
        images: uint8, or float in [-1, 1], (n, height, width, channels); one image may lack the first axis.
        starts, steps: How many descents for an image, and how long each is.
        learning_rate: Of Adam, in units of the latents; it falls to zero along a cosine.
        num_drawn: Drawn images among which the starts are chosen.
        distance: Function of drawn and given images, float32 tensors (batch, ...) in [-1, 1], to (batch,); by default
            the mean square of their difference. `feature_distance` makes one of a network.
        seed: Of the drawn images.
        name: Which latents, where a model has several; the others stay as the start drew them.
        method: "adam"; or "lbfgs", which needs no `learning_rate`, and fewer steps (`ganzoo.latent.lbfgs`).
        begin: Latents (n, latent_dim) to begin with, an encoder's for example; `starts` and `num_drawn` are not used.
        **inputs: What else the generator is told, one for all images; with `begin` also one for each.

    Returns:
        A `Projection`.

    Raises:
        ValueError: Images of another shape, a model without latents, an unknown method.

    Reference:
        Zhu et al. 2016, arXiv:1609.03552, eq. 4.

    Example:
        >>> found = ganzoo.latent.project(model, images[:2], steps=20, num_drawn=100)
        >>> found.images.shape, bool((found.error <= found.nearest_error).all())
        ((2, 28, 28, 1), True)
    """
    check_positive(starts=starts, steps=steps, num_drawn=num_drawn)
    if method not in METHODS:
        raise ValueError(f"The methods are {' and '.join(METHODS)}. Received: method={method!r}")
    images = np.asarray(images)
    images = images[None] if images.ndim == len(model.image_shape) else images
    given = model.data[model.target].check(images, "images", True)
    if not isinstance(model.data[model.target], Images):
        raise ValueError(f"Images have latents to be found; {type(model).__name__} draws none.")
    if begin is None:
        require_one_for_all(model, inputs, "; of one for each say where it begins, begin=latents")
        starts = min(starts, num_drawn)
        drawn, name = drawn_with(model, num_drawn, seed, name, inputs)
    else:
        starts = 1
        drawn, name = drawn_with(model, len(given), seed, name, inputs)
        drawn[name] = _checked(begin, name, drawn[name].shape)
    pool = model.generate(seed=seed, **drawn)
    if begin is None:
        chosen = np.stack([np.argsort(_errors(pool, each), kind="stable")[:starts] for each in to_uint8(given)])
    else:
        chosen = np.arange(len(given))[:, None]
    parts = {key: values[chosen.ravel()] for key, values in drawn.items()}
    targets = ops.repeat(model.data[model.target].to_device(ops.convert_to_tensor(given)), starts, axis=0)
    draw, between = drawing(model, parts, name, inputs), distance or _square
    box = range_of(model, name, inputs, 0.999)
    error = partial(_error, draw, between, targets)
    parts[name], least = METHODS[method](error, parts[name], *box, steps, learning_rate)
    found = model.generate(seed=seed, **parts).reshape(len(given), starts, *given.shape[1:])
    start_errors = np.stack([_errors(row, each) for row, each in zip(found, to_uint8(given))])
    nearest = pool[chosen[:, 0]]
    nearest_error = np.array([_errors(pool[[index]], each)[0] for index, each in zip(chosen[:, 0], to_uint8(given))])
    best, rows = least.reshape(len(given), starts).argmin(axis=1), np.arange(len(given))
    latents = parts[name].reshape(len(given), starts, -1)[rows, best]
    return Projection(latents, found[rows, best], start_errors[rows, best], start_errors, nearest, nearest_error)


def feature_distance(embed: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """A distance for `project`: the square of the Euclidean one between what a network makes of two images.

    Args:
        embed: From float32 tensors (batch, height, width, channels) in [-1, 1] to (batch, features), made of Keras
            operations: a model, or a function.

    Returns:
        A function of drawn and given images, (batch, ...) each, to (batch,).

    Reference:
        Antipov, Baccouche and Dugelay 2017, arXiv:1702.01983, section 2.2, where `embed` recognises faces.

    Example:
        >>> mnist = ganzoo.metrics.extractor("mnist").network
        >>> identity = ganzoo.latent.feature_distance(lambda images: mnist(127.5 * (images + 1))[0])
    """
    return lambda drawn, given: ops.sum(ops.square(embed(drawn) - embed(given)), axis=-1)


def _errors(images: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Root mean squares of differences, in steps of 255: (n,)."""
    difference = images.astype("float32") - image.astype("float32")
    return np.sqrt(np.square(difference).reshape(len(images), -1).mean(axis=1))


def _error(draw, between, targets, latents):
    return between(draw(latents), targets)


def _square(drawn, given):
    return ops.mean(ops.square(drawn - given), axis=tuple(range(1, len(drawn.shape))))


def _checked(begin: Any, name: str, shape: tuple[int, ...]) -> np.ndarray:
    begin = np.asarray(begin, "float32")
    if begin.shape != shape or not np.isfinite(begin).all():
        raise ValueError(f"`begin` are finite `{name}`, a row for each image, {shape}. Received: shape {begin.shape}")
    return begin
