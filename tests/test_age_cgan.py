"""Age-cGAN: one-hot classes in its networks, the encoder, the change of age, the recipe, the tables."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image

import ganzoo
from ganzoo.networks.dcgan import dcgan_discriminator, dcgan_generator
from ganzoo.networks.encoder import latent_encoder
from ganzoo.zoo import presets, training

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

import age_cgan

RNG = np.random.default_rng(0)
CLASSES = 3


def tiny(**kwargs):
    keras.utils.set_random_seed(0)
    return ganzoo.AgeCGAN((16, 16, 1), CLASSES, latent_dim=4, width=4, seed=0, **kwargs)


def values(x):
    return ops.convert_to_numpy(x)


# --- Networks


def test_the_generators_class_is_one_hot_beside_the_latents():
    network = dcgan_generator((16, 16, 1), 5, 4, CLASSES, one_hot=True)
    given = [layer for layer in network.layers if layer.name == "latents_and_labels"]
    seen = keras.Model(network.inputs, given[0].output)
    latents, labels = RNG.normal(size=(4, 5)).astype("float32"), np.array([0, 2, 1, 2], "int32")
    expected = np.concatenate([latents, np.eye(CLASSES)[labels]], axis=1)
    np.testing.assert_allclose(values(seen({"latents": latents, "labels": labels})), expected, atol=1e-6)
    assert not any("label_vector" in v.path for v in network.weights)


@pytest.mark.parametrize("normalization", ["batch", "spectral"])
def test_the_discriminators_class_is_planes_beside_the_first_features(normalization):
    network = dcgan_discriminator((16, 20, 1), 4, normalization, num_classes=CLASSES, one_hot=True)
    labels, images = np.array([1, 0], "int32"), RNG.uniform(-1, 1, (2, 16, 20, 1)).astype("float32")
    features, both = (network.get_layer(name).output for name in ("down1_relu", "features_and_labels"))
    features, both = map(values, keras.Model(network.inputs, [features, both])({"images": images, "labels": labels}))
    planes = np.broadcast_to(np.eye(CLASSES)[labels][:, None, None], (2, 8, 10, CLASSES))
    np.testing.assert_allclose(both, np.concatenate([features, planes], axis=-1), atol=1e-6)
    assert network.inputs[0].shape[1:] == (16, 20, 1) and "label_plane" not in [x.name for x in network.layers]


@pytest.mark.backend_free
def test_the_encoder_has_four_convolutions_for_64_and_fits_odd_sizes():
    for shape, convolutions in (((64, 64, 3), 4), ((28, 28, 1), 3), ((20, 64, 1), 4), ((16, 16, 2), 2)):
        network = latent_encoder(shape, 7, 2, 8)
        assert sum(layer.name.startswith("down") and "_" not in layer.name for layer in network.layers) == convolutions
        assert network.output_shape == (None, 7) and network.input_shape == (None, *shape)
    with pytest.raises(ValueError, match="units"):
        latent_encoder((16, 16, 1), 7, 2, 0)


# --- The encoder's training


def test_the_encoder_is_asked_about_the_averaged_generators_images_of_the_batchs_classes():
    model = tiny(ema_decay=0.0)
    model.generator_ema.set_weights([w + 0.3 for w in model.generator_ema.get_weights()])
    asked, told = [], []
    model.encoder_loss = lambda drawn, latents, training: told.append((drawn, latents)) or ops.zeros(())
    model.minimize = lambda loss, player, training: asked.append(player) or loss()
    batch = model.as_batch(RNG.integers(0, 256, (6, 16, 16, 1), "uint8"), np.arange(6) % CLASSES)
    model.update((batch,), training=False)
    assert asked == ["encoder", "discriminator", "generator"]
    ((drawn, latents),) = told
    expected = values(model.generator_ema({"latents": latents, "labels": batch["labels"]}, training=False))
    np.testing.assert_allclose(values(drawn), expected, atol=1e-5)


def test_the_encoders_loss_is_the_mean_square_of_latents():
    model = tiny()
    drawn = RNG.uniform(-1, 1, (5, 16, 16, 1)).astype("float32")
    latents = RNG.normal(size=(5, 4)).astype("float32")
    expected = np.square(latents - model.encode(drawn)).mean()
    drawn, latents = map(ops.convert_to_tensor, (drawn, latents))
    assert float(values(model.encoder_loss(drawn, latents, training=False))) == pytest.approx(expected, rel=1e-4)


def test_the_encoder_moves_alone_and_learns():
    model = tiny()
    model.compile({"encoder": keras.optimizers.Adam(3e-3), "generator": keras.optimizers.SGD(0.0)})
    network = model.generator  # whose images tell its latents
    network.get_layer("project").kernel.assign(20 * network.get_layer("project").kernel)
    model.generator_ema.set_weights(network.get_weights())
    images, labels = RNG.integers(0, 256, (256, 16, 16, 1), "uint8"), np.arange(256) % CLASSES
    before = [values(v) for v in model.generator.trainable_variables]
    first = model.evaluate(images, labels, verbose=0)["encoder_loss"]
    model.fit(images, labels, batch_size=32, epochs=12, verbose=0)
    for old, new in zip(before, model.generator.trainable_variables):
        np.testing.assert_array_equal(old, values(new))
    assert model.evaluate(images, labels, verbose=0)["encoder_loss"] < 0.7 * first


def test_an_encoder_of_ones_own_is_kept(tmp_path):
    images = keras.Input((16, 16, 1), name="images")
    own = keras.Model(images, keras.layers.Dense(4, name="code")(keras.layers.Flatten(name="flat")(images)))
    model = tiny(encoder=own)
    assert model.encoder is own
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    x = RNG.integers(0, 256, (3, 16, 16, 1), "uint8")
    assert model.encode(x).shape == (3, 4)
    np.testing.assert_allclose(loaded.encode(x), model.encode(x), atol=1e-5)
    np.testing.assert_allclose(model.encode(x / np.float32(127.5) - 1), model.encode(x), atol=1e-5)


# --- The change of age


def test_the_age_changes_by_the_latents_that_were_found(monkeypatch):
    model, told = tiny(), {}
    images, labels = RNG.integers(0, 256, (4, 16, 16, 1), "uint8"), np.array([0, 1, 2, 0])
    project = ganzoo.latent.project

    def spy(*args, **kwargs):
        told.update(kwargs, found=project(*args, **kwargs))
        return told["found"]

    monkeypatch.setattr("ganzoo.latent.project", spy)
    aged = model.change_age(images, labels, [1, 1, 0, 2], embed=lambda x: x[:, :4, 0, 0], steps=3)
    np.testing.assert_array_equal(told["begin"], model.encode(images))
    assert told["method"] == "lbfgs" and told["steps"] == 3 and told["labels"] is labels
    np.testing.assert_array_equal(aged, model.generate(latents=told["found"].latents, labels=[1, 1, 0, 2]))
    drawn, given = RNG.normal(size=(2, 3, 16, 16, 1)).astype("float32")
    distance = values(told["distance"](drawn, given))
    np.testing.assert_allclose(distance, np.square(drawn - given)[:, :4, 0, 0].sum(axis=1), rtol=1e-5)
    assert model.change_age(images[:1], 0, 1, steps=1).shape == (1, 16, 16, 1)


# --- The recipe and the tables


@pytest.mark.backend_free
def test_the_recipe_builds_a_model_within_its_bytes():
    recipe = presets.read_recipe("age_cgan-mnist")
    model = training.compiled(recipe, 60_000, "age_cgan-mnist")
    assert set(model.networks) == {"encoder", "discriminator", "generator"}
    weights = sum(np.prod(v.shape) for network in model.networks.values() for v in network.weights)
    assert 2 * weights < 3e6 and model.data["labels"].num_classes == 10
    assert type(model).from_config(model.get_config()).arguments == model.arguments


@pytest.mark.backend_free
def test_columns_have_closed_forms():
    labels = np.array([0, 0, 0, 1, 1])
    given = np.array([[0.0, 0], [1, 0], [0, 1], [5, 5], [5, 6]])
    np.testing.assert_array_equal(age_cgan.recognised(given, given + 0.1, labels), 1)
    np.testing.assert_array_equal(age_cgan.recognised(given, given[[1, 0, 2, 4, 4]], labels), [0, 0, 1, 0, 1])
    moved = given + np.array([0.5, 0])
    within = np.mean([1, np.sqrt(2), 1, 1, 1])  # each and the one before it, of its class
    np.testing.assert_allclose(age_cgan.relative_distance(given, moved, labels), 0.5 / within)
    means = lambda x: x[:, 0, 0, 0].astype("float64")  # noqa: E731
    grey = lambda *levels: np.array(levels, "uint8").reshape(-1, 1, 1, 1)  # noqa: E731
    before, after = grey(1, 2, 3, 101, 102), grey(201, 202, 203, 11, 12)  # the order is kept within each class
    assert age_cgan.kept(means, before, labels, after, labels)["value"] == pytest.approx(1)
    assert age_cgan.kept(means, before, labels, after[[2, 1, 0, 4, 3]], labels)["value"] == pytest.approx(-1)
    among, classes = RNG.integers(0, 256, (20, 4, 4, 1), "uint8"), np.arange(20) % 2
    found = age_cgan.nearest(among[[3, 4]], np.array([1, 0]), among, classes)
    np.testing.assert_array_equal(found, among[[3, 4]])
    other = age_cgan.nearest(among[[3]], np.array([0]), among, classes)[0].astype(int)
    errors = np.square(among.astype(int) - among[3].astype(int)).sum(axis=(1, 2, 3))
    np.testing.assert_array_equal(other, among[::2][errors[::2].argmin()])


@pytest.mark.backend_free
def test_views_are_of_the_image_and_differ():
    images = np.full((6, 28, 28, 1), 100, "uint8")
    batches = age_cgan.Views(images, seed=0, batch_size=3)
    (first, second), own = batches[1]
    assert len(batches) == 2 and own.tolist() == [0, 1, 2] and first.shape == (3, 28, 28, 1)
    assert first.min() >= 0 and first.max() <= 255 and not np.array_equal(first, second)
    black = (first[..., 0] < 60).mean(axis=(1, 2))  # the erased square, and what the shift let in
    assert (black > 0.05).all() and (black < 0.3).all()


@pytest.mark.backend_free
def test_the_tables_from_a_training_and_two_embedders(tmp_path, monkeypatch, capsys):
    strokes = np.zeros((80, 28, 28, 1), "uint8")
    for i, image in enumerate(strokes):  # no two alike
        for row in range(4, 24):
            left = 6 + i % 10 + row * (i // 10) // 20
            image[row, left : left + 2 + i // 30] = 255
    sets = {"train": (strokes, np.arange(80) % 10), "test": (strokes[:40], np.arange(40) % 10)}
    monkeypatch.setattr(age_cgan, "digits", lambda args, split: sets[split])
    arguments = {"image_shape": (28, 28, 1), "num_classes": 10, "latent_dim": 4, "width": 4}
    preset = ganzoo.AgeCGAN(**arguments, dtype="mixed_bfloat16")
    (tmp_path / "preset").mkdir()
    preset.save(tmp_path / "preset" / "model.keras")
    learned, train = [], age_cgan.train_embedder
    monkeypatch.setattr(age_cgan, "train_embedder", lambda x, *rest: learned.append(x) or train(x, *rest))
    runs = ["--runs", str(tmp_path), "--model", str(tmp_path / "preset")]
    with pytest.raises(SystemExit, match="--train-embedders"):
        age_cgan.main(runs)
    age_cgan.main([*runs, "--train-embedders", "--epochs", "1"])
    written = {file.name for file in tmp_path.glob("*.keras")}
    assert written == {"age_cgan-embedder-optimised.keras", "age_cgan-embedder-judge.keras"}
    kept = (tmp_path / "age_cgan-embedder-judge.keras").read_bytes()
    age_cgan.main([*runs, "--train-embedders", "--epochs", "1"])
    assert (tmp_path / "age_cgan-embedder-judge.keras").read_bytes() == kept
    embedder, other = (age_cgan.embedder_of(tmp_path, name) for name in ("judge", "optimised"))
    assert [w.shape for w in embedder.get_weights()] != [w.shape for w in other.get_weights()]
    assert not {x.tobytes() for x in learned[0]} & {x.tobytes() for x in learned[1]} and len(learned) == 2
    lengths = np.linalg.norm(embedder.predict(strokes.astype("float32"), verbose=0), axis=1)
    np.testing.assert_allclose(lengths, 1, rtol=1e-4)
    np.testing.assert_array_equal(  # of the folder of a training, the encoder too
        age_cgan.model_of(tmp_path / "preset", "").encoder.get_weights()[0], preset.encoder.get_weights()[0]
    )
    more = ["--steps", "2", "--json", str(tmp_path / "table.json"), "--picture", str(tmp_path / "sheet.png")]
    age_cgan.main([*runs, *more])
    found = json.loads((tmp_path / "table.json").read_text())
    ways = ["encoder", "pixels optimised", "identity optimised", "classifier's features optimised", "random latents"]
    assert list(found["changed"]) == [*ways, "nearest training image"]
    assert list(found["again"]) == ["image itself", *ways, "nearest training image"]
    for table in (found["again"], found["changed"]):  # no digit where the one that reads it was optimised
        assert [name for name, row in table.items() if "digit" not in row] == ["classifier's features optimised"]
    bound = {name: column["value"] for name, column in found["again"]["image itself"].items()}
    assert bound["error"] == bound["judge"] == bound["classifier"] == 0
    assert [bound["slant"], bound["stroke"]] == pytest.approx([1, 1])
    assert found["again"]["pixels optimised"]["error"]["value"] <= found["again"]["encoder"]["error"]["value"]
    told = capsys.readouterr().out
    assert "| identity optimised |" in told and "40 test images, 2 steps" in told
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (14 * 30 + 2, 10 * 30 + 2)  # given, three ways, ten digits; a row for each digit
