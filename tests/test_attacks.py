"""Trainings that are killed at any moment, and whose files are cut at any byte.

A few of each in every run of the tests; hundreds with ``GANZOO_ATTACKS=300 pytest -m attacks tests/test_attacks.py``
on PyTorch, whose processes can be forked: each begins in milliseconds.
"""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import time

import keras
import numpy as np
import pytest
import safetensors.numpy

import ganzoo
from ganzoo.zoo.records import LOG, RECORD, SAMPLES, WEIGHTS
from ganzoo.zoo.watching import StopBetweenSteps

ATTACKS = int(os.environ.get("GANZOO_ATTACKS", 0))
pytestmark = [
    pytest.mark.attacks,
    pytest.mark.skipif(keras.config.backend() != "torch", reason="other backends cannot be forked"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]
RECIPE = """\
model: gan
description: tiny
paper: Goodfellow et al. 2014, arXiv:1406.2661
arguments: {{image_shape: [8, 8, 1], latent_dim: 4, width: 4}}
dataset: {{name: {data}}}
training: {{epochs: 8, batch_size: 8, seed: 1}}
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    folder = tmp_path_factory.mktemp("attacked")
    np.savez(folder / "toy.npz", images=np.random.default_rng(0).integers(0, 256, (64, 8, 8, 1), "uint8"))
    (folder / "tiny.yaml").write_text(RECIPE.format(data=folder / "toy.npz"))
    return folder / "tiny.yaml"


@pytest.fixture(scope="module")
def whole(recipe, tmp_path_factory):
    """The weights of an uninterrupted training, and the seconds that it takes in a process of its own."""
    began, folder = time.monotonic(), tmp_path_factory.mktemp("whole") / "run"
    assert train(recipe, folder) == 0
    return weights(folder), time.monotonic() - began


def train(recipe, folder, kill_after: float | None = None, steps: int | None = None) -> int:
    """Trains in a child process, and kills it after some seconds or steps. Returns 0 where it ended first, and well."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            if steps is not None:
                die_after(steps)
            ganzoo.train(recipe, folder, verbose=0)
            code = 0
        except BaseException as error:
            print(repr(error), flush=True)
        finally:
            os._exit(code)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    return os.waitstatus_to_exitcode(status)


def die_after(steps):
    def count(self, batch, logs=None):
        nonlocal steps
        steps -= 1
        if steps == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    StopBetweenSteps.on_train_batch_end = count


def weights(folder):
    return safetensors.numpy.load_file(folder / WEIGHTS)


def assert_as_whole(folder, expected, lost=0):
    found = weights(folder)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
    rows = list(csv.DictReader(io.StringIO((folder / LOG).read_text())))
    epochs = [int(row["epoch"]) for row in rows]
    assert epochs == sorted(set(epochs)) and set(range(8)) >= set(epochs) >= set(range(lost, 8))
    assert {f"epoch_{epoch:04}.png" for epoch in range(1, 9)} | {"samples.gif"} == {
        file.name for file in (folder / SAMPLES).iterdir()
    }
    assert not [file.name for file in folder.rglob(".*")], "what the killed left"
    assert json.loads((folder / RECORD).read_text())["finished"]


def test_killed_again_and_again_it_ends_as_if_it_had_not_been(recipe, whole, tmp_path):
    """Each training is killed up to three times, at moments that are spread over all that it does."""
    expected, seconds = whole
    rng = np.random.default_rng(ATTACKS)
    killed = 0
    for attempt in range(max(1, ATTACKS // 3)):
        folder = tmp_path / str(attempt)
        for _ in range(3):
            killed += train(recipe, folder, kill_after=seconds * rng.uniform(0, 0.8)) == -signal.SIGKILL
            if (folder / RECORD).exists():
                json.loads((folder / RECORD).read_text())
        assert train(recipe, folder) == 0
        assert_as_whole(folder, expected)
    assert killed


def test_files_cut_at_any_byte_are_mended_or_named(recipe, whole, tmp_path):
    """Of a training that was killed: its record, log, backup and sheets, each cut somewhere."""
    expected, _ = whole
    rng = np.random.default_rng(ATTACKS)
    for attempt in range(max(1, ATTACKS // 10)):
        folder = tmp_path / str(attempt)
        assert train(recipe, folder, steps=int(rng.integers(9, 64))) == -signal.SIGKILL
        for file in rng.permutation(sorted(file for file in folder.rglob("*.*") if file.stat().st_size)):
            content = file.read_bytes()
            lost = content.count(b"\n") - 1 if file.name == LOG else 0  # rows of a cut log do not come back
            file.write_bytes(content[: rng.integers(0, len(content))])
            mended = file.name == LOG or file.parent.name == SAMPLES
            try:
                ganzoo.train(recipe, folder, verbose=0)
            except ValueError as error:
                assert not mended and file.name in str(error), f"{file}: {error}"
                file.write_bytes(content)
            else:
                assert mended, file
                break
        assert train(recipe, folder) == 0
        assert_as_whole(folder, expected, lost)
