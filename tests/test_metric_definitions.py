"""Metrics of logits, modes, patches, similarity and paths, against closed forms and independent implementations."""

from __future__ import annotations

import doctest
import importlib

import keras
import numpy as np
import pytest
import pytorch_msssim
import scipy.ndimage
import scipy.spatial
import scipy.stats
import skimage.metrics
import torch
from metric_references import torch_fidelity

import ganzoo
from ganzoo import metrics
from ganzoo.data import toys
from ganzoo.metrics.path_length import slerp

pytestmark = pytest.mark.backend_free


def normal(seed, shape, scale=1.0):
    return np.random.default_rng(seed).normal(size=shape) * scale


def photos(seed, shape):
    """Smooth random images, uint8."""
    noise = np.random.default_rng(seed).normal(size=shape)
    for axis in (1, 2):
        for _ in range(4):
            noise = (noise + np.roll(noise, 1, axis)) / 2
    return np.clip(128 + 150 * noise, 0, 255).astype("uint8")


# --- Classifier score


@pytest.mark.parametrize("num, splits", [(1000, 10), (103, 10), (7, 7), (50, 1)])
def test_classifier_score_against_torch_fidelity(num, splits):
    logits = normal(0, (num, 10), 3)
    reference = torch_fidelity("metric_isc")
    theirs = reference.isc_features_to_metric(torch.from_numpy(logits), splits=splits, shuffle=False)
    mean, std = metrics.classifier_score(logits, splits)
    assert mean == pytest.approx(theirs[reference.KEY_METRIC_ISC_MEAN], rel=1e-9)
    assert std == pytest.approx(theirs[reference.KEY_METRIC_ISC_STD], rel=1e-6, abs=1e-12)


def test_classifier_score_of_a_stream_is_that_of_the_whole():
    logits = normal(1, (1000, 10), 3)
    score = metrics.ClassifierScore(1000)
    for part in np.split(logits, [1, 99, 100, 350, 777]):
        score.update(part)
    assert score.result() == pytest.approx(metrics.classifier_score(logits), rel=1e-12)


@pytest.mark.parametrize("classes", [1, 3, 10])
def test_classifier_score_counts_evenly_drawn_clear_classes(classes):
    logits = 1000 * np.eye(10)[np.arange(3000) % classes]
    assert metrics.classifier_score(logits) == pytest.approx((classes, 0), abs=1e-9)


def test_classifier_score_refuses_what_it_cannot_split():
    with pytest.raises(ValueError, match="num_splits=10"):
        metrics.classifier_score(np.zeros((9, 10)))
    with pytest.raises(ValueError, match=r"2 samples were announced\. Received: 1"):
        metrics.ClassifierScore(2, 1).update(np.zeros((1, 3))).result()
    with pytest.raises(ValueError, match="Received: 2 more, of 3 classes"):
        metrics.ClassifierScore(3, 1).update(np.zeros((2, 3))).update(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="Received: 1 more, of 4 classes"):
        metrics.ClassifierScore(3, 1).update(np.zeros((2, 3))).update(np.zeros((1, 4)))
    with pytest.raises(ValueError, match="NaN"):
        metrics.classifier_score(np.full((20, 10), np.nan))


# --- Kernel distance and Frechet distance, once more by another library


def test_kernel_distance_against_torch_fidelity():
    real, fake = normal(2, (200, 16)), normal(3, (200, 16), 1.2) + 0.3
    reference = torch_fidelity("metric_kid")
    kernels = [reference.kernel_poly(a, b) for a, b in ((real, real), (real, fake), (fake, fake))]
    assert metrics.kernel_distance(real, fake) == pytest.approx(reference.mmd2(*kernels), rel=1e-6)


def test_frechet_distance_against_torch_fidelity():
    real, fake = normal(4, (500, 24)), normal(5, (500, 24), 1.3) + 0.2
    reference = torch_fidelity("metric_fid")
    statistics = [{"mu": x.mean(axis=0), "sigma": np.cov(x, rowvar=False)} for x in (real, fake)]
    theirs = reference.fid_statistics_to_metric(*statistics, verbose=False)[reference.KEY_METRIC_FID]
    ours = metrics.GaussianMoments().update(real).distance(metrics.GaussianMoments().update(fake))
    assert ours == pytest.approx(theirs, rel=1e-6)


