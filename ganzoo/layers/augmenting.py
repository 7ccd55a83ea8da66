"""What all augmentations of a discriminator's images have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from ganzoo.layers.augmentation import transform

__all__ = ["Augmentation", "matrix", "moved_by", "per_image", "sampled"]


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


def matrix(*entries):
    """(batch, 3, 3) of nine (batch,)."""
    return ops.reshape(ops.stack(entries, axis=-1), (-1, 3, 3))


def sampled(x, maps):
    """Each pixel from where its map says it comes from: bilinear, the image reflected at its border."""
    _, height, width, channels = x.shape
    rows, columns = np.mgrid[:height, :width].reshape(2, -1).astype("float32")
    centre = (height - 1) / 2, (width - 1) / 2
    points = ops.convert_to_tensor(np.stack([rows - centre[0], columns - centre[1], np.ones_like(rows)]))
    places = ops.matmul(maps, points[None])  # (batch, 3, pixels)
    flat = ops.reshape(x, (-1, height * width, channels))
    near = []
    for i, size in enumerate((height, width)):
        place = _reflected(places[:, i] + centre[i], size)
        low = ops.clip(ops.floor(place), 0, max(size - 2, 0))
        near.append((ops.cast(low, "int32"), place - low))
    (top, below), (left, right) = near
    total = 0.0
    for down, a in ((0, 1 - below), (min(1, height - 1), below)):
        for across, b in ((0, 1 - right), (min(1, width - 1), right)):
            index = (top + down) * width + left + across
            total = total + ops.take_along_axis(flat, index[..., None], axis=1) * (a * b)[..., None]
    return ops.reshape(total, (-1, height, width, channels))


def _reflected(place, size: int):
    """Places on a line of pixels, those beyond its ends turned back."""
    if size == 1:
        return ops.zeros_like(place)
    period = 2.0 * (size - 1)
    place = ops.abs(place - period * ops.round(place / period))
    return ops.clip(place, 0.0, size - 1.0)
