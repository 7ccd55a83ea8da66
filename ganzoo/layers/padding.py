"""Padding by what lies inside of the border, as networks that redraw whole images use it."""

from __future__ import annotations

import keras

from ganzoo.engine.backend import kernels
from ganzoo.layers.minibatch import check_positive

__all__ = ["ReflectionPadding2D"]


@keras.saving.register_keras_serializable(package="ganzoo")
class ReflectionPadding2D(keras.layers.Layer):
    """Rows and columns beyond the border are those within, mirrored at the outermost pixels, which are not repeated.

    A line ``a b c d`` becomes, with a padding of 2, ``c b a b c d c b``. First and second derivatives are right on
    every backend.

    Args:
        padding: int or (rows, columns), on either side; less than the image has.
        **kwargs: those of `keras.layers.Layer`.

    Raises:
        ValueError: a padding that is no positive integer, or images that are not larger than it.

    Example:

    >>> line = np.array([1.0, 2.0, 3.0], "float32").reshape(1, 1, 3, 1).repeat(2, axis=1)
    >>> padded = ganzoo.layers.ReflectionPadding2D(1)(line)
    >>> [float(x) for x in padded[0, 0, :, 0]]
    [2.0, 1.0, 2.0, 3.0, 2.0]
    """

    called_directly = True  # as `ganzoo.engine.backend.torch_networks` says

    def __init__(self, padding: int | tuple[int, int] = 1, **kwargs):
        super().__init__(**kwargs)
        rows, columns = (padding, padding) if isinstance(padding, int) else padding
        check_positive(rows=rows, columns=columns)
        self.padding = (int(rows), int(columns))

    def build(self, input_shape):
        if any(size is not None and size <= n for size, n in zip(input_shape[1:3], self.padding)):
            raise ValueError(
                f"Images must have more than {self.padding[0]} rows and {self.padding[1]} columns to be mirrored so "
                f"far: take larger ones. Received: images of {tuple(input_shape[1:])}"
            )
        self.built = True

    def call(self, inputs):
        return kernels.reflect(inputs, *self.padding)

    def compute_output_shape(self, input_shape):
        batch, *sizes, channels = input_shape
        return (batch, *(None if n is None else n + 2 * more for n, more in zip(sizes, self.padding)), channels)

    def get_config(self):
        return {**super().get_config(), "padding": self.padding}