# --- Labels


def test_label_accuracy_counts_and_refuses():
    logits = np.eye(10)[[3, 1, 4, 1]]
    assert metrics.label_accuracy(logits, np.array([3, 1, 4, 2])) == 0.75
    for labels, message in (
        ([3, 1], "2 labels, 4 samples"),
        ([3, 1, 4, 10], r"\[0, 10\)"),
        ([3.0, 1, 4, 1], "float"),
        ([3, 1, -1, 1], "from -1"),
    ):
        with pytest.raises(ValueError, match=message):
            metrics.label_accuracy(logits, np.array(labels))


def test_within_class_distance_sees_swapped_labels_where_the_whole_does_not():
    labels = np.arange(2000) % 2
    real = normal(6, (2000, 4)) + 5 * labels[:, None]
    fake = normal(7, (2000, 4)) + 5 * labels[:, None]
    assert metrics.within_class_frechet_distance(real, labels, fake, labels) < 0.1
    swapped = metrics.within_class_frechet_distance(real, labels, fake, 1 - labels)
    assert swapped == pytest.approx(4 * 25, rel=0.05)
    halves = [metrics.GaussianMoments().update(x[labels == c]) for x in (real, fake) for c in (0, 1)]
    expected = (halves[0].distance(halves[2]) + halves[1].distance(halves[3])) / 2
    assert metrics.within_class_frechet_distance(real, labels, fake, labels) == pytest.approx(expected, rel=1e-12)


def test_within_class_distance_refuses_a_dropped_or_a_rare_class():
    real, labels = normal(8, (40, 4)), np.arange(40) % 2
    with pytest.raises(ValueError, match=r"fake \[0\]"):
        metrics.within_class_frechet_distance(real, labels, real, 0 * labels)
    rare = np.array([1] * 4 + [0] * 36)
    with pytest.raises(ValueError, match="class 1 with 20 real and 4 fake"):
        metrics.within_class_frechet_distance(real, labels, real, rare)


def test_classification_accuracy_score_of_useful_and_of_useless_fakes():
    rng = np.random.default_rng(0)
    labels = np.arange(1280) % 2
    images = np.where(labels[:, None, None, None] == 1, 200, 50) + rng.integers(-40, 40, (1280, 12, 12, 1))
    images = images.astype("uint8")
    test = (images[:200], labels[:200])
    state = np.random.get_state()[1].copy()
    assert metrics.classification_accuracy_score(images, labels, *test, epochs=3) > 0.99
    np.testing.assert_array_equal(state, np.random.get_state()[1])
    assert metrics.classification_accuracy_score(images, 1 - labels, *test, epochs=3) < 0.01
    with pytest.raises(ValueError, match=r"batches of 128\. Received: 100 images"):
        metrics.classification_accuracy_score(images[:100], labels[:100], *test)
    with pytest.raises(ValueError, match=r"one size.*\(8, 8, 1\)"):
        metrics.classification_accuracy_score(images[:, :8, :8], labels, *test)


# --- Modes


def test_modes_of_the_toys_themselves_are_all_covered_and_a_collapse_is_counted():
    for samples, centres, std in (
        (toys.gaussian_ring(5000, seed=0), toys.ring_centres(), 0.02),
        (toys.gaussian_grid(5000, seed=0), toys.grid_centres(), 0.05),
    ):
        counts = metrics.ModeCounts(len(centres)).update(metrics.nearest_modes(samples, centres, std))
        assert counts.num_covered == len(centres) and counts.kl < 0.01
        # within three standard deviations in the plane: 1 - exp(-9 / 2)
        assert counts.high_quality == pytest.approx(1 - np.exp(-4.5), abs=0.005)
        one = metrics.ModeCounts(len(centres)).update(metrics.nearest_modes(centres[[1] * 10], centres, std))
        assert one.num_covered == 1 and one.kl == pytest.approx(np.log(len(centres)))


