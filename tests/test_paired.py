"""Measures of a drawn image against the true one, against scikit-image and closed forms."""

from __future__ import annotations

import doctest
import tracemalloc

import numpy as np
import pytest
import skimage.metrics

from ganzoo import metrics
from ganzoo.metrics import paired

pytestmark = pytest.mark.backend_free


def pairs(shape, seed=0):
    """Smooth random images and noisy versions of them, the noise growing from image to image."""
    rng = np.random.default_rng(seed)
    smooth = rng.normal(size=shape).cumsum(axis=1).cumsum(axis=2)
    smooth = 255 * (smooth - smooth.min()) / np.ptp(smooth)
    noise = rng.normal(size=shape) * np.linspace(1, 80, shape[0])[:, None, None, None]
    return smooth.astype("uint8"), np.clip(smooth + noise, 0, 255).astype("uint8")


SHAPES = [(3, 11, 11, 1), (3, 11, 24, 3), (4, 32, 32, 3), (4, 33, 28, 1), (2, 65, 47, 3)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_ssim_is_that_of_scikit_image(shape):
    options = dict(gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=-1)
    real, drawn = pairs(shape)
    theirs = [skimage.metrics.structural_similarity(x, y, **options) for x, y in zip(real, drawn)]
    ours = metrics.ssim(real, drawn)
    np.testing.assert_allclose(ours, theirs, atol=1e-6, rtol=0)
    assert ours.dtype == "float64" and np.ptp(ours) > 0.1
    np.testing.assert_allclose(metrics.ssim(drawn, real), ours, rtol=1e-12)


@pytest.mark.parametrize("shape", [*SHAPES, (2, 1, 1, 1), (3, 4, 5, 3)], ids=str)
def test_psnr_is_that_of_scikit_image(shape):
    rng = np.random.default_rng(1)
    real, drawn = rng.integers(0, 256, shape, "uint8"), rng.integers(0, 256, shape, "uint8")
    for data_range in (255, 100.0):
        theirs = [skimage.metrics.peak_signal_noise_ratio(x, y, data_range=data_range) for x, y in zip(real, drawn)]
        np.testing.assert_allclose(metrics.psnr(real, drawn, data_range), theirs, atol=1e-6, rtol=0)


def test_closed_forms_of_flat_images():
    real, drawn = np.full((2, 12, 12, 3), 100, "uint8"), np.full((2, 12, 12, 3), 110, "uint8")
    c1 = (0.01 * 255) ** 2
    np.testing.assert_allclose(metrics.ssim(real, drawn), (2 * 100 * 110 + c1) / (100**2 + 110**2 + c1), rtol=1e-9)
    np.testing.assert_allclose(metrics.psnr(real, drawn), 20 * np.log10(25.5), rtol=1e-12)
    np.testing.assert_array_equal(metrics.l1(real, drawn), [10, 10])
    np.testing.assert_array_equal(metrics.l1(drawn, real), [10, 10])  # uint8 would wrap around


def test_l1_is_the_mean_of_each_image():
    real, drawn = pairs((3, 5, 7, 3))
    expected = [np.abs(x.astype(int) - y).sum() / (5 * 7 * 3) for x, y in zip(real, drawn)]
    np.testing.assert_allclose(metrics.l1(real, drawn), expected, rtol=1e-12)


def test_equal_images_have_infinite_psnr_and_the_best_of_the_others():
    real, drawn = pairs((3, 16, 16, 1))
    drawn[1] = real[1]
    assert np.isposinf(metrics.psnr(real, drawn)).tolist() == [False, True, False]
    assert metrics.ssim(real, drawn)[1] == pytest.approx(1, abs=1e-12) and metrics.l1(real, drawn)[1] == 0
    assert metrics.paired_measures(real, drawn)["psnr"] == np.inf


def test_paired_measures_are_the_means():
    real, drawn = pairs((5, 20, 20, 3))
    found = metrics.paired_measures(real, drawn)
    assert found.keys() == {"psnr", "ssim", "l1"} and all(type(value) is float for value in found.values())
    for name, value in found.items():
        assert value == pytest.approx(getattr(metrics, name)(real, drawn).mean(), rel=1e-12)


def test_chunks_change_nothing_and_bound_the_memory(monkeypatch):
    real, drawn = pairs((40, 32, 32, 3))
    whole = [measure(real, drawn) for measure in (metrics.psnr, metrics.ssim, metrics.l1)]
    monkeypatch.setattr(paired, "_VALUES", 3 * real[0].size + 1)
    tracemalloc.start()
    try:
        parts = [measure(real, drawn) for measure in (metrics.psnr, metrics.ssim, metrics.l1)]
        assert tracemalloc.get_traced_memory()[1] < 8 * real.size  # less than one float64 copy of one side
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(parts, whole)


def test_what_cannot_be_compared_is_refused():
    real, drawn = pairs((2, 16, 16, 3))
    for measure in (metrics.psnr, metrics.ssim, metrics.l1, metrics.paired_measures):
        with pytest.raises(
            ValueError, match=r"give arrays of one shape\. Received: real.shape=\(2, 16, 16, 3\), drawn"
        ):
            measure(real, drawn[:1])
        with pytest.raises(ValueError, match=r"uint8.*Received: drawn\.dtype=float64"):
            measure(real, drawn / 255)
    for measure in (metrics.ssim, metrics.paired_measures):
        with pytest.raises(
            ValueError, match=r"at least 11 pixels.*`psnr` and `l1`\. Received: real.shape=\(2, 10, 16, 3"
        ):
            measure(real[:, :10], drawn[:, :10])
    for data_range in (0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="Received: data_range="):
            metrics.psnr(real, drawn, data_range)


def test_examples_give_what_they_say():
    result = doctest.testmod(paired)
    assert result.attempted and not result.failed
