"""The network of perceptual losses and distances: its shape, its losses in closed form, its weights and card."""

import importlib.util
import json
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

import ganzoo
from ganzoo import losses, metrics
from ganzoo.networks.perceptual import feature_network, features_of
from ganzoo.zoo import perceptual, recipes

ROOT = Path(__file__).resolve().parents[1]
trained = pytest.mark.skipif(
    not (recipes.config_dir() / "perceptual" / "cifar10.safetensors").is_file(),
    reason="zoo_configs/perceptual/cifar10.safetensors is not there yet: scripts/train_perceptual.py makes it",
)


def script():
    spec = importlib.util.spec_from_file_location("train_perceptual", ROOT / "scripts" / "train_perceptual.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def noise(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype("float32")


def pictures(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, "uint8")


def numpy_features(network, images):
    """All ReLUs of a network, computed by loops over a kernel's nine places."""
    x, found = images.astype("float64"), {}
    for layer in network.layers[1:]:
        if layer.name.startswith("conv"):
            kernel, bias = layer.get_weights()
            padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
            height, width = x.shape[1:3]
            x = bias + sum(
                padded[:, i : i + height, j : j + width] @ kernel[i, j].astype("float64")
                for i in range(3)
                for j in range(3)
            )
        elif layer.name.startswith("relu"):
            x = np.maximum(x, 0)
        else:
            height, width = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
            x = (x[:, 0:height:2] + x[:, 1:height:2])[:, :, :width] / 4
            x = x[:, :, 0::2] + x[:, :, 1::2]
        found[layer.name] = x
    return found


@pytest.mark.parametrize("height, width", [(16, 16), (17, 29)])
def test_features_against_numpy_for_any_size(height, width):
    network = feature_network((3, 4, 5))
    images = noise(2, height, width, 3)
    expected = numpy_features(network, images)
    for name, found in zip(
        ["relu1_2", "conv2_1", "relu3_2"], features_of(network, ["relu1_2", "conv2_1", "relu3_2"])(images)
    ):
        np.testing.assert_allclose(ops.convert_to_numpy(found), expected[name], atol=1e-5)
    assert network.output_shape == (None, None, None, 5)


def test_computes_in_float32_whatever_the_policy():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = feature_network((3, 4))
    finally:
        keras.config.set_dtype_policy(before)
    assert {layer.compute_dtype for layer in network.layers[1:]} == {"float32"}
    (found,) = features_of(network, ["relu2_2"])(ops.cast(noise(1, 16, 16, 3), "bfloat16"))
    assert keras.backend.standardize_dtype(found.dtype) == "float32"


def test_grey_images_are_repeated():
    features = features_of(feature_network((3, 4)), ["relu2_2"])
    grey = noise(2, 16, 16, 1)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(features(grey)[0]), ops.convert_to_numpy(features(np.repeat(grey, 3, axis=-1))[0])
    )


def test_loss_in_closed_form_with_weights():
    network = feature_network((3, 4))
    features = features_of(network, ["relu1_2", "relu2_2"])
    real, drawn = noise(2, 16, 16, 3), noise(2, 16, 16, 3, seed=1)
    a, b = numpy_features(network, real), numpy_features(network, drawn)
    errors = [np.mean((a[name] - b[name]) ** 2) for name in ("relu1_2", "relu2_2")]
    assert float(losses.perceptual_loss(features, real, drawn)) == pytest.approx(sum(errors), rel=1e-4)
    weighted = losses.perceptual_loss(features, real, drawn, [0.5, 3.0])
    assert float(weighted) == pytest.approx(0.5 * errors[0] + 3 * errors[1], rel=1e-4)
    assert float(losses.perceptual_loss(features, real, real)) == 0
    with pytest.raises(ValueError, match=r"One weight for each of the 2 layers.*Received: weights=\[1\.0\]"):
        losses.perceptual_loss(features, real, drawn, [1.0])


def test_distance_in_closed_form():
    network = feature_network((3, 4))
    real, drawn = pictures(3, 16, 20, 3), pictures(3, 16, 20, 3, seed=1)
    a, b = (numpy_features(network, x / 127.5 - 1) for x in (real, drawn))
    expected = np.zeros(3)
    for name in ("relu1_2", "relu2_2"):
        x, y = (z[name] / np.sqrt((z[name] ** 2).sum(-1, keepdims=True) + 1e-10) for z in (a, b))
        expected += ((x - y) ** 2).sum(-1).mean((1, 2))
    found = metrics.perceptual_distance(real, drawn, network, ["relu1_2", "relu2_2"])
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    by_function = metrics.perceptual_distance(real, drawn, features_of(network, ["relu1_2", "relu2_2"]))
    np.testing.assert_array_equal(by_function, found)
    np.testing.assert_array_equal(metrics.perceptual_distance(real, real, network, ["relu1_2"]), 0)
    with pytest.raises(ValueError, match="at least 16"):
        metrics.perceptual_distance(real[:, :8], drawn[:, :8], network, ["relu1_2"])
    with pytest.raises(ValueError, match=r"real\.shape=\(3, 16, 20, 3\), drawn\.shape=\(2,"):
        metrics.perceptual_distance(real, drawn[:2], network, ["relu1_2"])


def test_errors_name_what_there_is():
    network = feature_network((3, 4))
    with pytest.raises(ValueError, match=r"no layer of that name\. Did you mean .*relu2_2.*Received: 'rely2_2'"):
        features_of(network, ["rely2_2"])
    with pytest.raises(ValueError, match="a list of names"):
        features_of(network, "relu2_2")
    with pytest.raises(ValueError, match="at least one block"):
        feature_network(())
    with pytest.raises(ValueError, match=r"widths\[1\]"):
        feature_network((4, 0))
    with pytest.raises(
        ValueError, match=r"train_perceptual.py makes one; SRGAN\(perceptual=None\) and IDCGAN.*Received: 'vgg19'"
    ):
        perceptual.network("vgg19")


