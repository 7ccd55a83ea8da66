"""Losses and penalties against closed forms in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from ganzoo import losses
from ganzoo.engine.backend import input_gradient
from ganzoo.losses import gradient_penalty

RNG = np.random.default_rng(0)
REAL, FAKE = RNG.normal(0, 3, (64, 1)), RNG.normal(0, 3, (64, 1))


def number(x) -> float:
    return float(ops.convert_to_numpy(x))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def tensor(x):
    return ops.convert_to_tensor(x, "float32")


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (losses.non_saturating_discriminator_loss, -np.log(sigmoid(REAL)).mean() - np.log(1 - sigmoid(FAKE)).mean()),
        (losses.wasserstein_discriminator_loss, FAKE.mean() - REAL.mean()),
    ],
)
def test_discriminator_losses(loss, expected):
    np.testing.assert_allclose(number(loss(tensor(REAL), tensor(FAKE))), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (losses.non_saturating_generator_loss, -np.log(sigmoid(FAKE)).mean()),
        (losses.minimax_generator_loss, np.log(1 - sigmoid(FAKE)).mean()),
        (losses.wasserstein_generator_loss, -FAKE.mean()),
    ],
)
def test_generator_losses(loss, expected):
    np.testing.assert_allclose(number(loss(tensor(FAKE))), expected, rtol=1e-5)


def test_l03_losses_stay_finite_and_linear_at_extreme_logits():
    extreme = tensor([[1e4], [-1e4]])
    assert number(losses.non_saturating_generator_loss(extreme)) == pytest.approx(5000.0)
    assert number(losses.non_saturating_discriminator_loss(extreme, extreme)) == pytest.approx(10000.0)


def test_l03_saturation_is_what_tells_the_two_generator_losses_apart():
    logits = tensor([[-10.0]])  # the discriminator is sure that the image is generated
    saturating = number(input_gradient(losses.minimax_generator_loss, logits)[0, 0])
    non_saturating = number(input_gradient(losses.non_saturating_generator_loss, logits)[0, 0])
    assert saturating == pytest.approx(-sigmoid(-10.0), rel=1e-4)
    assert non_saturating == pytest.approx(-sigmoid(10.0), rel=1e-4)


def test_losses_of_half_precision_logits_are_computed_in_float32():
    logits = ops.cast(tensor(FAKE), "bfloat16")
    assert losses.non_saturating_generator_loss(logits).dtype == tensor(0.0).dtype


def test_l01_penalty_is_per_sample_over_all_axes():
    weight = RNG.normal(size=(4, 4, 3))
    scale = RNG.uniform(0.1, 2, 5)

    def critic(x):  # gradient scale[n] * weight at sample n
        return ops.sum(x * tensor(weight) * tensor(scale[:, None, None, None]), axis=(1, 2, 3))

    x = tensor(RNG.normal(size=(5, 4, 4, 3)))
    expected = np.mean((scale * np.sqrt((weight**2).sum()) - 1) ** 2)
    got = number(gradient_penalty(critic, x, x, tensor(np.full((5, 1, 1, 1), 0.5))))
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_l01_interpolates_with_alpha_of_each_sample():
    real, fake = RNG.normal(size=(3, 2, 2, 1)), RNG.normal(size=(3, 2, 2, 1))
    alpha = np.array([0.0, 1.0, 0.25]).reshape(3, 1, 1, 1)
    points = alpha * real + (1 - alpha) * fake  # d/dx of sum(x^2) / 2 is x
    expected = np.mean((np.sqrt((points**2).sum((1, 2, 3))) - 1) ** 2)
    got = gradient_penalty(lambda x: ops.sum(x**2, axis=(1, 2, 3)) / 2, tensor(real), tensor(fake), tensor(alpha))
    np.testing.assert_allclose(number(got), expected, rtol=1e-5)


def test_l01_no_nan_where_the_gradient_is_zero():
    x = tensor(np.zeros((2, 2, 2, 1)))
    alpha = tensor(np.zeros((2, 1, 1, 1)))

    def penalty(w):
        return gradient_penalty(lambda x: ops.sum(w * x, axis=(1, 2, 3)), x, x, alpha)

    slope = input_gradient(penalty, tensor(0.0))
    assert np.isfinite(number(slope))


def test_k05_penalty_is_differentiable_again():
    """E[(|w| - 1)^2] has the slope 2 (|w| - 1) sign(w) with respect to w, where the norm of the gradient is 2 |w|."""
    x, alpha = tensor(RNG.normal(size=(3, 2, 2, 1))), tensor(np.full((3, 1, 1, 1), 0.5))

    def penalty(w):
        return gradient_penalty(lambda points: ops.sum(w * points, axis=(1, 2, 3)), x, x, alpha)

    slope = number(input_gradient(penalty, tensor(1.5)))  # (2 w - 1)^2 -> 4 (2 w - 1)
    assert slope == pytest.approx(8.0, rel=1e-5)
