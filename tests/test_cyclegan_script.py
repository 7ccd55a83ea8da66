"""The evaluation of the CycleGAN presets: the classifier's batches, what is measured, the tables."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import ganzoo

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

import cyclegan

pytestmark = pytest.mark.backend_free

RNG = np.random.default_rng(0)


class Brighter:
    """A translator whose targets are 8 grey levels brighter than its sources, and that takes back 6 of them."""

    def generate(self, seed, batch_size, source=None, target=None):
        return (source + 8 if target is None else target - 6).astype("uint8")


class Threshold:
    """A classifier that takes bright photographs for winter."""

    name = "threshold"

    def predict(self, photos, batch_size, verbose):
        assert photos.dtype == np.float32
        return photos.mean(axis=(1, 2, 3), keepdims=False)[:, None] - 100


def photos(level, num):
    return (RNG.integers(-3, 4, (num, 128, 128, 3)) + level).astype("uint8")


def test_translations_are_judged_beside_what_was_there(monkeypatch):
    monkeypatch.setattr(cyclegan, "features_of", lambda x: x.mean(axis=(1, 2)).reshape(len(x), 1, 3).astype("float64"))
    train = {"source": photos(96, 6), "target": photos(104, 5)}
    test = {"source": photos(96, 4), "target": photos(104, 3)}
    rows = cyclegan.seasons(train, test, Brighter(), Threshold())
    kinds = ["left as they are (lower bound)", "preset", "real (upper bound)"]
    assert list(rows) == [f"to {season}: {kind}" for season in ("winter", "summer") for kind in kinds]
    assert [row["taken_for_it"]["value"] for row in rows.values()] == [0, 1, 1, 0, 1, 1]
    winter = [rows[f"to winter: {kind}"]["frechet_distance"]["value"] for kind in kinds]
    assert winter[1] < 1 < winter[0] and winter[2] < 1  # 8 levels in each of three channels
    assert rows["to winter: preset"]["cycle_l1"]["value"] == pytest.approx(2)
    assert rows["to summer: preset"]["cycle_l1"]["value"] == pytest.approx(2)
    assert list(cyclegan.seasons(train, test, None, Threshold())) == [k for k in rows if "preset" not in k]
    table = cyclegan.markdown(rows).splitlines()
    assert table[0] == "| | taken for it | frechet distance | cycle l1 |" and len(table) == 2 + 6
    assert len({line.count("|") for line in table}) == 1


def test_the_classifiers_batches_hold_every_photograph_once_an_epoch():
    levels = np.arange(30, dtype="uint8")
    batches = cyclegan.shifted(np.zeros((30, 128, 128, 3), "uint8") + levels[:, None, None, None], np.arange(30) % 2)
    seen = [next(batches) for _ in range(2)]
    assert [len(x) for x, _ in seen] == [20, 10]
    read, labels = (np.concatenate(each) for each in zip(*seen))
    assert sorted(read[:, 5, 7, 0]) == levels.tolist() and read.shape[1:] == (128, 128, 3)
    assert (labels[:, 0] == read[:, 0, 0, 0] % 2).all()


def test_features_are_of_nine_crops():
    x = RNG.integers(0, 256, (2, 128, 128, 3), "uint8")
    found = cyclegan.features_of(x)
    corner = x[1:, 64:, 64:].reshape(1, 32, 2, 32, 2, 3).mean(axis=(2, 4))
    alone = cyclegan.extractor().features(np.rint(corner).astype("uint8"))
    assert found.shape[:2] == (2, 9)
    np.testing.assert_allclose(found[1, 8], alone[0], atol=1e-4)


def test_what_a_training_left_is_read_in_float32(tmp_path, capsys):
    assert cyclegan.model_of("cyclegan-facades", tmp_path) is None
    assert "train.py cyclegan-facades" in capsys.readouterr().err
    model = ganzoo.CycleGAN(**ganzoo.CycleGAN.tiny, dtype="mixed_bfloat16", seed=0)
    model.compile()
    (tmp_path / "cyclegan-facades").mkdir()
    model.save(tmp_path / "cyclegan-facades" / "model.keras")
    loaded = cyclegan.model_of("cyclegan-facades", tmp_path)
    assert loaded.dtype_policy.name == "float32"
    images = RNG.integers(0, 256, (2, 16, 16, 1), "uint8")
    for given in ({"source": images}, {"target": images}):
        assert np.abs(loaded.generate(**given).astype(int) - model.generate(**given)).max() <= 4