def test_a_model_neither_trains_nor_saves_it(tmp_path):
    """As an attribute that is a function, its weights are no one's; its gradient by the images is there."""
    see = features_of(feature_network((3, 4)), ["relu2_2"])

    @keras.saving.register_keras_serializable(package="test_perceptual")
    class Seeing(ganzoo.Pix2Pix):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.features = see

        def generator_loss(self, real, fake, training):
            return losses.perceptual_loss(self.features, real["target"], fake["target"])

    model = Seeing(**{**ganzoo.Pix2Pix.tiny, "seed": 0})
    plain = ganzoo.Pix2Pix(**{**ganzoo.Pix2Pix.tiny, "seed": 0})
    assert len(model.variables) == len(plain.variables)
    data = [part.examples(8, seed) for seed, part in enumerate(model.data.values())]
    before = [v.copy() for v in model.generator.get_weights()]
    model.fit(*data, batch_size=4, verbose=0)
    assert any((a != b).any() for a, b in zip(before, model.generator.get_weights()))
    model.save(tmp_path / "model.keras")
    keras.saving.load_model(tmp_path / "model.keras")


def test_frozen_weights_come_back_and_others_are_refused(tmp_path):
    network = feature_network((3, 4))
    frozen = perceptual.freeze(network, tmp_path, "small", trained_on="nothing")
    images = noise(1, 16, 16, 3)
    assert frozen.trainable_variables == []
    np.testing.assert_allclose(frozen.predict(images, verbose=0), network.predict(images, verbose=0), atol=1e-6)
    kernel = frozen.get_layer("conv1_1").get_weights()[0]
    np.testing.assert_array_equal(kernel, kernel.astype("float16"))
    path = tmp_path / "small.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"not those on its card .*restore small\.safetensors.*Received: sha256="):
        perceptual.network("small", tmp_path)
    path.unlink()
    with pytest.raises(
        FileNotFoundError,
        match=r"train_perceptual.*SRGAN\(perceptual=None\) and IDCGAN\(perceptual_weight=0\) do without",
    ):
        perceptual.network("small", tmp_path)


def test_layers_are_scaled_to_mean_square_one_and_say_the_same():
    train = script()
    network = feature_network()
    names = ["relu1_1", "relu2_2", "relu4_2"]
    images = pictures(600, 32, 32, 3)
    see = features_of(network, names)
    before = [ops.convert_to_numpy(x) for x in see(images[:4] / np.float32(127.5) - 1)]
    train.normalise(network, images)
    after = [ops.convert_to_numpy(x) for x in see(images[:4] / np.float32(127.5) - 1)]
    for x, y in zip(before, after):
        ratio = y[x > 1e-3] / x[x > 1e-3]
        np.testing.assert_allclose(ratio, np.median(ratio), rtol=1e-2)
    whole = see(images / np.float32(127.5) - 1)
    for x in whole:
        assert np.mean(ops.convert_to_numpy(x) ** 2) == pytest.approx(1, abs=1e-3)


def test_the_script_makes_what_is_loaded(tmp_path):
    train = script()
    labels = np.arange(256, dtype="int64") % 10
    archive = {"x_train": pictures(256, 32, 32, 3), "y_train": labels, "x_test": pictures(20, 32, 32, 3)}
    np.savez(tmp_path / "cifar.npz", **archive, y_test=labels[:20])
    train.main([str(tmp_path / "cifar.npz"), "--output", str(tmp_path / "out"), "--epochs", "1"])
    network = perceptual.network("cifar10", tmp_path / "out")
    assert network.predict(noise(1, 16, 16, 3), verbose=0).shape == (1, 2, 2, 192)
    assert (tmp_path / "out" / "cifar10.safetensors").stat().st_size <= 2_000_000
    card = json.loads((tmp_path / "out" / "cifar10.card.json").read_text())
    assert card["trained_on"] == "CIFAR-10", "no photograph: those that are judged by it stay unseen"


@trained
def test_the_bundled_network_is_that_of_its_card():
    card = perceptual.card("cifar10")
    path = recipes.config_dir() / "perceptual" / "cifar10.safetensors"
    assert path.stat().st_size == card["bytes"] <= 2_000_000
    last = perceptual.network("cifar10").predict(perceptual.golden_images(), verbose=0)
    np.testing.assert_allclose(last[:, ::2, ::2, ::8].ravel(), card["golden"], atol=2e-3, rtol=1e-3)
    assert card["test_accuracy"] >= 0.8 and card["licence"] == "research use"


@trained
def test_the_bundled_network_sees_what_was_done_to_an_image():
    """A blurred or noisy image is further from its truth than a slightly brighter one of the same squared error."""
    y, x = np.mgrid[:64, :64]
    waves = 127 + 40 * np.sin(x / 2.0) * np.sin(y / 3.0) + 40 * np.sin(x / 9.0 + y / 7.0)
    real = np.clip(waves, 0, 255).astype("uint8")[None, :, :, None].repeat(3, -1)
    blurred = (real.astype("float64") + np.roll(real, 3, 1) + np.roll(real, 3, 2)) / 3
    size = np.sqrt(np.mean((blurred - real) ** 2))
    brighter = np.clip(real.astype("float64") + size, 0, 255)
    noisy = np.clip(real + np.random.default_rng(0).normal(0, size, real.shape), 0, 255)
    near, *far = (
        metrics.perceptual_distance(real, np.rint(other).astype("uint8"))[0] for other in (brighter, blurred, noisy)
    )
    assert min(far) > near
