"""Features of each channel spread over an image by a learned pattern, and gathered by one."""

from __future__ import annotations

import keras
from keras import ops

__all__ = ["Gather", "Spread"]


@keras.saving.register_keras_serializable(package="ganzoo")
class Spread(keras.layers.Layer):
    """``y[h, w, c] = x[c] * pattern[h, w, c]``: (batch, channels) to (batch, height, width, channels).

    Args:
        height, width: ints.
        **kwargs: those of `keras.layers.Layer`.

    Reference:
        Huang et al. 2024, arXiv:2501.05441, appendix (the generator's learned basis).

    Example:

    >>> ganzoo.layers.Spread(4, 4)(np.ones((2, 8), "float32")).shape
    (2, 4, 4, 8)
    """

    def __init__(self, height: int, width: int, **kwargs):
        super().__init__(**kwargs)
        self.height, self.width = int(height), int(width)

    def build(self, input_shape):
        shape = (self.height, self.width, input_shape[-1])
        self.pattern = self.add_weight(
            shape=shape, initializer=keras.initializers.RandomNormal(stddev=1), name="pattern"
        )
        self.built = True

    def call(self, inputs):
        return inputs[:, None, None, :] * ops.cast(self.pattern, inputs.dtype)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.height, self.width, input_shape[-1])

    def get_config(self):
        return {**super().get_config(), "height": self.height, "width": self.width}


@keras.saving.register_keras_serializable(package="ganzoo")
class Gather(keras.layers.Layer):
    """``y[c] = sum_hw x[h, w, c] * pattern[h, w, c]``: (batch, height, width, channels) to (batch, channels).

    Args:
        **kwargs: those of `keras.layers.Layer`.

    Reference:
        Huang et al. 2024, arXiv:2501.05441, appendix (the discriminator's basis, a convolution of each channel alone
        that covers the feature map).

    Example:

    >>> ganzoo.layers.Gather()(np.ones((2, 4, 4, 8), "float32")).shape
    (2, 8)
    """

    def build(self, input_shape):
        _, height, width, channels = input_shape
        initial = keras.initializers.RandomNormal(stddev=(height * width) ** -0.5)
        self.pattern = self.add_weight(shape=(height, width, channels), initializer=initial, name="pattern")
        self.built = True

    def call(self, inputs):
        return ops.sum(inputs * ops.cast(self.pattern, inputs.dtype), axis=(1, 2))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[-1])
