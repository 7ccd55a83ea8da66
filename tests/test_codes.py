"""InfoGAN, AC-GAN and what is measured of codes."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from keras import ops

import ganzoo
from ganzoo import losses, metrics


@pytest.mark.backend_free
def test_cluster_accuracy_is_that_of_scipys_assignment():
    from scipy.optimize import linear_sum_assignment

    rng = np.random.default_rng(0)
    for groups, classes in ((10, 10), (3, 5), (6, 4)):
        found, labels = rng.integers(0, groups, 200), rng.integers(0, classes, 200)
        table = np.zeros((groups, classes), int)
        np.add.at(table, (found, labels), 1)
        rows, columns = linear_sum_assignment(-table)
        accuracy, chosen = metrics.cluster_accuracy(found, labels)
        assert accuracy == table[rows, columns].sum() / 200
        assert np.mean(chosen[found] == labels) == accuracy
        assert len(set(chosen[chosen >= 0])) == (chosen >= 0).sum(), "one to one"
    with pytest.raises(ValueError, match="one whole number"):
        metrics.cluster_accuracy([0, 1], [0])
    with pytest.raises(ValueError, match="At most 16"):
        metrics.cluster_accuracy([40], [0])


@pytest.mark.backend_free
@pytest.mark.parametrize("lean", [-0.5, 0.0, 0.3])
@pytest.mark.parametrize("width", [2, 4])
def test_slant_and_width_of_drawn_strokes(lean, width):
    fine = np.zeros((320, 320))
    rows, columns = np.mgrid[:320, :320]
    across = (columns - 160 - lean * (160 - rows)) / math.hypot(1, lean)
    fine[(abs(across) < width * 5) & (abs(rows - 160) < 120)] = 255
    stroke = fine.reshape(32, 10, 32, 10).mean((1, 3)).astype("uint8")[None]
    assert metrics.slant(stroke)[0] == pytest.approx(lean, abs=0.03)
    assert metrics.stroke_width(stroke)[0] == pytest.approx(width, rel=0.15)
    assert metrics.stroke_width(stroke[..., None])[0] == metrics.stroke_width(stroke / 127.5 - 1)[0].astype("float64")


@pytest.mark.backend_free
def test_rank_correlation_is_scipys():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 9, 100), rng.standard_normal(100)
    assert metrics.rank_correlation(x, y) == pytest.approx(spearmanr(x, y).statistic)


def test_class_and_code_losses():
    logits, labels = np.array([[1.0, 2.0, -1.0], [0.0, 0.0, 0.0]], "float32"), np.array([1, 2])
    expected = np.mean(-logits[[0, 1], labels] + np.log(np.exp(logits).sum(1)))
    assert number(losses.class_loss(logits, labels)) == pytest.approx(expected, rel=1e-6)
    assert number(losses.code_loss(logits, np.eye(3, dtype="float32")[labels])) == pytest.approx(expected, rel=1e-6)


def number(tensor) -> float:
    return float(ops.convert_to_numpy(tensor))


def infogan(**kwargs):
    return ganzoo.InfoGAN((16, 16, 1), width=4, latent_dim=4, units=16, hidden=8, seed=0, **kwargs)


def images(num=32):
    return np.random.default_rng(0).integers(0, 256, (num, 16, 16, 1), "uint8")


def test_v01_codes_are_drawn_as_they_are_said_to_be():
    latents = infogan().latents(2000)
    category, codes = ops.convert_to_numpy(latents["category"]), ops.convert_to_numpy(latents["codes"])
    assert set(np.unique(category)) == {0, 1} and (category.sum(1) == 1).all()
    assert abs(category.mean(0) - 0.1).max() < 0.03
    assert codes.min() >= -1 and codes.max() <= 1 and abs(codes.mean()) < 0.05 and abs(codes.var() - 1 / 3) < 0.03


def test_v01_the_information_is_in_both_players_losses_and_by_its_formula():
    model = infogan(category_weight=2.0, code_weight=0.5)
    real = {"images": ops.convert_to_tensor(images(8).astype("float32") / 127.5 - 1)}
    fake = model.fake(real, False)
    logits, category, codes = (ops.convert_to_numpy(x) for x in model.discriminate(fake, False))
    real_logits = ops.convert_to_numpy(model.discriminate(real, False)[0])
    log_q = category - np.log(np.exp(category).sum(1, keepdims=True))
    entropy = -(ops.convert_to_numpy(fake["category"]) * log_q).sum(1).mean()
    gaussian = ((ops.convert_to_numpy(fake["codes"]) - codes) ** 2).sum(1).mean() / 2
    information = 2 * entropy + 0.5 * gaussian

    def softplus(x):
        return np.log1p(np.exp(x)).mean()

    expected = softplus(-logits) + information
    assert number(model.generator_loss(real, fake, False)) == pytest.approx(expected, rel=1e-5)
    expected = softplus(-real_logits) + softplus(logits) + information
    assert number(model.discriminator_loss(real, fake, False)) == pytest.approx(expected, rel=1e-5)


def test_v01_the_shared_trunk_and_q_are_moved_by_the_discriminators_optimizer():
    model = infogan()
    names = {"/".join(v.path.split("/")[-2:]) for v in model.trainable_variables_of("discriminator")}
    assert {
        "down1/kernel",
        "shared_dense/kernel",
        "codes_dense/kernel",
        "to_category/kernel",
        "to_codes/kernel",
    } <= names


def test_codes_by_name_and_read_again(tmp_path):
    model = infogan()
    model.fit(images(), batch_size=8, verbose=0)
    drawn = model.generate(10, seed=0, category=np.eye(10), codes=np.zeros((10, 2)))
    assert drawn.shape == (10, 16, 16, 1)
    np.testing.assert_array_equal(drawn, model.generate(10, seed=0, category=np.eye(10), codes=np.zeros((10, 2))))
    found = model.codes_of(drawn)
    assert found["category"].shape == (10, 10) and found["codes"].shape == (10, 2)
    np.testing.assert_allclose(found["category"].sum(1), 1, rtol=1e-5)
    model.save(tmp_path / "x.keras")
    again = keras.saving.load_model(tmp_path / "x.keras")
    np.testing.assert_allclose(again.codes_of(drawn)["codes"], found["codes"], rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="images"):
        model.codes_of(drawn[:, :8])


def test_v02_classes_of_generated_images_are_drawn_anew():
    model = ganzoo.ACGAN((16, 16, 1), 10, 4, 4, seed=0)
    real = {
        "images": ops.convert_to_tensor(images(64).astype("float32") / 127.5 - 1),
        "labels": ops.full((64,), 3, dtype="int32"),
    }
    drawn = ops.convert_to_numpy(model.fake(real, True)["labels"])
    assert drawn.min() >= 0 and drawn.max() <= 9 and len(set(drawn)) > 5
    assert (ops.convert_to_numpy(model.fake(real, False)["labels"]) == 3).all()


def test_v02_the_class_is_in_the_losses_of_real_and_generated_images_for_d_and_of_generated_ones_for_g():
    model = ganzoo.ACGAN((16, 16, 1), 10, 4, 4, class_weight=0.5, seed=0)
    labels = np.arange(8) % 10
    real = {
        "images": ops.convert_to_tensor(images(8).astype("float32") / 127.5 - 1),
        "labels": ops.convert_to_tensor(labels.astype("int32")),
    }
    fake = model.fake(real, False)
    (real_logits, real_classes), (fake_logits, fake_classes) = (
        [ops.convert_to_numpy(x) for x in model.discriminate(batch, False)] for batch in (real, fake)
    )

    def named(classes):
        return np.mean(np.log(np.exp(classes).sum(1)) - classes[np.arange(8), labels])

    def softplus(x):
        return np.log1p(np.exp(x)).mean()

    expected = softplus(-real_logits) + softplus(fake_logits) + 0.5 * (named(real_classes) + named(fake_classes))
    assert number(model.discriminator_loss(real, fake, False)) == pytest.approx(expected, rel=1e-5)
    expected = softplus(-fake_logits) + 0.5 * named(fake_classes)
    assert number(model.generator_loss(real, fake, False)) == pytest.approx(expected, rel=1e-5)


def test_a_discriminator_that_is_told_more_is_not_asked_about_images_alone():
    with pytest.raises(ValueError, match="asked about images and more"):
        ganzoo.CGAN((16, 16, 1), 10, 4, 4).answers(images(4))