def test_mode_counts_against_scipy_and_over_a_stream():
    modes = np.random.default_rng(1).integers(0, 50, 400) ** 2 % 60
    counts = metrics.ModeCounts(60)
    for part in np.split(modes, [3, 100, 101]):
        counts.update(part)
    frequencies = np.bincount(modes, minlength=60)
    assert counts.kl == pytest.approx(scipy.stats.entropy(frequencies, np.ones(60)), rel=1e-12)
    assert counts.num_covered == len(set(modes.tolist())) and counts.high_quality == 1


def test_mode_counts_without_any_mode_and_bad_input():
    nothing = metrics.ModeCounts(4).update([-1, -1])
    assert (nothing.num_covered, nothing.high_quality, nothing.kl) == (0, 0, float("inf"))
    with pytest.raises(ValueError, match=r"\[-1, 4\)"):
        metrics.ModeCounts(4).update([4])
    with pytest.raises(ValueError, match="num_modes=0"):
        metrics.ModeCounts(0)
    with pytest.raises(ValueError, match="std=0"):
        metrics.nearest_modes([[0.0]], [[1.0]], std=0)


def test_stacked_modes_read_the_channels_as_one_number():
    digits = np.random.default_rng(2).integers(0, 10, (3, 500))
    modes = metrics.stacked_modes(*np.eye(10)[digits])
    np.testing.assert_array_equal(modes, digits[0] * 100 + digits[1] * 10 + digits[2])
    with pytest.raises(ValueError, match=r"\[2, 1\]"):
        metrics.stacked_modes(np.eye(10)[:2], np.eye(10)[:1])


# --- Sliced Wasserstein distance


def test_sliced_wasserstein_distance_against_scipy_on_a_line_and_by_slices():
    real, fake = normal(9, (300, 1)), normal(10, (300, 1), 2)
    expected = scipy.stats.wasserstein_distance(real[:, 0], fake[:, 0])
    assert metrics.sliced_wasserstein_distance(real, fake) == pytest.approx(expected, rel=1e-9)
    real, fake = normal(11, (200, 5)), normal(12, (200, 5)) + 1
    directions = np.random.default_rng(7).standard_normal((5, 100))
    directions /= np.linalg.norm(directions, axis=0)
    expected = np.mean([scipy.stats.wasserstein_distance(real @ d, fake @ d) for d in directions.T])
    assert metrics.sliced_wasserstein_distance(real, fake, 100, seed=7) == pytest.approx(expected, rel=1e-9)


def test_sliced_wasserstein_distance_of_a_shift_in_the_plane():
    real = normal(13, (50, 2))
    # the mean of |cos| over the circle
    distance = metrics.sliced_wasserstein_distance(real, real + np.array([3.0, 4.0]), num_projections=20_000)
    assert distance == pytest.approx(5 * 2 / np.pi, rel=0.02)
    with pytest.raises(ValueError, match="50 real, 49 fake"):
        metrics.sliced_wasserstein_distance(real, real[1:])


def test_patch_distance_tells_texture_from_shape():
    real = photos(0, (64, 32, 32, 1))
    same = metrics.patch_wasserstein_distance(real, photos(1, (64, 32, 32, 1)), 32, 64)
    noisy = np.clip(real + normal(2, real.shape, 25), 0, 255).astype("uint8")
    noisy = metrics.patch_wasserstein_distance(real, noisy, 32, 64)
    assert list(same) == [32, 16]
    assert noisy[32] > 1.5 * same[32] and noisy[16] < 1.5 * same[16]
    assert metrics.patch_wasserstein_distance(real, real, 8, 8) == {32: 0, 16: 0}
    levels = metrics.wasserstein._pyramid(real[:4])
    window = np.array([1, 4, 6, 4, 1]) / 16

    def blur(x):
        return scipy.ndimage.convolve1d(scipy.ndimage.convolve1d(x, window, 1, mode="mirror"), window, 2, mode="mirror")

    coarse = blur(real[:4].astype(float))[:, ::2, ::2]
    enlarged = np.zeros(levels[0].shape)
    enlarged[:, ::2, ::2] = coarse
    np.testing.assert_allclose(levels[1], coarse, atol=1e-3)
    np.testing.assert_allclose(levels[0], real[:4] - 4 * blur(enlarged), atol=1e-3)
    patches = metrics.wasserstein._patches(
        np.full((40, 16, 16, 3), 100, "float32") + normal(4, (40, 16, 16, 3)), 500, [0]
    )
    np.testing.assert_allclose(patches.reshape(-1, 49, 3).mean((0, 1), dtype="float64"), 0, atol=1e-4)
    np.testing.assert_allclose(patches.reshape(-1, 49, 3).std((0, 1), dtype="float64"), 1, atol=1e-4)
    with pytest.raises(ValueError, match="at least 16"):
        metrics.patch_wasserstein_distance(real[:, :12], real[:, :12])


