"""`SwitchedDropout` (CORRECTNESS V04, K50): what it drops, when, from which numbers, and what of it is exported."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from ganzoo.engine.backend import input_gradient
from ganzoo.layers import SwitchedDropout

BACKEND = keras.backend.backend()
ONES = np.ones((4, 50, 50, 3), "float32")


def values(x):
    return ops.convert_to_numpy(ops.cast(x, "float32"))


def state(layer):
    return ops.convert_to_numpy(layer.seed_generator.state).tolist()


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("rate", [0.5, 0.002])
def test_v04_a_value_is_zero_with_the_rate_or_scaled(rate, dtype):
    layer = SwitchedDropout(rate, seed=0, dtype=dtype, name="dropout")
    x = np.ones((400_000,), "float32")
    y = layer(x, training=True)
    assert keras.backend.standardize_dtype(y.dtype) == layer.compute_dtype
    y = values(y)
    np.testing.assert_allclose(y[y != 0], 1 / (1 - rate), rtol=1e-6 if dtype == "float32" else 2**-7)
    # Five standard deviations. A coin tossed in bfloat16, in steps of 1/256, would fall twice as often at .002.
    assert abs((y == 0).mean() - rate) < 5 * np.sqrt(rate * (1 - rate) / x.size)


def test_v04_only_what_is_kept_on_drops_in_inference():
    layer = SwitchedDropout(0.5, kept_on=False, name="dropout")
    before = state(layer)
    np.testing.assert_array_equal(values(layer(ONES, training=False)), ONES)
    np.testing.assert_array_equal(values(layer(ONES)), ONES)
    assert state(layer) == before  # nothing was drawn
    assert set(np.unique(values(layer(ONES, training=True)))) == {0, 2}
    layer.kept_on = True
    assert set(np.unique(values(layer(ONES, training=False)))) == {0, 2}
    assert state(layer) != before


def test_a_rate_of_zero_draws_nothing():
    layer = SwitchedDropout(0, name="dropout")
    before = state(layer)
    np.testing.assert_array_equal(values(layer(ONES, training=True)), ONES)
    assert state(layer) == before


def test_k50_masks_can_be_repeated_and_come_from_the_layer_alone():
    keras.utils.set_random_seed(1)
    layer = SwitchedDropout(0.5, name="dropout")  # without a seed
    before = ops.convert_to_numpy(layer.seed_generator.state).copy()
    first, second = values(layer(ONES)), values(layer(ONES))
    assert 0.4 < (first == second).mean() < 0.6  # independent
    keras.utils.set_random_seed(2)
    layer.seed_generator.state.assign(before)
    np.testing.assert_array_equal(values(layer(ONES)), first)


def test_layers_without_a_seed_draw_different_masks():
    keras.utils.set_random_seed(1)
    first, second = (values(SwitchedDropout(0.5, name=name)(ONES)) for name in "ab")
    assert 0.4 < (first == second).mean() < 0.6
    keras.utils.set_random_seed(1)
    np.testing.assert_array_equal(values(SwitchedDropout(0.5, name="c")(ONES)), first)


def test_the_gradient_is_the_mask():
    layer = SwitchedDropout(0.5, seed=3, name="dropout")
    mask = values(SwitchedDropout(0.5, seed=3, name="twin")(ONES))
    gradient = input_gradient(lambda x: 3.0 * layer(x, training=True), ops.convert_to_tensor(ONES))
    np.testing.assert_allclose(values(gradient), 3 * mask)


def test_the_config_has_every_argument():
    layer = SwitchedDropout(0.3, kept_on=False, name="dropout")
    copy = SwitchedDropout.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config() and (copy.rate, copy.kept_on) == (0.3, False)
    np.testing.assert_array_equal(values(copy(ONES, training=True)), values(layer(ONES, training=True)))
    layer.kept_on = True
    assert SwitchedDropout.from_config(layer.get_config()).kept_on
    assert keras.saving.get_registered_object("ganzoo>SwitchedDropout") is SwitchedDropout


def small_network():
    source = keras.Input((50, 50, 3), name="source")
    return keras.Model(source, SwitchedDropout(0.5, seed=1, name="dropout")(source))


def test_k50_predict_draws_anew_until_it_is_switched_off():
    network = small_network()
    network.compile()
    first, second = (network.predict(ONES, verbose=0) for _ in range(2))
    assert 0.4 < (first == second).mean() < 0.6
    network.get_layer("dropout").kept_on = False
    network.compile()
    np.testing.assert_array_equal(network.predict(ONES, verbose=0), ONES)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="files are exported by TensorFlow, whatever the backend")
@pytest.mark.parametrize("kept_on", [False, True])
def test_k50_a_file_exported_with_the_switch_off_draws_nothing(kept_on, tmp_path):
    import tensorflow as tf

    network = small_network()
    network.get_layer("dropout").kept_on = kept_on
    archive = keras.export.ExportArchive()
    archive.track(network)
    signature = [keras.InputSpec(shape=(None, 50, 50, 3), dtype="float32", name="source")]
    archive.add_endpoint("serving_default", lambda source: network(source, training=False), signature)
    archive.write_out(str(tmp_path / "file"), verbose=False)
    function = tf.saved_model.load(str(tmp_path / "file")).signatures["serving_default"]
    graph = function.graph.as_graph_def()
    operations = {node.op for body in graph.library.function for node in body.node_def}
    operations |= {node.op for node in graph.node}
    assert any("Random" in name for name in operations) == kept_on
    first, second = (next(iter(function(source=tf.constant(ONES)).values())).numpy() for _ in range(2))
    if kept_on:
        assert 0.4 < (first == second).mean() < 0.6
    else:
        np.testing.assert_array_equal(first, values(network(ONES, training=False)))


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5, None, True, "half"])
def test_a_rate_that_is_none_is_refused(rate):
    with pytest.raises(ValueError, match=r"\[0, 1\).*Received: rate="):
        SwitchedDropout(rate)
