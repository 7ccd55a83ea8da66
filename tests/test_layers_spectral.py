"""Spectral normalisation (CORRECTNESS K01) against NumPy's singular values and closed forms."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops
from layer_reference import assert_close, convolution_of, derivatives, linear_reference, transposed_convolution_of

from ganzoo import layers

BACKEND = keras.backend.backend()


def wrapped(kind, power_iterations=1, **kwargs):
    keras.utils.set_random_seed(0)  # how fast power iteration converges depends on the kernel
    inner = {
        "conv": lambda: layers.Conv2D(4, 3, 2, "same", name="inner", **kwargs),
        "transposed": lambda: layers.Conv2DTranspose(5, 4, 2, "same", name="inner", **kwargs),
        "dense": lambda: keras.layers.Dense(4, name="inner", **kwargs),
    }[kind]()
    layer = layers.SpectralNormalization(inner, power_iterations=power_iterations, name="normal")
    layer.build((None, 6, 5, 3))
    return layer


def matrix_of(kind, kernel):
    """(everything else, output), written out: the output axis of a transposed convolution's kernel is the third."""
    if kind == "transposed":
        return np.stack([kernel[:, :, o, :].ravel() for o in range(kernel.shape[2])], axis=1)
    return np.stack([kernel[..., o].ravel() for o in range(kernel.shape[-1])], axis=1)


def kernel_of(kind, matrix, shape):
    """The inverse of `matrix_of`."""
    if kind == "transposed":
        height, width, out, inputs = shape
        return matrix.reshape(height, width, inputs, out).swapaxes(2, 3)
    return matrix.reshape(shape)


def _numpy(x):
    return ops.convert_to_numpy(ops.cast(x, "float32"))


KINDS = ["conv", "transposed", "dense"]
IMAGES = np.random.default_rng(3).normal(size=(2, 6, 5, 3)).astype("float32")


@pytest.mark.parametrize("kind", KINDS)
def test_k01_sigma_is_the_largest_singular_value(kind):
    layer = wrapped(kind, power_iterations=200)
    kernel = _numpy(layer.layer.kernel)
    sigma = np.linalg.svd(matrix_of(kind, kernel), compute_uv=False)[0]
    normal, _ = layer.normalized_kernel()
    np.testing.assert_allclose(_numpy(normal), kernel / sigma, rtol=1e-4, atol=1e-6)
    assert layer.u.shape == (matrix_of(kind, kernel).shape[1],)


