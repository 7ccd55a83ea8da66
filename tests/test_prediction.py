"""The model of prediction: its networks from coarse to fine, its losses, feeding back, its recipe, and its script."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image
from typer.testing import CliRunner

import ganzoo
from ganzoo import cli, layers
from ganzoo.layers.pyramid import enlarged, pyramid

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

import prediction as script

RNG = np.random.default_rng(0)


def array(x):
    return ops.convert_to_numpy(x)


def tiny(**kwargs):
    keras.utils.set_random_seed(0)
    return ganzoo.FramePrediction(**{**ganzoo.FramePrediction.tiny, "seed": 0, **kwargs})


def batch(model, num=3, seed=0):
    rng = np.random.default_rng(seed)
    shape, frames = model.image_shape, model.num_frames
    values = {"source": (*shape[:2], frames * shape[2]), "target": shape}
    return {name: ops.convert_to_tensor(rng.uniform(-1, 1, (num, *s)).astype("float32")) for name, s in values.items()}


def halved(x):
    return array(layers.Shrink()(x))


# --- Networks


def test_pyramids_are_those_of_the_layers():
    images = RNG.uniform(-1, 1, (2, 16, 8, 3)).astype("float32")
    small, middle, large = map(array, pyramid(ops.convert_to_tensor(images), 3))
    np.testing.assert_array_equal(large, images)
    np.testing.assert_allclose(middle, halved(images), atol=1e-6)
    np.testing.assert_allclose(small, halved(halved(images)), atol=1e-6)
    np.testing.assert_allclose(array(enlarged(ops.convert_to_tensor(small))), array(layers.Grow()(small)), atol=1e-6)


def test_each_size_adds_to_the_enlarged_prediction_of_the_size_before():
    model = tiny(levels=3)
    real = batch(model)
    source = array(real["source"])
    seen = [halved(halved(source)), halved(source), source]
    x, expected = None, []
    for i, frames in enumerate(seen):
        level = model.generator.get_layer(f"level{i}")
        x = array(level(frames)) if x is None else array(layers.Grow()(x))
        x = x if i == 0 else x + array(level([frames, x]))
        expected.append(x)
    fake = model.fake(real, training=True)
    assert [tuple(f.shape) for f in fake["sizes"]] == [(3, 4, 4, 1), (3, 8, 8, 1), (3, 16, 16, 1)]
    for frame, own in zip(fake["sizes"], expected):
        np.testing.assert_allclose(array(frame), own, atol=1e-5)
    drawn = array(model.generator(real["source"], training=False))
    np.testing.assert_allclose(drawn, np.clip(expected[-1], -1, 1), atol=1e-5)
    np.testing.assert_allclose(array(model.fake(real, training=False)["target"]), drawn, atol=1e-5)
    assert fake["source"] is real["source"]


def test_discriminators_see_frames_and_the_next_at_their_own_size():
    model = tiny()
    real = batch(model)
    source, target = array(real["source"]), array(real["target"])
    small, large = (
        array(model.discriminator.get_layer(f"level{i}")([frames, following]))
        for i, (frames, following) in enumerate([(halved(source), halved(target)), (source, target)])
    )
    first, second = map(array, model.discriminate(real, training=False))
    np.testing.assert_allclose(first, large, atol=1e-5)  # the finest first, which monitors look at
    np.testing.assert_allclose(second, small, atol=1e-5)
    other = {**real, "source": real["source"] + 0.5}
    assert np.abs(array(model.discriminate(other, training=False)[1]) - small).max() > 1e-6


@pytest.mark.backend_free
def test_sizes_that_do_not_halve_are_refused():
    with pytest.raises(ValueError, match="levels=4, image_shape="):
        ganzoo.FramePrediction(image_shape=(24, 24, 1))
    with pytest.raises(ValueError, match="Received: num_frames=0"):
        tiny(num_frames=0)


# --- Losses against NumPy


def gdl(y, guess, alpha):
    """Sums over pixels as the paper writes them, by the mean over the pairs of neighbours in either direction."""
    total = 0.0
    for move in (1, 2):
        slope = [np.abs(np.diff(x.astype("float64"), axis=move)) for x in (y, guess)]
        total += np.mean(np.abs(slope[0] - slope[1]) ** alpha)
    return total


def softplus(x):
    return np.logaddexp(0, x.astype("float64"))


@pytest.mark.parametrize("p, alpha", [(1, 1), (2, 2), (2, 1), (1, 3)])
@pytest.mark.parametrize("weights", [(0.05, 1.0, 1.0), (0.0, 1.0, 0.0), (0.5, 0.0, 0.0), (0.0, 0.0, 2.0)])
def test_the_generator_s_loss_is_its_formula_at_every_size(p, alpha, weights):
    adversarial, lp, own = weights
    model = tiny(p=p, alpha=alpha, adversarial_weight=adversarial, lp_weight=lp, gdl_weight=own)
    real = batch(model)
    fake = model.fake(real, training=False)
    drawn = [array(fake["sizes"][0]), array(fake["target"])]
    true = [halved(array(real["target"])), array(real["target"])]
    source = [halved(array(real["source"])), array(real["source"])]
    expected = 0.0
    for i, (y, guess) in enumerate(zip(true, drawn)):
        logits = array(model.discriminator.get_layer(f"level{i}")([source[i], guess]))
        expected += lp * np.mean(np.abs(y.astype("float64") - guess) ** p) + own * gdl(y, guess, alpha)
        expected += adversarial * np.mean(softplus(-logits))
    assert float(array(model.generator_loss(real, fake, False))) == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_the_discriminator_s_loss_is_that_of_both_sizes():
    model = tiny()
    real = batch(model)
    fake = model.fake(real, training=False)
    source = [halved(array(real["source"])), array(real["source"])]
    true = [halved(array(real["target"])), array(real["target"])]
    drawn = [array(fake["sizes"][0]), array(fake["target"])]
    expected = 0.0
    for i in range(2):
        judge = model.discriminator.get_layer(f"level{i}")
        expected += np.mean(softplus(-array(judge([source[i], true[i]]))))
        expected += np.mean(softplus(array(judge([source[i], drawn[i]]))))
    assert float(array(model.discriminator_loss(real, fake, False))) == pytest.approx(expected, rel=1e-5)


def test_equal_frames_have_no_error_and_a_shade_has_no_gradient_difference():
    model = tiny(adversarial_weight=0.0, lp_weight=0.0)
    real = batch(model)
    sizes = pyramid(real["target"], 2)
    assert float(array(model.generator_loss(real, {"sizes": sizes, "target": sizes[-1]}, False))) == 0
    lighter = [size + 0.25 for size in sizes]
    loss = model.generator_loss(real, {"sizes": lighter, "target": lighter[-1]}, False)
    assert float(array(loss)) == pytest.approx(0, abs=1e-6)


def test_gradients_are_finite_where_frames_are_flat_and_right():
    """Black films predicted black: |x| at 0, to any power."""
    for alpha in (1, 2, 3):
        model = tiny(alpha=alpha, p=alpha)
        films = np.zeros((8, 16, 16, 2), "uint8"), np.zeros((8, 16, 16, 1), "uint8")
        assert np.isfinite(model.fit(*films, batch_size=4, epochs=2, verbose=0).history["loss"]).all()
        assert all(np.isfinite(array(v)).all() for v in model.variables)


def test_the_control_by_l2_alone_leaves_the_discriminator_as_it_is():
    model = tiny(adversarial_weight=0, gdl_weight=0, p=2)
    data = {name: array(x) for name, x in batch(model, 8).items()}
    fake = model.fake({name: ops.convert_to_tensor(x) for name, x in data.items()}, training=True)
    true = [halved(data["target"]), data["target"]]
    expected = sum(np.mean((y - array(guess)) ** 2) for y, guess in zip(true, fake["sizes"]))
    before, moved = ([array(v).copy() for v in network.weights] for network in (model.discriminator, model.generator))
    history = model.fit(data, batch_size=8, verbose=0).history
    assert list(model.players()) == ["generator"] and set(history) == {"loss", "generator_loss"}
    assert history["generator_loss"] == pytest.approx([expected], rel=1e-4)
    for old, new in zip(before, model.discriminator.weights):
        np.testing.assert_array_equal(old, array(new))
    assert any(not np.array_equal(old, array(new)) for old, new in zip(moved, model.generator.weights))
    assert "not trained" in ganzoo.callbacks.HealthMonitor.cannot_watch(model)
    same = tiny()
    assert [v.shape for v in same.generator.weights] == [v.shape for v in model.generator.weights]


def test_it_learns_a_motion():
    """Bars that move one column to the right: after some steps it is nearer than the last frame copied."""
    place = RNG.integers(0, 13, 64)
    films = np.zeros((64, 3, 16, 16, 1), "uint8")
    for film, left in zip(films, place):
        for t in range(3):
            film[t, :, left + t : left + t + 1] = 255
    history, following = ganzoo.data.film_examples(films, num_frames=2)
    model = tiny(width=8, adversarial_weight=0.01)
    model.compile({player: keras.optimizers.Adam(3e-3, 0.5) for player in model.players()})
    model.fit(history, following, batch_size=16, epochs=40, verbose=0)
    copied = ganzoo.metrics.l1(following, history[..., -1:]).mean()
    drawn = model.generate(source=history, averaged=False)
    assert ganzoo.metrics.l1(following, drawn).mean() < 0.4 * copied  # all black: half of it


# --- Feeding back


def shifting():
    """A generator that moves the last frame one column to the right, and fills up with black."""
    source = keras.Input((16, 16, 2), name="source")
    x = keras.layers.Cropping2D(((0, 0), (0, 1)), name="cut")(source[..., 1:] + 1.0)
    x = keras.layers.ZeroPadding2D(((0, 0), (1, 0)), name="fill")(x)
    return keras.Model(source, x - 1.0, name="generator")


def test_several_frames_ahead_are_fed_back():
    model = tiny(generator=shifting)
    films = RNG.integers(0, 256, (3, 4, 16, 16, 1), "uint8")
    film = model.predict_film(films, steps=5, batch_size=2)
    assert film.shape == (3, 5, 16, 16, 1) and film.dtype == np.uint8
    for step in range(5):
        expected = np.zeros_like(films[:, -1])
        expected[:, :, step + 1 :] = films[:, -1, :, : 15 - step]
        np.testing.assert_array_equal(film[:, step], expected)
    np.testing.assert_array_equal(model.predict_film(ganzoo.data.to_float(films), steps=5), film)
    with pytest.raises(ValueError, match="at least 2 frames"):
        model.predict_film(films[:, :1], steps=1)


def test_one_step_of_a_film_is_what_generate_draws():
    model = tiny()
    films = RNG.integers(0, 256, (2, 3, 16, 16, 1), "uint8")
    first, second = np.moveaxis(model.predict_film(films, steps=2), 1, 0)
    history = np.concatenate([films[:, 1], films[:, 2]], axis=-1)
    np.testing.assert_array_equal(first, model.generate(source=history))
    np.testing.assert_array_equal(second, model.generate(source=np.concatenate([films[:, 2], first], axis=-1)))


# --- Recipe, training, command line


@pytest.mark.backend_free
def test_the_recipe_makes_a_model_of_its_size_and_goes_through_its_files(tmp_path):
    recipe = ganzoo.info(script.PRESET).recipe
    model = ganzoo.load(script.PRESET, weights=None)
    assert isinstance(model, ganzoo.FramePrediction) and model.image_shape == (32, 32, 1)
    assert sum(network.count_params() for network in (model.generator_ema, model.discriminator)) * 2 < 1.5e6
    assert (model.adversarial_weight, model.lp_weight, model.gdl_weight) == (0.05, 1.0, 1.0)
    assert {name: model.data[name].shape for name in recipe.dataset.parts} == {
        "source": (32, 32, 4),
        "target": (32, 32, 1),
    }
    again = type(model).from_config(model.get_config())
    assert again.arguments == model.arguments and again.data["source"].num_frames == 4
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    films = RNG.integers(0, 256, (1, 4, 32, 32, 1), "uint8")
    np.testing.assert_array_equal(loaded.predict_film(films, 2), model.predict_film(films, 2))


RECIPE = """\
model: prediction
description: tiny
paper: Somebody 2020, arXiv:2001.00001
arguments: {image_shape: [16, 16, 1], num_frames: 3, levels: 2, width: 4}
dataset: {name: moving_mnist, parts: {source: history, target: next}}
training: {epochs: 2, batch_size: 4, seed: 1}
"""


def films_in(folder, nums=(9, 6)):
    """Films of a bar that moves, as folders of frames."""
    for number, length in enumerate(nums):
        (folder / f"film{number}").mkdir(parents=True)
        for t in range(length):
            frame = np.zeros((16, 16), "uint8")
            frame[:, (2 * t + number) % 16] = 255
            Image.fromarray(frame).save(folder / f"film{number}" / f"{t:02}.png")


def saves_and_stops(on_epoch_end):
    def stop(self, epoch, logs=None):
        on_epoch_end(self, epoch, logs)
        raise KeyboardInterrupt

    return stop


def test_films_of_ones_own_are_trained_on_and_an_interrupted_training_ends_alike(tmp_path, monkeypatch, capsys):
    films_in(tmp_path / "clips")
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(RECIPE)
    options = {"data": str(tmp_path / "clips")}
    whole = ganzoo.train(recipe, tmp_path / "whole", **options)
    assert "source from 3 frames of a film" in capsys.readouterr().out
    assert int(array(whole.optimizer.iterations)) == 2 * 2  # 6 and 3 examples, in batches of 4
    with monkeypatch.context() as patch:
        patch.setattr(ganzoo.callbacks.Backup, "on_epoch_end", saves_and_stops(ganzoo.callbacks.Backup.on_epoch_end))
        with pytest.raises(KeyboardInterrupt):
            ganzoo.train(recipe, tmp_path / "halves", verbose=0, **options)
    halves = ganzoo.train(recipe, tmp_path / "halves", verbose=0, **options)
    for one, other in zip(whole.get_weights(), halves.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    with Image.open(tmp_path / "whole" / "samples.png") as sheet:
        assert sheet.width == 2 * (5 * 16 + 6 * 2) + 3 * 2  # three frames | drawn | target, twice in a row
    colour = ganzoo.train(recipe, tmp_path / "colour", image_shape=(24, 16, 3), epochs=1, verbose=0, **options)
    assert colour.image_shape == (24, 16, 3) and colour.data["source"].shape == (24, 16, 9)
    film = str(tmp_path / "clips" / "film0")
    done = CliRunner().invoke(
        cli.app, ["generate", str(tmp_path / "whole"), f"source={film}", "-o", str(tmp_path / "next.png")]
    )
    assert done.exit_code == 0, done.output
    history, _ = ganzoo.data.film_examples(ganzoo.data.load_films(tmp_path / "clips" / "film0", 16, "L"), 3)
    assert history.shape == (6, 16, 16, 3) and (tmp_path / "next.png").is_file()


# --- The script


@pytest.fixture
def tiny_preset(monkeypatch):
    """The recipe of the preset with narrow networks, whose control can be trained here."""
    recipe = ganzoo.info(script.PRESET).recipe
    narrow = recipe.model_copy(
        update={"arguments": {**recipe.arguments, "width": 2, "levels": 2, "discriminator_width": 2}}
    )
    monkeypatch.setattr(ganzoo, "info", lambda preset: ganzoo.zoo.presets.PresetInfo(preset, narrow, None))
    return narrow


def some_films(num=4, seed=0):
    images = np.zeros((10, 28, 28, 1), "uint8")
    images[:, 8:20, 8:20] = np.arange(20, 220, 20, dtype="uint8")[:, None, None, None]
    return ganzoo.data.moving_digits(images, np.arange(10), num, frames=6, seed=seed), images


@pytest.mark.backend_free
def test_the_control_is_trained_by_the_recipe_and_the_table_has_all_rows(tiny_preset, tmp_path, capsys, monkeypatch):
    moving, images = some_films(20)
    data = dict(zip(("source", "target"), ganzoo.data.film_examples(moving.films, 4)))
    model = script.train_l2(tmp_path, data=data, epochs=1, verbose=0)
    assert (model.adversarial_weight, model.gdl_weight, model.p) == (0, 0, 2)
    record = ganzoo.zoo.training.read_record(tmp_path / script.CONTROL)
    assert record["finished"] and list(record["settings"]["training"]["optimizer"]) == ["generator"]
    again = script.train_l2(tmp_path, data=data, epochs=1, verbose=0)
    np.testing.assert_array_equal(again.generate(source=data["source"]), model.generate(source=data["source"]))
    np.savez(tmp_path / "mnist.npz", x_test=images, y_test=np.arange(10), x_train=images, y_train=np.arange(10))
    given = {"data_dir": str(tmp_path), "runs": tmp_path, "films": 6, "steps": 3}
    tables = script.evaluate(argparse.Namespace(model=tmp_path / script.CONTROL, **given))
    assert list(tables["rows"]) == ["true frames (upper bound)", "last frame copied", "L2 alone", "preset"]
    for name, row in tables["rows"].items():
        assert len(row) == 3 and (row[0]["psnr"]["value"] is None) == (name == "true frames (upper bound)")
    text = script.markdown(tables, (1, 2))
    assert "| last frame copied |" in text and "dB; to reach: at least +3" in text and "psnr, 2 ahead" in text
    assert tables["rows"]["preset"] == tables["rows"]["L2 alone"] and (tmp_path / "prediction.gif").is_file()
    (tmp_path / script.CONTROL / "model.keras").unlink()
    tables = script.evaluate(argparse.Namespace(model=None, **given))
    said = capsys.readouterr().err
    assert list(tables["rows"]) == ["true frames (upper bound)", "last frame copied"]
    assert "scripts/prediction.py --train-l2" in said and "scripts/train.py prediction-moving_mnist" in said


@pytest.mark.backend_free
def test_measures_of_known_frames():
    moving, _ = some_films(8)
    real, where, labels = moving.films[:, 5], moving.positions[:, 5, 0], moving.labels[:, 0]
    bound = script.measures(real, real, where, labels)
    assert bound["psnr"]["value"] is None and bound["ssim"]["value"] == pytest.approx(1)
    assert bound["steepness"]["value"] == pytest.approx(1)
    half = script.measures(real, real // 2, where, labels)
    assert half["steepness"]["value"] == pytest.approx(0.5, abs=0.02)
    np.testing.assert_allclose(half["psnr"]["value"], ganzoo.metrics.psnr(real, real // 2).mean())
    low, high = half["psnr"]["interval"]
    assert low < half["psnr"]["value"] < high


@pytest.mark.backend_free
def test_a_copied_frame_is_judged_where_its_digit_is():
    moving, _ = some_films(8)
    rows = script.predictions(moving.films, 4, {})
    table = script.table(moving, 4, rows)
    copied = rows["last frame copied"]
    assert (copied == moving.films[:, 3:4]).all() and copied.shape[1] == 2
    expected = script.measures(moving.films[:, 5], copied[:, 1], moving.positions[:, 3, 0], moving.labels[:, 0])
    assert table["last frame copied"][1] == expected
