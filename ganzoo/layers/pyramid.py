"""Halving and doubling the size of images by a fixed filter, as matrix products, which differentiate at any order."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from ganzoo.layers.augmentation import transform

__all__ = ["Clip", "Grow", "Shrink", "enlarged", "pyramid"]

BURT = (1, 4, 6, 4, 1)


@keras.saving.register_keras_serializable(package="ganzoo")
class Shrink(keras.layers.Layer):
    """Every second row and column of filtered images: (batch, height, width, channels) to half of height and width.

    The filter is the same for rows and columns, and its weights sum to one; at the border only those within the image
    count.

    Args:
        weights: positive floats; by default Burt and Adelson's (1, 4, 6, 4, 1) / 16. An odd number is centred on every
            second pixel, an even one, as (1, 3, 3, 1) / 8, between two.
        **kwargs: those of `keras.layers.Layer`.

    Raises:
        ValueError: no weights; height or width that are odd or not known.

    Reference:
        Burt and Adelson 1983, "The Laplacian Pyramid as a Compact Image Code".

    Example:

    >>> ganzoo.layers.Shrink()(np.ones((1, 8, 6, 3), "float32")).shape
    (1, 4, 3, 3)
    """

    def __init__(self, weights: Sequence[float] = BURT, **kwargs):
        super().__init__(**kwargs)
        if not len(weights):
            raise ValueError(f"A filter has weights, as (1, 3, 3, 1). Received: weights={weights!r}")
        self.weights_ = tuple(float(w) for w in weights)

    def build(self, input_shape):
        if None in input_shape[1:3] or input_shape[1] % 2 or input_shape[2] % 2:
            raise ValueError(f"Height and width must be even. Received: images of {input_shape[1:]}")
        self.built = True

    def call(self, inputs):
        return _products(inputs, *(shrinking(n, self.weights_) for n in inputs.shape[1:3]))

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return (batch, height // 2, width // 2, channels)

    def get_config(self):
        return {**super().get_config(), "weights": self.weights_}


@keras.saving.register_keras_serializable(package="ganzoo")
class Grow(Shrink):
    """Twice the height and width: zeros between rows and columns, then the filter, at any place summing to one.

    Args:
        weights, **kwargs: see `Shrink`.

    Reference:
        Burt and Adelson 1983, "The Laplacian Pyramid as a Compact Image Code".

    Example:

    >>> ganzoo.layers.Grow((1, 2, 1))(np.ones((1, 4, 3, 1), "float32")).shape
    (1, 8, 6, 1)
    """

    def build(self, input_shape):
        self.built = True

    def call(self, inputs):
        return _products(inputs, *(growing(n, self.weights_) for n in inputs.shape[1:3]))

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return (batch, 2 * height, 2 * width, channels)


@functools.cache
def shrinking(size: int, weights: tuple[float, ...]) -> np.ndarray:
    """float32 (size / 2, size)."""
    matrix = np.zeros((size // 2, size))
    for row in range(size // 2):
        for offset, weight in enumerate(weights, -((len(weights) - 1) // 2)):
            if 0 <= 2 * row + offset < size:
                matrix[row, 2 * row + offset] = weight
    return (matrix / matrix.sum(axis=1, keepdims=True)).astype("float32")


@functools.cache
def growing(size: int, weights: tuple[float, ...]) -> np.ndarray:
    """float32 (2 * size, size)."""
    matrix = np.zeros((2 * size, size))
    for row in range(2 * size):
        for offset, weight in enumerate(weights, -(len(weights) // 2)):
            place = row + offset
            if place % 2 == 0 and 0 <= place // 2 < size:
                matrix[row, place // 2] = weight
    return (matrix / matrix.sum(axis=1, keepdims=True)).astype("float32")


def pyramid(images, levels: int, weights: Sequence[float] = BURT) -> list:
    """Images at each size, the smallest first, as `Shrink` makes them; float32 in, float32 out.

    Args:
        images: tensor (batch, height, width, channels); height and width halve `levels` - 1 times.
        levels: int.
        weights: see `Shrink`.
    """
    found = [images]
    while len(found) < levels:
        matrices = (shrinking(n, tuple(weights)) for n in found[0].shape[1:3])
        found.insert(0, _products(found[0], *matrices))
    return found


def enlarged(images, weights: Sequence[float] = BURT):
    """Images of twice the height and width, as `Grow` makes them."""
    return _products(images, *(growing(n, tuple(weights)) for n in images.shape[1:3]))


def _products(x, rows: np.ndarray, columns: np.ndarray):
    """`rows` times each column of pixels, `columns` times each row."""
    a, b = (ops.convert_to_tensor(each, dtype=x.dtype) for each in (rows, columns))
    return transform(b, transform(a, x))


@keras.saving.register_keras_serializable(package="ganzoo")
class Clip(keras.layers.Layer):
    """Values cut off below `low` and above `high`, but in training; their gradient passes as if they were not.

    Args:
        low, high: floats.
        **kwargs: those of `keras.layers.Layer`.

    Example:

    >>> [float(x) for x in ganzoo.layers.Clip(-1.0, 1.0)(np.array([-3.0, 0.5]))]
    [-1.0, 0.5]
    """

    def __init__(self, low: float, high: float, **kwargs):
        super().__init__(**kwargs)
        self.low, self.high = float(low), float(high)

    def call(self, inputs, training=None):
        if training:
            return inputs
        return inputs + ops.stop_gradient(ops.clip(inputs, self.low, self.high) - inputs)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "low": self.low, "high": self.high}
