"""How a model's weights are stored in a file and read from one."""

from __future__ import annotations

import errno
import json
import os
import pickle
import types
from pathlib import Path

import numpy as np
import pytest

from ganzoo.zoo import weights as gz
from ganzoo.zoo.weights import WeightsError, load_weights, save_weights


def small(kind: str = "functional", seed: int = 0, **names: str):
    """A small network with distinct weights, one of each kind of variable."""
    import keras
    from keras import layers

    stack = [
        layers.Dense(8, name=names.get("first", "dense")),
        layers.Reshape((2, 2, 2), name="reshape"),
        layers.BatchNormalization(name="norm"),
        layers.Dropout(0.5, seed=1, name="dropout"),
        layers.SpectralNormalization(layers.Conv2D(3, 2, padding="same", name="conv"), name="spectral"),
    ]
    if kind == "functional":
        x = inputs = keras.Input((4,))
        for layer in stack:
            x = layer(x)
        network = keras.Model(inputs, x, name=names.get("name"))
    else:
        network = keras.Sequential([keras.Input((4,)), *stack], name=names.get("name"))
    return fill(network, seed)


def fill(network, seed: int):
    rng = np.random.default_rng(seed)
    for variable in network.weights:
        variable.assign(rng.normal(size=variable.shape).astype("float32"))
    return network


def toy(seed: int = 0, kind: str = "functional"):
    """What `save_weights` needs of a GAN."""
    networks = {"generator": small(kind, seed), "discriminator": small(kind, seed + 1)}
    return types.SimpleNamespace(networks=networks, moving_averages={"generator": small(kind, seed + 2)})


def values(network) -> list[np.ndarray]:
    import keras

    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in network.weights]


