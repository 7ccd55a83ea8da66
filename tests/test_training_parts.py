"""Training, publishing and drawing by recipe of models whose data has several parts: classes, pairs, phases."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import ganzoo
from ganzoo import cli
from ganzoo.zoo import asked, download, presets, publishing, recipes, records, training

pytestmark = pytest.mark.backend_free

ROOT = Path(__file__).parent.parent
RNG = np.random.default_rng(0)
RECIPE = """\
model: {model}
description: tiny
paper: Somebody 2020, arXiv:2001.00001
arguments: {arguments}
dataset: {dataset}
training: {{epochs: 1, batch_size: 4, seed: 1{optimizer}}}
{more}
"""
CGAN = "{image_shape: [16, 16, 1], num_classes: 3, latent_dim: 4, width: 4}"
PIX2PIX = "{source_shape: [64, 64, 1], target_shape: [64, 64, 3], width: 2, max_width: 4, dropout_at_test: false}"


def write(folder, name, **values):
    values = {"optimizer": "", "more": "", **values}
    path = folder / f"{name}.yaml"
    path.write_text(RECIPE.format(**values))
    return path


def pictures(num, shape):
    return RNG.integers(0, 256, (num, *shape), "uint8")


def save(folder, name, image):
    folder.mkdir(parents=True, exist_ok=True)
    ganzoo.plot.save_png(folder / name, image)


def parts_of(recipe, data):
    return asked.parts_of(recipe, asked.wanted_of(recipe), data, None, None, {})


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    """A configuration folder; archives of labelled images and of pairs beside it."""
    folder = tmp_path / "zoo"
    folder.mkdir()
    monkeypatch.setattr(recipes, "config_dir", lambda: folder)
    monkeypatch.setattr(download, "bundled_dir", lambda: folder / "weights")
    np.savez(tmp_path / "toy.npz", images=pictures(20, (16, 16, 1)), labels=np.arange(20) % 3)
    write(folder, "cgan-toy", model="cgan", arguments=CGAN, dataset=f"{{name: {tmp_path}/toy.npz}}")
    write(folder, "pix2pix-toy", model="pix2pix", arguments=PIX2PIX, dataset="{name: toy, derive: {source: grey}}")
    return folder


def test_a_preset_of_classes_is_trained_published_and_drawn_from(zoo, tmp_path):
    model = ganzoo.train("cgan-toy", tmp_path / "run", verbose=0)
    assert model.data["labels"].num_classes == 3 and (tmp_path / "run" / "samples.png").is_file()
    card = publishing.publish(tmp_path / "run", "cgan-toy")
    assert card.golden.inputs == {"labels": [0, 1, 2, 0]} and card.golden.difference(ganzoo.load("cgan-toy")) <= 1
    assert "labels=0" in str(ganzoo.info("cgan-toy")) and "generate(16, labels=0, seed=0)" in str(
        ganzoo.info("cgan-toy")
    )
    runner, sheet = CliRunner(), tmp_path / "sheet.png"
    done = runner.invoke(cli.app, ["generate", "cgan-toy", "labels=2", "-n", "6", "--seed", "0", "-o", str(sheet)])
    assert done.exit_code == 0 and "6 images, seed 0" in done.output, done.output
    folder = tmp_path / "each"
    done = runner.invoke(cli.app, ["generate", "cgan-toy", "labels=0,1", "--seed", "0", "--separate", str(folder)])
    assert done.exit_code == 0 and len(list(folder.glob("*.png"))) == 2, done.output
    done = runner.invoke(cli.app, ["generate", "cgan-toy", "--seed", "0", "-o", str(sheet), "--overwrite"])
    assert done.exit_code == 0 and "64 images, seed 0, labels 0 to 2" in done.output, done.output
    for wrong, message in (
        ("labels=3", "A class is a number from 0 to 2"),
        ("label=1", "Did you mean 'labels'"),
        ("3", "NAME=VALUE"),
    ):
        done = runner.invoke(cli.app, ["generate", "cgan-toy", wrong, "-o", str(tmp_path / "no.png")])
        assert done.exit_code == 2 and message in done.stderr and not (tmp_path / "no.png").exists()


def test_a_folder_of_class_folders_is_trained_on(zoo, tmp_path, capsys):
    for index, image in enumerate(pictures(12, (20, 24, 3))):
        save(tmp_path / "photos" / "abcd"[index % 4], f"{index}.png", image)
    folder = tmp_path / "run"
    model = ganzoo.train("cgan-toy", folder, data=tmp_path / "photos", image_shape=(16, 16, 3), verbose=2)
    assert "Labels: 0 a, 1 b, 2 c, 3 d" in capsys.readouterr().out
    assert records.read_record(folder)["classes"] == ["a", "b", "c", "d"]
    assert model.data["labels"].num_classes == 4 and model.image_shape == (16, 16, 3)
    assert model.generate(labels=[0, 3]).shape == (2, 16, 16, 3)
    resumed = ganzoo.train("cgan-toy", folder, data=tmp_path / "photos", image_shape=(16, 16, 3), verbose=0)
    np.testing.assert_array_equal(resumed.generate(4, labels=1, seed=0), model.generate(4, labels=1, seed=0))


def test_pairs_are_trained_on_from_two_folders_and_side_by_side(zoo, tmp_path):
    write(zoo, "pix2pix-pairs", model="pix2pix", arguments=PIX2PIX.replace("64, 1", "64, 3"), dataset="{name: none}")
    for index, (a, b) in enumerate(zip(pictures(6, (64, 64, 3)), pictures(6, (64, 64, 3)))):
        save(tmp_path / "two" / "A", f"{index}.png", a)
        save(tmp_path / "two" / "B", f"{index}.png", b)
        save(tmp_path / "one", f"{index}.png", np.concatenate([a, b], axis=1))
    images = {}
    for form in ("two", "one"):
        model = ganzoo.train("pix2pix-pairs", tmp_path / f"run-{form}", data=tmp_path / form, verbose=0)
        assert {path.name for path in (tmp_path / f"run-{form}" / "samples").glob("*.png")} == {"epoch_0001.png"}
        images[form] = model.generate(source=model.data["source"].examples(2))
    np.testing.assert_array_equal(images["two"], images["one"])
    (tmp_path / "two" / "B" / "3.png").rename(tmp_path / "two" / "B" / "other.png")
    with pytest.raises(ValueError, match=r"3.*other|other.*3"):
        ganzoo.train("pix2pix-pairs", tmp_path / "run", data=tmp_path / "two", verbose=0)
    assert not (tmp_path / "run").exists()


def test_a_derived_source_and_an_image_on_the_command_line(zoo, tmp_path):
    images = {"target": pictures(6, (64, 64, 3))}
    model = ganzoo.train("pix2pix-toy", tmp_path / "run", data=images, verbose=0)
    assert model.data["source"].shape == (64, 64, 1)
    save(tmp_path, "drawing.png", images["target"][0])
    arguments = ["generate", str(tmp_path / "run"), f"source={tmp_path}/drawing.png", "-o", str(tmp_path / "out.png")]
    done = CliRunner().invoke(cli.app, arguments)
    assert done.exit_code == 0 and "1 images" in done.output, done.output
    done = CliRunner().invoke(cli.app, [*arguments[:2], f"source={tmp_path}/none.png", *arguments[3:], "--overwrite"])
    assert done.exit_code == 2 and "no image file of that name" in done.stderr


def test_a_training_is_evaluated_on_what_it_learned_from(zoo, tmp_path):
    for index, image in enumerate(pictures(6, (70, 64, 3))):
        save(tmp_path / "pictures", f"{index}.png", image)
    run = tmp_path / "run"
    ganzoo.train("pix2pix-toy", run, data=tmp_path / "pictures", image_shape=(64, 64, 3), verbose=0)
    measured = {each["name"]: each["value"] for each in ganzoo.metrics.evaluate(run, protocol="paired")}
    assert set(measured) >= {"psnr", "ssim", "l1"} and 4 < measured["psnr"] < 40
    images = ganzoo.data.load_folder(tmp_path / "pictures", (64, 64))
    pairs = {"source": ganzoo.data.grey(images), "target": images}
    same = ganzoo.metrics.evaluate(run / "model.keras", pairs, protocol="paired")
    assert {each["name"]: each["value"] for each in same} == pytest.approx(measured)
    for protocol in ("paired", "losses"):
        done = CliRunner().invoke(cli.app, ["evaluate", str(run), "--protocol", protocol])
        assert done.exit_code == 0, done.output
    done = CliRunner().invoke(cli.app, ["evaluate", str(run / "model.keras"), "--protocol", "paired"])
    assert done.exit_code == 2 and "--data" in done.stderr
    record = records.read_record(run)
    records.write_record(run, record | {"finished": False})
    (run / "model.keras").unlink()
    with pytest.raises(ValueError, match="is not finished"):
        ganzoo.metrics.evaluate(run, protocol="paired")


def test_a_sheet_is_drawn_for_what_the_publisher_says(zoo, tmp_path):
    write(zoo, "pix2pix-toy", model="pix2pix", arguments=PIX2PIX, dataset="{name: toy, derive: {source: grey}}")
    ganzoo.train("pix2pix-toy", tmp_path / "run", data={"target": pictures(4, (64, 64, 3))}, verbose=0)
    record = records.read_record(tmp_path / "run")
    record["dataset"] = presets.read_recipe("pix2pix-toy").dataset.model_dump()
    records.write_record(tmp_path / "run", record)
    with pytest.raises(ValueError, match=r"drawn for source.*sauce"):
        publishing.publish(tmp_path / "run", "pix2pix-toy", shown={"sauce": "x"})
    assert not list(zoo.glob("weights/*")) and presets.read_card("pix2pix-toy") is None
    drawing = pictures(1, (64, 64, 1))[0]
    save(tmp_path, "drawing.png", drawing)
    publishing.publish(tmp_path / "run", "pix2pix-toy", shown={"source": str(tmp_path / "drawing.png")})
    with Image.open(zoo / "samples" / "pix2pix-toy.png") as sheet:
        pixels = np.asarray(sheet.convert("L"))
    assert any(
        (pixels[top : top + 64, left : left + 64] == drawing[..., 0]).all()
        for top in range(pixels.shape[0] - 63)
        for left in range(8)
    )


def test_any_optimizer_of_keras_by_its_class(zoo, tmp_path):
    def recipe(text):
        dataset = f"{{name: {tmp_path}/toy.npz}}"
        return write(tmp_path, "own", model="cgan", arguments=CGAN, dataset=dataset, optimizer=f", optimizer: {text}")

    rmsprop = "{generator: {class: RMSprop, learning_rate: 5e-5, rho: 0.9, clipnorm: 1.0}}"
    model = ganzoo.train(recipe(rmsprop), tmp_path / "run", verbose=0)
    assert isinstance(model.optimizer["generator"], keras.optimizers.RMSprop)
    assert model.optimizer["generator"].clipnorm == 1.0 and isinstance(
        model.optimizer["discriminator"], keras.optimizers.Adam
    )
    assert "RMSprop(5e-05" in str(ganzoo.info(recipe(rmsprop)))
    for text, message in (
        (
            "{generator: {class: RMSProp, learning_rate: 1e-3}}",
            r"training\.optimizer\.generator\.class.*Did you mean 'RMSprop'",
        ),
        ("{generator: {class: SGD, learning_rate: 1e-3, beta_1: 0.5}}", r"SGD does not take that.*beta_1"),
        ("{generator: {learning_rate: 1e-3, beta1: 0.5}}", r"beta1: unknown key. Did you mean 'beta_1'"),
        (
            "{generator: {class: SGD, learning_rate: 1e-3, arguments: {nestrov: true}}}",
            "SGD does not take that.*nestrov",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            ganzoo.train(recipe(text), tmp_path / "refused", verbose=0)
        assert not (tmp_path / "refused").exists()


def test_a_training_begins_with_the_networks_of_an_earlier_phase(zoo, tmp_path):
    dataset = f"{{name: {tmp_path}/toy.npz}}"
    later = write(tmp_path, "later", model="cgan", arguments=CGAN, dataset=dataset, more="begin_with: cgan-toy")
    folder, begun = tmp_path / "run", []

    class Look(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            begun.append([w.copy() for w in self.model.generator.get_weights()])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "_quality", lambda *_: [Look()])
        ganzoo.train(later, folder, verbose=0)
    earlier = keras.saving.load_model(folder / "phases" / "cgan-toy" / "model.keras")
    for a, b in zip(begun[-1], earlier.generator_ema.get_weights(), strict=True):  # as published: the average
        np.testing.assert_array_equal(a, b)
    other = CGAN.replace("width: 4", "width: 8")
    both = write(
        tmp_path, "both", model="cgan", arguments=CGAN, dataset=dataset, more="begin_with: [cgan-toy, again-toy]"
    )
    write(zoo, "again-toy", model="cgan", arguments=CGAN, dataset=dataset, more="begin_with: cgan-toy")
    ganzoo.train(both, tmp_path / "both-run", verbose=0)
    assert sorted(path.parent.name for path in (tmp_path / "both-run").rglob("model.keras")) == [
        "again-toy",
        "both-run",
        "cgan-toy",
        "cgan-toy",
    ]
    assert "begins with  cgan-toy, again-toy" in str(ganzoo.info(both))
    wider = write(tmp_path, "wider", model="cgan", arguments=other, dataset=dataset, more="begin_with: cgan-toy")
    with pytest.raises(download.WeightsError, match="No network of the file fits the model"):
        ganzoo.train(wider, tmp_path / "wide", verbose=0)
    with pytest.raises(ValueError, match="no preset of that name"):
        lost = write(tmp_path, "lost", model="cgan", arguments=CGAN, dataset=dataset, more="begin_with: nothing")
        ganzoo.train(lost, tmp_path / "lost-run", verbose=0)


def test_a_part_that_the_data_lack_is_told_before_anything_is_written(zoo, tmp_path):
    np.savez(tmp_path / "bare.npz", images=pictures(20, (16, 16, 1)))
    with pytest.raises(ValueError, match=r"takes `labels`, and .*bare\.npz' has images: say which of them it is"):
        ganzoo.train("cgan-toy", tmp_path / "run", data=tmp_path / "bare.npz", verbose=0)
    dataset = f"{{name: {tmp_path}/toy.npz, derive: {{images: edgess}}}}"
    wrong = write(tmp_path, "wrong", model="cgan", arguments=CGAN, dataset=dataset)
    with pytest.raises(ValueError, match=r"Nothing is derived by that name\. Did you mean 'edges'"):
        ganzoo.train(wrong, tmp_path / "run", verbose=0)
    assert not (tmp_path / "run").exists()
    assert presets.info("cgan-toy").card is None


def test_pairs_of_ones_own_are_not_derived(zoo, tmp_path):
    sources, targets = pictures(6, (64, 64, 1)), pictures(6, (64, 64, 3))
    recipe = presets.read_recipe("pix2pix-toy")
    for data in ({"source": sources, "target": targets}, (sources, targets)):
        parts = parts_of(recipe, data)
        np.testing.assert_array_equal(parts["source"], sources)
    derived = parts_of(recipe, targets)
    np.testing.assert_array_equal(derived["source"], ganzoo.data.grey(targets))
    save(tmp_path / "flat", "a.png", pictures(1, (64, 64, 3))[0])
    write(zoo, "pix2pix-pairs", model="pix2pix", arguments=PIX2PIX.replace("64, 1", "64, 3"), dataset="{name: none}")
    with pytest.raises(ValueError, match="Pairs are two folders with files of equal names, or images side by side"):
        ganzoo.train("pix2pix-pairs", tmp_path / "run", data=tmp_path / "flat", verbose=0)


def test_what_trainings_begin_with_is_checked_before_anything_is_lost(zoo, tmp_path):
    dataset = f"{{name: {tmp_path}/toy.npz}}"
    folder = tmp_path / "run"
    ganzoo.train("cgan-toy", folder, verbose=0)
    write(zoo, "cgan-toy", model="cgan", arguments=CGAN, dataset=dataset, more="begin_with: cgan-toi")
    with pytest.raises(ValueError, match="no preset of that name"):
        ganzoo.train("cgan-toy", folder, verbose=0, resume=False)
    assert (folder / "model.keras").is_file()
    write(zoo, "cgan-toy", model="cgan", arguments=CGAN, dataset=dataset, more="begin_with: cgan-toy")
    with pytest.raises(ValueError, match="begin with one another: cgan-toy -> cgan-toy"):
        ganzoo.train("cgan-toy", folder, verbose=0, resume=False)


def test_settings_of_before_are_the_same_settings():
    old = {
        "model": "dcgan",
        "training": {
            "epochs": 2,
            "optimizer": {"generator": {"learning_rate": 2e-3, "beta_1": 0.5, "beta_2": 0.999, "epsilon": 1e-7}},
            "schedule": None,
        },
    }
    new = {
        "model": "dcgan",
        "training": {
            "epochs": 2,
            "optimizer": {"generator": {"class_name": "Adam", "learning_rate": 2e-3, "beta_1": 0.5, "arguments": {}}},
        },
    }
    assert records.differences(records.normal(old), records.normal(new)) == []
    new["training"]["optimizer"]["generator"]["beta_1"] = 0.0
    assert records.differences(records.normal(old), records.normal(new)) == [
        "training.optimizer.generator.beta_1 was 0.5, now 0.0"
    ]


def test_pairs_beside_each_other_are_pairs_also_where_a_source_would_be_derived(zoo, tmp_path, capsys):
    for index in range(4):
        save(tmp_path / "beside", f"{index}.png", pictures(1, (70, 140, 3))[0])
        save(tmp_path / "alone", f"{index}.png", pictures(1, (70, 72, 3))[0])
    sizes = {"image_shape": (64, 64, 3), "verbose": 2}
    for name, said, shape in (
        ("beside", "Data: source from the left halves, target from the right halves", (64, 64, 3)),
        ("alone", "Data: source by grey of target", (64, 64, 1)),
    ):
        model = ganzoo.train("pix2pix-toy", tmp_path / f"run-{name}", data=tmp_path / name, **sizes)
        assert said in capsys.readouterr().out and model.data["source"].shape == shape
        measured = ganzoo.metrics.evaluate(tmp_path / f"run-{name}", protocol="paired")
        assert np.isfinite([each["value"] for each in measured]).all()


def test_how_files_are_read_is_kept_with_the_training(zoo, tmp_path):
    files, folder = tmp_path / "files", tmp_path / "run"
    for name in ("notes", "more notes"):  # without images
        (files / name).mkdir(parents=True)
    for index in range(6):
        Image.fromarray(RNG.integers(0, 4096, (64, 40), "uint16")).save(files / f"{index}.png")
    command = ["train", "pix2pix-toy", "--data", str(files), "--image-shape", "64x64x3", "-o", str(folder)]
    done = CliRunner().invoke(cli.app, [*command, "--fit", "pad", "--max-value", "4095"])
    assert done.exit_code == 0, done.output
    assert records.read_record(folder)["dataset"]["reading"] == {"fit": "pad", "max_value": 4095}
    (measured, *_) = ganzoo.metrics.evaluate(folder, protocol="paired")
    images = ganzoo.data.load_folder(files, 64, fit="pad", max_value=4095)
    pairs = {"source": ganzoo.data.grey(images), "target": images}
    (same, *_) = ganzoo.metrics.evaluate(folder, pairs, protocol="paired")
    assert measured["value"] == pytest.approx(same["value"])
    with pytest.raises(ValueError, match="`fit` is one of crop, pad, stretch"):
        ganzoo.train("pix2pix-toy", tmp_path / "other", data=files, reading={"fit": "zoom"}, verbose=0)
    with pytest.raises(ValueError, match="not read with 'sharpen'"):
        ganzoo.train("pix2pix-toy", tmp_path / "other", data=files, reading={"sharpen": 1}, verbose=0)


def test_which_folder_became_which_part_is_said(zoo, tmp_path, capsys):
    write(zoo, "pix2pix-pairs", model="pix2pix", arguments=PIX2PIX.replace("64, 1", "64, 3"), dataset="{name: none}")
    for name in ("sketches", "photos"):
        for index in range(4):
            save(tmp_path / "pairs" / name, f"{index}.png", pictures(1, (64, 64, 3))[0])
    ganzoo.train("pix2pix-pairs", tmp_path / "run", data=tmp_path / "pairs", verbose=2)
    assert "Data: source from photos/, target from sketches/" in capsys.readouterr().out


def test_files_that_cannot_be_read_are_left_out_where_asked(zoo, tmp_path):
    for index in range(9):
        save(tmp_path / "photos" / "ab"[index % 2], f"{index}.png", pictures(1, (16, 16, 3))[0])
    (tmp_path / "photos" / "a" / "0.png").write_bytes(b"no image")
    command = ["train", "cgan-toy", "--data", str(tmp_path / "photos"), "--image-shape", "16x16x3"]
    command += ["-o", str(tmp_path / "run")]
    done = CliRunner().invoke(cli.app, command)
    assert done.exit_code == 2 and "--skip-unreadable" in done.stderr and not (tmp_path / "run").exists()
    with pytest.warns(UserWarning, match="Left out: 1 of 9 files"):
        done = CliRunner().invoke(cli.app, [*command, "--skip-unreadable"])
    assert done.exit_code == 0, done.output
    sheet = ["generate", str(tmp_path / "run"), "labels=b,a", "-o", str(tmp_path / "sheet.png")]
    done = CliRunner().invoke(cli.app, sheet)
    assert done.exit_code == 0 and "2 images" in done.output, done.output


CAPTIONED = """\
from functools import partial
import keras, ganzoo
from keras import layers, ops
from ganzoo.engine.parts import Images, Text

