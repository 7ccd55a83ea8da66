"""Images that follow what a user drew, by descents in the latents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from ganzoo.data.preprocessing import check_positive
from ganzoo.editing.checks import check_not_negative
from ganzoo.latent.descent import adam, drawing
from ganzoo.latent.own import drawn_with, range_of, require_one_for_all

__all__ = ["Edit", "edit", "morph"]


class Edit(NamedTuple):
    """What `edit` found, the best first.

    Attributes:
        latents: float32 (candidates, latent_dim).
        images: uint8 (candidates, height, width, channels), drawn from them.
        inputs: All that they are drawn from, by name: ``model.generate(**found.inputs)`` draws them again.
        error: float32 (candidates,), the sum of the constraints.
        start_error: float, of the image that was edited; without one, of the best that was drawn.
    """

    latents: np.ndarray
    images: np.ndarray
    inputs: dict[str, np.ndarray]
    error: np.ndarray
    start_error: float


def edit(
    model: Any,
    constraints: Sequence[Callable[[Any], Any]],
    latents: Any = None,
    candidates: int = 8,
    starts: int = 32,
    steps: int = 60,
    learning_rate: float = 0.1,
    closeness: float = 0.2,
    spread: float = 0.3,
    num_drawn: int = 2000,
    seed: int = 0,
    name: str | None = None,
    **inputs: Any,
) -> Edit:
    """Draws images that follow constraints and stay near the one that is edited.

    What no constraint asks for changes too, as the latents must; ``stroke(~mask, image, 0.5)`` holds the rest.
    From `latents`, and from others around them, descends ``sum_i f_i(G(z)) + closeness * mean (z - z0)^2`` and offers
    the best few; G keeps what it draws an image of its kind, whatever was asked.

    Args:
        model: A `ganzoo.GAN` that draws from latents.
        constraints: `stroke`, `sketch`, `moved`, or functions of your own, of float32 images in [-1, 1], (n, height,
            width, channels), made of Keras operations, to (n,).
        latents: z0, of the image that is edited, (latent_dim,): the model's own, or `invert`'s. None: the starts are
            those of `num_drawn` drawn images that follow best, and nothing holds them. Where a model draws from more
            (codes, a category), say that too, as one input each, or it is drawn by `seed`, one for all.
        candidates: How many are offered.
        starts: How many descents.
        steps, learning_rate: How long they are, and the first step in units of the latents.
        closeness: The weight of the distance from z0.
        spread: How far the other starts are from z0, in standard deviations of the latents.
        num_drawn: See `latents`.
        seed: Of the starts.
        name: Which latents are moved, where a model has several.
        **inputs: What else the generator is told, one for all.

    Returns:
        An `Edit`.

    Raises:
        ValueError: No constraint; latents of another shape; more candidates than starts.

    Reference:
        Zhu et al. 2016, arXiv:1609.03552, eq. 6 and 7.

    Differs from the paper:
        Without the term that asks the discriminator: latents that stay where nearly all are drawn do its work.

    Example:
        >>> z = model.seeded_latents(1, seed=0)[0]
        >>> found = ganzoo.editing.edit(model, [ganzoo.editing.stroke(mask, 255)], z, candidates=4)
        >>> found.images.shape
        (4, 28, 28, 1)
    """
    constraints = [constraints] if callable(constraints) else list(constraints)
    check_positive(candidates=candidates, starts=starts, steps=steps, num_drawn=num_drawn)
    check_not_negative(learning_rate=learning_rate, closeness=closeness, spread=spread)
    if not constraints or candidates > starts:
        raise ValueError(
            "Say what is wanted by one constraint or more, and descend from at least as many starts as are offered. "
            f"Received: {len(constraints)} constraints, {candidates=}, {starts=}"
        )
    require_one_for_all(model, inputs)
    others, name = drawn_with(model, 1, seed, name, inputs)
    low, high = range_of(model, name, inputs, 0.999)
    many = starts if latents is not None else max(num_drawn, starts)
    moving = drawn_with(model, many, seed, name, inputs)[0][name]
    if latents is None:
        errors = _follows(model, constraints, _beside(others, name, moving), name, inputs)
        moving, closeness = moving[np.argsort(errors, kind="stable")[:starts]], 0.0
    else:
        origin = _of_one(latents, name, moving.shape[1:])
        moving = np.clip(origin + spread * (moving - moving.mean(axis=0)), low, high).astype("float32")
        moving[0] = origin
    drawn = _beside(others, name, moving)
    start_error = float(_follows(model, constraints, _beside(others, name, moving[:1]), name, inputs)[0])
    draw, origins = drawing(model, drawn, name, inputs), ops.convert_to_tensor(moving[:1])

    def error(each):
        far = ops.mean(ops.square(each - origins), axis=-1)
        return _sum(constraints, draw(each)) + closeness * far

    found, _ = adam(error, moving, low, high, steps, learning_rate)
    errors = _follows(model, constraints, _beside(others, name, found), name, inputs)
    best = np.argsort(errors, kind="stable")[:candidates]
    given = _beside(others, name, found[best])
    return Edit(found[best], model.generate(seed=seed, **given), given, errors[best], start_error)


def morph(model: Any, start: Any, end: Any, steps: int = 16, seed: int = 0, name: str | None = None, **inputs: Any):
    """The images from one to another, along the straight line between their latents: an edit as a film.

    Args:
        model: A `ganzoo.GAN` that draws from latents.
        start, end: float (latent_dim,).
        steps: How many images, both ends included.
        seed: Of whatever else is drawn.
        name: Which latents these are, where a model has several.
        **inputs: What else the generator is told, one for all.

    Returns:
        uint8 (steps, height, width, channels).

    Raises:
        ValueError: Latents of another shape; fewer than two steps.

    Reference:
        Zhu et al. 2016, arXiv:1609.03552, section 5.3.

    Example:
        >>> frames = ganzoo.editing.morph(model, z, found.latents[0], steps=10)
    """
    check_positive(steps=steps)
    if steps < 2:
        raise ValueError(f"A film has two images at least. Received: steps={steps}")
    require_one_for_all(model, inputs)
    others, name = drawn_with(model, 1, seed, name, inputs)
    first, last = (_of_one(each, name, others[name].shape[1:]) for each in (start, end))
    return model.generate(seed=seed, **_beside(others, name, np.linspace(first, last, steps, dtype="float32")))


def _beside(others: dict[str, np.ndarray], name: str, latents: np.ndarray) -> dict[str, np.ndarray]:
    """Latents, and for each of them what else is drawn from, the same for all."""
    return {key: np.repeat(values, len(latents), axis=0) for key, values in others.items()} | {name: latents}


def _of_one(latents: Any, name: str, shape: tuple[int, ...]) -> np.ndarray:
    latents = np.asarray(latents, "float32")
    if latents.shape != shape or not np.isfinite(latents).all():
        raise ValueError(
            f"`{name}` of one image are finite numbers {shape}, a row of `found.latents` for example. "
            f"Received: shape {latents.shape}{'' if np.isfinite(latents).all() else ', not all finite'}"
        )
    return latents


def _sum(constraints, images):
    total = constraints[0](images)
    for constraint in constraints[1:]:
        total = total + constraint(images)
    return total


def _follows(model, constraints, drawn, name, inputs, batch: int = 256) -> np.ndarray:
    """The sum of the constraints of what is drawn, (n,)."""
    found = []
    for i in range(0, len(drawn[name]), batch):
        part = {key: values[i : i + batch] for key, values in drawn.items()}
        images = drawing(model, part, name, inputs)(ops.convert_to_tensor(part[name]))
        errors = ops.convert_to_numpy(_sum(constraints, images))
        if errors.shape != (len(images),) or not np.isfinite(errors).all():
            raise ValueError(
                "A constraint is a function of images (n, height, width, channels) to n finite numbers. "
                f"Received: {errors.dtype} {errors.shape}{'' if np.isfinite(errors).all() else ', not all finite'}"
            )
        found.append(errors)
    return np.concatenate(found)
