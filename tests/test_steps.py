"""What makes a step fast changes nothing: averages, Adam in pieces, settled kernels, layers called directly."""

from __future__ import annotations

import gc
import weakref

import keras
import numpy as np
import pytest
from keras import layers, ops

import ganzoo
from ganzoo.engine import backend
from ganzoo.layers import Conv2D, Conv2DTranspose, SpectralNormalization

BACKEND = keras.config.backend()
on_torch = pytest.mark.skipif(BACKEND != "torch", reason="about PyTorch's own routes")
KERNEL, LARGE = (4, 4, 3, 5), (4, 4, 96, 128)  # the second of more numbers than a piece


def variables(shapes, seed: int = 0) -> list[keras.Variable]:
    rng = np.random.default_rng(seed)
    return [keras.Variable(rng.standard_normal(shape, "float32")) for shape in shapes]


def values(found) -> list[np.ndarray]:
    return [ops.convert_to_numpy(variable) for variable in found]


def test_average_is_what_it_says():
    means, news = variables([LARGE, (3,), ()]), variables([LARGE, (3,), ()], seed=1)
    keep = np.float32(0.9)
    expected = [new + keep * (mean - new) for mean, new in zip(values(means), values(news))]
    with backend.no_gradient():
        backend.average(means, news, ops.convert_to_tensor(keep))
    for mean, right in zip(values(means), expected):
        np.testing.assert_allclose(mean, right, atol=1e-6)


def test_an_optimizer_that_is_prepared_keeps_its_settings():
    for optimizer in (
        keras.optimizers.Adam(3e-4, beta_1=0.5),
        keras.optimizers.RMSprop(),
        keras.optimizers.Adam(amsgrad=True),
    ):
        before = optimizer.get_config()
        assert backend.prepared(optimizer) is optimizer and optimizer.get_config() == before


def turned(array: np.ndarray):
    """A tensor with the numbers of an array, in the order in which torch's convolutions give gradients of kernels."""
    import torch

    return torch.from_numpy(np.moveaxis(array, -1, 0).copy()).movedim(0, -1)


@on_torch
@pytest.mark.parametrize("settings", [{}, {"weight_decay": 0.1}, {"clipnorm": 0.1}, {"learning_rate": "schedule"}])
def test_adam_in_pieces_is_keras_adam_to_the_last_bit(settings):
    import torch

    from ganzoo.engine.backend.kernels import settle

    if "learning_rate" in settings:
        settings = {"learning_rate": keras.optimizers.schedules.ExponentialDecay(1e-3, 2, 0.5)}
    shapes = [KERNEL, LARGE, (700, 300), (7,)]
    rng = np.random.default_rng(1)
    gradients = [[rng.standard_normal(shape, "float32") for shape in shapes] for _ in range(3)]
    results = []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # several share the numbers out at places of their own, where vectors end
    try:
        for ours in (False, True):
            optimizer, weights = keras.optimizers.Adam(beta_1=0.5, **settings), variables(shapes)
            if ours:
                optimizer = backend.prepared(optimizer)
                settle(weights[1])
            optimizer.build(weights)
            for step in gradients:
                given = [turned(g) if g.ndim == 4 else torch.from_numpy(g) for g in step]
                with torch.no_grad():
                    optimizer.apply([_as_its(v, g) for v, g in zip(weights, given)] if ours else given, weights)
            results.append(values(weights) + values(optimizer.variables[2:]))
    finally:
        torch.set_num_threads(threads)
    for expected, got in zip(*results):
        np.testing.assert_array_equal(got, expected)


def _as_its(variable, gradient):
    from ganzoo.engine.backend.torch_updates import as_weight

    return as_weight(gradient, variable.value)


@on_torch
def test_gradients_lie_like_their_weights():
    x = np.random.default_rng(0).standard_normal((2, 8, 8, 64)).astype("float32")
    settled = Conv2D(96, 4, 2, "same", name="settled")
    plain = SpectralNormalization(Conv2D(96, 4, 2, "same", name="plain"))
    for layer in (settled, plain):
        layer.build(x.shape)
        kernel = (layer if layer is settled else layer.layer).kernel
        _, (gradient,), _ = backend.value_and_grad(lambda: ops.sum(layer(x) ** 2), [kernel])  # noqa: B023
        assert gradient.stride() == kernel.value.stride()
        assert kernel.value.is_contiguous() == (layer is plain)


@on_torch
@pytest.mark.parametrize("kind", [Conv2D, Conv2DTranspose])
def test_a_settled_kernel_has_its_shape_and_numbers_and_needs_no_copy(kind):
    from ganzoo.engine.backend.kernels.torch import filters

    layer = kind(5, 4, 2, "same", name="layer")
    layer.build((None, 8, 8, 3))
    kernel = layer.kernel.value
    assert tuple(kernel.shape) == ((4, 4, 3, 5) if kind is Conv2D else (4, 4, 5, 3)) and not kernel.is_contiguous()
    assert filters(kernel).data_ptr() == kernel.data_ptr()
    numbers = np.arange(240, dtype="float32").reshape(kernel.shape)
    layer.kernel.assign(numbers)
    np.testing.assert_array_equal(ops.convert_to_numpy(layer.kernel), numbers)


