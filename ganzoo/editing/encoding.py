"""From pictures to latents at a glance, and from there nearer."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from ganzoo.data.preprocessing import check_positive, to_float
from ganzoo.editing.checks import check_not_negative
from ganzoo.engine.parts import Images, input_names, pick
from ganzoo.latent.own import drawn_with
from ganzoo.latent.projection import Projection, project
from ganzoo.networks.encoder import latent_encoder

__all__ = ["fit_encoder", "invert"]


def fit_encoder(
    model: Any,
    images: Any = None,
    width: int = 32,
    num_drawn: int = 20_000,
    epochs: int = 5,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    seed: int = 0,
    name: str | None = None,
    verbose: int = 0,
    **inputs: Any,
) -> keras.Model:
    """Trains a network E that guesses the latents from which an image is drawn.

    On drawn images, whose latents are known, for ``mean |z - E(G(z))|^2 + mean |G(z) - G(E(G(z)))|^2``, then on
    `images`, real ones, for ``mean |x - G(E(x))|^2`` alone. Its weights begin at random: `keras.utils.set_random_seed`
    before it makes them the same again.

    Args:
        model: A `ganzoo.GAN` that draws from latents.
        images: uint8, or float in [-1, 1], (n, height, width, channels): real ones, those of the GAN's training for
            example. None: drawn ones alone.
        width: Of the encoder, see `ganzoo.networks.encoder.latent_encoder`.
        num_drawn: Drawn images.
        epochs, batch_size, learning_rate: Of either training, by Adam.
        seed: Of the drawn images.
        name: Which latents, where a model has several.
        verbose: As for `keras.Model.fit`.
        **inputs: What else the generator is told, one for all; with `images` also one for each of them.

    Returns:
        A `keras.Model` of float32 images in [-1, 1], (batch, height, width, channels), to float32 (batch, latent_dim).

    Raises:
        ValueError: Images of another shape, a model without latents.

    Reference:
        Zhu et al. 2016, arXiv:1609.03552, eq. 5, on real images.

    Differs from the paper:
        The training on drawn images comes first, as for Perarnau et al. 2016, arXiv:1611.06355, eq. 3.

    Example:
        >>> encoder = ganzoo.editing.fit_encoder(model, images)
        >>> found = ganzoo.editing.invert(model, images[:4], encoder)
    """
    check_not_negative(learning_rate=learning_rate)
    check_positive(width=width, num_drawn=num_drawn, epochs=epochs, batch_size=batch_size)
    part = model.data[model.target]
    if not isinstance(part, Images):
        raise ValueError(f"Images have latents to be found; {type(model).__name__} draws none.")
    real = None if images is None else to_float(part.check(images, "images", allow_nonnegative=True))
    each = [key for key, values in inputs.items() if key in model.data and not model.data[key].is_single(values)]
    told = {key: values for key, values in inputs.items() if key not in each}
    for key in each:
        if len(inputs[key]) != (0 if real is None else len(real)):
            raise ValueError(
                f"`{key}` is one for all images, or one for each of the real ones, of which there are "
                f"{0 if real is None else len(real)}. Received: {len(inputs[key])} of them"
            )
        # what drawn images are told is what the real ones are, one after the other
        told[key] = np.asarray(inputs[key])[np.arange(num_drawn) % len(inputs[key])]
    drawn, name = drawn_with(model, num_drawn, seed, name, told)
    encoder = latent_encoder(model.image_shape, drawn[name].shape[-1], width, 4 * width)
    made, options = to_float(model.generate(seed=seed, **drawn)), {"batch_size": batch_size, "epochs": epochs}
    generator = model.average_of(model._generator_of(inputs))
    were_trained = [(layer, layer.trainable) for layer in generator._flatten_layers()]  # outer ones come first
    try:
        for layer, _ in were_trained:
            layer.trainable = False
        inner = _around(encoder, generator, input_names(generator, "latents", model.data), drawn, name)
        whole = keras.Model(inner.input, [*inner.output.values()])
        whole.compile(keras.optimizers.Adam(learning_rate), loss=["mse", "mse"])
        given = {"images": made, **{key: drawn[key] for key in inner.input if key != "images"}}
        whole.fit(given, [made, drawn[name]], verbose=verbose, **options)
        if real is not None:
            drawn, _ = drawn_with(model, len(real), seed, name, inputs)
            whole = keras.Model(inner.input, inner.output["images"])
            whole.compile(keras.optimizers.Adam(learning_rate), loss="mse")
            given = {"images": real, **{key: drawn[key] for key in inner.input if key != "images"}}
            whole.fit(given, real, verbose=verbose, **options)
    finally:
        for layer, was_trained in were_trained:
            layer.trainable = was_trained
    return encoder


def invert(
    model: Any, images: Any, encoder: keras.Model, steps: int = 100, learning_rate: float = 0.05, **options: Any
) -> Projection:
    """Finds the latents of pictures by an encoder's guess, then by a descent from there: the hybrid projection.

    Args:
        model, images: As for `ganzoo.latent.project`.
        encoder: From `fit_encoder`, or another of that kind.
        steps, learning_rate, **options: As for `ganzoo.latent.project`, which does the descent.

    Returns:
        A `ganzoo.latent.Projection`, whose `nearest` and `nearest_error` are what is drawn from the encoder's guess.

    Reference:
        Zhu et al. 2016, arXiv:1609.03552, section 4.2.

    Example:
        >>> found = ganzoo.editing.invert(model, images, encoder)
        >>> bool((found.error <= found.nearest_error).all())
        True
    """
    images = np.asarray(images)
    images = images[None] if images.ndim == len(model.image_shape) else images
    if not isinstance(encoder, keras.Model):
        raise ValueError(f"An encoder is a Keras model: fit_encoder(model, images) makes one. Received: {encoder!r}")
    if taken := [key for key in ("begin", "starts", "num_drawn") if key in options]:
        raise ValueError(f"The encoder says where the descent begins. Received: {taken[0]}={options[taken[0]]!r}")
    guess = model.answers(images, network=encoder)
    return project(model, images, steps=steps, learning_rate=learning_rate, begin=guess, **options)


def _around(encoder: keras.Model, generator: keras.Model, names: list[str], drawn: dict, name: str) -> keras.Model:
    """Images, and what else G draws from, to the images drawn from the encoder's latents, and these."""
    inputs = {key: keras.Input(drawn[key].shape[1:], name=key, dtype=drawn[key].dtype.name) for key in names}
    inputs = {"images": keras.Input(encoder.input.shape[1:], name="images"), **inputs}
    del inputs[name]
    latents = encoder(inputs["images"])
    told = {**inputs, name: latents}
    taken = pick(generator, told, "latents")
    if isinstance(taken, dict) and not isinstance(generator._inputs_struct, dict):
        taken = [taken[each.name] for each in generator.inputs]  # by name Keras sorts them where it infers shapes
    again = _InInference(generator)(taken)
    return keras.Model(inputs, {"images": again, "latents": latents})


class _InInference(keras.layers.Layer):
    """The network as it draws: `fit` tells a network within another that it trains, whatever it was called with."""

    def __init__(self, network: keras.Model):
        super().__init__(name="drawing")
        self.network = network

    def call(self, inputs):
        return self.network(inputs, training=False)
