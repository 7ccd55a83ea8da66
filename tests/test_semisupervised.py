"""The semi-supervised GAN: its losses, weight normalisation, few labels beside many images."""

from __future__ import annotations

import argparse
import json
import sys
import types
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

import ganzoo
from ganzoo.engine.feed import ArrayFeed
from ganzoo.layers import LogSumExp, WeightNormDense


def array(tensor):
    return ops.convert_to_numpy(tensor)


def model(**kwargs):
    return ganzoo.SemiSupervisedGAN((8, 8, 1), 3, 4, 16, seed=0, **kwargs)


def data(num=40, labelled=6):
    images = np.random.default_rng(0).integers(0, 256, (num, 8, 8, 1), "uint8")
    return {"images": images, "labelled": images[:labelled], "labels": np.arange(labelled) % 3}


def test_weight_norm_is_length_times_direction():
    x = np.random.default_rng(0).standard_normal((5, 8)).astype("float32")
    layer = WeightNormDense(3, name="dense")
    first = array(layer(x))
    np.testing.assert_allclose(
        first, x @ array(layer.kernel), rtol=1e-5, atol=1e-6, err_msg="as a plain layer at first"
    )
    layer.length.assign(np.array([1.0, 2.0, 3.0], "float32"))
    kernel = array(layer.kernel)
    unit = kernel / np.linalg.norm(kernel, axis=0)
    np.testing.assert_allclose(array(layer(x)), x @ (unit * [1, 2, 3]), rtol=1e-5, atol=1e-6)
    layer.kernel.assign(5 * kernel)
    np.testing.assert_allclose(array(layer(x)), x @ (unit * [1, 2, 3]), rtol=1e-5, atol=1e-6)


def test_v03_k_logits_are_those_of_k_plus_one_with_the_last_at_zero():
    logits = np.random.default_rng(0).standard_normal((6, 3)).astype("float32")
    every = np.concatenate([logits, np.zeros((6, 1), "float32")], 1)
    real = 1 - np.exp(every[:, 3]) / np.exp(every).sum(1)
    found = 1 / (1 + np.exp(-array(LogSumExp()(logits))[:, 0]))
    np.testing.assert_allclose(found, real, rtol=1e-5)


def test_v03_the_losses_by_their_formulas():
    made = model()
    real = made.as_batch({name: x[:6] for name, x in data(6).items()})
    fake = made.fake(real, False)
    logits, classes, features = (array(x) for x in made.discriminate(real, False))
    fake_logits, _, fake_features = (array(x) for x in made.discriminate(fake, False))
    labels = data(6)["labels"]
    supervised = np.mean(np.log(np.exp(classes).sum(1)) - classes[np.arange(6), labels])
    unsupervised = np.log1p(np.exp(-logits)).mean() + np.log1p(np.exp(fake_logits)).mean()
    expected = supervised + unsupervised / 2
    assert float(array(made.discriminator_loss(real, fake, False))) == pytest.approx(expected, rel=1e-5)
    expected = ((features.mean(0) - fake_features.mean(0)) ** 2).mean()
    assert float(array(made.generator_loss(real, fake, False))) == pytest.approx(expected, rel=1e-4)


def test_v03_features_are_those_before_the_noise():
    network = model().discriminator
    assert network.outputs[2]._keras_history.operation.name == "features"
    before = network.get_layer("features").input._keras_history.operation.name
    assert before == "dense5" and network.get_layer("noise5").input._keras_history.operation.name == "dense5"


def test_v03_the_generator_gets_images_that_the_discriminator_has_not_had():
    made, seen = model(), {}
    made.compile(run_eagerly=True)
    discriminator_loss, generator_loss = made.discriminator_loss, made.generator_loss

    def of_d(real, fake, training):
        seen["d"] = array(real["images"])
        return discriminator_loss(real, fake, training)

    def of_g(real, fake, training):
        seen["g"] = array(real["images"])
        return generator_loss(real, fake, training)

    made.discriminator_loss, made.generator_loss = of_d, of_g
    if keras.config.backend() == "jax":
        pytest.skip("values are not seen while JAX compiles")
    made.fit(data(16), batch_size=8, verbose=0)
    assert not {row.tobytes() for row in seen["d"]} & {row.tobytes() for row in seen["g"]}
    assert made.updates_per_step("discriminator") == 1


def test_the_averaged_classifier_is_asked_and_saved(tmp_path):
    made = model()
    made.fit(data(), batch_size=8, epochs=2, verbose=0)
    found = made.classify(data()["images"])
    assert found.shape == (40, 3) and np.allclose(found.sum(1), 1, atol=1e-5)
    for variable in made.discriminator.weights:  # not the one in training
        variable.assign(variable * 0)
    np.testing.assert_array_equal(found, made.classify(data()["images"]))
    made.save(tmp_path / "x.keras")
    again = keras.saving.load_model(tmp_path / "x.keras")
    np.testing.assert_allclose(found, again.classify(data()["images"]), rtol=1e-5, atol=1e-6)
    assert "accuracy" in made.evaluate(data(8, 8), verbose=0)


