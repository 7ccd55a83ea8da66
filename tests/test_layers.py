"""`ganzoo.layers` against float64 references (value, first and second derivatives) and against Keras' own layers."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops
from layer_reference import (
    Derivatives,
    assert_close,
    convolution_of,
    derivatives,
    finite_differences,
    linear_reference,
    normalization_reference,
    transposed_convolution_of,
)

from ganzoo import layers

BACKEND = keras.backend.backend()
TOLERANCE = {"float32": 2e-5, "mixed_bfloat16": 4e-2}


def rounded(array, policy):
    """Float64 array of what the compute dtype can hold, so that a reference starts from the same numbers."""
    dtype = "bfloat16" if policy == "mixed_bfloat16" else "float32"
    return ops.convert_to_numpy(ops.cast(ops.cast(array, dtype), "float32")).astype("float64")


def random(rng, shape, policy="float32", scale=1.0, shift=0.0):
    return rounded(scale * rng.normal(size=shape) + shift, policy)


# --------------------------------------------------------------------------------------------------------- convolutions
GEOMETRIES = [(k, s, p) for k in (1, 3, 4, 5) for s in (1, 2, 3) for p in ("same", "valid")]
UNEVEN = [((4, 3), (2, 3), "same"), ((3, 4), (3, 1), "valid"), ((2, 5), (1, 2), "same")]
WHOLE = [((7, 10), 1, "valid"), ((7, 10), (3, 2), "valid")]  # one window covers the image


def convolution_case(name, size, kernel_size, strides, padding, policy="float32", filters=4):
    """A built layer, and its derivatives at a random point by the reference; odd height, even width."""
    rng = np.random.default_rng(0)
    layer = getattr(layers, name)(filters, kernel_size, strides, padding, dtype=policy, name="layer")
    x = random(rng, (2, *size, 3), policy)
    layer.build(x.shape)
    w, b = random(rng, layer.kernel.shape, policy, 0.3), random(rng, (filters,), policy)
    layer.set_weights([w, b])
    if name == "Conv2D":
        form = convolution_of(size, layer.kernel_size, layer.strides, padding)
        maps = form.forward, form.transpose, form.kernel
    else:
        form = transposed_convolution_of(size, layer.kernel_size, layer.strides, padding)
        maps = form.transpose, form.forward, lambda x, y: form.kernel(y, x)
    c, q = random(rng, maps[0](x, w).shape, policy), random(rng, x.shape, policy)
    return layer, x, c, q, linear_reference(*maps, x, w, b, c, q)


def assert_convolution(*case):
    layer, x, c, q, expected = convolution_case(*case)
    assert tuple(layer.compute_output_shape(x.shape)) == expected.y.shape
    assert_close(derivatives(layer, x, c, q), expected, TOLERANCE[layer.dtype_policy.name])


@pytest.mark.parametrize("kernel_size,strides,padding", GEOMETRIES + UNEVEN + WHOLE)
def test_k02_conv2d_value_first_and_second_derivative(kernel_size, strides, padding):
    assert_convolution("Conv2D", (7, 10), kernel_size, strides, padding)


@pytest.mark.parametrize("kernel_size,strides,padding", GEOMETRIES + UNEVEN)
def test_k02_conv2d_transpose_value_first_and_second_derivative(kernel_size, strides, padding):
    assert_convolution("Conv2DTranspose", (3, 4), kernel_size, strides, padding)


@pytest.mark.parametrize("strides,padding", [(1, "valid"), (2, "valid"), (2, "same")])
def test_k02_conv2d_transpose_of_a_single_pixel(strides, padding):
    assert_convolution("Conv2DTranspose", (1, 1), 4, strides, padding)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("kernel_size,strides", [(4, 2), (2, 2), (6, 3), ((2, 6), (1, 3)), ((4, 2), (2, 4))])
def test_k02_wide_conv2d_transpose(kernel_size, strides, padding):
    # Kernels of whole strides and enough filters: interleaved from one plain convolution on JAX.
    assert_convolution("Conv2DTranspose", (6, 7), kernel_size, strides, padding, "float32", 8)


@pytest.mark.parametrize("name,size", [("Conv2D", (7, 10)), ("Conv2DTranspose", (3, 4))])
@pytest.mark.parametrize(
    "kernel_size,strides,padding", [(3, 1, "same"), (4, 2, "same"), (5, 3, "same"), (3, 2, "valid")]
)
def test_k02_k40_convolutions_in_bfloat16(name, size, kernel_size, strides, padding):
    assert_convolution(name, size, kernel_size, strides, padding, "mixed_bfloat16")


def test_the_convolution_reference_agrees_with_finite_differences():
    _, x, c, q, expected = convolution_case("Conv2DTranspose", (3, 4), 3, 2, "same")
    form = transposed_convolution_of((3, 4), (3, 3), (2, 2), "same")
    w, b = np.random.default_rng(1).normal(size=(3, 3, 4, 3)), np.zeros(4)
    penalty = lambda w: (q * form.forward(c * (form.transpose(x, w) + b), w) ** 2).sum() / 2  # noqa: E731
    reference = linear_reference(form.transpose, form.forward, lambda x, y: form.kernel(y, x), x, w, b, c, q)
    np.testing.assert_allclose(reference.second[1], finite_differences(penalty, w), rtol=1e-4, atol=1e-3)
    assert expected.y.shape == (2, 6, 8, 4)


SPECIAL = [
    ("Conv2D", dict(kernel_size=3, dilation_rate=2)),
    ("Conv2D", dict(kernel_size=3, groups=2, padding="same")),
    ("Conv2D", dict(kernel_size=4, strides=2, padding="same", use_bias=False, activation="tanh")),
    ("Conv2DTranspose", dict(kernel_size=4, strides=2, padding="same", activation="relu")),
    ("Conv2DTranspose", dict(kernel_size=3, strides=2, padding="same", output_padding=1)),
    ("Conv2DTranspose", dict(kernel_size=3, dilation_rate=2)),
]


@pytest.mark.parametrize("name,kwargs", SPECIAL)
def test_k02_every_argument_gives_keras_own_result(name, kwargs):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 8, 9, 4)).astype("float32")
    ours, theirs = getattr(layers, name)(6, **kwargs), getattr(keras.layers, name)(6, **kwargs)
    ours.build(x.shape), theirs.build(x.shape)
    assert [(v.name, v.shape) for v in ours.weights] == [(v.name, v.shape) for v in theirs.weights]
    theirs.set_weights([rng.normal(size=v.shape) for v in theirs.weights])
    ours.set_weights(theirs.get_weights())
    c, q = rng.normal(size=theirs.compute_output_shape(x.shape)), rng.normal(size=x.shape)
    expected, got = derivatives(theirs, x, c, q), derivatives(ours, x, c, q)
    assert_close(got, expected, 2e-5)


@pytest.mark.skipif(BACKEND == "tensorflow", reason="TensorFlow has no channels-first convolution on a CPU")
@pytest.mark.parametrize("name", ["Conv2D", "Conv2DTranspose"])
def test_k02_channels_first_gives_keras_own_result(name):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 3, 8, 9)).astype("float32")
    arguments = dict(filters=4, kernel_size=3, strides=2, padding="same", data_format="channels_first")
    ours, theirs = getattr(layers, name)(**arguments), getattr(keras.layers, name)(**arguments)
    ours.build(x.shape), theirs.build(x.shape)
    theirs.set_weights([rng.normal(size=v.shape) for v in theirs.weights])
    ours.set_weights(theirs.get_weights())
    np.testing.assert_allclose(ops.convert_to_numpy(ours(x)), ops.convert_to_numpy(theirs(x)), atol=1e-4)


def test_k02_an_image_smaller_than_the_kernel_is_an_error():
    with pytest.raises(Exception, match=r"(?i)shape|size|empty"):
        layer = layers.Conv2D(4, 5)
        layer.build((None, None, None, 3))
        layer(np.zeros((1, 4, 9, 3), "float32"))


# ------------------------------------------------------------------------------------------------------- normalisations
NORMALIZATIONS = {
    "batch": (lambda **k: layers.BatchNormalization(epsilon=1e-3, **k), dict(axes=(0, 1, 2)), (4, 3, 4, 5)),
    "batch of features": (lambda **k: layers.BatchNormalization(epsilon=1e-3, **k), dict(axes=(0,)), (8, 5)),
    "batch of sequences": (lambda **k: layers.BatchNormalization(epsilon=1e-5, **k), dict(axes=(0, 1)), (4, 6, 5)),
    "layer": (lambda **k: layers.LayerNormalization(epsilon=1e-3, **k), dict(axes=(3,)), (2, 3, 4, 6)),
    "layer over all": (
        lambda **k: layers.LayerNormalization((1, 2, 3), epsilon=1e-3, **k), dict(axes=(1, 2, 3)), (3, 3, 2, 4)),
    "layer over rows": (
        lambda **k: layers.LayerNormalization((1, 3), epsilon=1e-3, **k), dict(axes=(1, 3)), (2, 3, 4, 3)),
    "layer of features": (lambda **k: layers.LayerNormalization(epsilon=1e-3, **k), dict(axes=(1,)), (5, 8)),
    "group": (lambda **k: layers.GroupNormalization(2, epsilon=1e-3, **k), dict(axes=None, groups=2), (2, 3, 4, 6)),
    "one group": (lambda **k: layers.GroupNormalization(1, epsilon=1e-3, **k), dict(axes=None, groups=1), (2, 3, 3, 4)),
    "instance": (lambda **k: layers.GroupNormalization(-1, epsilon=1e-3, **k), dict(axes=None, groups=4), (2, 3, 4, 4)),
}  # fmt: skip


def normalization_case(name, policy="float32", shift=0.5):
    make, reference, shape = NORMALIZATIONS[name]
    rng = np.random.default_rng(0)
    layer = make(dtype=policy, name="layer")
    x = random(rng, shape, policy, 1.0, shift)
    layer.build(x.shape)
    parameters = layer.gamma.shape
    gamma, beta = random(rng, parameters, policy, 0.3, 1.0), random(rng, parameters, policy, 0.3)
    layer.gamma.assign(gamma), layer.beta.assign(beta)
    c, q = random(rng, shape, policy), random(rng, shape, policy)
    broadcast = lambda v: v  # noqa: E731
    if name == "layer over rows":
        broadcast = lambda v: v.reshape(1, 3, 1, 3)  # noqa: E731
    expected = normalization_reference(x, broadcast(gamma), broadcast(beta), c, q, epsilon=layer.epsilon, **reference)
    expected.first[1:] = [v.reshape(parameters) for v in expected.first[1:]]
    expected.second[1:] = [v.reshape(parameters) for v in expected.second[1:]]
    return layer, x, c, q, expected


def training(layer):
    return {"training": True} if isinstance(layer, layers.BatchNormalization) else {}


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_k38_normalisation_value_first_and_second_derivative(name, policy):
    layer, x, c, q, expected = normalization_case(name, policy)
    assert_close(derivatives(layer, x, c, q, **training(layer)), expected, TOLERANCE[policy])


@pytest.mark.parametrize("name", ["batch", "layer over all", "group"])
def test_k38_normalisation_far_from_zero(name):
    """A variance as E[x^2] - E[x]^2 in float32 is off by 1 % here."""
    layer, x, c, q, expected = normalization_case(name, shift=300.0)
    assert_close(derivatives(layer, x, c, q, **training(layer)), expected, 1e-3)


@pytest.mark.parametrize("axis", [1, 2])
def test_k38_normalisation_along_another_axis(axis):
    for name in ("batch", "group"):
        layer, x, c, q, _ = normalization_case(name)
        moved = type(layer).from_config({**layer.get_config(), "axis": axis})
        swap = lambda a: np.swapaxes(a, axis, -1)  # noqa: E731
        moved.build(swap(x).shape)
        # Swapping the axis with the last one reorders only axes over which both layers reduce alike.
        moved.set_weights(layer.get_weights())
        a = derivatives(layer, x, c, q, **training(layer))
        b = derivatives(moved, swap(x), swap(c), swap(q), **training(layer))
        b.y, b.first[0], b.second[0] = swap(b.y), swap(b.first[0]), swap(b.second[0])
        assert_close(b, a, 2e-5)


def test_the_normalisation_reference_agrees_with_finite_differences():
    layer, x, c, q, expected = normalization_case("batch of features")
    gamma, beta = (np.array(ops.convert_to_numpy(v), "float64") for v in (layer.gamma, layer.beta))

    def value(x):
        normal = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3)
        return (c * (gamma * normal + beta) ** 2).sum() / 2

    np.testing.assert_allclose(expected.first[0], finite_differences(value, x), rtol=1e-5, atol=1e-7)
    # The gradient that a penalty squares is by finite differences too, and so is the penalty's: loose, but independent.
    penalty = lambda x: (q * finite_differences(value, x, 1e-4) ** 2).sum() / 2  # noqa: E731
    np.testing.assert_allclose(expected.second[0], finite_differences(penalty, x, 1e-3), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("scale,center", [(False, True), (True, False), (False, False)])
@pytest.mark.parametrize("name", ["BatchNormalization", "LayerNormalization", "GroupNormalization"])
def test_k38_normalisation_without_gamma_or_beta_gives_keras_own_result(name, scale, center):
    x = np.random.default_rng(0).normal(size=(4, 5, 3, 32)).astype("float32")
    ours, theirs = (getattr(m, name)(scale=scale, center=center) for m in (layers, keras.layers))
    kwargs = training(ours)
    np.testing.assert_allclose(
        ops.convert_to_numpy(ours(x, **kwargs)), ops.convert_to_numpy(theirs(x, **kwargs)), atol=1e-5
    )
    assert [(v.name, v.shape) for v in ours.weights] == [(v.name, v.shape) for v in theirs.weights]


@pytest.mark.parametrize("shape", [(6, 5, 4, 3), (16, 3), (1, 1, 1, 3), (5, 4, 3)])
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_k38_moving_statistics_equal_keras_own(shape, policy):
    rng = np.random.default_rng(0)
    arguments = dict(momentum=0.8, epsilon=1e-5, dtype=policy)
    ours, theirs = layers.BatchNormalization(**arguments), keras.layers.BatchNormalization(**arguments)
    for _ in range(4):
        x = (3 * rng.normal(size=shape) + 2).astype("float32")
        a, b = ours(x, training=True), theirs(x, training=True)
    # With a variance of 0, torch's x * scale + offset rounds at the size of x / sqrt(epsilon).
    tolerance = (1e-4 if x.size == x.shape[-1] else 1e-5) if policy == "float32" else 2e-2
    np.testing.assert_allclose(_numpy(a), _numpy(b), atol=tolerance, rtol=tolerance)
    assert [v.name for v in ours.weights] == [v.name for v in theirs.weights]
    for ours_value, theirs_value in zip(ours.get_weights(), theirs.get_weights()):
        np.testing.assert_allclose(ours_value, theirs_value, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(_numpy(ours(x)), _numpy(theirs(x)), atol=tolerance, rtol=tolerance)


def test_k38_a_frozen_layer_infers():
    x = np.random.default_rng(0).normal(size=(4, 3, 3, 2)).astype("float32") + 5
    layer = layers.BatchNormalization()
    layer(x, training=True)
    before = layer.get_weights()
    layer.trainable = False
    y = _numpy(layer(x, training=True))
    np.testing.assert_array_equal(before[2], layer.get_weights()[2])
    np.testing.assert_allclose(y, (x - before[2]) / np.sqrt(before[3] + 1e-3), rtol=1e-4)


def test_k38_a_mask_gives_keras_own_result():
    x = np.random.default_rng(0).normal(size=(4, 6, 3)).astype("float32")
    mask = np.arange(6)[None] < np.array([[6], [3], [1], [4]])
    ours, theirs = layers.BatchNormalization(), keras.layers.BatchNormalization()
    a, b = ours(x, training=True, mask=ops.convert_to_tensor(mask)), theirs(x, training=True, mask=mask)
    np.testing.assert_allclose(_numpy(a), _numpy(b), atol=1e-5)
    for ours_value, theirs_value in zip(ours.get_weights(), theirs.get_weights()):
        np.testing.assert_allclose(ours_value, theirs_value, atol=1e-6)


def test_k38_renorm_keeps_the_second_derivative():
    """Where nothing is clipped away, its output in the first step is a plain normalisation's times a constant."""
    layer, x, c, q, expected = normalization_case("batch")
    weights = layer.get_weights()
    limits = dict(rmin=1.0, rmax=1.0, dmax=0.0)
    renorm = layers.BatchNormalization(renorm=True, renorm_clipping=limits, epsilon=1e-3)
    renorm.build(x.shape)
    renorm.gamma.assign(weights[0]), renorm.beta.assign(weights[1])
    assert_close(derivatives(renorm, x, c, q, training=True), expected, 2e-5)