def read(path: Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(path)


KEYS = {
    *("dense/kernel", "dense/bias", "norm/gamma", "norm/beta", "norm/moving_mean", "norm/moving_variance"),
    *("spectral/conv/kernel", "spectral/conv/bias", "spectral/vector_u"),
}


@pytest.mark.parametrize("kind", ["functional", "sequential"])
def test_the_file_holds_weights_by_network_and_layer_names(tmp_path, kind):
    model = toy(kind=kind)
    save_weights(model, tmp_path / "x.safetensors", half=False)
    stored = read(tmp_path / "x.safetensors")
    assert stored.keys() == {f"{network}/{key}" for network in ("generator", "discriminator") for key in KEYS}
    for key, position in (("dense/kernel", 0), ("dense/bias", 1), ("norm/gamma", 2)):
        np.testing.assert_array_equal(stored[f"generator/{key}"], values(model.moving_averages["generator"])[position])
        np.testing.assert_array_equal(stored[f"discriminator/{key}"], values(model.networks["discriminator"])[position])


@pytest.mark.parametrize("half", [False, True])
def test_a_loaded_model_has_the_stored_weights_in_both_generators(tmp_path, half):
    model, other = toy(0), toy(10)
    save_weights(model, tmp_path / "x.safetensors", half=half)
    load_weights(other, tmp_path / "x.safetensors")
    targets = [
        (model.moving_averages["generator"], other.moving_averages["generator"]),
        (model.moving_averages["generator"], other.networks["generator"]),
        (model.networks["discriminator"], other.networks["discriminator"]),
    ]
    for source, target in targets:
        for before, after in zip(values(source), values(target), strict=True):
            rounded = before.astype("float16").astype("float32") if half and before.ndim >= 2 else before
            np.testing.assert_array_equal(after, rounded)
            assert after.dtype == "float32"


def test_half_precision_is_for_kernels_that_it_can_hold(tmp_path):
    model = toy()
    model.moving_averages["generator"].layers[-1].weights[0].assign(np.full((2, 2, 2, 3), 1e6, "float32"))
    save_weights(model, tmp_path / "x.safetensors")
    kinds = {key: value.dtype for key, value in read(tmp_path / "x.safetensors").items()}
    assert kinds["generator/dense/kernel"] == "float16" and kinds["generator/dense/bias"] == "float32"
    assert kinds["generator/norm/moving_variance"] == "float32"
    assert kinds["generator/spectral/conv/kernel"] == "float32"  # 1e6 would be infinite
    assert kinds["discriminator/spectral/conv/kernel"] == "float16"


def test_the_same_weights_give_the_same_bytes(tmp_path):
    for number in range(6):
        save_weights(toy(), tmp_path / str(number))
    assert len({(tmp_path / str(number)).read_bytes() for number in range(6)}) == 1
    header = (tmp_path / "0").read_bytes()
    about = json.loads(header[8 : 8 + int.from_bytes(header[:8], "little")])["__metadata__"]
    assert json.loads(about["ganzoo"]) == {"format": 1, "model": "SimpleNamespace"}


def test_other_dtypes_and_shapes_survive(tmp_path):
    import keras

    class Odd(keras.layers.Layer):
        def build(self, shape):
            self.count = self.add_weight(name="count", shape=(), dtype="int32", initializer="zeros", trainable=False)
            self.scale = self.add_weight(name="scale", shape=(), initializer="ones")
            self.low = self.add_weight(name="low", shape=(2, 2), dtype="bfloat16", initializer="zeros")

        def call(self, x):
            return x

    def model(fill: float):
        network = keras.Sequential([keras.Input((4,)), Odd(name="odd")])
        for variable in network.weights:
            variable.assign(np.full(variable.shape, fill, "float32"))
        return types.SimpleNamespace(networks={"generator": network}, moving_averages={})

    save_weights(model(3.0), tmp_path / "x")
    assert {key: (value.dtype, value.shape) for key, value in read(tmp_path / "x").items()} == {
        "generator/odd/count": (np.int32, ()),
        "generator/odd/scale": (np.float32, ()),
        "generator/odd/low": (np.float16, (2, 2)),
    }
    other = model(5.0)
    load_weights(other, tmp_path / "x")
    assert all((value.astype("float32") == 3).all() for value in values(other.networks["generator"]))


def keys(network) -> list[str]:
    return list(gz._variables(types.SimpleNamespace(networks={"g": network}, moving_averages={})))


@pytest.mark.parametrize("kind", ["functional", "sequential"])
def test_keys_depend_on_the_names_of_layers_alone(kind, tmp_path):
    import keras

    class Outer(keras.Model):
        def build(self, shape=None):  # here Keras puts "outer/" or "outer_1/" before the paths
            self.network = small(kind)

        def call(self, x):
            return self.network(x)

    outer = Outer()
    outer(np.zeros((1, 4), "float32"))
    plain = {f"g/{key}" for key in KEYS}
    assert set(keys(small(kind))) == set(keys(small(kind, name="other"))) == set(keys(outer.network)) == plain
    network = small(kind)
    network.save(tmp_path / "x.keras")
    for copy in (keras.saving.load_model(tmp_path / "x.keras"), keras.models.clone_model(network)):
        assert set(keys(copy)) == plain  # although variable.path lacks names of wrappers now, or has other ones


def nested():
    """Two blocks with the same layer names inside, and a subclassed model with a variable of its own."""
    import keras

    class Last(keras.Model):
        def __init__(self):
            super().__init__(name="last")
            self.out = keras.layers.Dense(2, name="out")

        def build(self, shape):
            self.out.build(shape)
            self.gain = self.add_weight(name="gain", shape=(1,))

        def call(self, x):
            return self.out(x) * self.gain

    x = inputs = keras.Input((3,))
    shared = keras.layers.Dense(3, name="shared")
    for name in ("block1", "block2"):
        y = keras.Input((3,))
        x = keras.Model(y, shared(keras.layers.Dense(3, name="dense")(y)), name=name)(x)
    return fill(keras.Model(inputs, Last()(x)), 0)


def test_nested_models_shared_layers_and_variables_of_a_model(tmp_path):
    network, kernel_bias = nested(), ("kernel", "bias")
    places = ("block1/dense", "block1/shared", "block2/dense", "last/out")
    assert sorted(keys(network)) == sorted([f"g/{a}/{b}" for a in places for b in kernel_bias] + ["g/last/gain"])
    assert len(keys(network)) == len(network.weights)
    other = nested()
    for variable in other.weights:
        variable.assign(np.zeros(variable.shape, "float32"))
    source, target = (types.SimpleNamespace(networks={"g": net}, moving_averages={}) for net in (network, other))
    save_weights(source, tmp_path / "x", half=False)
    load_weights(target, tmp_path / "x")
    for before, after in zip(values(network), values(other), strict=True):
        np.testing.assert_array_equal(before, after)


def test_layers_with_the_same_path_are_refused(tmp_path):
    import keras

    class Twice(keras.Model):
        def __init__(self):
            super().__init__()
            self.one, self.two = keras.layers.Dense(3, name="dense"), keras.layers.Dense(3, name="dense")

        def call(self, x):
            return self.two(self.one(x))

    network = Twice()
    network(np.zeros((1, 3), "float32"))
    with pytest.raises(WeightsError, match=r"same path.*names that differ.*key='g/dense/kernel'"):
        save_weights(types.SimpleNamespace(networks={"g": network}, moving_averages={}), tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_networks_that_cannot_be_stored_are_refused(tmp_path):
    import keras

    unbuilt = types.SimpleNamespace(
        networks={"generator": keras.Sequential([keras.layers.Dense(2)])}, moving_averages={}
    )
    with pytest.raises(WeightsError, match="has no weights yet"):
        save_weights(unbuilt, tmp_path / "x")
    diverged = toy()
    diverged.networks["discriminator"].weights[0].assign(np.full((4, 8), np.nan, "float32"))
    with pytest.raises(WeightsError, match=r"not finite.*key='discriminator/dense/kernel'"):
        save_weights(diverged, tmp_path / "x")
    unlike = toy()
    unlike.moving_averages["generator"] = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    with pytest.raises(WeightsError, match="another architecture"):
        save_weights(unlike, tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_save_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    (tmp_path / "x.safetensors").write_bytes(b"old")

    def fail(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
            patch.setattr(os, name, fail)
            save_weights(toy(), tmp_path / "x.safetensors")
        assert [path.name for path in tmp_path.iterdir()] == ["x.safetensors"]
        assert (tmp_path / "x.safetensors").read_bytes() == b"old"


def rewrite(path: Path, change) -> Path:
    from safetensors.numpy import save_file

    tensors = read(path)
    change(tensors)
    save_file(tensors, path)
    return path


def rename(tensors):
    tensors["generator/dense_1/kernel"] = tensors.pop("generator/dense/kernel")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (rename, "missing: generator/dense/kernel (the file has generator/dense_1/kernel)"),
        (rename, "unexpected: generator/dense_1/kernel (the model has generator/dense/kernel)"),
        (lambda t: t.pop("discriminator/norm/gamma"), "missing: discriminator/norm/gamma"),
        (lambda t: t.update(new=np.zeros(1)), "unexpected: new"),
        (
            lambda t: t.update({"generator/dense/kernel": np.zeros((8, 4), "float32")}),
            "shape: generator/dense/kernel is (8, 4) in the file, (4, 8) in the model",
        ),
        (
            lambda t: t.update({"generator/norm/beta": np.array([0, np.nan], "float32")}),
            "not finite, or out of the range of float32: generator/norm/beta",
        ),
        (
            lambda t: t.update({"generator/dense/kernel": np.full((4, 8), np.inf, "float16")}),
            "not finite, or out of the range of float32: generator/dense/kernel",
        ),
        (
            lambda t: t.update({"generator/dense/kernel": np.full((4, 8), 1e300)}),
            "not finite, or out of the range of float32: generator/dense/kernel",
        ),
        (lambda t: t.clear() or t.update(x=np.zeros(1)), "and 7 more"),
    ],
)
def test_a_file_that_does_not_fit_names_what_and_changes_nothing(tmp_path, change, says):
    model = toy(10)
    save_weights(toy(), tmp_path / "x")
    before = [values(network) for network in (*model.networks.values(), *model.moving_averages.values())]
    with pytest.raises(WeightsError) as caught:
        load_weights(model, rewrite(tmp_path / "x", change))
    assert says in str(caught.value) and str(caught.value).endswith(f"Received: path='{tmp_path / 'x'}'")
    after = [values(network) for network in (*model.networks.values(), *model.moving_averages.values())]
    for old, new in zip(before, after, strict=True):
        for one, two in zip(old, new, strict=True):
            np.testing.assert_array_equal(one, two)


def test_weights_that_are_not_finite_are_no_matter_of_options(tmp_path):
    save_weights(toy(), tmp_path / "x")
    damaged = rewrite(tmp_path / "x", lambda t: t.update({"generator/norm/beta": np.array([0, np.nan], "float32")}))
    with pytest.raises(WeightsError, match="had diverged: take the weights of an earlier epoch") as caught:
        load_weights(toy(10), damaged)
    assert "options" not in str(caught.value)


def bfloat16_file() -> bytes:
    header = json.dumps({"generator/dense/kernel": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}).encode()
    return len(header).to_bytes(8, "little") + header + b"\0\0"


class Trap:
    """Pickled, it would leave a file behind when it is read."""

    def __reduce__(self):
        return os.mkdir, ("trapped",)


def test_a_file_that_is_no_safetensors_file_is_refused_and_never_unpickled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = toy()
    save_weights(model, tmp_path / "good")
    good = (tmp_path / "good").read_bytes()
    spoilt = [b"", b"x", good[:100], good[:-1], good + b"x", pickle.dumps(Trap()), b"\xff" * 64, b"<html></html>"]
    for content in [*spoilt, bfloat16_file()]:
        (tmp_path / "bad").write_bytes(content)
        with pytest.raises(WeightsError, match=r"Received: path="):
            load_weights(model, tmp_path / "bad")
    with pytest.raises(WeightsError, match="no such weights file"):
        load_weights(model, tmp_path / "nowhere")
    assert not (tmp_path / "trapped").exists()


def test_a_file_of_a_later_format_is_refused(tmp_path):
    from safetensors.numpy import save_file

    model = toy()
    save_weights(model, tmp_path / "x")
    tensors = read(tmp_path / "x")
    save_file(tensors, tmp_path / "x", {"ganzoo": json.dumps({"format": 2, "model": "X"})})
    with pytest.raises(WeightsError, match="Upgrade ganzoo"):
        load_weights(model, tmp_path / "x")
    for about in ("[]", "{", '{"format": "new"}', '{"format": null}'):
        save_file(tensors, tmp_path / "x", {"ganzoo": about})
        with pytest.raises(WeightsError, match="not a readable"):
            load_weights(model, tmp_path / "x")
    save_file(tensors, tmp_path / "x")  # what another tool wrote, without metadata, serves if it fits
    load_weights(model, tmp_path / "x")


def test_names_that_keras_gave_lead_to_the_advice_to_name_layers(tmp_path):
    import keras

    def unnamed():
        network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
        return types.SimpleNamespace(networks={"generator": network}, moving_averages={})

    save_weights(unnamed(), tmp_path / "x")
    with pytest.raises(WeightsError, match="name its layers explicitly"):
        load_weights(unnamed(), tmp_path / "x")


@pytest.mark.backend_free
def test_what_finds_files_is_found_here_too():
    from ganzoo.zoo import download

    for name in ("WeightsError", "WeightsFile", "cache_dir", "locate", "sha256"):
        assert getattr(gz, name) is getattr(download, name)