@pytest.mark.backend_free
def test_a_group_that_a_step_exhausts_is_taken_several_times():
    parts = {"x": np.arange(20), "few": np.arange(3)}
    feed = ArrayFeed(parts, {"x": "", "few": "few"}, 5, 2, order=lambda: (0, 0))
    feed.on_epoch_begin()
    (batches,) = feed[1]
    few = np.concatenate([batch["few"] for batch in batches])
    assert len(few) == 10 and all(sorted(few[3 * i : 3 * i + 3]) == [0, 1, 2] for i in range(3))
    again = ArrayFeed(parts, {"x": "", "few": "few"}, 5, 2, order=lambda: (0, 0))
    again.on_epoch_begin()
    np.testing.assert_array_equal(few, np.concatenate([batch["few"] for batch in again[1][0]]))
    with pytest.raises(ValueError, match="Not enough images"):
        ArrayFeed({"x": np.arange(3), "few": np.arange(3)}, {"x": "", "few": "few"}, 5, 2)
    with pytest.raises(ValueError, match="Not enough images"):
        ArrayFeed({"x": np.arange(20), "few": np.arange(0)}, {"x": "", "few": "few"}, 5, 2)


def test_few_labels_are_learned_from():
    """Two kinds of pictures that a classifier of four labels has no trouble with, once it has seen the others."""
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, 2, 200)
    images = rng.integers(0, 40, (200, 8, 8, 1)).astype("uint8")
    images[kinds == 1, :, 4:] += 150
    images[kinds == 0, :, :4] += 150
    made = ganzoo.SemiSupervisedGAN((8, 8, 1), 2, 4, 32, seed=0)
    few = np.concatenate([np.flatnonzero(kinds == kind)[:2] for kind in (0, 1)])
    made.fit({"images": images, "labelled": images[few], "labels": kinds[few]}, batch_size=20, epochs=10, verbose=0)
    assert np.mean(made.classify(images).argmax(1) == kinds) > 0.95


FEW = """\
model: semisup
description: tiny
paper: Salimans et al. 2016, arXiv:1606.03498
arguments: {{image_shape: [8, 8, 1], num_classes: 3, latent_dim: 4, width: 16}}
dataset: {{name: {data}, parts: {{labelled: images}}, few: {{per_class: {per_class}, draw: 1}}}}
training: {{epochs: 1, batch_size: 8, seed: 1}}
"""


@pytest.mark.backend_free
def test_a_recipe_says_how_few_labels_there_are(tmp_path):
    from ganzoo.zoo import asked, presets

    images = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 1), "uint8")
    np.savez(tmp_path / "toy.npz", images=images, labels=np.arange(60) % 3)

    def parts(per_class):
        (tmp_path / "few.yaml").write_text(FEW.format(data=tmp_path / "toy.npz", per_class=per_class))
        recipe = presets.read_recipe(tmp_path / "few.yaml")
        return asked.parts_of(recipe, asked.wanted_of(recipe), None, None, None, {})

    found = parts(4)
    assert len(found["images"]) == 60 and np.bincount(found["labels"]).tolist() == [4, 4, 4]
    whole = {image.tobytes(): label for image, label in zip(images, np.arange(60) % 3)}
    assert [whole[image.tobytes()] for image in found["labelled"]] == found["labels"].tolist()
    np.testing.assert_array_equal(found["labelled"], parts(4)["labelled"])
    with pytest.raises(ValueError, match="not 21 examples of the class 0"):
        parts(21)


def test_a_recipe_of_few_labels_trains(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 1), "uint8")
    np.savez(tmp_path / "toy.npz", images=images, labels=np.arange(60) % 3)
    (tmp_path / "few.yaml").write_text(FEW.format(data=tmp_path / "toy.npz", per_class=4))
    made = ganzoo.train(tmp_path / "few.yaml", tmp_path / "run", verbose=0)
    assert made.classify(images).shape == (60, 3)
    assert (tmp_path / "run" / "weights.safetensors").is_file()


def test_the_few_labels_that_no_network_takes_are_no_mistake():
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        model().compile()
    assert [str(each.message) for each in told if issubclass(each.category, UserWarning)] == []


# --- The script


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).resolve().parent.parent / "scripts")
    import semisupervised

    return semisupervised


@pytest.mark.backend_free
def test_the_first_draw_of_a_hundred_labels_is_the_preset(script, tmp_path):
    wanted = argparse.Namespace(runs=tmp_path, held_out=0)
    assert script.recipe_of(10, 0, wanted).name == "semisup-mnist.yaml"
    assert script.recipe_of(10, 1, wanted) == tmp_path / "semisup-100-1.yaml"
    wanted.held_out = 5000
    assert "train[:-5000]" in script.recipe_of(10, 0, wanted).read_text()


@pytest.mark.backend_free
def test_the_script_tells_errors_and_draws_them(script, tmp_path, monkeypatch, capsys):
    labels = np.arange(20) % 10
    knowing = types.SimpleNamespace(classify=lambda images: np.eye(10)[np.where(np.arange(20) < 1, 9, labels)])
    monkeypatch.setattr(ganzoo.data, "load", lambda *args, **kwargs: (np.zeros((20, 28, 28, 1), "uint8"), labels))
    monkeypatch.setattr(ganzoo, "train", lambda *args, **kwargs: knowing)
    monkeypatch.setattr(script, "plain_error", lambda *args: 0.5)
    picture, found = tmp_path / "docs" / "errors.png", tmp_path / "found.json"
    monkeypatch.setattr(sys, "argv", ["x", "--runs", str(tmp_path), "--json", str(found), "--picture", str(picture)])
    script.main()
    assert "100 labels: 0.0500 +- 0.0000 over 5 draws" in capsys.readouterr().out and picture.is_file()
    rows = json.loads(found.read_text())
    assert len(rows) == 8 and rows[-1] == {"labels": 1000, "draw": 0, "error": 0.05, "plain": 0.5}
