"""Labelled sets of generated images."""

from __future__ import annotations

import numpy as np
import pytest
from typer.testing import CliRunner

import ganzoo
from ganzoo import augment
from ganzoo.cli import app


def conditional():
    return ganzoo.CGAN((16, 16, 1), 3, latent_dim=4, width=4, seed=0)


def plain():
    return ganzoo.DCGAN((16, 16, 1), latent_dim=4, width=4, seed=0)


def test_a_conditional_model_is_asked_for_every_class_equally_often():
    model = conditional()
    images, labels = augment(model, 10, seed=1)
    assert images.shape == (10, 16, 16, 1) and labels.dtype == np.int64
    assert np.bincount(labels).tolist() == [4, 3, 3] and (np.diff(labels) < 0).any()
    np.testing.assert_array_equal(images, model.generate(10, seed=1, labels=labels))
    again = augment(model, 10, seed=1)
    np.testing.assert_array_equal(again[0], images)
    assert augment(model, 4, labels=2)[1].tolist() == [2] * 4


def test_three_schemes_for_images_without_a_class():
    model = plain()
    images, labels = augment(model, 5, "uniform", num_classes=4)
    np.testing.assert_array_equal(labels, np.full((5, 4), 0.25, "float32"))
    assert augment(model, 5, "new", num_classes=4)[1].tolist() == [4] * 5
    told = []
    scores = np.eye(5, 4)[:, ::-1]
    found, labels = augment(model, 5, "pseudo", classifier=lambda x: told.append(x) or scores)
    assert labels.tolist() == scores.argmax(1).tolist()
    np.testing.assert_array_equal(told[0], found)
    np.testing.assert_array_equal(found, images)
    assert augment(conditional(), 6, "uniform")[1].shape == (6, 3), "its classes are drawn, and forgotten"


@pytest.mark.parametrize(
    ("model", "options", "says"),
    [
        (plain, {}, "scheme= one of pseudo, uniform, new. Received: scheme=None"),
        (plain, {"scheme": "condition"}, "scheme= one of pseudo, uniform, new"),
        (conditional, {"scheme": "both"}, "scheme= one of condition, pseudo, uniform, new"),
        (plain, {"scheme": "uniform"}, "Say how many classes there are"),
        (plain, {"scheme": "pseudo"}, "give classifier="),
        (plain, {"n": 0, "scheme": "new"}, "`n` must be a positive integer"),
    ],
)
def test_what_cannot_be_labelled_is_told(model, options, says):
    with pytest.raises(ValueError, match=says):
        augment(model(), **{"n": 4, **options})


def test_the_command_writes_what_load_reads(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    conditional().save("cgan.keras")
    plain().save("plain.keras")
    done = CliRunner().invoke(app, ["augment", "cgan.keras", "-n", "9"])
    assert done.exit_code == 0 and "9 images, labels 0 to 2, seed 0" in done.output, done.output
    images, labels = ganzoo.data.load("cgan.npz", return_labels=True)
    assert images.shape == (9, 16, 16, 1) and sorted(labels) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    done = CliRunner().invoke(app, ["augment", "plain.keras", "--labels", "uniform", "--classes", "4", "-o", "u.npz"])
    assert done.exit_code == 0 and "4 classes alike" in done.output, done.output
    for wrong, says in (
        (["cgan.keras"], "is there already"),
        (["plain.keras", "-o", "x.npz"], "Say where labels come from"),
        (["plain.keras", "--labels", "pseudo", "-o", "x.npz"], "There is no such extractor"),
        (["plain.keras", "-o", "x.npy"], "The set is an .npz file"),
    ):
        done = CliRunner().invoke(app, ["augment", *wrong])
        assert done.exit_code == 2 and says in done.output, done.output
    assert {path.name for path in tmp_path.iterdir()} == {"cgan.keras", "plain.keras", "cgan.npz", "u.npz"}