# --- Structural similarity


@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_against_scikit_image_where_one_scale_fits(channels):
    images, others = photos(3, (3, 21, 20, channels)), photos(4, (3, 21, 20, channels))
    others[0] = np.clip(images[0].astype(int) + 20, 0, 255)
    others[1:] = images[1:] // 2 + others[1:] // 2  # of unrelated images the structure can be negative
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    expected = [skimage.metrics.structural_similarity(a, b, channel_axis=-1, **options) for a, b in zip(images, others)]
    np.testing.assert_allclose(metrics.ms_ssim(images, others), expected, rtol=1e-6)


def test_ms_ssim_against_pytorch_msssim():
    images, others = photos(5, (3, 192, 176, 3)), photos(6, (3, 192, 176, 3))
    others[0] = np.clip(images[0].astype(int) + 20, 0, 255)
    others[1] = np.clip(images[1] + normal(7, images[1].shape, 10), 0, 255)
    others[2] = images[2] // 2 + others[2] // 2
    a, b = (torch.from_numpy(x).permute(0, 3, 1, 2).double() for x in (images, others))
    expected = pytorch_msssim.ms_ssim(a, b, data_range=255, size_average=False).numpy()
    assert expected.max() > 0.5
    np.testing.assert_allclose(metrics.ms_ssim(images, others), expected, rtol=1e-4)


def test_ms_ssim_of_equal_images_is_one_and_small_images_have_fewer_scales():
    images = photos(8, (2, 28, 28, 1))
    np.testing.assert_allclose(metrics.ms_ssim(images, images), 1)
    for shape in ((2, 10, 28, 1), (2, 28, 28)):
        with pytest.raises(ValueError, match="Received"):
            metrics.ms_ssim(np.zeros(shape, "uint8"), np.zeros(shape, "uint8"))
    with pytest.raises(ValueError, match="pairs of one shape"):
        metrics.ms_ssim(images, images[:1])


def test_diversity_falls_with_collapse_and_takes_pairs_within_classes():
    images = photos(9, (60, 16, 16, 1))
    collapsed = images[np.zeros(60, int)]
    assert metrics.ms_ssim_diversity(collapsed, num_pairs=50) == pytest.approx(1)
    assert metrics.ms_ssim_diversity(images, num_pairs=200) < 0.6
    two = images[np.arange(60) % 2]
    assert metrics.ms_ssim_diversity(two, np.arange(60) % 2, num_pairs=50) == pytest.approx(1)
    assert metrics.ms_ssim_diversity(two, num_pairs=200) < 0.9
    with pytest.raises(ValueError, match="1 of class 1"):
        metrics.ms_ssim_diversity(images[:3], np.array([0, 0, 1]))
    with pytest.raises(ValueError, match="num_pairs=0"):
        metrics.ms_ssim_diversity(images, num_pairs=0)


# --- Perceptual path length


def test_path_length_of_a_linear_generator_is_the_mean_squared_speed():
    matrix = normal(14, (6, 3))
    length = metrics.perceptual_path_length(lambda z: z @ matrix, lambda x: x, 6, num_samples=4000, trim=0, seed=3)
    # The path runs on a sphere of radius sqrt(6) at the speed sqrt(6) * angle, in a direction that is uniform.
    ends = np.random.default_rng(0).standard_normal((2, 200_000, 6))
    cosine = np.sum(ends[0] * ends[1], axis=1) / np.prod(np.linalg.norm(ends, axis=2), axis=0)
    assert length == pytest.approx(np.mean(np.arccos(cosine) ** 2) * np.sum(matrix**2), rel=0.06)


