"""Perceptual GAN: small objects, features and what is added to them, the losses, both phases, recipes, the table."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml
from keras import ops
from PIL import Image

import ganzoo
from ganzoo.data.shrinking import checked_range, shrunk
from ganzoo.layers.shrinking import _lanczos, shrunk_by
from ganzoo.networks.perceptual_gan import feature_shape, perceptual_generator, train_only
from ganzoo.zoo import presets, training

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

import small_objects

RNG = np.random.default_rng(0)
TINY = {"image_shape": (16, 16, 1), "num_classes": 4, "width": 4, "discriminator_width": 16}


def patterns(num, side=16, channels=1):
    """Four classes: which quarter is bright."""
    labels = np.arange(num) % 4
    images = RNG.integers(0, 60, (num, side, side, channels), "uint8")
    for image, label in zip(images, labels):
        top, left = side // 2 * (label // 2), side // 2 * (label % 2)
        image[top : top + side // 2, left : left + side // 2] += np.uint8(150)
    return images, labels


def tiny(**kwargs):
    keras.utils.set_random_seed(0)
    return ganzoo.PerceptualGAN(**{**TINY, "seed": 0, **kwargs})


def values(x):
    return ops.convert_to_numpy(x)


def weights(network):
    return [values(v).copy() for v in network.weights]


# --- Small objects


@pytest.mark.backend_free
@pytest.mark.parametrize(("old", "new"), [(32, 8), (32, 13), (8, 32), (20, 20)])
def test_the_filter_is_pillows(old, new):
    line = RNG.random((1, old)).astype("float32")
    theirs = np.asarray(Image.fromarray(line, "F").resize((new, 1), Image.Resampling.LANCZOS))
    np.testing.assert_allclose(line @ _lanczos(old, new).T, theirs, atol=1e-5)


@pytest.mark.parametrize("shape", [(32, 32, 3), (24, 36, 1)], ids=str)
def test_a_step_reduces_images_as_the_host_does(shape):
    coarse = RNG.integers(80, 176, (9, 8, 8, shape[2]), "uint8")  # the host cuts off what overshoots, small too
    images = ganzoo.data.resize(coarse, shape[:2])
    draws = ops.convert_to_tensor((np.arange(9) + 0.5).astype("float32") / 9)
    floats = ops.convert_to_tensor(images.astype("float32") / 127.5 - 1)
    ours = 127.5 * (values(shrunk_by(floats, draws, 8, 16)) + 1)
    for image, own, size in zip(images, ours, range(8, 17)):
        assert np.abs(own - shrunk(image[None], size)[0]).max() < 3  # rounded twice there
    assert np.abs(ours - images).mean(axis=(1, 2, 3)).argmin() > 4  # the larger, the nearer


def test_grey_stays_grey_and_sizes_are_drawn_evenly():
    flat = ops.full((4, 16, 16, 3), 0.25)
    np.testing.assert_allclose(
        values(shrunk_by(flat, ops.convert_to_tensor([0.0, 0.3, 0.6, 0.999]), 4, 8)), 0.25, atol=1e-5
    )
    whole = ops.convert_to_tensor(RNG.uniform(-1, 1, (2, 16, 16, 1)).astype("float32"))
    np.testing.assert_allclose(values(shrunk_by(whole, ops.zeros(2), 16, 16)), values(whole), atol=1e-5)


@pytest.mark.backend_free
def test_sizes_that_are_not_small_are_refused():
    assert checked_range([8, 16], 32) == (8, 16)
    for wrong in ((16, 8), (0, 4), (8, 33), (8,), 8, (8.0, 16)):
        with pytest.raises(ValueError, match=r"from a least to a most.*at most 32.*Received"):
            checked_range(wrong, 32)
    with pytest.raises(ValueError, match="at most 16"):
        shrunk(np.zeros((1, 16, 20, 1), "uint8"), 17)
    with pytest.raises(ValueError, match="from a least"):
        tiny(small=(8, 40))


# --- The networks


def test_the_generator_adds_a_residual_of_low_level_features():
    network = perceptual_generator((20, 33, 3), width=4, num_blocks=1)
    assert network.output_shape[1:] == feature_shape((20, 33, 3), 4) == (2, 4, 16)
    images = RNG.uniform(-1, 1, (3, 20, 33, 3)).astype("float32")
    low, high = network.get_layer("extractor")(images)
    assert low.shape == (3, 10, 16, 4) and values(high).min() >= 0
    np.testing.assert_allclose(values(network(images)), values(high), atol=0.1)  # nearly, at first
    kernel = network.get_layer("to_residual").kernel
    kernel.assign(np.ones(kernel.shape))
    assert np.abs(values(network(images)) - values(high)).max() > 1


@pytest.mark.backend_free
def test_networks_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"at least 16 pixels.*Received: image_shape=\(12, 16, 1\)"):
        perceptual_generator((12, 16, 1))
    with pytest.raises(ValueError, match=r"`phase` is one of \('large', 'small'\).*phase='first'"):
        tiny(phase="first")
    images = keras.Input((16, 16, 1), name="images")
    x = keras.layers.Conv2D(16, 8, 8, name="conv")(images)
    with pytest.raises(ValueError, match=r"has a layer 'extractor'.*Received: a network of images, conv"):
        tiny(generator=keras.Model(images, x, name="generator"))


# --- The phases


@pytest.mark.parametrize("phase", ["large", "small"])
def test_a_phase_trains_its_own_part_and_no_other(phase):
    model, (images, labels) = tiny(phase=phase, small=(4, 8)), patterns(32)
    extractor = model.generator.get_layer("extractor")
    others = [v for v in model.generator.weights if id(v) not in {id(w) for w in extractor.weights}]
    before, rest, judge = weights(extractor), [values(v).copy() for v in others], weights(model.discriminator)
    model.compile({player: keras.optimizers.Adam(1e-2) for player in model.players()})
    model.fit(images, labels, batch_size=8, verbose=0)
    moved = [not np.array_equal(a, b) for a, b in zip(before, weights(extractor))]
    assert all(moved) if phase == "large" else not any(moved)  # with their moving averages
    moved = [not np.array_equal(a, values(v)) for a, v in zip(rest, others)]
    assert not any(moved) if phase == "large" else all(moved)
    names = [v.path for v, old in zip(model.discriminator.weights, judge) if not np.array_equal(values(v), old)]
    assert any("perception" in name for name in names)
    assert any("adversarial" in name for name in names) == (phase == "small")


def test_a_batch_holds_small_images_and_features_of_large_ones():
    model, (images, labels) = tiny(small=(4, 4)), patterns(6)
    batch = model.as_batch(images, labels)
    np.testing.assert_allclose(values(batch["large"]), images / np.float32(127.5) - 1, atol=1e-6)
    small = np.clip(127.5 * (values(batch["images"]) + 1), 0, 255)
    assert np.abs(small - shrunk(images, 4)).max() < 3
    np.testing.assert_allclose(
        values(batch["features"]), values(model.generator.get_layer("extractor")(batch["large"])[1]), atol=1e-5
    )
    np.testing.assert_allclose(
        values(model.fake(batch, False)["features"]), values(model.generator(batch["images"])), atol=1e-5
    )
    whole = tiny(phase="large")
    batch = whole.as_batch(images, labels)
    np.testing.assert_array_equal(values(batch["images"]), values(batch["large"]))
    np.testing.assert_allclose(values(whole.fake(batch, False)["features"]), values(batch["features"]), atol=1e-5)


def test_the_losses_are_those_of_numpy():
    (images, labels), softplus = patterns(8), lambda x: np.log1p(np.exp(x))
    for phase, weight in (("small", 0.3), ("large", 0.0)):
        model = tiny(phase=phase, adversarial_weight=0.3)
        real = model.as_batch(images, labels)
        fake = {**real, "features": ops.convert_to_tensor(RNG.uniform(0, 2, (8, 2, 2, 16)).astype("float32"))}

        def answers(batch, model=model):
            logits, classes = (values(x).astype("float64") for x in model.discriminator(batch["features"]))
            named = np.log(np.exp(classes).sum(axis=1)) - classes[np.arange(8), labels]
            return logits, named.mean()

        (real_logits, of_real), (fake_logits, of_fake) = answers(real), answers(fake)
        expected = weight * (softplus(-real_logits).mean() + softplus(fake_logits).mean()) + of_real
        assert float(model.discriminator_loss(real, fake, False)) == pytest.approx(expected, rel=1e-4)
        expected = weight * softplus(-fake_logits).mean() + of_fake
        assert float(model.generator_loss(real, fake, False)) == pytest.approx(expected, rel=1e-4)


def test_it_learns_in_two_phases_and_classifies_images_of_any_size():
    images, labels = patterns(96)
    large = tiny(phase="large", ema_decay=0.9)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # labels and large images are for the losses
        large.compile({player: keras.optimizers.Adam(1e-2) for player in large.players()})
    large.fit(images, labels, batch_size=16, epochs=15, verbose=0)
    assert (large.classify(images).argmax(axis=1) == labels).mean() > 0.9
    assert large.evaluate(images, labels, verbose=0)["accuracy"] > 0.9
    model = tiny(small=(4, 8), ema_decay=0.9, generator=large.generator, discriminator=large.discriminator)
    model.compile({player: keras.optimizers.Adam(1e-2) for player in model.players()})
    model.fit(images, labels, batch_size=16, epochs=15, verbose=0)
    small = ganzoo.data.resize(images, 6)
    found = model.classify(small)
    assert found.shape == (96, 4) and found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert (found.argmax(axis=1) == labels).mean() > 0.9
    enlarged = ganzoo.data.resize(small, 16)
    np.testing.assert_allclose(model.classify(enlarged.astype("float32") / 127.5 - 1), found, atol=1e-5)
    features = model.generate(images=enlarged)
    assert features.dtype == np.float32 and features.shape == (96, 2, 2, 16)
    with pytest.raises(ValueError, match="float"):
        model.classify(images / 127.5 - 3)


# --- Data


@pytest.fixture
def signs(tmp_path):
    images, labels = patterns(24, 32, 3)
    (tmp_path / "gtsrb_subset").mkdir()
    parts = {"x_train": images, "y_train": labels.astype("uint8"), "x_test": images[:4], "y_test": labels[:4]}
    np.savez(tmp_path / "gtsrb_subset" / "gtsrb32_subset.npz", **parts)
    return tmp_path


@pytest.mark.backend_free
def test_the_signs_are_read_by_name(signs, monkeypatch):
    found = ganzoo.data.load_parts("gtsrb", data_dir=signs)
    assert found["images"].shape == (24, 32, 32, 3) and found["labels"].tolist() == [0, 1, 2, 3] * 6
    assert len(ganzoo.data.load("gtsrb", "test", data_dir=signs)) == 4
    assert len(ganzoo.data.load("gtsrb", "test", data_dir=signs / "gtsrb_subset" / "gtsrb32_subset.npz")) == 4
    with pytest.raises(ValueError, match=r"splits 'train' and 'test'.*split='val'"):
        ganzoo.data.load("gtsrb", "val", data_dir=signs)
    monkeypatch.delenv("GANZOO_DATA", raising=False)
    for folder in (None, signs.parent):
        with pytest.raises(FileNotFoundError, match=r"read from gtsrb_subset/gtsrb32_subset\.npz: name the folder"):
            ganzoo.data.load("gtsrb", data_dir=folder)


def test_class_folders_train_both_phases_and_the_command_tells_what_it_draws(tmp_path):
    images, labels = patterns(16, 24, 3)
    for i, (image, label) in enumerate(zip(images, labels)):
        (tmp_path / "signs" / f"class{label}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(tmp_path / "signs" / f"class{label}" / f"{i}.png")
    for phase, name in (("large", "first"), ("small", "second")):
        recipe = small_objects.recipe_of(small_objects.PRESET)
        recipe["arguments"] |= {**TINY, "image_shape": [16, 16, 3], "small": [4, 8], "phase": phase, "num_classes": 9}
        recipe["training"] |= {"epochs": 1, "batch_size": 4}
        recipe["dataset"] = {"name": str(tmp_path / "signs"), "split": "train"}
        recipe["begin_with"] = [str(tmp_path / "first.yaml")] if name == "second" else []
        recipe["arguments"]["num_classes"] = 4
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(recipe))
    model = ganzoo.train(tmp_path / "second.yaml", tmp_path / "run", verbose=0)
    assert model.phase == "small" and model.classify(images).shape == (16, 4)
    first = keras.saving.load_model(tmp_path / "run" / "phases" / "first" / "model.keras", compile=False)
    given, own = (each.generator_ema.get_layer("extractor").get_weights() for each in (first, model))
    assert all(np.array_equal(a, b) for a, b in zip(given, own))  # it began with it and left it
    from typer.testing import CliRunner

    from ganzoo.cli import app

    picture = str(next((tmp_path / "signs").rglob("*.png")))
    done = CliRunner().invoke(
        app, ["generate", str(tmp_path / "run"), f"images={picture}", "-o", str(tmp_path / "x.png")]
    )
    assert done.exit_code and "no images" in done.output and not (tmp_path / "x.png").exists()


# --- The recipes and the table


@pytest.mark.backend_free
def test_the_recipes_fit_one_another_and_their_bytes():
    models = [
        training.compiled(presets.read_recipe(name), 2150, name) for name in (small_objects.LARGE, small_objects.PRESET)
    ]
    assert [model.phase for model in models] == ["large", "small"] and models[1].small == (8, 16)
    assert presets.read_recipe(small_objects.PRESET).begin_with == [small_objects.LARGE]
    for model in models:
        assert 2 * sum(network.count_params() for network in (model.generator, model.discriminator)) < 3e6
        assert [v.shape for v in model.generator.weights] == [v.shape for v in models[0].generator.weights]


@pytest.mark.backend_free
def test_the_share_of_the_gap_has_a_closed_form():
    def answers(full, small):
        found = np.zeros((2, 1 + len(small_objects.SIZES), 100))
        found[:, 0, : round(100 * full)] = 1
        found[:, 1:, : round(100 * small)] = 1
        return found

    found = {"large": answers(0.9, 0.5), "perceptual GAN": answers(0.8, 0.7), "without adversary": answers(0.8, 0.6)}
    table = small_objects.with_intervals(found, draws=200)
    assert table["large"]["share"]["value"] == 0 and table["large"]["full"]["value"] == pytest.approx(0.9)
    assert table["perceptual GAN"]["share"]["value"] == pytest.approx(0.5)
    low, high = table["perceptual GAN"]["share"]["interval"]
    assert 0.3 < low < 0.5 < high < 0.7
    pair = table["perceptual GAN - without adversary"]["small"]
    assert pair["value"] == pytest.approx(0.1) and 0.03 < pair["interval"][0] < 0.1 < pair["interval"][1] < 0.17


@pytest.mark.backend_free
def test_controls_are_the_same_network_trained_as_long():
    rows = small_objects.rows()
    assert list(rows) == ["large", "small", "both", "fine-tuned", "without adversary", "perceptual GAN"]
    epochs = {row: plan["recipe"]["training"]["epochs"] for row, plan in rows.items()}
    assert epochs["small"] == epochs["both"] == epochs["large"] + epochs["perceptual GAN"]
    assert epochs["fine-tuned"] == epochs["without adversary"] == epochs["perceptual GAN"]
    assert rows["without adversary"]["recipe"]["arguments"]["adversarial_weight"] == 0
    assert rows["perceptual GAN"]["recipe"]["arguments"]["adversarial_weight"] > 0


def test_a_control_sees_what_it_says_and_trains_all_of_its_network():
    images, labels = patterns(64)
    for sees in ("small", "both"):
        model = small_objects.Plain(**TINY, small=(4, 4), sees=sees, seed=0)
        real = model.prepare({"images": ops.convert_to_tensor(images / np.float32(127.5) - 1), "labels": labels}, True)
        large = (values(real["images"]) == values(real["large"])).all(axis=(1, 2, 3)).mean()
        assert large == 0 if sees == "small" else 0.25 < large < 0.75
        before = weights(model.generator)
        model.compile({player: keras.optimizers.Adam(1e-2) for player in model.players()})
        model.fit(images, labels, batch_size=16, verbose=0)
        assert not any(np.array_equal(a, b) for a, b in zip(before, weights(model.generator)))
        assert type(model).from_config(model.get_config()).sees == sees


def test_the_table_from_its_trainings(tmp_path, monkeypatch, capsys):
    images, labels = patterns(32)
    plain = small_objects.recipe_of

    def small_recipe(preset):
        recipe = plain(preset)
        small = {"small": [4, 8]} if preset == small_objects.PRESET else {}
        recipe["arguments"] |= {**TINY, "image_shape": [16, 16, 1], **small}
        recipe["training"] |= {"epochs": 1, "batch_size": 8}
        return recipe

    monkeypatch.setattr(small_objects, "recipe_of", small_recipe)
    monkeypatch.setattr(small_objects, "SIZES", (4, 8))
    run = lambda *options: small_objects.main(["--runs", str(tmp_path), "--seeds", "1", *options], data)  # noqa: E731
    data = lambda split, args: (images, labels)  # noqa: E731
    with pytest.raises(
        SystemExit, match=r"large.keras is missing: make it with python scripts/small_objects.py --train"
    ):
        run()

    def cut_off(model, path):
        Path(path).write_bytes(b"half of it")
        raise KeyboardInterrupt

    with monkeypatch.context() as meanwhile, pytest.raises(KeyboardInterrupt):
        meanwhile.setattr(ganzoo.PerceptualGAN, "save", cut_off)
        run("--train")
    run("--train")  # what was half written is not taken for a training
    assert len(list((tmp_path / "small_objects" / "0").glob("*.keras"))) == 6
    run("--train")  # all is there
    assert capsys.readouterr().out.count("Trained") == 6
    preset = str(tmp_path / "small_objects" / "0" / "perceptual_GAN.keras")
    run("--draws", "20", "--preset", preset, "--json", str(tmp_path / "table.json"))
    table = json.loads((tmp_path / "table.json").read_text())["rows"]
    assert {"large", "perceptual GAN", "perceptual GAN - fine-tuned", "preset"} <= set(table)
    assert table["preset"]["small"]["value"] == table["perceptual GAN"]["small"]["by_seed"][0]
    assert "| perceptual GAN |" in capsys.readouterr().out


def test_rates_are_compared_on_images_that_are_held_out(tmp_path, monkeypatch, capsys):
    images, labels = patterns(80)
    seen = []

    class Guess:
        def classify(self, x):
            return np.eye(4)[np.zeros(len(x), int)]

    def train(row, seed, folder, images, labels, epochs, factor):
        seen.append((row, factor, len(images)))
        return Guess()

    monkeypatch.setattr(small_objects, "train", train)
    small_objects.main(
        ["--tune", "--runs", str(tmp_path)], lambda split, args: (images, labels) if split == "train" else 1 / 0
    )
    assert len(seen) == 1 + 3 * 5 and {num for *_, num in seen} == {40}
    assert "perceptual GAN, rates times 2: full 0.2500" in capsys.readouterr().out


@pytest.mark.backend_free
def test_a_phase_is_trained_after_another_and_watched_where_it_has_an_adversary():
    model = tiny(phase="large")
    assert ganzoo.callbacks.HealthMonitor.cannot_watch(model) == "its losses have no adversary"
    assert ganzoo.callbacks.HealthMonitor.cannot_watch(tiny()) is None
    train_only(model.generator, "small")
    assert not model.generator.get_layer("extractor").trainable_variables and model.generator.trainable_variables
    train_only(model.generator, "large")
    assert len(model.generator.trainable_variables) == len(model.generator.get_layer("extractor").trainable_variables)
