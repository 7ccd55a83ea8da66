"""Sums and differences of averaged latents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ganzoo.latent.own import drawn_with

__all__ = ["Sum", "arithmetic"]


class Sum(NamedTuple):
    """Images of each group's mean latents, uint8 (groups, ...), and of the sum and around it, uint8 (n, ...)."""

    groups: np.ndarray
    images: np.ndarray
    latents: np.ndarray  # of the sum, float32 (latent_dim,)


def arithmetic(
    model: Any,
    plus: Sequence[Any],
    minus: Sequence[Any] = (),
    num_images: int = 9,
    noise: float = 0.25,
    seed: int | None = 0,
    name: str | None = None,
    **inputs: Any,
) -> Sum:
    """What is drawn from "smiling woman - neutral woman + neutral man": means of latents, added and subtracted.

    A mean of few examples, three in the paper, stands for what they have in common; a single one does not.

    Args:
        model: A `ganzoo.GAN` that draws from latents.
        plus, minus: Groups of latents, `(n, latent_dim)` each, whose means are added or subtracted.
        num_images: How many images: the first of the sum itself, the others of latents around it.
        noise: How far around: uniform noise in (-noise, noise) is added to each number.
        seed: Of the noise, and of other latents of the model, which stay the same.
        name: Which latents, where a model has several; by default those called "latents", or the first.
        **inputs: What else the generator is told, one for all.

    Returns:
        A `Sum` of `groups`, uint8 (len(plus) + len(minus), height, width, channels), those of `plus` first; `images`,
        uint8 (num_images, height, width, channels); and `latents`, float32 (latent_dim,).

    Raises:
        ValueError: No group, or one of another shape.

    Reference:
        Radford et al. 2015, arXiv:1511.06434, section 6.3.2.

    Example:
        >>> z = model.seeded_latents(64, seed=0)            # those of the sheet that `generate(64, seed=0)` gives
        >>> found = ganzoo.latent.arithmetic(model, plus=[z[[3, 7, 9]], z[[1, 2, 5]]], minus=[z[[4, 6, 8]]])
        >>> found.images.shape
        (9, 28, 28, 1)
    """
    if not len(plus) or num_images < 1:
        raise ValueError(
            f"Add a group of latents at least, for an image at least. Received: {len(plus)=}, {num_images=}"
        )
    drawn, name = drawn_with(model, 1, seed, name, inputs)
    shape = drawn[name].shape[1:]
    groups = [np.asarray(group, "float32") for group in (*plus, *minus)]
    if wrong := [group.shape for group in groups if group.shape[1:] != shape or not len(group)]:
        raise ValueError(f"A group of `{name}` has the shape (n, {', '.join(map(str, shape))}). Received: {wrong[0]}")
    means = np.stack([group.mean(axis=0) for group in groups])
    signs = np.array([1.0] * len(plus) + [-1.0] * len(minus), "float32")
    total = np.tensordot(signs, means, 1).astype("float32")
    around = np.random.default_rng(seed).uniform(-noise, noise, (num_images, *shape)).astype("float32")
    around[0] = 0

    def draw(latents: np.ndarray) -> np.ndarray:
        held = {key: np.repeat(values, len(latents), axis=0) for key, values in drawn.items()}
        return model.generate(seed=seed, **{**held, name: latents})

    return Sum(draw(means), draw(total + around), total)
