"""The command line: what works, and above all that bad input is exit code 2 and one clear line on stderr."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import ganzoo
from ganzoo import cli
from ganzoo.zoo import download, presets, recipes, weights

ROOT = Path(__file__).parent.parent
RECIPE = """\
model: dcgan
description: tiny
paper: Radford et al. 2015, arXiv:1511.06434
arguments: {{image_shape: [16, 16, 1], latent_dim: 4, width: 4}}
dataset: {{name: {data}}}
training: {{epochs: {epochs}, batch_size: 8}}
"""


def run(*arguments, **environment):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments], env=environment)


def assert_refused(result, *parts):
    """Exit code 2, nothing on stdout, one line on stderr that begins with the program's name and holds `parts`."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1 and result.stderr.startswith("ganzoo: "), result.stderr
    for part in parts:
        assert part in result.stderr, result.stderr


def process(*arguments, **environment):
    command = [sys.executable, "-m", "ganzoo.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, **environment})


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    """The preset `dcgan-toy`, published with fresh weights, and its data."""
    folder = tmp_path_factory.mktemp("zoo")
    images = np.random.default_rng(0).integers(0, 256, (24, 16, 16, 1), dtype="uint8")
    np.savez(folder / "toy.npz", images=images)
    (folder / "dcgan-toy.yaml").write_text(RECIPE.format(data=folder / "toy.npz", epochs=1))
    (folder / "gan-bare.yaml").write_text(RECIPE.format(data="mnist", epochs=1).replace("dcgan", "gan"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipes, "config_dir", lambda: folder)
        patch.setattr(download, "bundled_dir", lambda: folder)
        model = ganzoo.load("dcgan-toy", weights=None)
        path = folder / "dcgan-toy.safetensors"
        weights.save_weights(model, path)
        card = presets.Card(
            preset="dcgan-toy", file=path.name, sha256=weights.sha256(path), bytes=path.stat().st_size, seed=0, steps=1,
            epochs=1, batch_size=8, backend="jax", precision="float32", keras="3", commit=None, licence="Apache-2.0",
            golden=presets.Golden.of(model.generate(1, seed=0), 0), dataset="toy", dataset_licence=None,
        )  # fmt: skip
        (folder / "dcgan-toy.card.json").write_text(json.dumps(card.model_dump()))
        yield folder


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


# --- Help, list, info


@pytest.mark.backend_free
@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_shows_every_command_and_an_example(arguments):
    result = run(*arguments)
    assert result.exit_code == 0
    for command in ("list", "info", "generate", "train", "evaluate", "export", "ganzoo generate dcgan-mnist"):
        assert command in result.output


@pytest.mark.backend_free
@pytest.mark.parametrize("command", ["list", "info", "generate", "train", "evaluate", "export"])
def test_every_command_has_help_with_an_example(command):
    result = run(command, "--help")
    assert result.exit_code == 0 and f"ganzoo {command}" in result.output and "Example" in result.output


@pytest.mark.backend_free
def test_version():
    assert run("--version").output == f"ganzoo {ganzoo.__version__}\n"


@pytest.mark.backend_free
def test_list_and_info_without_keras():
    code = (
        "import sys, ganzoo.cli\n"
        "for arguments in (['--help'], ['list'], ['list', '--model', 'dcgan'], ['info', 'dcgan-mnist']):\n"
        "    ganzoo.cli.app(arguments, standalone_mode=False)\n"
        "print([name for name in ('keras', 'tensorflow', 'jax', 'torch', 'matplotlib') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]" and "dcgan-mnist" in done.stdout


def test_list_filters(zoo):
    lines = run("list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["PRESET", "dcgan-toy", "gan-bare"]
    assert [line.split()[0] for line in run("list", "--pretrained").stdout.splitlines()] == ["PRESET", "dcgan-toy"]
    assert [line.split()[0] for line in run("list", "--dataset", "mnist").stdout.splitlines()] == ["PRESET", "gan-bare"]
    assert_refused(run("list", "--model", "dcgna"), "No preset matches", "gan-bare")


def test_info(zoo):
    result = run("info", "dcgan-toy")
    assert result.exit_code == 0 and "arXiv:1511.06434" in result.stdout and "sha256" in result.stdout


# --- Generate


def test_generate_writes_a_sheet_and_the_seed_decides(zoo):
    for name, seed in (("a.png", 3), ("b.png", 3), ("deep/down/c.png", 4)):
        result = run("generate", "dcgan-toy", "-n", 12, "--seed", seed, "-o", name, "--columns", 4)
        assert result.exit_code == 0, result.output
        assert result.stdout == f"Wrote {name}: 12 images, seed {seed}\n"
    a, b, c = (np.asarray(Image.open(name)) for name in ("a.png", "b.png", "deep/down/c.png"))
    expected = ganzoo.plot.image_grid(ganzoo.load("dcgan-toy").generate(12, seed=3), columns=4)[..., 0]
    np.testing.assert_array_equal(a, expected)
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


def test_generate_without_options_names_file_and_seed(zoo):
    result = run("generate", "dcgan-toy")
    assert result.stdout.startswith("Wrote dcgan-toy.png: 64 images, seed ")
    seed = result.stdout.split()[-1]
    assert run("generate", "dcgan-toy", "--seed", seed, "-o", "again.png").exit_code == 0
    assert Path("again.png").read_bytes() == Path("dcgan-toy.png").read_bytes()


def test_generate_separate_files(zoo):
    assert run("generate", "dcgan-toy", "-n", 11, "--seed", 1, "--separate", "one", "--scale", 2).exit_code == 0
    names = sorted(path.name for path in Path("one").iterdir())
    assert names == [f"{index:02}.png" for index in range(11)] and not Path("dcgan-toy.png").exists()
    image = np.asarray(Image.open("one/10.png"))
    expected = ganzoo.load("dcgan-toy").generate(11, seed=1)[10, ..., 0]
    np.testing.assert_array_equal(image, expected.repeat(2, 0).repeat(2, 1))


def test_generate_from_ones_own_file_and_folder(zoo):
    model = ganzoo.load("dcgan-toy")
    Path("run").mkdir()
    model.save("run/model.keras")
    for source, default in (("run/model.keras", "model.png"), ("run", "run.png")):
        assert run("generate", source, "-n", 4, "--seed", 0).exit_code == 0
        expected = ganzoo.plot.image_grid(model.generate(4, seed=0))[..., 0]
        np.testing.assert_array_equal(np.asarray(Image.open(default)), expected)


BAD_GENERATE = {
    "unknown preset": (["dcgan-toi"], ["There is no preset of that name", "'dcgan-toy'", "preset='dcgan-toi'"]),
    "not pretrained": (["gan-bare"], ["no pretrained weights", "ganzoo train gan-bare"]),
    "no images": (["dcgan-toy", "-n", "0"], ["--number"]),
    "negative number": (["dcgan-toy", "-n", "-3"], ["--number"]),
    "number that is none": (["dcgan-toy", "-n", "many"], ["--number", "integer"]),
    "negative seed": (["dcgan-toy", "--seed", "-1"], ["--seed"]),
    "unknown option": (["dcgan-toy", "--sed", "1"], ["--sed", "ganzoo generate --help"]),
    "no preset": ([], ["PRESET"]),
    "two presets": (["dcgan-toy", "gan-bare"], ["gan-bare"]),
    "not a PNG": (["dcgan-toy", "-o", "x.jpg"], [".png", "x.jpg"]),
    "absent file": (["absent.keras"], ["no such file", "absent.keras"]),
    "absent folder": (["./absent"], ["There is no preset of that name"]),
    "not a model": (["junk.keras"], ["junk.keras cannot be read"]),
    "not our model": (["other.keras"], ["holds a Sequential", "not a model of ganzoo"]),
    "existing sheet": (["dcgan-toy", "-o", "there.png"], ["there.png is there already", "--overwrite"]),
    "existing folder": (["dcgan-toy", "--separate", "full"], ["full is there already"]),
    "folder as sheet": (["dcgan-toy", "-o", "full.png"], ["full.png is there already"]),
    "no columns": (["dcgan-toy", "--columns", "0"], ["--columns"]),
    "unknown backend": (["dcgan-toy"], ["--backend", "pytorch"]),
    "more than memory holds": (["dcgan-toy", "-n", "2000000000"], ["not enough memory"]),
}


@pytest.mark.parametrize("case", BAD_GENERATE)
def test_bad_input_to_generate(zoo, case):
    arguments, parts = BAD_GENERATE[case]
    Path("junk.keras").write_bytes(b"junk")
    Path("there.png").write_bytes(b"mine")
    for folder in ("full", "full.png"):
        Path(folder).mkdir()
        Path(folder, "mine.txt").write_text("mine")
    if case == "not our model":
        keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save("other.keras")
    before = sorted(Path().rglob("*"))
    prefix = ["--backend", "pytorch"] if case == "unknown backend" else []
    assert_refused(run(*prefix, "generate", *arguments), *parts)
    assert sorted(Path().rglob("*")) == before and Path("there.png").read_bytes() == b"mine"


def test_overwrite_replaces_the_sheet(zoo):
    Path("there.png").write_bytes(b"mine")
    assert run("generate", "dcgan-toy", "-n", 1, "-o", "there.png", "--overwrite").exit_code == 0
    assert Image.open("there.png").size == (20, 20)


@pytest.mark.backend_free
def test_another_backend_after_keras_is_imported_is_refused():
    other = next(name for name in ("torch", "jax", "tensorflow") if name != keras.config.backend())
    before = os.environ.get("KERAS_BACKEND")
    assert_refused(run("--backend", other, "list"), "--backend")
    assert os.environ.get("KERAS_BACKEND") == before


def test_debug_shows_the_traceback(zoo):
    result = run("generate", "nothing", GANZOO_DEBUG="1")
    assert result.exit_code == 2 and "Traceback" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("ganzoo: There is no preset")


def test_an_unexpected_error_is_one_line_and_exit_code_1(zoo, monkeypatch):
    def fail(*arguments, **options):
        raise KeyError("broken\ninside")

    monkeypatch.setattr(presets, "load", fail)
    result = run("generate", "dcgan-toy")
    assert result.exit_code == 1 and result.stderr.count("\n") == 1
    assert "KeyError" in result.stderr and "GANZOO_DEBUG=1" in result.stderr


def test_damaged_weights_are_one_line(zoo, monkeypatch, tmp_path):
    content = bytearray((zoo / "dcgan-toy.safetensors").read_bytes())
    content[-1] ^= 1
    (tmp_path / "dcgan-toy.safetensors").write_bytes(content)
    monkeypatch.setattr(download, "bundled_dir", lambda: tmp_path)
    assert_refused(run("generate", "dcgan-toy"), "wrong hash")


def test_weights_that_are_nowhere_are_one_line(zoo, monkeypatch):
    def fail(*arguments, **options):
        raise download.Missing("There is no such file.")

    monkeypatch.setattr(presets, "load", fail)
    result = run("generate", "dcgan-toy")
    assert result.exit_code == 2 and result.stderr == "ganzoo: There is no such file.\n"


# --- Train, evaluate, export


def test_train_then_use_the_folder_then_run_again(zoo):
    result = run("train", "dcgan-toy", "--epochs", 1, "--seed", 5)
    assert result.exit_code == 0 and "Wrote runs/dcgan-toy" in result.stdout, result.output
    assert (Path("runs/dcgan-toy/weights.safetensors")).exists()
    assert run("generate", "runs/dcgan-toy", "-n", 4, "-o", "mine.png").exit_code == 0
    assert "finished already" in run("train", "dcgan-toy", "--epochs", 1, "--seed", 5).stdout
    assert_refused(run("train", "dcgan-toy", "--epochs", 2, "--seed", 5), "training.epochs was 1, now 2", "--overwrite")
    result = run("train", "dcgan-toy", "--epochs", 2, "--batch-size", 4, "--overwrite")
    assert result.exit_code == 0, result.output
    assert json.loads(Path("runs/dcgan-toy/training.json").read_text())["steps"] == 12


def test_train_on_a_folder_of_images(zoo):
    Path("photos").mkdir()
    for index in range(8):
        pixels = np.random.default_rng(index).integers(0, 256, (30, 20, 3), dtype="uint8")
        ganzoo.plot.save_png(f"photos/{index}.png", pixels)
    result = run("train", "dcgan-toy", "--data", "photos", "--image-shape", "16x16x3", "-o", "out")
    assert result.exit_code == 0, result.output
    assert Image.open("out/samples.png").mode == "RGB"


BAD_TRAIN = {
    "unknown preset": (["dcgan-toi"], ["'dcgan-toy'"]),
    "absent recipe": (["absent.yaml"], ["no recipe file at that path"]),
    "faulty recipe": (["faulty.yaml"], ["training.epoch: unknown key", "'epochs'"]),
    "no epochs": (["dcgan-toy", "--epochs", "0"], ["--epochs"]),
    "shape": (["dcgan-toy", "--image-shape", "64x64"], ["height x width x channels", "64x64"]),
    "zero in the shape": (["dcgan-toy", "--image-shape", "0x64x3"], ["--image-shape 0x64x3"]),
    "absent data": (["dcgan-toy", "--data", "./absent.npz"], ["absent.npz"]),
    "output of something else": (["dcgan-toy", "-o", "thesis"], ["no training of ganzoo"]),
    "output that is a file": (["dcgan-toy", "-o", "faulty.yaml"], ["must be a folder"]),
    "batch beyond the data": (["dcgan-toy", "--batch-size", "512"], ["Not enough images"]),
}


@pytest.mark.parametrize("case", BAD_TRAIN)
def test_bad_input_to_train(zoo, case):
    arguments, parts = BAD_TRAIN[case]
    Path("faulty.yaml").write_text(RECIPE.format(data="mnist", epochs=1).replace("epochs", "epoch"))
    Path("thesis").mkdir()
    Path("thesis/chapter.txt").write_text("mine")
    assert_refused(run("train", *arguments), *parts)
    assert [path.name for path in Path("thesis").iterdir()] == ["chapter.txt"]


def test_evaluate(zoo):
    np.savez("test.npz", images=np.random.default_rng(1).integers(0, 256, (10, 16, 16, 1), dtype="uint8"))
    result = run("evaluate", "dcgan-toy", "--protocol", "losses", "--data", "test.npz")
    assert result.exit_code == 0, result.output
    values = dict(line.split() for line in result.stdout.splitlines()[-5:])
    assert {"generator_loss", "discriminator_loss", "real_accuracy", "fake_accuracy"} <= set(values)
    assert all(np.isfinite(float(value)) for value in values.values())


def test_bad_input_to_evaluate(zoo):
    ganzoo.load("dcgan-toy").save("model.keras")
    assert_refused(run("evaluate", "model.keras"), "--data")
    assert_refused(run("evaluate", "dcgan-toi"), "'dcgan-toy'")
    np.savez("wide.npz", images=np.zeros((4, 16, 32, 1), "uint8"))
    assert_refused(run("evaluate", "dcgan-toy", "--protocol", "losses", "--data", "wide.npz"), "16, 32, 1")
    assert_refused(run("evaluate", "dcgan-toy", "--data", "wide.npz"), "no such extractor", "inception")
    assert_refused(run("evaluate", "dcgan-toy", "--data", "mnist", "--protocol", "quick"), "'standard'")
    assert_refused(run("evaluate", "dcgan-toy", "--data", "mnist", "--weights", "raw"), "averaged generator alone")


def test_export_calls_the_exporter_and_names_what_it_wrote(zoo, monkeypatch):
    from ganzoo.engine import export

    def stand_in(model, path, format, overwrite, verbose, of):
        assert (model.latent_dim, format, overwrite, verbose, of) == (4, "tf_saved_model", False, False, None)
        return Path(path).absolute()

    monkeypatch.setattr(export, "export", stand_in)
    result = run("export", "dcgan-toy", "-o", "saved")
    assert result.exit_code == 0 and result.stdout == f"Wrote {Path('saved').absolute()}\n"


def test_bad_input_to_export(zoo):
    Path("full").mkdir()
    Path("full/mine.txt").write_text("mine")
    assert_refused(run("export", "dcgan-toy", "-o", "full"), "full is there already")
    assert_refused(run("export", "dcgan-toy", "--format", "onnx"), "tf_saved_model", "onnx")
    assert_refused(run("export", "dcgan-toi"), "'dcgan-toy'")
    assert [path.name for path in Path("full").iterdir()] == ["mine.txt"] and not Path("dcgan-toy").exists()


# --- The real command


@pytest.mark.backend_free
def test_a_wrong_name_in_a_real_process_is_one_line():
    done = process("generate", "dcgan-mnits", "-o", "never.png")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "Did you mean 'dcgan-mnist'" in done.stderr


def test_a_training_under_a_schedule_is_drawn_from_in_another_process(zoo, tmp_path):
    recipe = tmp_path / "scheduled.yaml"
    recipe.write_text(RECIPE.format(data=zoo / "toy.npz", epochs=1).rstrip()[:-1] + ", schedule: {hold: 0.5}}\n")
    assert run("train", recipe, "-o", tmp_path / "out").exit_code == 0
    done = process("generate", tmp_path / "out", "-n", "4", "-o", tmp_path / "sheet.png")
    assert done.returncode == 0, done.stderr
    assert Image.open(tmp_path / "sheet.png").size[0] >= 32


def test_ctrl_c_stops_with_130_and_says_how_to_resume(zoo, tmp_path):
    recipe = tmp_path / "long.yaml"
    recipe.write_text(RECIPE.format(data=zoo / "toy.npz", epochs=100_000))
    start = (  # a job in the background is started without Ctrl-C
        "import signal, runpy; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "runpy.run_module('ganzoo.cli', run_name='__main__')"
    )
    command = [sys.executable, "-c", start, "--backend", keras.config.backend(), "train", recipe, "-o", "out"]
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    environment["PYTHONPATH"] = str(ROOT)
    training = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    while training.poll() is None and not Path("out/backup.safetensors").exists():
        time.sleep(0.01)
    training.send_signal(signal.SIGINT)
    _, errors = training.communicate(timeout=60)
    assert training.returncode == 130, errors
    assert "run the same command again" in errors.splitlines()[-1] and "Traceback" not in errors


@pytest.mark.parametrize("command", [["generate", "dcgan-mnist", "-n", "4", "-o", "four.png"], ["export", "gan-mnist"]])
def test_what_a_command_prints_is_its_own(command):
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    environment |= {"KERAS_BACKEND": keras.config.backend(), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-m", "ganzoo", *command], capture_output=True, text=True, env=environment)
    assert done.returncode == 0 and done.stderr == "" and done.stdout.startswith("Wrote "), done.stderr


@pytest.mark.backend_free
def test_errors_of_a_framework_still_come_through(capfd):
    from ganzoo.engine import quiet

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quiet, "_in_command", True)
        with quiet.starting():
            for line in ("I0000 00:00 port.cc:153] a note", "E0000 00:00 driver.cc:1] an error", "plain"):
                os.write(2, f"{line}\n".encode())
    assert capfd.readouterr().err == "E0000 00:00 driver.cc:1] an error\nplain\n"


@pytest.mark.backend_free
def test_what_a_strangers_file_says_moves_no_cursor_and_has_an_end(tmp_path):
    (tmp_path / "bad.yaml").write_text(f'model: dcgan\n"\\e[31m{"x" * 400_000}": 1\n')
    result = run("info", str(tmp_path / "bad.yaml"))
    assert result.exit_code == 2 and "\x1b" not in result.stderr and len(result.stderr) < 5000
    result = run("generate", "dcgan-mnist\x1b[2J", "-o", "x.png")
    assert result.exit_code == 2 and "\x1b" not in result.stderr


@pytest.mark.backend_free
def test_a_pipe_among_images_is_passed_over(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(FileNotFoundError, match="No images in"):
        ganzoo.data.load_folder(tmp_path, 8)


@pytest.mark.backend_free
def test_warnings_of_a_command_are_a_line_each(tmp_path):
    (tmp_path / "x").mkdir()
    for index in range(3):
        Image.new("RGB", (16, 16), (index, 0, 0)).save(tmp_path / "x" / f"{index}.png")
    (tmp_path / "x" / "bad\x1b[31m.png").write_bytes(b"no image")
    code = (
        "import sys; from ganzoo.engine import quiet; quiet.begin_command();"
        f"import ganzoo; ganzoo.data.load_folder({str(tmp_path / 'x')!r}, 8, skip_unreadable=True)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    lines = [line for line in done.stderr.splitlines() if "Left out" in line]
    assert len(lines) == 1 and lines[0].startswith("ganzoo: Left out: 1 of 4 files") and "\x1b" not in done.stderr
    assert "skip_unreadable=True)" not in done.stderr
