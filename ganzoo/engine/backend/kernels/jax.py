"""Kernels on JAX: three convolutions, each differentiated through the other two.

Convolution, its transpose and its weight gradient are the three partial maps of one trilinear form, so the derivative
of each is a product of the others, to any order. Left to itself, JAX differentiates a transposed convolution, and a
convolution for the second time, into dilated convolutions that XLA runs many times slower than need be. On a CPU it
also multiplies by the zeros that dilate a transposed convolution's input.

`jax.custom_vjp` allows reverse mode only: `jax.jvp`, `jax.jacfwd` and `jax.hessian` (forward over reverse) raise.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from jax import lax

from ganzoo.engine.backend.kernels.composite import batch_norm, group_norm, layer_norm

__all__ = ["batch_norm", "conv2d", "conv2d_transpose", "group_norm", "layer_norm", "reflect"]

# `pads` are such that the windows cover the padded image exactly (a negative one cuts off what no window reaches):
# size + before + after == (outputs - 1) * stride + kernel. Then each of the three shapes follows from the other two.


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def convolution(x, kernel, strides, pads):
    return lax.conv_general_dilated(x, kernel, strides, pads, dimension_numbers=("NHWC", "HWIO", "NHWC"))


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def transposed_convolution(y, kernel, strides, pads):
    direct = functools.partial(_dilated, strides=strides, pads=pads)
    whole = all(k % s == 0 for k, s in zip(kernel.shape[:2], strides))
    # Few channels are too few to fill the plain convolution, and small images are mostly border.
    if max(strides) == 1 or not whole or kernel.shape[2] < 8 or min(y.shape[1:3]) < 6:
        return direct(y, kernel)
    interleaved = functools.partial(_interleaved, strides=strides, pads=pads)
    return lax.platform_dependent(y, kernel, cpu=interleaved, default=direct)


def _dilated(y, kernel, strides, pads):
    pads = [(k - 1 - before, k - 1 - after) for k, (before, after) in zip(kernel.shape[:2], pads)]
    kernel = jnp.flip(kernel, (0, 1))
    return lax.conv_general_dilated(
        y, kernel, (1, 1), pads, lhs_dilation=strides, dimension_numbers=("NHWC", "HWOI", "NHWC")
    )


def _interleaved(y, kernel, strides, pads):
    """The same without multiplying by the zeros between: one plain convolution gives all pixels of a stride at once."""
    (high, wide), (k_high, k_wide, channels, filters) = strides, kernel.shape
    taps = (k_high // high, k_wide // wide)
    kernel = kernel.reshape(taps[0], high, taps[1], wide, channels, filters).transpose(0, 2, 1, 3, 4, 5)
    kernel = jnp.flip(kernel.reshape(*taps, -1, filters), (0, 1))
    around = [(n - 1, n - 1) for n in taps]
    x = lax.conv_general_dilated(y, kernel, (1, 1), around, dimension_numbers=("NHWC", "HWOI", "NHWC"))
    num, rows, columns = x.shape[:3]
    x = x.reshape(num, rows, columns, high, wide, channels).transpose(0, 1, 3, 2, 4, 5)
    x = x.reshape(num, rows * high, columns * wide, channels)
    return lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *((-before, -after, 0) for before, after in pads), (0, 0, 0)])


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def kernel_gradient(x, y, strides, pads):
    return lax.conv_general_dilated(
        x, y, (1, 1), pads, rhs_dilation=strides, dimension_numbers=("CHWN", "IHWO", "HWNC")
    )


def _convolution_vjp(strides, pads, residuals, g):
    x, kernel = residuals
    return transposed_convolution(g, kernel, strides, pads), kernel_gradient(x, g, strides, pads)


def _transposed_convolution_vjp(strides, pads, residuals, g):
    y, kernel = residuals
    return convolution(g, kernel, strides, pads), kernel_gradient(g, y, strides, pads)


def _kernel_gradient_vjp(strides, pads, residuals, g):
    x, y = residuals
    return transposed_convolution(y, g, strides, pads), convolution(x, g, strides, pads)


for _function, _vjp in (
    (convolution, _convolution_vjp),
    (transposed_convolution, _transposed_convolution_vjp),
    (kernel_gradient, _kernel_gradient_vjp),
):
    _function.defvjp(lambda a, b, *static, _function=_function: (_function(a, b, *static), (a, b)), _vjp)


def conv2d(x, kernel, bias, strides, padding):
    pads = []
    for size, k, s in zip(x.shape[1:3], kernel.shape[:2], strides):
        outputs = -(-size // s) if padding == "same" else (size - k) // s + 1
        if outputs < 1:
            raise ValueError(
                "The input is smaller than the convolution's kernel. Make the image larger, or use padding='same'. "
                f"Received: input shape={x.shape}, kernel shape={kernel.shape}, padding={padding!r}"
            )
        total = (outputs - 1) * s + k - size
        before = max(total, 0) // 2 if padding == "same" else 0
        pads.append((before, total - before))
    y = convolution(x, kernel, strides, tuple(pads))
    return y if bias is None else y + bias


def conv2d_transpose(x, kernel, bias, strides, padding):
    pads = []
    for k, s in zip(kernel.shape[:2], strides):
        overlap = k - s  # of neighbouring windows; negative: a gap, which ends the image as zeros
        before = max(overlap, 0) // 2 if padding == "same" else 0
        after = overlap - before if padding == "same" else min(overlap, 0)
        pads.append((before, after))
    y = transposed_convolution(x, kernel, strides, tuple(pads))
    return y if bias is None else y + bias


def reflect(x, rows, columns):
    return jnp.pad(x, [(0, 0), (rows, rows), (columns, columns), (0, 0)], mode="reflect")
