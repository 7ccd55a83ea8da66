"""Normalisations composed of `keras.ops`, for the backends that have no better kernel.

The variance is mean((x - mean)^2) with the gradient left in the mean. `keras.ops.moments` cuts it on TensorFlow, which
is harmless in a first derivative and wrong in a second one.
"""

from __future__ import annotations

from keras import ops


def normalize(x, axes, epsilon):
    """Returns x with mean 0 and variance 1 over `axes`, that mean and that (biased) variance, dimensions kept."""
    mean = ops.mean(x, axes, keepdims=True)
    centered = x - mean
    variance = ops.mean(ops.square(centered), axes, keepdims=True)
    return centered * ops.rsqrt(variance + epsilon), mean, variance


def affine(x, gamma, beta):
    x = x if gamma is None else x * gamma
    return x if beta is None else x + beta


def batch_norm(x, gamma, beta, epsilon):
    """Normalises over all axes but the last. Returns y, the batch's mean and its biased variance."""
    y, mean, variance = normalize(ops.cast(x, statistics_dtype(x)), tuple(range(len(x.shape) - 1)), epsilon)
    return ops.cast(affine(y, gamma, beta), x.dtype), ops.reshape(mean, (-1,)), ops.reshape(variance, (-1,))


def layer_norm(x, gamma, beta, axes, epsilon):
    """Normalises over `axes` (sorted, not negative), over which gamma and beta span."""
    shape = [size if axis in axes else 1 for axis, size in enumerate(x.shape)]
    gamma, beta = (None if v is None else ops.reshape(v, shape) for v in (gamma, beta))
    y, _, _ = normalize(ops.cast(x, statistics_dtype(x)), axes, epsilon)
    return ops.cast(affine(y, gamma, beta), x.dtype)


def group_norm(x, gamma, beta, groups, epsilon):
    """Normalises over space and the channels of one group; the channels are the last axis."""
    shape, channels = ops.shape(x), x.shape[-1]
    y = ops.reshape(ops.cast(x, statistics_dtype(x)), (*shape[:-1], groups, channels // groups))
    y, _, _ = normalize(y, (*range(1, len(shape) - 1), len(shape)), epsilon)
    return ops.cast(affine(ops.reshape(y, shape), gamma, beta), x.dtype)


def settle(kernel, turned=True):
    """A convolution's variable lies in memory as the framework has it."""


def statistics_dtype(x):
    """Half precision has too little range and too few digits for sums over a batch."""
    dtype = str(x.dtype)
    return "float64" if "float64" in dtype else "float32"
