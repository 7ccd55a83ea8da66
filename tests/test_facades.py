"""The evaluation of the facades presets: its controls, its measures, the U-Net by L1 alone, and the two tables."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path

import keras
import numpy as np
import pytest

import ganzoo
from ganzoo import metrics
from ganzoo.zoo import registry

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

import facades

pytestmark = pytest.mark.backend_free

COLOURS = np.array([[0, 0, 170], [255, 160, 0], [170, 255, 80]], "uint8")


def toy(num: int, seed: int, side: int = 64) -> dict[str, np.ndarray]:
    """Photos whose colours are those of the classes, darker and noisy: a wall, and windows and a door somewhere."""
    rng = np.random.default_rng(seed)
    classes = np.zeros((num, side, side), "int32")
    for each in classes:
        for label in (1, 1, 2):
            top, left = rng.integers(0, side - 16, 2)
            each[top : top + 16, left : left + 16] = label
    maps = COLOURS[classes]
    noise = rng.integers(0, 20, maps.shape)
    return {"photo": (maps * 0.6 + noise).astype("uint8"), "label_map": maps, "classes": classes}


@pytest.fixture(scope="module")
def data():
    return toy(24, seed=0), toy(8, seed=1)


@pytest.fixture(scope="module")
def network(data, tmp_path_factory):
    """A segmenter after a few steps, and where it is."""
    path = tmp_path_factory.mktemp("segmenter") / "segmenter.keras"
    train = data[0]
    return facades.trained_segmenter(path, train["photo"], train["classes"], 3, epochs=8), path


# --- Measures


def test_confusions_give_the_mean_iou_of_the_library():
    rng = np.random.default_rng(0)
    real, drawn = rng.integers(0, 4, (2, 5, 8, 8))
    counts = facades.confusions(real, drawn, 5)  # the fifth class is nowhere
    assert counts.sum() == real.size and counts[0, 2, 3] == np.sum((real[0] == 2) & (drawn[0] == 3))
    assert facades.mean_ious(counts.sum(axis=0)) == pytest.approx(metrics.mean_iou(real, drawn, 5), abs=1e-12)


def test_intervals_hold_the_value_and_shrink_to_it_where_images_are_alike():
    rng = np.random.default_rng(0)
    real, drawn = rng.integers(0, 4, (2, 30, 8, 8))
    for number in facades.measures(real, drawn, 4).values():
        low, high = number["interval"]
        assert low < number["value"] < high
    alike = facades.measures(np.repeat(real[:1], 9, axis=0), np.repeat(drawn[:1], 9, axis=0), 4)
    for number in alike.values():
        assert number["interval"] == pytest.approx((number["value"], number["value"]), abs=1e-12)


def test_the_interval_of_the_iou_is_that_of_a_loop_over_samples():
    rng = np.random.default_rng(3)
    real = rng.integers(0, 3, (12, 8, 8))
    drawn = np.where(rng.random(real.shape) < rng.random((12, 1, 1)), real, 0)
    times = np.random.default_rng(5).multinomial(12, np.full(12, 1 / 12), size=300)
    samples = [np.repeat(np.arange(12), each) for each in times]
    expected = np.percentile([metrics.mean_iou(real[rows], drawn[rows], 3) for rows in samples], [2.5, 97.5])
    measured = facades.iou_interval(facades.confusions(real, drawn, 3), seed=5, num=300)
    assert measured == pytest.approx(tuple(expected), abs=1e-12)


def test_the_frechet_distance_of_shifted_features_is_the_square_of_the_shift():
    real = np.random.default_rng(0).normal(size=(20, 9, 4))
    number = facades.frechet(real, real + np.array([1.0, 0, 2.0, 0]))
    assert number["value"] == pytest.approx(5.0) and number["interval"] == pytest.approx((5.0, 5.0), abs=1e-6)


def test_the_interval_of_the_frechet_distance_is_about_as_wide_as_the_distance_moves():
    """Over new samples of images; with one crop an image, whose features are standard normal in one dimension."""
    rng = np.random.default_rng(0)
    numbers = [facades.frechet(*(rng.normal(m, 1, (100, 1, 1)) for m in (0, 2))) for _ in range(60)]
    spread = 1.96 * np.std([number["value"] for number in numbers])
    half = np.mean([np.diff(number["interval"])[0] / 2 for number in numbers])
    assert 0.7 < half / spread < 1.4


def test_the_interval_of_sets_of_different_sizes_takes_in_both():
    rng = np.random.default_rng(0)
    for sizes in ((40, 160), (160, 40)):
        numbers = [
            facades.frechet(*(rng.normal(m, 1, (num, 1, 1)) for m, num in zip((0, 2), sizes))) for _ in range(60)
        ]
        spread = 1.96 * np.std([number["value"] for number in numbers])
        half = np.mean([np.diff(number["interval"])[0] / 2 for number in numbers])
        assert 0.7 < half / spread < 1.4
    real, drawn = rng.normal(size=(6, 1, 2)), rng.normal(1, 1, (9, 1, 2))
    of_both = np.diff(facades.frechet(real, drawn)["interval"])
    drawn[7:] = drawn[7:] * 9  # beyond the number of real ones
    assert np.diff(facades.frechet(real, drawn)["interval"]) > 2 * of_both


# --- Controls


def test_shuffled_drawings_are_the_same_set_and_none_keeps_its_place():
    drawn = np.arange(7, dtype="uint8").reshape(7, 1, 1, 1)
    shuffled = facades.with_shuffled({"preset": drawn, "L1 only": drawn}, "photos")["shuffled photos (lower bound)"]
    assert sorted(shuffled.ravel()) == list(range(7)) and (shuffled != drawn).all()
    assert list(facades.with_shuffled({"L1 only": drawn}, "photos")) == ["L1 only"]


def test_nearest_training_images_are_found_by_photo_and_by_classes(data):
    train, rows = data[0], np.array([5, 0, 11])
    rng = np.random.default_rng(0)
    noisy = np.clip(train["photo"][rows] + rng.integers(-9, 10, train["photo"][rows].shape), 0, 255).astype("uint8")
    assert facades.nearest_photos(noisy, train["photo"]).tolist() == rows.tolist()
    maps = train["classes"][rows].copy()
    maps[:, :5] = 2
    assert facades.nearest_classes(maps, train["classes"]).tolist() == rows.tolist()


def test_photos_to_labels_with_all_controls(data):
    train, test = data
    worse = test["label_map"].copy()
    worse[:, :32] = COLOURS[0]
    rows = facades.photo_to_labels(train, test, COLOURS, {"preset": test["label_map"], "L1 only": worse})
    assert list(rows) == [
        "true map (upper bound)",
        "preset",
        "L1 only",
        "shuffled photos (lower bound)",
        "nearest training photo's map",
        "most frequent class",
    ]
    value = {name: row["pixel_accuracy"]["value"] for name, row in rows.items()}
    assert value["true map (upper bound)"] == value["preset"] == 1 and rows["preset"]["mean_iou"]["value"] == 1
    assert value["shuffled photos (lower bound)"] < value["L1 only"] < 1
    assert value["most frequent class"] == pytest.approx((test["classes"] == 0).mean())
    assert rows["true map (upper bound)"]["ambiguous"]["value"] == 0
    missing = facades.photo_to_labels(train, test, COLOURS, {})
    assert "preset" not in missing and "nearest training photo's map" in missing


# --- The segmenter


def test_the_segmenter_is_small_and_reads_images_of_any_sides():
    network = facades.segmenter(facades.NUM_CLASSES)
    assert 100_000 <= network.count_params() <= 300_000
    assert network.get_layer(facades.FEATURES).output.shape[-1] == 64
    assert network(np.zeros((1, 32, 48, 3), "float32")).shape == (1, 32, 48, 12)


def test_batches_keep_photos_and_classes_together_and_hold_every_image_once_an_epoch(data):
    train = data[0]
    batches = list(islice(facades.jittered(train["photo"], train["classes"]), 3))
    for photos, classes in batches:
        assert photos.shape == (8, 64, 64, 3) and photos.dtype == "float32"
        assert (metrics.classes_of((photos / 0.6).clip(0, 255).astype("uint8"), COLOURS) == classes).mean() > 0.99
    firsts = [classes for _, classes in batches]
    assert len({each.tobytes() for each in np.concatenate(firsts)}) == 24
    marked = np.arange(24, dtype="uint8")[:, None, None, None] * np.ones((1, 64, 64, 3), "uint8")
    seen = [photos[:, 0, 0, 0] for photos, _ in islice(facades.jittered(marked, train["classes"]), 3)]
    assert sorted(np.concatenate(seen)) == list(range(24))


def test_features_are_averages_over_nine_crops(data, network):
    photos = data[1]["photo"][:2]
    features = facades.features_of(network[0], photos)
    inner = keras.Model(network[0].input, network[0].get_layer(facades.FEATURES).output)
    corner = keras.ops.convert_to_numpy(inner(photos[:, 16:48, 32:64].astype("float32")))
    assert features.shape == (2, 9, 64)
    np.testing.assert_allclose(features[:, 5], corner.mean(axis=(1, 2)), atol=1e-4)


def test_a_segmenter_is_used_again_unless_it_was_trained_otherwise(data, network, capsys):
    (train, _), (first, path) = data, network
    again = facades.trained_segmenter(path, train["photo"], train["classes"], 3, epochs=8)
    assert "training" not in capsys.readouterr().err
    for one, other in zip(first.get_weights(), again.get_weights()):
        np.testing.assert_array_equal(one, other)
    copy = path.with_name("copy.keras")
    copy.write_bytes(path.read_bytes())
    facades.trained_segmenter(copy, train["photo"][:8], train["classes"][:8], 3, epochs=1)
    assert "training" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:A covariance of 64 features")
def test_labels_to_photos_with_all_controls(data, network):
    train, test = data
    grey = np.full_like(test["photo"], 100)
    rows = facades.labels_to_photo(train, test, COLOURS, {"preset": test["photo"], "L1 only": grey}, network[0])
    assert list(rows) == [
        "real photo (upper bound)",
        "preset",
        "L1 only",
        "shuffled maps (lower bound)",
        "nearest training map's photo",
        "as many training photos (floor)",
    ]
    accuracy = {name: row["pixel_accuracy"]["value"] for name, row in list(rows.items())[:-1]}
    assert accuracy["preset"] == accuracy["real photo (upper bound)"] > accuracy["shuffled maps (lower bound)"]
    distance = {name: row["frechet_distance"]["value"] for name, row in list(rows.items())[1:]}
    assert distance["preset"] == pytest.approx(0, abs=1e-6) and distance["L1 only"] > max(
        distance["as many training photos (floor)"], distance["nearest training map's photo"]
    )
    assert distance["shuffled maps (lower bound)"] == pytest.approx(distance["preset"], abs=1e-6)  # the same set
    assert rows["L1 only"]["l1"]["value"] == pytest.approx(metrics.l1(test["photo"], grey).mean())


# --- L1 only


def test_l1_only_minimises_l1_and_leaves_the_discriminator_alone():
    data = toy(2, seed=0)
    settings = {"source_shape": (64, 64, 3), "target_shape": (64, 64, 3), "width": 2, "max_width": 4}
    model = facades.L1Only(**settings, enlarge=1, flip=False, dropout=0, seed=0)
    source, target = data["photo"], data["label_map"]
    before = keras.ops.convert_to_numpy(model.generator(source / np.float32(127.5) - 1))
    expected = 100 * np.abs(target / 127.5 - 1 - before).mean()
    critic = [w.copy() for w in model.discriminator.get_weights()]
    history = model.fit(source, target, batch_size=2, epochs=1, verbose=0)
    assert history.history["generator_loss"] == pytest.approx([expected], rel=1e-4)
    assert list(model.players()) == ["generator"] and set(history.history) == {"generator_loss", "loss"}
    for old, new in zip(critic, model.discriminator.get_weights()):
        np.testing.assert_array_equal(old, new)
    losses = model.fit(source, target, batch_size=2, epochs=8, verbose=0).history["generator_loss"]
    assert losses[-1] < losses[0]
    assert set(model.evaluate(source, target, verbose=0)) == {"loss", "generator_loss", "l1"}


@pytest.fixture
def tiny_preset(tmp_path, monkeypatch):
    """The recipe of a preset with narrow networks, whose control can be trained here; and a registry of this test."""
    monkeypatch.setattr(registry, "_MODELS", dict(registry._MODELS))
    recipe = ganzoo.info(facades.PRESETS["labels"]).recipe
    narrow = recipe.model_copy(update={"arguments": {**recipe.arguments, "width": 2, "max_width": 4}})
    monkeypatch.setattr(ganzoo, "info", lambda preset: ganzoo.zoo.presets.PresetInfo(preset, narrow, None))
    return recipe


def test_the_control_is_trained_by_the_recipe_and_resumed(tiny_preset, tmp_path, monkeypatch, capsys):
    data = toy(3, seed=0)
    pairs = {"source": data["photo"], "target": data["label_map"]}
    model = facades.train_l1("labels", tmp_path, data=pairs, epochs=2, verbose=0)
    folder = tmp_path / "l1-pix2pix-facades_labels"
    record = ganzoo.zoo.training.read_record(folder)
    assert record["finished"] and record["steps"] == 6 and record["alarms"] == []
    settings = record["settings"]["training"]
    wanted = tiny_preset.training
    assert (settings["batch_size"], settings["precision"]) == (wanted.batch_size, wanted.precision)
    assert settings["schedule"] == {"hold": wanted.schedule.hold} and list(settings["optimizer"]) == ["generator"]
    assert settings["optimizer"]["generator"]["beta_1"] == wanted.optimizer["generator"].beta_1
    again = facades.train_l1("labels", tmp_path, data=pairs, epochs=2, verbose=0)
    np.testing.assert_array_equal(again.generate(source=data["photo"]), model.generate(source=data["photo"]))
    loaded = facades.model_of(folder, "no command")
    assert loaded.dtype_policy.name == "float32" and loaded.dropout_at_test is False
    drawn = loaded.generate(source=data["photo"]).astype(int)
    assert np.abs(drawn - model.generate(source=data["photo"])).max() <= 3  # which computes in bfloat16
    rows = facades.drawings("labels", data["photo"], tmp_path, None)
    np.testing.assert_array_equal(rows["L1 only"], drawn)
    said = capsys.readouterr().err
    assert "preset" not in rows and "train.py pix2pix-facades_labels" in said and "l1-pix2pix" not in said


def test_an_interrupted_control_ends_with_the_same_weights(tiny_preset, tmp_path, monkeypatch):
    data = toy(3, seed=0)
    options = {"data": {"source": data["photo"], "target": data["label_map"]}, "epochs": 2, "verbose": 0}
    whole = facades.train_l1("labels", tmp_path / "whole", **options)
    with monkeypatch.context() as patch:
        patch.setattr(ganzoo.callbacks.Backup, "on_epoch_end", _saves_and_stops(ganzoo.callbacks.Backup.on_epoch_end))
        with pytest.raises(KeyboardInterrupt):
            facades.train_l1("labels", tmp_path / "halves", **options)
    halves = facades.train_l1("labels", tmp_path / "halves", **options)
    for one, other in zip(whole.get_weights(), halves.get_weights()):
        np.testing.assert_array_equal(one, other)


def _saves_and_stops(on_epoch_end):
    def stop(self, epoch, logs=None):
        on_epoch_end(self, epoch, logs)
        raise KeyboardInterrupt

    return stop


def test_what_is_missing_is_said_with_the_command_that_makes_it(tmp_path, capsys):
    photos = toy(1, seed=0)["photo"]
    assert facades.drawings("photos", photos, tmp_path, tmp_path / "nothing") == {}
    said = capsys.readouterr().err
    assert "train.py pix2pix-facades --output" in said and "facades.py --train-l1 photos --runs" in said


def test_numbers_are_shown_and_compared_with_l1_only(capsys):
    rows = {
        name: {"pixel_accuracy": {"value": v, "interval": (0.1, 0.9)}}
        for name, v in (("preset", 0.4), ("L1 only", 0.5))
    }
    facades.show({"labels": rows, "photos": {}, "protocol": "8 test images"})
    said = capsys.readouterr().out
    assert "0.400 (0.100-0.900)" in said and "0.800 times that of L1 only" in said and "8 test images" in said