@pytest.mark.parametrize("dim", [2, 5])
def test_path_length_on_the_sphere_is_the_mean_squared_chord(dim):
    # A step of epsilon turns the latent by epsilon times the angle between the ends, wherever on the path it is.
    ends = np.random.default_rng(3).standard_normal((2, 2000, dim))
    ends /= np.linalg.norm(ends, axis=2, keepdims=True)
    angles = 2 * np.arctan2(np.linalg.norm(ends[0] - ends[1], axis=1), np.linalg.norm(ends[0] + ends[1], axis=1))
    chords = 2 * np.sqrt(dim) * np.sin(0.01 * angles / 2)
    options = dict(num_samples=2000, trim=0, seed=3, epsilon=0.01)
    length = metrics.perceptual_path_length(lambda z: z, lambda x: x, dim, **options)
    assert length == pytest.approx(np.mean(chords**2) / 0.01**2, rel=1e-4)


def test_path_length_is_trimmed_seeded_and_does_not_depend_on_the_batch_size():
    def jump(z):
        return np.where(z[:, :1] > 0, 1.0, 0.0) + z

    options = dict(num_samples=500, seed=1)
    batches = (metrics.perceptual_path_length(lambda z: z, lambda x: x, 4, batch_size=n, **options) for n in (7, 500))
    assert next(batches) == pytest.approx(next(batches), rel=1e-6)
    smooth = metrics.perceptual_path_length(lambda z: z, lambda x: x, 4, **options)
    assert metrics.perceptual_path_length(jump, lambda x: x, 4, **options) == pytest.approx(smooth, rel=0.2)
    assert metrics.perceptual_path_length(lambda z: z, lambda x: x, 4, **options) == smooth
    assert metrics.perceptual_path_length(lambda z: 2 * z, lambda x: x, 4, **options) == pytest.approx(
        4 * smooth, rel=1e-3
    )
    with pytest.raises(ValueError, match=r"\(n, d\).*\(20, 2, 2\) of 20"):
        metrics.perceptual_path_length(lambda z: z, lambda x: x.reshape(-1, 2, 2), 4, num_samples=10)
    with pytest.raises(ValueError, match="latent_dim=0"):
        metrics.perceptual_path_length(lambda z: z, lambda x: x, 0)
    with pytest.raises(ValueError, match="epsilon=0"):
        metrics.perceptual_path_length(lambda z: z, lambda x: x, 4, epsilon=0)
    with pytest.raises(ValueError, match="NaN"):
        metrics.perceptual_path_length(lambda z: z * np.nan, lambda x: x, 4, num_samples=10)


def test_path_length_of_a_model_in_an_extractors_features():
    model, see = ganzoo.load("dcgan-mnist"), metrics.extractor("mnist")
    length = metrics.perceptual_path_length(
        model.predict_on_batch, see.float_features, model.latent_dim, num_samples=50, batch_size=25
    )
    assert np.isfinite(length) and length > 0
    images = keras.ops.convert_to_numpy(model.predict_on_batch(np.ones((2, model.latent_dim), "float32")))
    stored = np.clip(np.round((images + 1) * 127.5), 0, 255).astype("uint8")
    np.testing.assert_allclose(see.float_features(stored / 127.5 - 1), see.features(stored), rtol=1e-3, atol=1e-3)
    with pytest.raises(ValueError, match="NaN"):
        see.float_features(np.full((1, 28, 28, 1), np.nan))
    with pytest.raises(ValueError, match=r"images\.dtype=uint8"):
        see.float_features(stored)


