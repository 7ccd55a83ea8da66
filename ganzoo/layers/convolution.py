"""Keras' 2-D convolutions with the same constructor, weights and results, by faster routes."""

from __future__ import annotations

import keras
from keras import ops

from ganzoo.engine.backend import kernels


def _finish(layer, outputs, bias):
    if bias is not None:
        shape = (-1,) if layer.data_format == "channels_last" else (-1, 1, 1)
        outputs = outputs + ops.reshape(bias, shape)
    return outputs if layer.activation is None else layer.activation(outputs)


def _operands(layer, inputs, kernel):
    dtype = layer.compute_dtype
    bias = ops.cast(layer.bias, dtype) if layer.use_bias else None
    return ops.cast(inputs, dtype), ops.cast(kernel, dtype), bias


@keras.saving.register_keras_serializable(package="ganzoo")
class Conv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` by faster routes, with right first and second derivatives on every backend.

    On torch nothing is copied to another layout; on JAX each derivative is again a plain convolution (which allows
    reverse mode only: `jax.jvp` through the layer raises). `dilation_rate`, `groups` and `channels_first` take Keras'
    own route.

    Args:
        *args, **kwargs: those of `keras.layers.Conv2D`.

    Example:

    >>> layer = ganzoo.layers.Conv2D(64, 4, strides=2, padding="same", name="conv")
    >>> layer(np.zeros((1, 28, 28, 1), "float32")).shape
    (1, 14, 14, 64)
    """

    called_directly = True  # as `ganzoo.engine.backend.torch_networks` says

    def build(self, input_shape):
        super().build(input_shape)
        if self.data_format == "channels_last":
            kernels.settle(self.kernel)

    def call(self, inputs):
        return self.call_with_kernel(inputs, self.kernel)

    def call_with_kernel(self, inputs, kernel):
        """The layer's outputs, computed with `kernel` in the place of its own.

        Args:
            inputs: tensor (batch, height, width, channels).
            kernel: tensor of the shape of `self.kernel`, as a reparametrisation derives it.

        Returns:
            Tensor (batch, height, width, filters) in the layer's compute dtype.
        """
        inputs, kernel, bias = _operands(self, inputs, kernel)
        plain = self.data_format == "channels_last" and self.groups == 1 and set(self.dilation_rate) == {1}
        if not plain or len(inputs.shape) != 4:
            return _finish(self, self.convolution_op(inputs, kernel), bias)
        return _finish(self, kernels.conv2d(inputs, kernel, bias, self.strides, self.padding), None)


@keras.saving.register_keras_serializable(package="ganzoo")
class Conv2DTranspose(keras.layers.Conv2DTranspose):
    """`keras.layers.Conv2DTranspose` by faster routes, with right first and second derivatives on every backend.

    `dilation_rate`, `output_padding` and `channels_first` take Keras' own route. See `ganzoo.layers.Conv2D`.

    Args:
        *args, **kwargs: those of `keras.layers.Conv2DTranspose`.

    Example:

    >>> layer = ganzoo.layers.Conv2DTranspose(64, 4, strides=2, padding="same", name="up")
    >>> layer(np.zeros((1, 7, 7, 128), "float32")).shape
    (1, 14, 14, 64)
    """

    called_directly = True  # as `ganzoo.engine.backend.torch_networks` says

    def build(self, input_shape):
        super().build(input_shape)
        if self.data_format == "channels_last":
            kernels.settle(self.kernel)

    def call(self, inputs):
        return self.call_with_kernel(inputs, self.kernel)

    def call_with_kernel(self, inputs, kernel):
        """The layer's outputs, computed with `kernel` in the place of its own. See `Conv2D.call_with_kernel`."""
        inputs, kernel, bias = _operands(self, inputs, kernel)
        plain = self.data_format == "channels_last" and self.output_padding is None and set(self.dilation_rate) == {1}
        if plain and len(inputs.shape) == 4:
            return _finish(self, kernels.conv2d_transpose(inputs, kernel, bias, self.strides, self.padding), None)
        outputs = ops.conv_transpose(
            inputs, kernel, self.strides, self.padding, self.output_padding, self.data_format, self.dilation_rate
        )
        return _finish(self, outputs, bias)
