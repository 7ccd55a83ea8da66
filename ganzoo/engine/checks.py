"""Whether networks fit the data that a model says it has, and one another."""

from __future__ import annotations

import difflib
import warnings

from ganzoo.engine.drawing import Drawing
from ganzoo.engine.parts import Images, input_names

__all__ = ["check_augment", "check_names", "check_networks"]


def check_networks(model) -> int | None:
    """Refuses networks that do not fit the data or one another; returns the length of a latent vector."""
    if not model.target:
        raise ValueError(
            "The generator takes every part of the data, and none is left to draw: name its inputs otherwise. "
            f"Received: a generator of {', '.join(model._names_of(model.generator))}"
        )
    for name in model.data:
        if name in ("n", "seed", "batch_size", "averaged", "dtype"):
            raise ValueError(f"A part cannot be called as an argument of `generate` is. Received: {name!r}")
    _check_single(model)
    drawn = [x for x, name in zip(model.generator.inputs, model._names_of(model.generator)) if name not in model.data]
    vectors = [x for x in drawn if len(x.shape) == 2 and x.shape[-1]]
    if drawn and not vectors and type(model).latents is Drawing.latents:
        raise ValueError(
            "The generator must take latents of shape (batch, latent_dim). "
            f"Received: a generator with input shape {model.generator.input_shape}"
        )
    taken = [tuple(x.shape[1:]) for x in model.discriminator.inputs]  # images, and perhaps something beside them
    if not any(_fits(shape, model.image_shape) for shape in taken):
        raise ValueError(
            "The discriminator must take the images that the generator makes. Received: a generator of "
            f"{model.image_shape} and a discriminator for {' and '.join(map(str, taken))}"
        )
    if not _fits(model.data[model.target].shape, model.image_shape):
        raise ValueError(
            f"The generator must draw `{model.target}`, {model.data[model.target].shape}: the first part of the data "
            f"that it does not take. Received: a generator of {model.image_shape}"
        )
    first = next((x for x in vectors if x.name == "latents"), vectors[0] if vectors else None)
    return None if first is None else int(first.shape[-1])


def check_augment(model, augment) -> None:
    """Refuses what is no augmentation, and models whose images belong to other images."""
    if augment is None:
        return
    if not hasattr(augment, "change"):
        raise ValueError(
            "`augment` is one of ganzoo.layers: DiffAugment(), AdaptiveAugment(), Consistency(). "
            f"Received: augment={augment!r}"
        )
    if not model.augmentable:
        raise ValueError(
            f"A {type(model).__name__} judges its images in a way that `augment` would spoil: leave it out."
        )
    if len(model.image_shape) != 3 or None in model.image_shape:
        raise ValueError(
            f"`augment` changes images of one height and width. Received: a generator of {model.image_shape}"
        )
    if getattr(augment, "follows", False) and not model.divided_at_zero:
        raise ValueError(
            f"0 does not divide the scores of a {type(model).__name__}, so that their sign cannot be followed: give a "
            f"fixed probability, {type(augment).__name__}(target=None, initial=0.2)."
        )
    if others := [name for name in model.conditions() if isinstance(model.data[name], Images)]:
        raise ValueError(
            f"The images of a {type(model).__name__} belong to `{others[0]}`, and would not when they are moved alone: "
            "augment both in `prepare`. Received: augment="
            f"{type(augment).__name__}()"
        )


def _check_single(model) -> None:
    """Refuses the only input of a network that is named after no part, where it is not clear which it stands for."""
    for network, default in ((model.generator, "latents"), (model.discriminator, model.target)):
        names = [x.name for x in network.inputs]
        if len(model.data) == 1 or len(names) > 1 or names[0] in (*model.data, "latents"):
            continue
        close = difflib.get_close_matches(names[0], model.data, n=1)
        if close or (default == "latents" and len(network.inputs[0].shape) != 2):
            hint = f"Did you mean {close[0]!r}?" if close else "Name it after the part that it takes."
            raise ValueError(
                f"The input of the {network.name} is named {names[0]!r}, which is no part of the data. {hint} "
                f"Received: data of {', '.join(model.data)}"
            )


def _warn_of_unused(model) -> None:
    """Of the zoo's own losses is known that they take no part of the images' group beside what the networks take."""
    taken = {x.name for networks in model.players().values() for network in networks for x in network.inputs}
    group = model.data[model.target].group
    unused = [
        name
        for name, part in model.data.items()
        if part.group == group and name not in {*taken, *model.taken_by_losses, model.target}
    ]
    if unused and type(model).__module__.startswith("ganzoo.models"):
        warnings.warn(
            f"No network of this {type(model).__name__} takes `{unused[0]}`: give it a generator and a discriminator "
            f"with an input of that name, or leave the part out of `data`.",
            stacklevel=4,
        )


def check_names(model) -> None:
    """Refuses networks with inputs that are named after nothing."""
    _warn_of_unused(model)
    networks = [*model.generators(), model.discriminator]
    if all({x.name for x in network.inputs} <= {*model.data, "latents"} for network in networks):
        return
    latents: dict = {}
    if any(name not in model.data for generator in model.generators() for name in model._names_of(generator)):
        drawn = model.seeded_latents(1, seed=0)
        latents = drawn if isinstance(drawn, dict) else {"latents": drawn}
    known = [*model.data, *latents]
    for network, default in ((model.generator, "latents"), (model.discriminator, model.target)):
        for name in input_names(network, default, known):
            if name not in known and (close := difflib.get_close_matches(name, known, n=1)):
                raise ValueError(
                    f"An input of the {network.name} is named {name!r}, which is no part of the data. Did you mean "
                    f"{close[0]!r}? Received: data of {', '.join(model.data)}; latents {', '.join(latents) or None}"
                )


def _fits(shape: tuple, image_shape: tuple) -> bool:
    """Whether the shapes are the same where both are known."""
    return len(shape) == len(image_shape) and all(None in (a, b) or a == b for a, b in zip(shape, image_shape))