def generator(words, length):
    z, text = keras.Input((4,), name="latents"), keras.Input((length,), dtype="int32", name="captions")
    told = layers.Flatten()(layers.Embedding(words, 3, name="embedding")(text))
    x = layers.Dense(16 * 16, "tanh", name="dense")(layers.Concatenate()([z, told]))
    return keras.Model([z, text], layers.Reshape((16, 16, 1))(x), name="generator")

def discriminator(words, length):
    x, text = keras.Input((16, 16, 1), name="images"), keras.Input((length,), dtype="int32", name="captions")
    told = layers.Flatten()(layers.Embedding(words, 3, name="embedding")(text))
    return keras.Model([x, text], layers.Dense(1, name="d")(layers.Concatenate()([layers.Flatten()(x), told])))

@ganzoo.register
@keras.saving.register_keras_serializable("mine")
class Told(ganzoo.VanillaGAN):
    shaped_by = {SHAPED}

    def __init__(self, vocabulary, length=4, generator=generator, discriminator=discriminator, **kwargs):
        part = Text(vocabulary, length)
        both = (generator, discriminator)
        make = [n if isinstance(n, keras.Model) else partial(n, part.num_words, length) for n in both]
        data = {"images": Images((16, 16, 1)), "captions": part}
        super().__init__(generator=make[0], discriminator=make[1], **{"data": data, **kwargs})
        self.arguments = {"vocabulary": list(vocabulary), "length": length}
