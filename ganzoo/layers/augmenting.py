"""What all augmentations of a discriminator's images have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from ganzoo.layers.augmentation import transform

__all__ = ["Augmentation", "moved_by", "per_image"]


class Augmentation(keras.layers.Layer):
    """Changes the images that a discriminator sees, real and generated ones alike, and lets their gradient through.

    Give it to any variant, ``augment=``: it is asked for in every training step, with the step's own noise; or put it
    before a discriminator of your own, where it acts in training alone, with noise of its own.

    A subclass says `change`. It may follow the discriminator's answers to real images (`observe`) or add a term to its
    loss (`penalty`).

    Args:
        seed: int, of the noise where the layer is part of a network.
        **kwargs: those of `keras.layers.Layer`.
    """

    def __init__(self, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def change(self, images, noise: Callable[[str, Any], Any]):
        """The images as the discriminator is to see them.

        Args:
            images: float32 (batch, height, width, channels) in [-1, 1].
            noise: function of "normal" or "uniform" and a shape, to float32 numbers from N(0, 1) or U[0, 1).
        """
        raise NotImplementedError(f"{type(self).__name__} must define change(images, noise).")

    def observe(self, logits) -> None:
        """Takes note of the discriminator's answers to real images, once in each of its steps."""

    def penalty(self, judge: Callable, images, noise):
        """A further term of the discriminator's loss, of real images; `judge` is from images to its whole answer."""
        return 0.0

    def call(self, inputs, training=None):
        def noise(kind, shape):
            draw = {"normal": keras.random.normal, "uniform": keras.random.uniform}[kind]
            return draw(shape, seed=self.seed_generator)

        return self.change(inputs, noise) if training else inputs

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


def per_image(noise: Callable, kind: str, images):
    """A number for each image: (batch, 1, 1, 1)."""
    return noise(kind, (ops.shape(images)[0], 1, 1, 1))


def moved_by(images, rows, columns):
    """Images moved down by `rows` and right by `columns`, whole numbers (batch,); what comes in is 0, middle grey."""

    def matrices(shift, size: int):
        line = ops.arange(size, dtype="int32")
        wanted = ops.cast(ops.round(ops.reshape(shift, (-1, 1, 1))), "int32") + line[None, None, :]
        return ops.cast(ops.equal(line[None, :, None], wanted), images.dtype)

    _, height, width, _ = images.shape
    return transform(matrices(columns, width), transform(matrices(rows, height), images))
