"""Layers whose weights all learn at one rate, whatever their fan-in: StyleGAN2's, with its filtered resampling."""

from __future__ import annotations

import functools

import keras
import numpy as np
from keras import ops

from ganzoo.engine.backend import kernels
from ganzoo.layers.convolution import Conv2D

__all__ = ["EqualizedConv2D", "EqualizedDense", "PixelNorm", "filtered", "scaled_leaky_relu"]

FIR = (1, 3, 3, 1)


@keras.saving.register_keras_serializable(package="ganzoo")
def scaled_leaky_relu(x):
    """LeakyReLU of slope .2, times root 2, which keeps the variance of features."""
    return ops.leaky_relu(x, 0.2) * 2**0.5


@keras.saving.register_keras_serializable(package="ganzoo")
class EqualizedDense(keras.layers.Dense):
    """``y = c W x + m b`` with W from N(0, 1 / m^2) and ``c = m / sqrt(inputs)``: the scale is applied in every step.

    An adaptive optimizer moves each weight by about its rate, so that weights of one size learn at one speed; m makes
    a layer slower than the others.

    Args:
        units: int.
        lr_multiplier: float, m.
        bias: float, what m b is at first.
        **kwargs: those of `keras.layers.Dense`.

    Reference:
        Karras et al. 2017, arXiv:1710.10196, section 4.1; the multiplier: Karras et al. 2018, arXiv:1812.04948,
        appendix C.

    Example:

    >>> ganzoo.layers.EqualizedDense(4, name="dense")(np.ones((2, 8), "float32")).shape
    (2, 4)
    """

    def __init__(self, units: int, lr_multiplier: float = 1.0, bias: float = 0.0, **kwargs):
        kwargs.setdefault("kernel_initializer", keras.initializers.RandomNormal(stddev=1 / lr_multiplier))
        kwargs.setdefault("bias_initializer", keras.initializers.Constant(bias / lr_multiplier))
        super().__init__(units, **kwargs)
        self.lr_multiplier, self.initial_bias = float(lr_multiplier), float(bias)

    def call(self, inputs, training=None):
        dtype, scale = self.compute_dtype, self.lr_multiplier / inputs.shape[-1] ** 0.5
        y = ops.matmul(ops.cast(inputs, dtype), ops.cast(self.kernel, dtype) * scale)
        y = y + ops.cast(self.bias, dtype) * self.lr_multiplier if self.use_bias else y
        return y if self.activation is None else self.activation(y)

    def get_config(self):
        return {**super().get_config(), "lr_multiplier": self.lr_multiplier, "bias": self.initial_bias}


@keras.saving.register_keras_serializable(package="ganzoo")
class EqualizedConv2D(Conv2D):
    """A convolution with W from N(0, 1), times ``1 / sqrt(inputs of an output)`` in every step; height and width stay.

    Args:
        filters, kernel_size: ints; the kernel is square and of odd size.
        halve: bool, height and width are halved: the image is filtered by (1, 3, 3, 1) / 8 along either axis before
            every second pixel is computed, in one convolution whose kernel is widened by the filter.
        **kwargs: those of `ganzoo.layers.Conv2D`.

    Raises:
        ValueError: an even kernel; to halve, height or width that are odd or not known.

    Reference:
        Karras et al. 2017, arXiv:1710.10196, section 4.1; the filter: Karras et al. 2019, arXiv:1912.04958, appendix B.

    Example:

    >>> ganzoo.layers.EqualizedConv2D(4, 3, halve=True, name="conv")(np.ones((2, 8, 6, 3), "float32")).shape
    (2, 4, 3, 4)
    """

    def __init__(self, filters: int, kernel_size: int, halve: bool = False, **kwargs):
        size = _odd(kernel_size)
        kwargs.setdefault("kernel_initializer", keras.initializers.RandomNormal(stddev=1.0))
        super().__init__(filters, size, **{**kwargs, "padding": "same", "strides": 2 if halve else 1})
        self.halve = bool(halve)

    def build(self, input_shape):
        if self.halve and any(n is None or n % 2 for n in input_shape[1:3]):
            raise ValueError(f"Height and width must be even. Received: images of {tuple(input_shape[1:])}")
        super().build(input_shape)

    def call(self, inputs):
        kernel = ops.cast(self.kernel, "float32") * scale_of(self.kernel.shape)
        return self.call_with_kernel(inputs, filtered(kernel) if self.halve else kernel)

    def get_config(self):
        config = super().get_config()
        del config["strides"], config["padding"]
        return {**config, "kernel_size": self.kernel_size[0], "halve": self.halve}


@keras.saving.register_keras_serializable(package="ganzoo")
class PixelNorm(keras.layers.Layer):
    """``x / sqrt(mean(x^2) + 1e-8)``, the mean over the last axis: vectors of length sqrt(channels).

    Args:
        **kwargs: those of `keras.layers.Layer`.

    Reference:
        Karras et al. 2017, arXiv:1710.10196, section 4.2; of latents: Karras et al. 2018, arXiv:1812.04948.

    Example:

    >>> float(ganzoo.layers.PixelNorm()(np.full((1, 4), 3.0, "float32"))[0, 0])
    1.0
    """

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        x = x * ops.rsqrt(ops.mean(ops.square(x), axis=-1, keepdims=True) + 1e-8)
        return ops.cast(x, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape


def scale_of(kernel_shape: tuple[int, ...]) -> float:
    """1 / sqrt(inputs of an output) of a kernel (height, width, in, out)."""
    return float(np.prod(kernel_shape[:-1])) ** -0.5


def filtered(kernel, gain: float = 1.0):
    """A kernel (k, k, in, out) after the filter (1, 3, 3, 1) / 8 along either axis: (k + 3, k + 3, in, out).

    With stride 2, to convolve with it is to filter an image and then to convolve with the kernel.

    Args:
        kernel: float32 tensor.
        gain: float, of the filter along each axis: 2 where images are doubled, with zeros between pixels.
    """
    size, _, *channels = kernel.shape
    matrix = ops.convert_to_tensor(_filter_matrix(size, gain))
    return ops.reshape(ops.matmul(matrix, ops.reshape(kernel, (size * size, -1))), (size + 3, size + 3, *channels))


def doubled(x, kernel, dtype: str):
    """x (batch, height, width, in), doubled with zeros, convolved with a kernel (k, k, in, out), filtered."""
    kernel = ops.swapaxes(filtered(kernel, gain=2.0), -1, -2)
    return kernels.conv2d_transpose(ops.cast(x, dtype), ops.cast(kernel, dtype), None, (2, 2), "same")


@functools.cache
def _filter_matrix(size: int, gain: float) -> np.ndarray:
    """float32 ((size + 3)^2, size^2)."""
    line = np.zeros((size + 3, size))
    for i in range(size):
        line[i : i + 4, i] = gain * np.array(FIR) / sum(FIR)
    return np.kron(line, line).astype("float32")


def _odd(kernel_size) -> int:
    sizes = {*kernel_size} if isinstance(kernel_size, (tuple, list)) else {kernel_size}
    size = sizes.pop()
    if sizes or not isinstance(size, int) or size < 1 or size % 2 == 0:
        raise ValueError(f"A kernel is as wide as high, of an odd number of pixels. Received: {kernel_size=}")
    return size