"""


def test_a_model_of_sentences_in_a_module_of_ones_own_is_trained_by_command(tmp_path):
    captions = np.array(["a red heart", "a blue face"] * 6)
    np.savez(tmp_path / "told.npz", images=pictures(12, (16, 16, 1)), captions=captions, other=np.arange(3))
    assert set(ganzoo.data.load_parts(tmp_path / "told.npz")) == {"images", "captions"}
    dataset = f"{{name: {tmp_path}/told.npz}}"
    for i, shaped in enumerate(('{"images": "image_shape"}', '{"captions": "vocabulary"}')):
        (tmp_path / f"told{i}.py").write_text(CAPTIONED.replace("{SHAPED}", shaped).replace("Told", f"Told{i}"))
        recipe = write(
            tmp_path, f"told{i}", model=f"told{i}", arguments="{vocabulary: [red, heart, a]}", dataset=dataset
        )
        command = [sys.executable, "-m", "ganzoo", "--import", f"told{i}"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        for arguments in (
            ["train", str(recipe), "-o", f"run{i}"],
            ["generate", f"run{i}", "captions=a red heart", "-n", "2", "-o", f"sheet{i}.png"],
        ):
            done = subprocess.run([*command, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
        assert (tmp_path / f"sheet{i}.png").is_file()
    done = subprocess.run([*command[:3], "--import", "nothing", "list"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and "name a module" in done.stderr


@pytest.mark.backend_free
def test_labels_with_gaps_are_told():
    recipe = presets.read_recipe("cgan-mnist")
    images = np.zeros((3, 28, 28, 1), "uint8")
    with pytest.warns(UserWarning, match="11 classes.* 8 of them have no example .the first: 1"):
        shaped = asked.of_shapes(recipe, {"images": images, "labels": np.array([0, 5, 10])}, True)
    assert shaped.arguments["num_classes"] == 11