def test_k38_state_is_written_through_a_stateless_scope():
    x = np.random.default_rng(0).normal(size=(4, 3, 3, 2)).astype("float32")
    layer = layers.BatchNormalization()
    layer.build(x.shape)
    before = layer.get_weights()
    mapping = [(v, ops.convert_to_tensor(v)) for v in layer.variables]
    with keras.StatelessScope(state_mapping=mapping) as scope:
        layer(x, training=True)
    np.testing.assert_array_equal(before[2], layer.get_weights()[2])
    moved = _numpy(scope.get_current_value(layer.moving_mean))
    np.testing.assert_allclose(moved, 0.01 * x.mean((0, 1, 2)), rtol=1e-4)


@pytest.mark.parametrize("mode", ["graph", "xla"])
def test_k38_k02_compiled_with_an_unknown_batch_size(mode):
    """In a tf.function with a dynamic batch, also compiled by XLA; under jit on JAX; eager on torch."""
    for name in ("batch", "batch of features", "layer over all", "group"):
        layer, x, c, q, expected = normalization_case(name)
        assert_close(derivatives(layer, x, c, q, compile=mode, **training(layer)), expected, 2e-5)
    for case in (("Conv2D", (7, 10), 4, 2, "same"), ("Conv2DTranspose", (3, 4), 3, 2, "same")):
        layer, x, c, q, expected = convolution_case(*case)
        assert_close(derivatives(layer, x, c, q, compile=mode), expected, 2e-5)