def test_slerp_runs_on_the_sphere_at_even_speed():
    a, b = normal(15, (2, 5, 7))
    points = np.stack([slerp(a, b, np.full((5, 1), t)) for t in (0, 0.25, 0.5, 0.75, 1)])
    np.testing.assert_allclose(np.linalg.norm(points, axis=2), np.sqrt(7))
    np.testing.assert_allclose(points[0], np.sqrt(7) * a / np.linalg.norm(a, axis=1, keepdims=True))
    np.testing.assert_allclose(points[-1], np.sqrt(7) * b / np.linalg.norm(b, axis=1, keepdims=True))
    steps = np.linalg.norm(np.diff(points, axis=0), axis=2)
    np.testing.assert_allclose(steps, np.broadcast_to(steps[0], steps.shape))


# --- What was given is no number, image or count


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: metrics.prdc(np.eye(9), np.eye(9), k=2.5), "whole number.*k=2.5"),
        (lambda: metrics.prdc(np.eye(9), np.eye(9), k=True), "whole number.*k=True"),
        (lambda: metrics.prdc([[1.0], [2.0, 3.0]], np.eye(9)), "one shape.*real_features"),
        (lambda: metrics.kernel_distance(np.eye(9) * 1j, np.eye(9)), "real numbers.*complex128"),
        (lambda: metrics.kernel_distance(np.full((9, 2), "a"), np.eye(9)), "real numbers.*<U1"),
        (lambda: metrics.classifier_score(np.eye(9), num_splits=2.5), "whole number.*num_splits=2.5"),
        (lambda: metrics.ModeCounts(2.5), "whole number.*num_modes=2.5"),
        (lambda: metrics.sliced_wasserstein_distance(np.eye(9), np.eye(9), 1.5), "whole number.*num_projections=1.5"),
        (lambda: metrics.ms_ssim_diversity(photos(0, (9, 16, 16, 1)), num_pairs="9"), "whole number.*num_pairs='9'"),
        (lambda: metrics.patch_wasserstein_distance(*[photos(0, (9, 16, 16, 1))] * 2, 0), "patches_per_image=0"),
        (lambda: metrics.ms_ssim_diversity(np.zeros((9, 16, 16, 1))), r"ganzoo\.data\.to_uint8\(2 \* x - 1\)"),
        (lambda: metrics.ms_ssim_diversity(-np.ones((9, 16, 16, 1))), r"\[-1, 1\].*ganzoo\.data\.to_uint8\(x\)"),
        (lambda: metrics.ms_ssim_diversity(np.full((9, 16, 16, 1), 99.0)), r"\[0, 255\].*astype"),
        (lambda: metrics.ms_ssim_diversity(np.full((9, 16, 16, 1), np.nan)), "NaN"),
        (lambda: metrics.ms_ssim_diversity(np.full((9, 16, 16, 1), 9)), r"Integers.*astype\(.uint8.\).*int64"),
        (lambda: metrics.ms_ssim_diversity(np.full((9, 16, 16, 1), None)), "one size.*object"),
        (lambda: metrics.ms_ssim_diversity(np.ones((9, 16, 16, 1), "uint8")), "multiply by 255.*0 and 1"),
        (lambda: metrics.frechet_distance([0, 0], np.eye(2), [0, 0], [[1, 2], [2, 1]]), "semi-definite.*-1"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_words(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_too_few_samples_for_a_covariance_are_told():
    few = metrics.GaussianMoments().update(normal(20, (3, 8)))
    with pytest.warns(UserWarning, match=r"8 features.*Received: 3 samples"):
        few.distance(metrics.GaussianMoments().update(normal(21, (30, 8))))


def test_a_black_sample_is_one():
    black = np.zeros((9, 16, 16, 1), "uint8")
    assert metrics.ms_ssim_diversity(black) == 1


@pytest.mark.parametrize("module", ["frechet", "kernel", "labels", "modes", "neighbours", "path_length", "similarity"])
def test_examples_give_what_they_say(module):
    found = importlib.import_module(f"ganzoo.metrics.{module}")
    names = {**vars(found), "ganzoo": ganzoo}
    tests = [test for test in doctest.DocTestFinder().find(found, extraglobs=names) if test.examples]
    tests = [test for test in tests if "ganzoo.load" not in test.examples[0].source]
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for test in tests:
        runner.run(test)
    assert tests and runner.failures == 0


# --- Ties


@pytest.mark.parametrize("kind", ["an outlier", "tight clusters", "tighter", "huge", "minute", "far from the origin"])
def test_neighbours_at_any_scale(kind):
    """Whatever cancels: near neighbours beside far ones are known to as many digits as the features have."""
    real, fake = normal(23, (300, 8)), normal(24, (300, 8))
    if kind == "an outlier":
        real[0] = 1e6
    elif kind in ("tight clusters", "tighter"):
        for each in (real, fake):
            each *= 1e-6 if kind == "tight clusters" else 1e-10
            each[150:] += 8**-0.5
    else:
        scale, shift = {"huge": (1e150, 0), "minute": (1e-150, 0), "far from the origin": (1.0, 1e9)}[kind]
        real, fake = real * scale + shift, fake * scale + shift
    exact = scipy.spatial.distance.cdist
    within, between = [np.sort(exact(x, x), axis=1) for x in (real, fake)], exact(real, fake)
    inside = between < within[0][:, [5]]
    expected = {
        "precision": inside.any(axis=0).mean(),
        "recall": (between < within[1][:, 5]).any(axis=1).mean(),
        "density": inside.sum(axis=0).mean() / 5,
        "coverage": inside.any(axis=1).mean(),
    }
    assert expected["precision"] > 0.8 and metrics.prdc(real, fake, k=5) == pytest.approx(expected, rel=1e-12)
    distances, indices = metrics.nearest_neighbours(fake, real)
    np.testing.assert_array_equal(indices, between.argmin(axis=0))
    np.testing.assert_allclose(distances, between.min(axis=0), rtol=1e-12)
    own = np.sort(exact(real, real), axis=1)[:, 1]
    assert metrics.authenticity(real, fake) == pytest.approx((between.min(axis=0) > own[indices]).mean())


@pytest.mark.parametrize("kind", ["binary", "integers", "against itself", "copies", "one image"])
def test_prdc_decides_ties_alike(kind):
    rng = np.random.default_rng(22)
    real, fake = rng.integers(0, 2 if kind == "binary" else 6, (2, 300, 8)).astype("float64")
    if kind == "against itself":
        fake = real
    if kind in ("copies", "one image"):
        real = normal(23, (300, 8)).astype("float32").astype("float64")
        fake = real[:40].repeat(5, axis=0) if kind == "copies" else real[[7] * 300]
    exact = scipy.spatial.distance.cdist
    radii = [np.sort(exact(x, x), axis=1)[:, 5] for x in (real, fake)]
    between = exact(real, fake)
    inside = between < radii[0][:, None]
    expected = {
        "precision": inside.any(axis=0).mean(),
        "recall": (between < radii[1]).any(axis=1).mean(),
        "density": inside.sum(axis=0).mean() / 5,
        "coverage": inside.any(axis=1).mean(),
    }
    assert metrics.prdc(real, fake, k=5) == pytest.approx(expected, rel=1e-12)


# --- Is it memorising?


def test_nearest_neighbours_against_a_full_table(monkeypatch):
    monkeypatch.setattr(metrics.neighbours, "_CHUNK_BYTES", 8 * 40 * 7)
    features, among = normal(16, (30, 5)) + 1000, normal(17, (40, 5)) + 1000
    table = np.linalg.norm(features[:, None] - among, axis=2)
    distances, indices = metrics.nearest_neighbours(features, among)
    np.testing.assert_array_equal(indices, table.argmin(axis=1))
    np.testing.assert_allclose(distances, table.min(axis=1), rtol=1e-12)


def test_authenticity_of_copies_of_new_samples_and_of_noise():
    train, new = normal(18, (2000, 6)), normal(19, (2000, 6))
    assert metrics.authenticity(train, train) == 0
    assert metrics.authenticity(train, train + 1e-6) == 0
    assert metrics.authenticity(train, new) == pytest.approx(0.5, abs=0.05)
    assert metrics.authenticity(train, new + 100) == 1
    assert metrics.authenticity(train, np.concatenate([train[:1000], new[:1000] + 100])) == 0.5
    with pytest.raises(ValueError, match="at least two"):
        metrics.authenticity(train[:1], new)
