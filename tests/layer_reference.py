"""Float64 references for `ganzoo.layers`, and the derivatives of a layer on the Keras backend in use.

Every layer is tested through the same two scalars, with fixed random weights `c` and `q`:

    s = sum(c * y**2) / 2,  y = layer(x)          first derivatives: of s
    p = sum(q * (ds/dx)**2) / 2                   second derivatives: of p, a gradient penalty
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
from keras import ops


@dataclass
class Derivatives:
    """Arrays of one layer at one point; `first` and `second` hold x and then the trainable variables."""

    y: np.ndarray
    first: list
    second: list


# ------------------------------------------------------------------------------------------------ references in NumPy
class Convolution:
    """The trilinear form of convolution as three float64 maps: y(x, w), x(y, w) and w(x, y), each linear in each.

    `pads` are (before, after) of both axes such that the windows cover the padded image exactly.
    """

    def __init__(self, size, kernel_size, strides, pads, outputs):
        self.size, self.kernel_size, self.strides, self.pads, self.outputs = size, kernel_size, strides, pads, outputs

    def _windows(self, padded):
        (kh, kw), (sh, sw), (oh, ow) = self.kernel_size, self.strides, self.outputs
        for i in range(kh):
            for j in range(kw):
                yield i, j, padded[:, i : i + (oh - 1) * sh + 1 : sh, j : j + (ow - 1) * sw + 1 : sw]

    def _padded_size(self):
        return [max(n + a + b, n + a) for n, (a, b) in zip(self.size, self.pads)]

    def _pad(self, x):
        padded = np.zeros((x.shape[0], *self._padded_size(), x.shape[3]))
        (top, _), (left, _) = self.pads
        padded[:, top : top + self.size[0], left : left + self.size[1]] = x
        return padded

    def forward(self, x, w):
        return sum(window @ w[i, j] for i, j, window in self._windows(self._pad(x)))

    def transpose(self, y, w):
        padded = np.zeros((y.shape[0], *self._padded_size(), w.shape[2]))
        for i, j, window in self._windows(padded):
            window += y @ w[i, j].T
        (top, _), (left, _) = self.pads
        return padded[:, top : top + self.size[0], left : left + self.size[1]]

    def kernel(self, x, y):
        w = np.zeros((*self.kernel_size, x.shape[3], y.shape[3]))
        for i, j, window in self._windows(self._pad(x)):
            w[i, j] = np.einsum("nhwi,nhwo->io", window, y)
        return w


def convolution_of(size, kernel_size, strides, padding):
    """The geometry of `Conv2D` on images of `size`."""
    pads, outputs = [], []
    for n, k, s in zip(size, kernel_size, strides):
        count = -(-n // s) if padding == "same" else -(-(n - k + 1) // s)
        total = max((count - 1) * s + k - n, 0) if padding == "same" else 0
        pads.append((total // 2, total - total // 2))
        outputs.append(count)
    return Convolution(size, kernel_size, strides, pads, outputs)


def transposed_convolution_of(size, kernel_size, strides, padding):
    """The geometry of `Conv2DTranspose`: the convolution whose output is the layer's input of `size`."""
    sizes = [n * s + (max(k - s, 0) if padding == "valid" else 0) for n, k, s in zip(size, kernel_size, strides)]
    pads = []
    for k, s in zip(kernel_size, strides):
        total = max(k - s, 0) if padding == "same" else 0
        pads.append((total // 2, total - total // 2))
    return Convolution(sizes, kernel_size, strides, pads, size)


def linear_reference(apply, adjoint, kernel, x, w, b, c, q):
    """Derivatives of y = apply(x, w) + b, where `adjoint` and `kernel` are its adjoints in x and in w."""
    y = apply(x, w) + b
    gy = c * y
    gx = adjoint(gy, w)
    h = q * gx  # dp / d(gx)
    f = c * apply(h, w)  # dp / dy
    return Derivatives(
        y,
        [gx, kernel(x, gy), gy.sum((0, 1, 2))],
        [adjoint(f, w), kernel(h, gy) + kernel(x, f), f.sum((0, 1, 2))],
    )


def normalization_reference(x, gamma, beta, c, q, axes, epsilon, groups=None):
    """Derivatives of a normalisation over `axes`; with `groups`, over space and the channels of a group."""

    def split(a):
        return a if groups is None else a.reshape(*a.shape[:-1], groups, a.shape[-1] // groups)

    if groups is not None:
        axes = (*range(1, x.ndim - 1), x.ndim)

    def evaluate(x, gamma, beta):
        """y, s and p: analytic in all three, so that a complex step differentiates them exactly."""
        wide = split(x)
        centered = wide - wide.mean(axes, keepdims=True)
        rsqrt = (np.square(centered).mean(axes, keepdims=True) + epsilon) ** -0.5
        normal = (centered * rsqrt).reshape(x.shape)
        y = gamma * normal + beta
        g, normal = split(c * y * gamma), split(normal)
        gx = (g - g.mean(axes, keepdims=True) - normal * (g * normal).mean(axes, keepdims=True)) * rsqrt
        gx = gx.reshape(x.shape)
        return y, (c * y * y).sum() / 2, (q * gx * gx).sum() / 2

    arguments = [x.astype(np.complex128), gamma.astype(np.complex128), beta.astype(np.complex128)]
    first, second = [], []
    for i, argument in enumerate(arguments):
        gradients = np.zeros((2, argument.size))
        for j in range(argument.size):
            moved = [a.copy() for a in arguments]
            moved[i].ravel()[j] += 1e-30j
            _, s, p = evaluate(*moved)
            gradients[:, j] = s.imag / 1e-30, p.imag / 1e-30
        first.append(gradients[0].reshape(argument.shape))
        second.append(gradients[1].reshape(argument.shape))
    return Derivatives(evaluate(*arguments)[0].real, first, second)


def finite_differences(function, x, step=1e-5):
    """Central differences of a scalar function of one float64 array: the check of the references themselves."""
    gradient = np.zeros(x.size)
    for i in range(x.size):
        up, down = x.copy(), x.copy()
        up.ravel()[i] += step
        down.ravel()[i] -= step
        gradient[i] = (function(up) - function(down)) / (2 * step)
    return gradient.reshape(x.shape)


# ----------------------------------------------------------------------------------- derivatives of a layer, by backend
def derivatives(layer, x, c, q, compile=False, **kwargs) -> Derivatives:
    """`Derivatives` of a built Keras layer at the array x, on the backend in use."""
    dtype = layer.compute_dtype
    x, c, q = ops.cast(x, dtype), ops.convert_to_tensor(c, "float32"), ops.convert_to_tensor(q, "float32")
    function = {"torch": _torch, "tensorflow": _tensorflow, "jax": _jax}[keras.backend.backend()]
    y, first, second = function(layer, x, c, q, compile, kwargs)
    arrays = lambda values: [_array(v) for v in values]  # noqa: E731
    return Derivatives(_array(y), arrays(first), arrays(second))


def scalar(weight, value):
    return ops.sum(weight * ops.square(ops.cast(value, "float32"))) / 2


def _array(x):
    return ops.convert_to_numpy(ops.cast(x, "float32")).astype("float64")


def _torch(layer, x, c, q, compile, kwargs):
    import torch

    x = x.detach().requires_grad_(True)
    variables = [x, *(v.value for v in layer.trainable_variables)]
    y = layer(x, **kwargs)
    first = torch.autograd.grad(scalar(c, y), variables, create_graph=True)
    second = torch.autograd.grad(scalar(q, first[0]), variables, allow_unused=True)
    return y, first, [torch.zeros_like(v) if g is None else g for g, v in zip(second, variables)]


def _tensorflow(layer, x, c, q, compile, kwargs):
    import tensorflow as tf

    weights = [v.value for v in layer.trainable_variables]

    def run(x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = layer(x, **kwargs)
                s = scalar(c, y)
            first = inner.gradient(s, [x, *weights])
            p = scalar(q, first[0])
        return y, first, outer.gradient(p, [x, *weights], unconnected_gradients="zero")

    if compile:  # with an unknown batch size
        specification = tf.TensorSpec((None, *x.shape[1:]), x.dtype)
        run = tf.function(run, input_signature=[specification], jit_compile=compile == "xla")
    return run(x)


def _jax(layer, x, c, q, compile, kwargs):
    import jax

    trainable = [v.value for v in layer.trainable_variables]
    state = [v.value for v in layer.non_trainable_variables]

    def s(variables):
        y, _ = layer.stateless_call(variables[1:], state, variables[0], **kwargs)
        return scalar(c, y), y

    def p(variables):
        first, y = jax.grad(s, has_aux=True)(variables)
        return scalar(q, first[0]), (y, first)

    second, (y, first) = jax.jit(jax.grad(p, has_aux=True))([x, *trainable])
    return y, first, second


def assert_close(got: Derivatives, expected: Derivatives, tolerance: float):
    """Each array within `tolerance` of the largest entry of what is expected."""
    names = ["x", "kernel or gamma", "bias or beta"]
    pairs = [("value", got.y, expected.y)]
    pairs += [(f"first {n}", a, b) for n, a, b in zip(names, got.first, expected.first)]
    pairs += [(f"second {n}", a, b) for n, a, b in zip(names, got.second, expected.second)]
    assert len(got.first) == len(expected.first) and len(got.second) == len(expected.second)
    for name, a, b in pairs:
        assert a.shape == b.shape, (name, a.shape, b.shape)
        error = np.abs(a - b).max() / max(np.abs(b).max(), 1e-12)
        assert error < tolerance, f"{name}: relative error {error:.2e}, allowed {tolerance}"
