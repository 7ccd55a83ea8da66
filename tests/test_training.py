"""Training from a recipe: what it leaves, resuming, refusals; schedules; publishing."""

from __future__ import annotations

import csv
import errno
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import safetensors

import ganzoo
from ganzoo import metrics
from ganzoo.callbacks import SampleGrid
from ganzoo.engine.parts import Images
from ganzoo.engine.schedules import HoldThenLinear
from ganzoo.zoo import asked, download, gallery, presets, publishing, recipes, training, watching, weights
from ganzoo.zoo.reading import read_parts

ROOT = Path(__file__).parent.parent
RECIPE = """\
model: dcgan
description: tiny
paper: Radford et al. 2015, arXiv:1511.06434
arguments: {{image_shape: [16, 16, 1], latent_dim: 4, width: 4}}
dataset: {{name: {data}}}
training:
  epochs: {epochs}
  batch_size: 8
  seed: 1
  optimizer:
    generator: {{learning_rate: 2e-3, beta_1: .5}}
  schedule: {{hold: .5}}
"""


def toy_images(num=40, shape=(16, 16, 1), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (num, *shape), dtype="uint8")


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    """A configuration folder with the preset `dcgan-toy` (5 steps an epoch, 2 epochs) and its data."""
    folder = tmp_path_factory.mktemp("zoo")
    np.savez(folder / "toy.npz", images=toy_images())
    (folder / "dcgan-toy.yaml").write_text(RECIPE.format(data=folder / "toy.npz", epochs=2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipes, "config_dir", lambda: folder)
        patch.setattr(download, "bundled_dir", lambda: folder / "weights")
        yield folder


@pytest.fixture(scope="module")
def finished(zoo, tmp_path_factory):
    """The folder and the model of an uninterrupted training."""
    folder = tmp_path_factory.mktemp("runs") / "deep" / "run"
    return folder, ganzoo.train("dcgan-toy", folder, verbose=0)


def state(model):
    """All that training moves: networks, averages, optimizer slots, random states."""
    variables = [*model.variables, *model.optimizer.variables]
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def assert_same_state(model, other):
    for a, b in zip(state(model), state(other), strict=True):
        np.testing.assert_array_equal(a, b)


# --- Schedules


def test_hold_then_linear_is_its_formula():
    schedule = HoldThenLinear(0.1, hold_steps=4, total_steps=10)
    values = [float(keras.ops.convert_to_numpy(schedule(step))) for step in range(13)]
    np.testing.assert_allclose(values, [0.1] * 5 + [0.1 * (10 - t) / 6 for t in range(5, 10)] + [0] * 3, rtol=1e-6)


@pytest.mark.parametrize("hold, expected", [(0, [1.0, 0.5, 0.0]), (2, [1.0, 1.0, 0.0])])
def test_hold_then_linear_at_the_ends(hold, expected):
    schedule = HoldThenLinear(1.0, hold, 2)
    np.testing.assert_allclose([float(keras.ops.convert_to_numpy(schedule(t))) for t in range(3)], expected)


def test_hold_then_linear_survives_its_config():
    schedule = HoldThenLinear(0.1, 4, 10)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert isinstance(again, HoldThenLinear) and again.get_config() == schedule.get_config()


@pytest.mark.backend_free
@pytest.mark.parametrize("arguments", [(0, 1, 2), (-1.0, 1, 2), (0.1, 3, 2), (0.1, -1, 2), (0.1, 0, 0)])
def test_hold_then_linear_refuses_nonsense(arguments):
    with pytest.raises(ValueError, match="Received: "):
        HoldThenLinear(*arguments)


def test_every_players_rate_reaches_zero_with_its_own_last_update():
    model = ganzoo.WGANGP(image_shape=(16, 16, 1), latent_dim=4, width=4, discriminator_steps=3)
    recipe = presets.Training(epochs=1, batch_size=8, schedule=presets.Schedule(hold=0.5))
    training.compile_for(model, recipe, num_steps=10)
    generator, discriminator = model.optimizer["generator"], model.optimizer["discriminator"]
    for optimizer, updates in ((generator, 10), (discriminator, 30)):
        assert optimizer.beta_2 == 0.9, "the model's own default"
        for made, rate in ((0, 1e-4), (updates // 2, 1e-4), (updates * 3 // 4, None), (updates, 0.0)):
            optimizer.iterations.assign(made)
            now = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
            assert now == pytest.approx(rate) if rate is not None else 0 < now < 1e-4


# --- What a training leaves


def test_a_training_leaves_what_it_promises(finished):
    folder, model = finished
    names = {path.name for path in folder.iterdir()}
    assert names == {"weights.safetensors", "model.keras", "log.csv", "samples", "samples.png", "training.json"}
    rows = list(csv.DictReader((folder / "log.csv").open()))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert all(np.isfinite(float(row["generator_loss"])) for row in rows)
    assert {"epoch_0001.png", "epoch_0002.png"} <= {path.name for path in (folder / "samples").iterdir()}
    record = json.loads((folder / "training.json").read_text())
    assert record["finished"] and record["steps"] == 10 and record["preset"] == "dcgan-toy"
    assert record["backend"] == keras.config.backend() and record["settings"]["data"]["images"] == 40
    assert int(keras.ops.convert_to_numpy(model.optimizer.iterations)) == 10
    rates = [float(keras.ops.convert_to_numpy(optimizer.learning_rate)) for optimizer in model.optimizer.optimizers]
    assert rates == [0.0, 0.0]


def test_the_weights_and_the_model_file_are_the_trained_model(finished):
    folder, model = finished
    expected = model.generate(3, seed=0)
    assert_same_state(keras.saving.load_model(folder / "model.keras"), model)
    fresh = ganzoo.load("dcgan-toy", weights=None)
    weights.load_weights(fresh, folder / "weights.safetensors")
    np.testing.assert_array_equal(fresh.generate(3, seed=0), expected)


def test_a_finished_training_is_not_repeated(finished, capsys):
    folder, model = finished
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    again = ganzoo.train("dcgan-toy", folder, verbose=2)
    assert "finished already" in capsys.readouterr().out
    assert_same_state(again, model)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_the_seed_decides(zoo, finished, tmp_path):
    _, model = finished
    np.random.seed(99)  # the caller's random state does not
    assert_same_state(ganzoo.train("dcgan-toy", tmp_path / "same", verbose=0), model)
    other = ganzoo.train("dcgan-toy", tmp_path / "other", seed=2, epochs=1, verbose=0)
    assert not np.array_equal(other.generator.get_weights()[0], model.generator.get_weights()[0])


# --- Resuming


def interrupt_at(step: int):
    """A `SampleGrid` that sends Ctrl-C to its own process at a training's `step`, from 1."""

    class Interrupting(SampleGrid):
        left = step

        def on_train_batch_end(self, batch, logs=None):
            self.left -= 1
            if self.left == 0:
                signal.raise_signal(signal.SIGINT)

    return Interrupting


@pytest.fixture
def ctrl_c():
    """Python's own handler, which a process in the background is started without."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("step", [3, 5, 7])  # of five in an epoch
def test_ctrl_c_loses_no_step_and_the_resumed_training_equals_the_uninterrupted(
    finished, tmp_path, monkeypatch, ctrl_c, step
):
    folder = tmp_path / "run"
    monkeypatch.setattr(training, "SampleGrid", interrupt_at(step))
    with pytest.raises(KeyboardInterrupt):
        ganzoo.train("dcgan-toy", folder, verbose=0)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not (folder / "weights.safetensors").exists()
    with safetensors.safe_open(folder / "backup.safetensors", framework="numpy") as file:
        backup = json.loads(file.metadata()["ganzoo"])
    assert backup["epoch"] * 5 + backup["steps"] == step
    monkeypatch.undo()
    assert_same_state(ganzoo.train("dcgan-toy", folder, verbose=0), finished[1])
    assert [row["epoch"] for row in csv.DictReader((folder / "log.csv").open())] == ["0", "1"]


@pytest.mark.parametrize("tail", [b"1,0.5", b"1,0.5\n", b"1,0.5,0.2,0.7,\xff\xfe", b"\x00\x00\x00", b"no,log\n1,2\n"])
def test_a_torn_log_is_mended(finished, tmp_path, monkeypatch, ctrl_c, tail):
    folder = tmp_path / "run"
    monkeypatch.setattr(training, "SampleGrid", interrupt_at(7))
    with pytest.raises(KeyboardInterrupt):
        ganzoo.train("dcgan-toy", folder, verbose=0)
    monkeypatch.undo()
    content = (folder / "log.csv").read_bytes()
    (folder / "log.csv").write_bytes(tail if tail.startswith(b"no") else content + tail)
    assert_same_state(ganzoo.train("dcgan-toy", folder, verbose=0), finished[1])
    epochs = [row["epoch"] for row in csv.DictReader((folder / "log.csv").open())]
    assert epochs == (["1"] if tail.startswith(b"no") else ["0", "1"])


def test_a_second_training_on_one_folder_is_refused_and_leftovers_go(finished, tmp_path, monkeypatch):
    folder, dead = tmp_path / "run", 2**22 - 3
    folder.mkdir()
    for name in (f".log.csv.{dead}", f".samples.png.{dead}"):
        (folder / name).write_bytes(b"half")

    class Second(SampleGrid):
        def on_train_begin(self, logs=None):
            super().on_train_begin(logs)
            with pytest.raises(ValueError, match="Another training writes to this folder"):
                ganzoo.train("dcgan-toy", folder, verbose=0)

    monkeypatch.setattr(training, "SampleGrid", Second)
    assert_same_state(ganzoo.train("dcgan-toy", folder, verbose=0), finished[1])
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize("failing", ["backup", "log", "sheet"])
def test_a_full_disk_is_told_with_the_fix_and_loses_nothing(finished, tmp_path, monkeypatch, failing):
    folder = tmp_path / "run"

    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        if failing == "backup":
            patch.setattr(training.Backup, "on_epoch_end", full)
        elif failing == "log":
            patch.setattr(keras.callbacks.CSVLogger, "on_epoch_end", full)
        else:
            patch.setattr(SampleGrid, "on_epoch_end", full)
        with pytest.raises(OSError, match=r"The disk of .*run is full: make room, and train again as before"):
            ganzoo.train("dcgan-toy", folder, verbose=0)
    assert_same_state(ganzoo.train("dcgan-toy", folder, verbose=0), finished[1])
    assert (folder / "samples" / "samples.gif").is_file() and not list(folder.glob(".*"))


def test_killed_between_training_and_its_animation_has_it_in_the_end(finished, tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise OSError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(SampleGrid, "animate", fail)
        with pytest.raises(OSError, match="killed"):
            ganzoo.train("dcgan-toy", tmp_path / "run", verbose=0)
    ganzoo.train("dcgan-toy", tmp_path / "run", verbose=0)
    assert (tmp_path / "run" / "samples" / "samples.gif").is_file()


@pytest.mark.parametrize("content", [b"{", b"[1]", b'{"settings": [1], "finished": false}', b"[" * 99_999, b"\xff\xfe"])
def test_a_record_that_cannot_be_read_names_the_fix(zoo, tmp_path, content):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "training.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"training.json is no.*--overwrite"):
        ganzoo.train("dcgan-toy", folder, verbose=0)


def test_few_images_of_ones_own_are_augmented_unless_one_says_otherwise(zoo, tmp_path, capsys):
    images = toy_images(32)
    model = ganzoo.train("dcgan-toy", tmp_path / "few", data=images, epochs=1)
    assert type(model.augment).__name__ == "DiffAugment" and "Few images" in capsys.readouterr().out
    record = json.loads((tmp_path / "few" / "training.json").read_text())
    assert record["settings"]["training"]["augment"]["class_name"] == "DiffAugment"
    plain = ganzoo.train("dcgan-toy", tmp_path / "plain", data=images, epochs=1, augment=False)
    assert plain.augment is None and "Few images" not in capsys.readouterr().out
    many = ganzoo.train("dcgan-toy", tmp_path / "many", data=toy_images(2000), epochs=1, batch_size=500, verbose=0)
    assert many.augment is None
    with pytest.raises(ValueError, match=r"other settings: training.augment was .*DiffAugment"):
        ganzoo.train("dcgan-toy", tmp_path / "few", data=images, epochs=1, augment=False, verbose=0)


def test_a_recipe_says_how_images_are_augmented_and_what_is_frozen(zoo, tmp_path):
    ours = tmp_path / "ours.yaml"
    more = "  augment: {class: AdaptiveAugment, arguments: {ramp: 500, target: .3}}\n"
    ours.write_text(RECIPE.format(data=zoo / "toy.npz", epochs=1) + more)
    model = ganzoo.train(ours, tmp_path / "run", verbose=0)
    assert model.augment.ramp == 500 and float(keras.ops.convert_to_numpy(model.augment.r)) != 0
    ours.write_text(RECIPE.format(data=zoo / "toy.npz", epochs=1) + "begin_with: dcgan-toy\nfreeze: 1\n")
    model = ganzoo.train(ours, tmp_path / "frozen", verbose=0)
    earlier = keras.saving.load_model(tmp_path / "frozen" / "phases" / "dcgan-toy" / "model.keras")
    kept, moved = (
        [keras.ops.convert_to_numpy(each.discriminator.layers[index].kernel) for each in (earlier, model)]
        for index in (1, 3)
    )
    np.testing.assert_array_equal(*kept)
    assert not np.array_equal(*moved)
    ours.write_text(RECIPE.format(data=zoo / "toy.npz", epochs=1) + "begin_with: dcgan-toy\nfreeze: 9\n")
    with pytest.raises(ValueError, match=r"The discriminator has 3 layers of weights: freeze fewer"):
        ganzoo.train(ours, tmp_path / "all", verbose=0)
    ours.write_text(RECIPE.format(data=zoo / "toy.npz", epochs=1) + "freeze: 1\n")
    with pytest.raises(ValueError, match="freeze: name the preset whose layers are to stay"):
        ganzoo.train(ours, tmp_path / "none", verbose=0)
    other = RECIPE.replace("width: 4", "width: 4, discriminator_width: 6").format(data=zoo / "toy.npz", epochs=1)
    ours.write_text(other + "begin_with: dcgan-toy\nfreeze: 1\n")
    with pytest.raises(ValueError, match=r"freeze: the discriminator of dcgan-toy does not fit"):
        ganzoo.train(ours, tmp_path / "wider", verbose=0)


def test_a_recipe_of_levels_trains(zoo, tmp_path):
    ours = tmp_path / "levels.yaml"
    arguments = "arguments: {image_shape: [16, 16, 1], levels: 2, latent_dim: 4, width: 4}"
    recipe = RECIPE.format(data=zoo / "toy.npz", epochs=1).replace("model: dcgan", "model: lapgan")
    ours.write_text("\n".join(arguments if line.startswith("arguments") else line for line in recipe.splitlines()))
    model = ganzoo.train(ours, tmp_path / "run", data=toy_images(24), verbose=0)
    assert model.augment is None, "which LAPGAN does not take, however few the images"


def test_a_lost_record_costs_nothing_while_the_backup_is_there(finished, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    monkeypatch.setattr(training, "_finish", lambda *arguments: None)  # so that the backup stays
    ganzoo.train("dcgan-toy", folder, verbose=0)
    monkeypatch.undo()
    (folder / "training.json").write_text("{")
    with pytest.raises(ValueError, match=r"Delete it, and make the same call again: the training goes on"):
        ganzoo.train("dcgan-toy", folder, verbose=0)
    (folder / "training.json").unlink()
    assert_same_state(ganzoo.train("dcgan-toy", folder, verbose=0), finished[1])


def test_killed_while_finishing_is_finished_by_the_next_call(finished, tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise OSError("disk full")

    monkeypatch.setattr(weights, "save_weights", fail)
    with pytest.raises(OSError, match="disk full"):
        ganzoo.train("dcgan-toy", tmp_path / "run", verbose=0)
    monkeypatch.undo()
    assert_same_state(ganzoo.train("dcgan-toy", tmp_path / "run", verbose=0), finished[1])


def test_sigkill_and_the_same_command_again_equals_uninterrupted(zoo, tmp_path):
    recipe = tmp_path / "long.yaml"
    recipe.write_text(RECIPE.format(data=zoo / "toy.npz", epochs=12))
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    blocked = "" if keras.config.backend() == "tensorflow" else "sys.modules['tensorflow'] = None;"
    code = f"import sys; {blocked} from ganzoo.cli import main; sys.argv[0] = 'ganzoo'; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "train", str(recipe), "-o", str(killed)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT,
    )  # fmt: skip
    log = killed / "log.csv"
    while process.poll() is None and not (log.exists() and len(log.read_text().splitlines()) > 2):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    output = process.communicate()[0]
    assert process.returncode == -signal.SIGKILL, output
    assert not (killed / "weights.safetensors").exists()
    (killed / f".weights.safetensors.{process.pid}.tmp").write_bytes(b"as if killed while it wrote")
    resumed = ganzoo.train(recipe, killed, verbose=0)
    assert not list(killed.glob(".*.tmp"))
    assert_same_state(resumed, ganzoo.train(recipe, whole, verbose=0))
    assert len((killed / "log.csv").read_text().splitlines()) == 13


# --- Refusals


@pytest.mark.parametrize(
    "change, message",
    [
        ({"epochs": 3}, r"training\.epochs was 2, now 3"),
        ({"seed": 2, "batch_size": 4}, r"training\.batch_size was 8, now 4; training\.seed was 1, now 2"),
        ({"data": toy_images(seed=5)}, r"data\.sha256 was '"),
        ({"data": toy_images(shape=(32, 16, 1))}, r"arguments\.image_shape was \[16, 16, 1\], now \[32, 16, 1\]"),
    ],
)
def test_a_resume_under_other_settings_is_refused_and_names_them(finished, change, message):
    folder, _ = finished
    before = (folder / "training.json").read_bytes()
    with pytest.raises(ValueError, match=message):
        ganzoo.train("dcgan-toy", folder, **change, verbose=0)
    assert (folder / "training.json").read_bytes() == before and (folder / "weights.safetensors").exists()


def test_starting_afresh_replaces_a_training_and_nothing_else(zoo, finished, tmp_path):
    folder = tmp_path / "run"
    ganzoo.train("dcgan-toy", folder, epochs=1, verbose=0)
    (folder / "notes.txt").write_text("mine")
    model = ganzoo.train("dcgan-toy", folder, resume=False, verbose=0)
    assert_same_state(model, finished[1])
    assert (folder / "notes.txt").read_text() == "mine"


def test_a_folder_of_something_else_is_refused(zoo, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    for resume in (True, False):
        with pytest.raises(ValueError, match="no training of ganzoo"):
            ganzoo.train("dcgan-toy", tmp_path, resume=resume, verbose=0)
    with pytest.raises(ValueError, match="must be a folder"):
        ganzoo.train("dcgan-toy", tmp_path / "thesis.txt", verbose=0)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"epochs": 0}, "`epochs` must be an integer, 1 to 1000000000. Received: epochs=0"),
        ({"batch_size": 2.5}, r"`batch_size`.*Received: batch_size=2\.5"),
        ({"epochs": 10**23}, "`epochs` must be an integer, 1 to 1000000000"),
        ({"seed": -1}, "`seed` must be an integer, 0 to 4294967295"),
        ({"epochs": True}, "Received: epochs=True"),
        ({"batch_size": 64}, "Not enough images"),
        ({"data": toy_images(shape=(15, 16, 1))}, "multiples of 4"),
        ({"data": np.full((16, 16, 16, 1), np.nan, "float32")}, "NaN"),
    ],
)
def test_bad_arguments_are_refused(zoo, tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        ganzoo.train("dcgan-toy", tmp_path / "run", **arguments, verbose=0)


def test_an_unknown_player_in_a_recipe_is_named(zoo, tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(RECIPE.format(data=zoo / "toy.npz", epochs=1).replace("generator:", "generater:"))
    with pytest.raises(ValueError, match=r"mine.yaml: training.optimizer.generater: .*mean 'generator'"):
        ganzoo.train(recipe, tmp_path / "run", verbose=0)


def test_a_training_that_cannot_begin_deletes_none(zoo, tmp_path):
    ganzoo.train("dcgan-toy", tmp_path / "run", data=toy_images(16), epochs=1, verbose=0)
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.is_file()}
    for arguments in ({"batch_size": 100}, {"data": toy_images(16, (15, 17, 1))}):
        with pytest.raises(ValueError):
            arguments = {"data": toy_images(16), **arguments}
            ganzoo.train("dcgan-toy", tmp_path / "run", epochs=1, verbose=0, resume=False, **arguments)
        assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.is_file()} == before
    (tmp_path / "run" / "training.json").write_text("{}")
    with pytest.raises(ValueError, match="not the record of a training"):
        ganzoo.train("dcgan-toy", tmp_path / "run", data=toy_images(16), epochs=1, verbose=0)


# --- Other data, other precision


def test_images_of_another_shape_make_another_model(zoo, tmp_path):
    model = ganzoo.train("dcgan-toy", tmp_path / "run", data=toy_images(16, (16, 32, 3)), epochs=1, verbose=0)
    assert model.image_shape == (16, 32, 3)
    record = training.read_record(tmp_path / "run")
    assert record["dataset"]["name"] == "array" and record["settings"]["arguments"]["image_shape"] == [16, 32, 3]


@pytest.mark.backend_free
def test_a_folder_of_images_takes_the_recipes_shape_or_the_given_one(tmp_path):
    for index, image in enumerate(toy_images(3, (20, 30, 3))):
        ganzoo.plot.save_png(tmp_path / f"{index}.png", image)
    read = functools.partial(read_parts, {"images": Images((16, 16, 1))}, tmp_path, folder_shape=[16, 16, 1])
    assert read()["images"].shape == (3, 16, 16, 1)
    assert read(image_shape=(24, 24, 3))["images"].shape == (3, 24, 24, 3)


def test_training_precision_is_the_recipes_and_leaves_keras_alone(zoo, tmp_path):
    recipe = tmp_path / "bf16.yaml"
    text = RECIPE.format(data=zoo / "toy.npz", epochs=1).replace("  seed: 1", "  seed: 1\n  precision: mixed_bfloat16")
    recipe.write_text(text)
    model = ganzoo.train(recipe, tmp_path / "run", verbose=0)
    assert model.dtype_policy.name == "mixed_bfloat16" and model.generator.dtype_policy.name == "mixed_bfloat16"
    assert keras.config.dtype_policy().name == "float32"
    assert np.isfinite(model.predict(np.zeros((2, 4), "float32"), verbose=0)).all()


# --- Publishing


def test_publishing_makes_a_pretrained_preset(zoo, finished):
    folder, model = finished
    card = publishing.publish(folder, "dcgan-toy")
    try:
        assert ganzoo.list_presets(pretrained=True) == ["dcgan-toy"] and presets.read_card("dcgan-toy") == card
        path = zoo / "weights" / card.file
        assert (card.sha256, card.bytes) == (weights.sha256(path), path.stat().st_size)
        assert (card.steps, card.epochs, card.seed, card.batch_size) == (10, 2, 1, 8)
        assert card.backend == keras.config.backend() and card.metrics == []
        assert 0 <= card.half_precision_error < 2
        loaded = ganzoo.load("dcgan-toy")
        assert card.golden.difference(loaded) <= 1
        difference = loaded.generate(8, seed=1).astype(int) - model.generate(8, seed=1).astype(int)
        assert np.abs(difference).max() <= 2, "half precision is near the trained model"
        assert (zoo / "samples" / "dcgan-toy.png").read_bytes()[:4] == b"\x89PNG"
        assert not list(zoo.rglob(".*")), "nothing half-written is left"
    finally:
        (zoo / "dcgan-toy.card.json").unlink()


def test_measuring_fills_the_card_and_the_table(zoo, finished, tmp_path, monkeypatch):
    monkeypatch.setenv("GANZOO_HOME", str(tmp_path / "home"))
    folder = tmp_path / "run"
    shutil.copytree(finished[0], folder)
    shutil.copy(folder / "weights.safetensors", folder / "best.safetensors")
    record = training.read_record(folder) | {"best": {"epoch": 2, "frechet_distance": 1.5}}
    (folder / "training.json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match=r"before it is measured.*dcgan-toy"):
        publishing.measure("dcgan-toy")
    card = publishing.publish(folder, "dcgan-toy")
    try:
        see = metrics.CustomExtractor(lambda images: images.reshape(len(images), 4, -1).mean(axis=2), "rows-1")
        small = {"num_images": 30, "num_seeds": 2, "extractor": see, "protocol": "standard"}
        measured = publishing.measure("dcgan-toy", folder, **small)
        assert measured == presets.read_card("dcgan-toy")
        assert measured.model_copy(update={"metrics": [], "best": None}) == card
        values = {metric["name"]: metric for metric in measured.metrics}
        assert values["frechet_distance"]["value"] == pytest.approx(
            metrics.evaluate("dcgan-toy", **small)[0]["value"], rel=1e-5
        )
        assert measured.best["epoch"] == 2 and len(measured.best["metrics"]) == len(measured.metrics)
        row = gallery.table().splitlines()[-1]
        assert row.startswith("| `dcgan-toy` | [Radford et al. 2015](https://arxiv.org/abs/1511.06434) |")
        assert f"{values['coverage']['value']:.3g}" in row
        assert "coverage" in str(presets.info("dcgan-toy")) and "epoch 2" in str(presets.info("dcgan-toy"))
    finally:
        (zoo / "dcgan-toy.card.json").unlink()


def test_a_training_on_data_with_an_extractor_logs_its_distance_and_keeps_the_best(tmp_path, monkeypatch):
    see = metrics.CustomExtractor(lambda images: images.reshape(len(images), 4, -1).mean(axis=2), "rows-1")
    see.image_shape = (16, 16, 1)
    monkeypatch.setattr(metrics, "extractor_names", lambda: ["rows"])
    monkeypatch.setattr(metrics, "extractor", lambda name: see)
    monkeypatch.setattr(training, "MONITORED", 40)
    monkeypatch.setattr(asked, "read_parts", lambda *args, **options: {"images": toy_images()})
    monkeypatch.setenv("GANZOO_HOME", str(tmp_path / "home"))
    recipe = tmp_path / "rows.yaml"
    recipe.write_text(RECIPE.format(data="rows", epochs=4))
    folder = tmp_path / "run"
    monkeypatch.setattr(training, "SampleGrid", interrupt_at(12))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.raises(KeyboardInterrupt):
        ganzoo.train(recipe, folder, verbose=0)
    monkeypatch.setattr(training, "SampleGrid", SampleGrid)
    ganzoo.train(recipe, folder, verbose=0)
    rows = list(csv.DictReader((folder / "log.csv").open()))
    values = [float(row["frechet_distance"]) for row in rows]
    record = training.read_record(folder)
    assert record["best"] == {"epoch": int(np.argmin(values)) + 1, "frechet_distance": min(values)}
    assert record["alarms"] == [] and record["extractor"] == see.id
    best = presets.build(presets.read_recipe(recipe), dtype="float32")
    weights.load_weights(best, folder / "best.safetensors")
    measured = metrics.scorer(metrics.Reference(see, toy_images()), seed=training.MONITOR_SEED)(best)
    assert measured["frechet_distance"] == pytest.approx(min(values), rel=1e-4)


def test_a_training_goes_on_as_it_was_begun_whatever_extractors_there_are_now(zoo, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "SampleGrid", interrupt_at(7))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.raises(KeyboardInterrupt):
        ganzoo.train("dcgan-toy", tmp_path / "run", verbose=0)
    monkeypatch.setattr(training, "SampleGrid", SampleGrid)
    see = metrics.CustomExtractor(lambda images: images.reshape(len(images), 4, -1).mean(axis=2), "rows-1")
    monkeypatch.setattr(training, "_extractor", lambda data, images: see)
    ganzoo.train("dcgan-toy", tmp_path / "run", verbose=0)
    assert "frechet_distance" not in (tmp_path / "run" / "log.csv").read_text()
    record = training.read_record(tmp_path / "run") | {"extractor": "rows-0", "finished": False}
    (tmp_path / "run" / "training.json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match=r"extractor 'rows-0'.*Received: 'rows-1'"):
        ganzoo.train("dcgan-toy", tmp_path / "run", verbose=0)


@pytest.mark.parametrize(
    ("preset", "data"),
    [
        ("gan-toy", lambda: ganzoo.data.gaussian_ring(64, seed=0)),
        ("dcgan-toy", lambda: toy_images(shape=(16, 16, 4))),
    ],
)
def test_points_and_images_of_four_channels_are_trained_to_the_end(preset, data, zoo, tmp_path):
    folder, images = tmp_path / "run", data()
    if preset == "gan-toy":
        preset, text = tmp_path / "gan-toy.yaml", RECIPE.format(data=zoo / "toy.npz", epochs=1)
        preset.write_text(text.replace("model: dcgan", "model: gan").replace(", width: 4", ""))
    model = ganzoo.train(preset, folder, data=images, epochs=1, verbose=0)
    assert training.read_record(folder)["finished"] and model.image_shape == images.shape[1:]
    assert (folder / "samples.png").is_file() and (folder / "samples" / "epoch_0001.png").is_file()


def test_a_training_that_diverges_is_an_error_that_names_the_remedy(zoo, tmp_path, monkeypatch):
    monkeypatch.setattr(watching, "HEALTH_STEPS", 1000)  # no look at all: the epoch's end sees it
    text = RECIPE.format(data=zoo / "toy.npz", epochs=40).replace("2e-3", "1e30")
    recipe = tmp_path / "hot.yaml"
    recipe.write_text(text)
    with pytest.raises(FloatingPointError, match=r"diverged.*Lower the learning rates"):
        ganzoo.train(recipe, tmp_path / "run", verbose=0)
    record = training.read_record(tmp_path / "run")
    assert not record["finished"] and [alarm["kind"] for alarm in record["alarms"]] == ["not a number"]
    assert not (tmp_path / "run" / "backup.safetensors").exists(), "what has diverged is not kept"


def assert_publishing_refused(zoo, folder, message, preset="dcgan-toy"):
    before = {path: path.stat().st_mtime_ns for path in zoo.rglob("*") if path.is_file()}
    with pytest.raises(ValueError, match=message):
        publishing.publish(folder, preset)
    assert {path: path.stat().st_mtime_ns for path in zoo.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    "limit, value, message",
    [
        ("MAX_BYTES", (1000,) * 3, "may take 0.001 MB.*Received: "),
        ("MAX_TOTAL_BYTES", 1000, "all together 0.001 MB"),
        ("MAX_HALF_PRECISION_ERROR", -1.0, "Half precision changes the images by"),
    ],
)
def test_publishing_holds_its_limits_and_writes_nothing(zoo, finished, monkeypatch, limit, value, message):
    monkeypatch.setattr(publishing, limit, value)
    assert_publishing_refused(zoo, finished[0], message)


def test_publishing_refuses_what_is_not_this_presets_finished_training(zoo, finished, tmp_path):
    folder, _ = finished
    record = training.read_record(folder)
    assert_publishing_refused(zoo, tmp_path, "no training in that folder")
    for change, message in [
        ({"finished": False}, "is not finished"),
        ({"preset": "dcgan-other"}, "a training of 'dcgan-other'"),
        ({"dataset": {"name": "array"}}, "on other data than the recipe's: 'array'"),
    ]:
        (tmp_path / "training.json").write_text(json.dumps(record | change))
        assert_publishing_refused(zoo, tmp_path, message)
    recipe = zoo / "dcgan-toy.yaml"
    text = recipe.read_text()
    try:
        recipe.write_text(text.replace("epochs: 2", "epochs: 9"))
        assert_publishing_refused(zoo, folder, r"not of the recipe as it stands: training\.epochs was 2, now 9")
    finally:
        recipe.write_text(text)


@pytest.mark.backend_free
def test_the_publish_script_tells_a_fault_in_one_line(tmp_path):
    script, environment = ROOT / "scripts" / "publish.py", {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, script, tmp_path, "dcgan-mnist"], capture_output=True, text=True, env=environment
    )
    assert done.returncode != 0 and "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("publish: There is no training in that folder")