# --------------------------------------------------------------------------------------------------- networks and files
def small_network():
    return keras.Sequential([
        keras.Input((9, 12, 3)),
        layers.Conv2D(8, 4, 2, "same", name="conv", use_bias=False),
        layers.BatchNormalization(name="batch", momentum=0.9),
        keras.layers.LeakyReLU(0.2),
        layers.Conv2DTranspose(6, 4, 2, "same", name="up", activation="tanh"),
        layers.LayerNormalization(name="layer", axis=(1, 2, 3)),
        layers.GroupNormalization(-1, name="instance"),
        layers.SpectralNormalization(layers.Conv2D(4, 3, name="head"), name="normal", power_iterations=2),
        layers.SpectralNormalization(layers.Conv2DTranspose(4, 3, name="tail")),
        layers.SpectralNormalization(keras.layers.Dense(2, name="dense")),
    ])  # fmt: skip


def test_k22_save_and_load_keep_classes_names_and_results(tmp_path):
    x = np.random.default_rng(0).normal(size=(2, 9, 12, 3)).astype("float32")
    network = small_network()
    network(x, training=True)
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    np.testing.assert_allclose(_numpy(loaded(x)), _numpy(network(x)), atol=1e-6)
    assert [type(a) for a in loaded.layers] == [type(a) for a in network.layers]
    layer_and_name = [v.path.split("/")[-2:] for v in network.variables]  # Keras puts the model's name before, or not
    assert [v.path.split("/")[-2:] for v in loaded.variables] == layer_and_name
    again = keras.Sequential.from_config(network.get_config())
    assert again.get_config() == network.get_config()


def test_k40_a_network_in_bfloat16_keeps_float32_state():
    policy = keras.mixed_precision.dtype_policy()
    try:
        keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
        network = small_network()
    finally:
        keras.mixed_precision.set_dtype_policy(policy)
    y = network(np.ones((2, 9, 12, 3), "float32"), training=True)
    assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
    assert {v.dtype for v in network.variables} == {"float32"}


def _numpy(x):
    return ops.convert_to_numpy(ops.cast(x, "float32"))


def test_assert_close_can_fail():
    one = Derivatives(np.ones(3), [np.ones(3)], [np.ones(3)])
    with pytest.raises(AssertionError):
        assert_close(Derivatives(np.ones(3), [np.ones(3)], [np.array([1, 1, 1.001])]), one, 1e-4)