@pytest.mark.parametrize("kind", KINDS)
def test_k01_one_power_iteration_per_training_call_and_none_else(kind):
    layer = wrapped(kind)
    kernel, u = _numpy(layer.layer.kernel).astype("float64"), _numpy(layer.u).astype("float64")
    matrix = matrix_of(kind, kernel)
    layer(IMAGES, training=False)
    layer(IMAGES)
    np.testing.assert_array_equal(_numpy(layer.u), u.astype("float32"))
    for _ in range(3):
        layer(IMAGES, training=True)
        v = matrix @ u / np.linalg.norm(matrix @ u)
        u = matrix.T @ v / np.linalg.norm(matrix.T @ v)
        np.testing.assert_allclose(_numpy(layer.u), u, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(_numpy(layer.layer.kernel), kernel.astype("float32"))
    assert [v.path for v in layer.non_trainable_variables] == ["normal/u"]
    assert [v.path for v in layer.trainable_variables] == ["normal/inner/kernel", "normal/inner/bias"]


@pytest.mark.parametrize("kind", KINDS)
def test_k01_inference_divides_too(kind):
    layer = wrapped(kind)
    for _ in range(60):
        layer(IMAGES, training=True)
    kernel = _numpy(layer.layer.kernel)
    sigma = np.linalg.svd(matrix_of(kind, kernel), compute_uv=False)[0]
    plain = _numpy(layer.layer(IMAGES))  # the bias is zero
    for training in (False, True):
        np.testing.assert_allclose(_numpy(layer(IMAGES, training=training)), plain / sigma, rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize("compile", [False, "graph", "xla"])
@pytest.mark.parametrize("kind", ["conv", "transposed"])
def test_k01_first_and_second_derivatives_run_through_sigma(kind, compile):
    layer, rng = wrapped(kind, dtype="float32"), np.random.default_rng(0)
    kernel, u = _numpy(layer.layer.kernel).astype("float64"), _numpy(layer.u).astype("float64")
    x, bias = IMAGES.astype("float64"), rng.normal(size=layer.layer.bias.shape)
    layer.layer.bias.assign(bias)
    matrix = matrix_of(kind, kernel)
    v = matrix @ u / np.linalg.norm(matrix @ u)
    u = matrix.T @ v / np.linalg.norm(matrix.T @ v)
    sigma = v @ matrix @ u
    if kind == "conv":
        form = convolution_of((6, 5), (3, 3), (2, 2), "same")
        maps = form.forward, form.transpose, form.kernel
    else:
        form = transposed_convolution_of((6, 5), (4, 4), (2, 2), "same")
        maps = form.transpose, form.forward, lambda x, y: form.kernel(y, x)
    c, q = rng.normal(size=maps[0](x, kernel).shape), rng.normal(size=x.shape)
    expected = linear_reference(*maps, x, kernel / sigma, bias, c, q)
    direction = kernel_of(kind, np.outer(v, u), kernel.shape)  # d sigma / d kernel
    for gradients in (expected.first, expected.second):
        gradients[1] = (gradients[1] - (gradients[1] * kernel).sum() / sigma * direction) / sigma
    assert_close(derivatives(layer, x, c, q, compile=compile, training=True), expected, 3e-5)


def test_k01_two_calls_before_one_backward_pass():
    """D(real), D(fake), then the gradient of both: a kernel overwritten in the call makes torch raise here."""
    layer = wrapped("conv")
    other = keras.Sequential([keras.Input((6, 5, 3)), layer])
    real, fake = IMAGES, IMAGES[::-1].copy()

    class Both(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.network = other
            self.built = True

        def call(self, x, training=True):
            return self.network(x, training=training) - self.network(ops.flip(x, 0) * 2.0, training=training)

    got = derivatives(Both(), real, np.ones((2, 3, 3, 4)), np.ones(fake.shape))
    assert all(np.isfinite(g).all() and np.abs(g).max() > 0 for g in (*got.first[:2], *got.second[:2]))


def test_k01_a_kernel_of_zeros_is_left_alone():
    layer = wrapped("conv", kernel_initializer="zeros")
    u = _numpy(layer.u)
    got = derivatives(layer, IMAGES, np.ones((2, 3, 3, 4)), np.ones(IMAGES.shape), training=True)
    assert all(np.isfinite(g).all() for g in (*got.first, *got.second))
    layer(IMAGES, training=True)
    np.testing.assert_array_equal(_numpy(layer.u), u)


def test_k01_sigma_is_of_the_float32_kernel_in_bfloat16():
    layer = wrapped("conv", power_iterations=100, dtype="mixed_bfloat16")
    y = layer(IMAGES, training=True)
    assert keras.backend.standardize_dtype(y.dtype) == "bfloat16" and layer.u.dtype == "float32"
    sigma = np.linalg.svd(matrix_of("conv", _numpy(layer.layer.kernel)), compute_uv=False)[0]
    seen = []
    inner = layer.layer.call_with_kernel
    layer.layer.call_with_kernel = lambda inputs, kernel: seen.append(kernel) or inner(inputs, kernel)
    layer(IMAGES)
    np.testing.assert_allclose(_numpy(seen[0]), _numpy(layer.layer.kernel) / sigma, rtol=1e-5, atol=1e-6)


def test_k01_layers_that_cannot_take_a_kernel_are_refused():
    with pytest.raises(ValueError, match=r"ganzoo\.layers\.Conv2D.*Received: layer="):
        layers.SpectralNormalization(keras.layers.Conv2D(4, 3))
    with pytest.raises(ValueError, match="Received: power_iterations=0"):
        layers.SpectralNormalization(layers.Conv2D(4, 3), power_iterations=0)