def network_of_many_layers(dtype: str, extra=None) -> keras.Model:
    """Layers that are called directly, such that are not, two inputs and two outputs."""
    with ganzoo.networks.making.policy(keras.DTypePolicy(dtype)):
        image, label = keras.Input((8, 8, 2), name="image"), keras.Input((), dtype="int32", name="label")
        x = Conv2D(4, 4, 2, "same", name="conv")(image)
        x = ganzoo.layers.BatchNormalization(name="norm")(x)
        x = layers.LeakyReLU(0.2, name="relu")(x)
        x = layers.ZeroPadding2D(1, name="pad")(x)
        x = SpectralNormalization(Conv2D(4, 3, name="sn_conv"), name="sn")(x)
        x = ganzoo.layers.GroupNormalization(groups=-1, name="instance")(x)
        x = extra(x) if extra else x
        y = layers.Embedding(3, 16, name="embedding")(label)
        x = layers.Concatenate(name="together")([x, layers.Reshape((4, 4, 1), name="plane")(y)])
        x = x * 2.0
        flat = layers.Dense(2, name="dense")(layers.Flatten(name="flatten")(x))
        return keras.Model(
            [image, label], {"flat": layers.Activation("tanh", dtype="float32", name="tanh")(flat), "map": x}
        )


def inputs() -> list:
    image = np.random.default_rng(0).standard_normal((4, 8, 8, 2)).astype("float32")
    return [ops.convert_to_tensor(image), ops.convert_to_tensor(np.array([0, 1, 2, 0], "int32"))]


@on_torch
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("training", [True, False])
def test_layers_called_directly_give_the_same_results_and_states(dtype, training):
    from ganzoo.engine.backend.torch_networks import direct_calls

    network = network_of_many_layers(dtype)
    start = network.get_weights()
    expected = network(inputs(), training=training)
    states = network.get_weights()
    network.set_weights(start)
    with direct_calls([network]):
        assert "call" in vars(network)
        got = network(inputs(), training=training)
    assert "call" not in vars(network)
    for name in expected:
        assert got[name].dtype == expected[name].dtype
        np.testing.assert_array_equal(*(ops.convert_to_numpy(ops.cast(x[name], "float32")) for x in (got, expected)))
    for one, other in zip(network.get_weights(), states):
        np.testing.assert_array_equal(one, other)


@on_torch
def test_hooks_masks_and_errors_are_seen_within_direct_calls():
    from ganzoo.engine.backend.torch_networks import direct_calls

    network, seen = network_of_many_layers("float32"), []
    network.get_layer("conv").register_forward_hook(lambda module, args, output: seen.append(tuple(output.shape)))
    with direct_calls([network]):
        network(inputs(), training=True)
    assert seen == [(4, 4, 4, 4)]
    masked = keras.Sequential([keras.Input((3,)), layers.Embedding(4, 2, mask_zero=True)])._functional
    with direct_calls([masked]):
        assert "call" not in vars(masked)
    with pytest.raises(RuntimeError, match="on purpose"), direct_calls([network]):
        raise RuntimeError("on purpose")
    assert "call" not in vars(network)


@on_torch
@pytest.mark.parametrize("name", ["DCGAN", "WGANGP", "VanillaGAN", "CGAN", "Pix2Pix"])
def test_a_step_with_direct_calls_is_the_step_without(name, monkeypatch):
    import contextlib

    import ganzoo.engine.backend.torch as module

    results = []
    for direct in (True, False):
        if not direct:
            monkeypatch.setattr(module, "direct_calls", lambda networks: contextlib.nullcontext())
        keras.utils.set_random_seed(1)
        kind = getattr(ganzoo, name)
        model = kind(**kind.tiny, seed=3)
        model.compile()
        data = {part: model.data[part].examples(8, 0) for part in model.data}
        data = next(iter(data.values())) if len(data) == 1 else tuple(data.values())
        model.fit(*(data if isinstance(data, tuple) else (data,)), batch_size=1, steps_per_epoch=2, verbose=0)
        results.append([ops.convert_to_numpy(v) for v in model.variables])
    for one, other in zip(*results):
        np.testing.assert_array_equal(one, other)


def test_a_model_that_was_trained_is_forgotten_with_its_data():
    model = ganzoo.DCGAN(**ganzoo.DCGAN.tiny, seed=3)
    data = model.data["images"].examples(16)
    model.fit(data, batch_size=8, validation_data=data, verbose=0)
    model.evaluate(data, batch_size=8, verbose=0)
    kept = weakref.ref(model), weakref.ref(data)
    del model, data
    gc.collect()
    assert [reference() is None for reference in kept] == [True, True]
