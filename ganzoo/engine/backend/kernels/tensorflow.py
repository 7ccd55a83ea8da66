"""Kernels on TensorFlow. Its convolutions are closed under differentiation and fast; its fused batch norm is, too."""

from __future__ import annotations

import tensorflow as tf

from ganzoo.engine.backend.kernels import composite
from ganzoo.engine.backend.kernels.composite import group_norm, layer_norm

__all__ = ["batch_norm", "conv2d", "conv2d_transpose", "group_norm", "layer_norm", "reflect"]

FUSED_DTYPES = (tf.float32, tf.bfloat16, tf.float16)
MINIMAL_EPSILON = 1e-5  # of cuDNN


def conv2d(x, kernel, bias, strides, padding):
    y = tf.nn.conv2d(x, kernel, strides, padding.upper())
    return y if bias is None else tf.nn.bias_add(y, bias)


def conv2d_transpose(x, kernel, bias, strides, padding):
    static, dynamic = x.shape, tf.shape(x)
    sizes = [static[i] if static[i] is not None else dynamic[i] for i in range(3)]
    overlaps = [max(k - s, 0) if padding == "valid" else 0 for k, s in zip(kernel.shape[:2], strides)]
    height, width = (n * s + extra for n, s, extra in zip(sizes[1:], strides, overlaps))
    y = tf.nn.conv2d_transpose(x, kernel, (sizes[0], height, width, kernel.shape[2]), strides, padding.upper())
    return y if bias is None else tf.nn.bias_add(y, bias)


def batch_norm(x, gamma, beta, epsilon):
    if x.dtype not in FUSED_DTYPES or epsilon < MINIMAL_EPSILON:
        return composite.batch_norm(x, gamma, beta, epsilon)
    channels, empty = x.shape[-1], tf.zeros(0)
    image = x if len(x.shape) == 4 else tf.reshape(x, (-1, 1, 1, channels))
    y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=image,
        scale=tf.ones(channels) if gamma is None else gamma,
        offset=tf.zeros(channels) if beta is None else beta,
        mean=empty,
        variance=empty,
        epsilon=epsilon,
        is_training=True,
    )
    count = tf.cast(tf.size(image) // channels, tf.float32)
    y = y if image is x else tf.reshape(y, tf.shape(x))
    return y, tf.stop_gradient(mean), tf.stop_gradient(variance) * (count - 1) / count  # the kernel's is unbiased


def reflect(x, rows, columns):
    return tf.pad(x, [[0, 0], [rows, rows], [columns, columns], [0, 0]], "REFLECT")
