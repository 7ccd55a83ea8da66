"""How networks of super-resolution enlarge: pixels shuffled from channels, without a checkerboard, and bicubically."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from ganzoo.data.bicubic import bicubic_matrix
from ganzoo.data.preprocessing import check_positive
from ganzoo.layers.augmentation import transform

__all__ = ["ICNR", "BicubicEnlargement", "PixelShuffle", "reduced"]


@keras.saving.register_keras_serializable(package="ganzoo")
class PixelShuffle(keras.layers.Layer):
    """Channels to pixels: (batch, height, width, factor^2 channels) to (batch, factor height, factor width, channels).

    The pixel at row i and column j of each square comes from channels ``(i factor + j) channels`` and following.

    Args:
        factor: int.
        **kwargs: those of `keras.layers.Layer`.

    Raises:
        ValueError: channels that are no multiple of the factor's square.

    Example:

    >>> ganzoo.layers.PixelShuffle(2)(np.arange(4.0).reshape(1, 1, 1, 4))[0, :, :, 0]
    array([[0., 1.],
           [2., 3.]], dtype=float32)

    Reference:
        Shi et al. 2016, arXiv:1609.05158, eq. 4.

    Differs from the paper: the order of channels is that of TensorFlow's `depth_to_space`, not PyTorch's.
    """

    def __init__(self, factor: int = 2, **kwargs):
        super().__init__(**kwargs)
        check_positive(factor=factor)
        self.factor = int(factor)

    def build(self, input_shape):
        if input_shape[-1] % self.factor**2:
            raise ValueError(
                f"To be shuffled into squares of {self.factor}x{self.factor} pixels, channels are a multiple of "
                f"{self.factor**2}. Received: {input_shape[-1]} channels"
            )
        self.built = True

    def call(self, inputs):
        (batch, height, width, channels), k = ops.shape(inputs), self.factor
        x = ops.reshape(inputs, (batch, height, width, k, k, channels // k**2))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        return ops.reshape(x, (batch, height * k, width * k, channels // k**2))

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        sides = (None if n is None else n * self.factor for n in (height, width))
        return (batch, *sides, channels // self.factor**2)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@keras.saving.register_keras_serializable(package="ganzoo")
class ICNR(keras.initializers.Initializer):
    """Kernels before a `PixelShuffle` that begin alike for all pixels of a square, so that no checkerboard is drawn.

    Shuffled, the convolution is at first that of another initializer, with every pixel repeated.

    Args:
        factor: int, of the shuffle.
        initializer: of the kernel for one pixel; by default Keras' "he_normal".

    Raises:
        ValueError: a kernel whose channels are no multiple of the factor's square.

    Example:

    >>> layer = ganzoo.layers.Conv2D(4 * 16, 3, padding="same", kernel_initializer=ganzoo.layers.ICNR(2), name="up")

    Reference:
        Aitken et al. 2017, arXiv:1707.02937, section 3.
    """

    def __init__(self, factor: int = 2, initializer="he_normal"):
        check_positive(factor=factor)
        self.factor, self.initializer = int(factor), keras.initializers.get(initializer)

    def __call__(self, shape, dtype=None):
        squares = self.factor**2
        if shape[-1] % squares:
            raise ValueError(f"Channels are a multiple of {squares}. Received: a kernel of shape {tuple(shape)}")
        one = self.initializer((*shape[:-1], shape[-1] // squares), dtype=dtype)
        return ops.tile(one, (*[1] * (len(shape) - 1), squares))

    def get_config(self):
        return {"factor": self.factor, "initializer": keras.initializers.serialize(self.initializer)}


@keras.saving.register_keras_serializable(package="ganzoo")
class BicubicEnlargement(keras.layers.Layer):
    """Images `factor` times as high and wide, as `ganzoo.data.bicubic` enlarges them, for any size from 3x3 on.

    Each of the factor^2 pixels into which one falls is a fixed convolution of the 5x5 pixels around it.

    Args:
        factor: int.
        **kwargs: those of `keras.layers.Layer`.

    Example:

    >>> ganzoo.layers.BicubicEnlargement(4)(np.ones((1, 5, 7, 3), "float32")).shape
    (1, 20, 28, 3)
    """

    def __init__(self, factor: int = 4, **kwargs):
        super().__init__(**kwargs)
        check_positive(factor=factor)
        self.factor = int(factor)
        self._shuffle = PixelShuffle(factor, dtype=self.dtype_policy)

    def build(self, input_shape):
        channels, k = input_shape[-1], self.factor
        weights = bicubic_matrix(5, 5 * k)[2 * k : 3 * k].astype("float32")  # of the middle pixel, (factor, 5)
        kernel = np.einsum("ai,bj,cd->ijcabd", weights, weights, np.eye(channels, dtype="float32"))
        self._kernel = kernel.reshape(5, 5, channels, k * k * channels)
        self._shuffle.build((*input_shape[:-1], k * k * channels))
        self.built = True

    def call(self, inputs):
        x = _mirrored(_mirrored(inputs, 1), 2)
        kernel = ops.convert_to_tensor(self._kernel, dtype=self.compute_dtype)
        return self._shuffle(ops.conv(x, kernel, padding="valid", data_format="channels_last"))

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return (batch, *(None if n is None else n * self.factor for n in (height, width)), channels)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


def _mirrored(x, axis: int):
    """Two more rows or columns on either side, the image mirrored at its border."""
    first, last = (x[:, :2], x[:, -2:]) if axis == 1 else (x[:, :, :2], x[:, :, -2:])
    return ops.concatenate([ops.flip(first, axis), x, ops.flip(last, axis)], axis)


def reduced(images, factor: int):
    """Images `factor` times smaller, as `ganzoo.data.bicubic` reduces them, in whole grey levels as files hold them.

    Args:
        images: tensor (batch, height, width, channels) in [-1, 1]; height and width are known multiples of the factor.
        factor: int.

    Returns:
        float32, without gradient.
    """
    rows, columns = (ops.convert_to_tensor(bicubic_matrix(n, n // factor).astype("float32")) for n in images.shape[1:3])
    small = transform(columns, transform(rows, ops.cast(images, "float32")))
    grey = ops.floor(ops.clip((small + 1.0) * 127.5, 0.0, 255.0) + 0.5)
    return ops.stop_gradient(grey / 127.5 - 1.0)
