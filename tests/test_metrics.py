"""Metrics against closed forms and independent implementations; extractors against their cards."""

from __future__ import annotations

import dataclasses
import gzip
import json
import runpy
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import prdc as prdc_package
import pytest
import scipy.linalg

import ganzoo
from ganzoo import metrics
from ganzoo.data.preprocessing import to_uint8
from ganzoo.metrics import (
    GaussianMoments,
    Reference,
    extractors,
    frechet_distance,
    kernel_distance,
    prdc,
    protocol,
    reals,
    scores,
)
from ganzoo.zoo import presets, recipes
from ganzoo.zoo.reading import read_parts

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"


def normal(seed, shape, scale=1.0):
    return np.random.default_rng(seed).normal(size=shape) * scale


def covariance(seed, dimension, samples=None):
    return np.cov(normal(seed, (samples or 3 * dimension, dimension)), rowvar=False)


# --- Frechet distance


@pytest.mark.backend_free
def test_frechet_distance_of_a_gaussian_to_itself_is_zero():
    mean, cov = normal(0, 20), covariance(1, 20)
    assert frechet_distance(mean, cov, mean, cov) == pytest.approx(0, abs=1e-10)


@pytest.mark.backend_free
def test_frechet_distance_without_covariance_between_dimensions():
    mean1, mean2, std1, std2 = normal(0, (4, 30))
    expected = np.sum((mean1 - mean2) ** 2) + np.sum((np.abs(std1) - np.abs(std2)) ** 2)
    assert frechet_distance(mean1, np.diag(std1**2), mean2, np.diag(std2**2)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.backend_free
def test_frechet_distance_in_two_dimensions_where_the_covariances_do_not_commute():
    # The eigenvalues a, b of C1 C2 give (sqrt a + sqrt b)^2 = trace + 2 sqrt(determinant).
    cov1, cov2 = np.array([[2.0, 0.7], [0.7, 1.0]]), np.array([[1.0, -0.4], [-0.4, 3.0]])
    product = cov1 @ cov2
    cross = np.sqrt(np.trace(product) + 2 * np.sqrt(np.linalg.det(product)))
    expected = 1 + 4 + np.trace(cov1) + np.trace(cov2) - 2 * cross
    assert frechet_distance([0, 0], cov1, [1, 2], cov2) == pytest.approx(expected, rel=1e-9)


@pytest.mark.backend_free
def test_frechet_distance_against_the_matrix_square_root():
    mean1, mean2, cov1, cov2 = normal(0, 40), normal(1, 40), covariance(2, 40), covariance(3, 40)
    root = scipy.linalg.sqrtm(cov1 @ cov2).real
    expected = np.sum((mean1 - mean2) ** 2) + np.trace(cov1 + cov2 - 2 * root)
    assert frechet_distance(mean1, cov1, mean2, cov2) == pytest.approx(expected, rel=1e-6)


@pytest.mark.backend_free
def test_frechet_distance_keeps_its_digits_on_singular_covariances():
    # Fewer samples than dimensions; the squared form loses half of the digits (1e-6 here).
    moments = GaussianMoments().update(normal(0, (20, 64)))
    shifted = GaussianMoments().update(normal(0, (20, 64)) + 0.5)
    with pytest.warns(UserWarning, match="biased upwards"):
        assert moments.distance(moments) < 1e-10
        assert moments.distance(shifted) == pytest.approx(64 * 0.25, rel=1e-9)


@pytest.mark.backend_free
def test_frechet_distance_refuses_what_is_no_gaussian():
    eye = np.eye(2)
    with pytest.raises(ValueError, match=r"\(d, d\).*Received"):
        frechet_distance(np.zeros(3), eye, np.zeros(2), eye)
    with pytest.raises(ValueError, match=r"dimension.*Received: 2 and 3"):
        frechet_distance(np.zeros(2), eye, np.zeros(3), np.eye(3))
    with pytest.raises(ValueError, match="NaN"):
        frechet_distance(np.zeros(2), eye * np.nan, np.zeros(2), eye)
    with pytest.raises(ValueError, match="symmetric"):
        frechet_distance(np.zeros(2), np.array([[1, 0.5], [0, 1]]), np.zeros(2), eye)


@pytest.mark.backend_free
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_streamed_moments_are_those_of_all_features(offset):
    features = normal(0, (1000, 5)) @ normal(1, (5, 5)) + offset
    moments = GaussianMoments()
    for batch in np.split(features, [1, 300, 301, 900]):
        moments.update(batch)
    assert moments.count == 1000
    np.testing.assert_allclose(moments.mean, features.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments.covariance, np.cov(features, rowvar=False), rtol=1e-9, atol=1e-9)


@pytest.mark.backend_free
def test_merged_moments_are_those_of_all_features():
    features = normal(0, (100, 3))
    parts = [GaussianMoments().update(part) for part in np.split(features, [70])]
    merged = GaussianMoments().merge(parts[0]).merge(parts[1]).merge(GaussianMoments())
    np.testing.assert_allclose(merged.covariance, np.cov(features, rowvar=False), rtol=1e-12)
    np.testing.assert_array_equal(parts[0].mean, features[:70].mean(axis=0))  # merging changes the receiver only


@pytest.mark.backend_free
def test_moments_refuse_what_has_none():
    with pytest.raises(ValueError, match=r"two samples.*count=1"):
        GaussianMoments().update(np.zeros((1, 3))).covariance  # noqa: B018
    with pytest.raises(ValueError, match="1 of 4 rows"):
        GaussianMoments().update(np.array([[0.0], [1.0], [np.nan], [2.0]]))
    with pytest.raises(ValueError, match=r"\(n, d\)"):
        GaussianMoments().update(np.zeros(3))
    with pytest.raises(ValueError, match="3 and 2"):
        GaussianMoments().update(np.zeros((2, 3))).update(np.zeros((2, 2)))


# --- precision, recall, density, coverage


@pytest.mark.backend_free
@pytest.mark.parametrize(("num_real", "num_fake", "k"), [(300, 300, 5), (250, 130, 3), (90, 200, 1)])
@pytest.mark.parametrize("chunk_bytes", [2**27, 8 * 300 * 7])
def test_prdc_against_the_reference_package(monkeypatch, num_real, num_fake, k, chunk_bytes):
    monkeypatch.setattr("ganzoo.metrics.neighbours._CHUNK_BYTES", chunk_bytes)
    real, fake = normal(0, (num_real, 6)) + 100, normal(1, (num_fake, 6), 1.1) + 100.3
    expected = prdc_package.compute_prdc(real, fake, k)
    assert prdc(real, fake, k) == pytest.approx({name: float(value) for name, value in expected.items()}, abs=1e-12)


@pytest.mark.backend_free
def test_coverage_and_density_of_two_samples_of_one_distribution():
    # Naeem et al.: 1 - (N-1)...(N-k) / (2N-1)...(2N-k), whatever the distribution; density 1.
    n, k = 400, 3
    expected = 1 - np.prod([(n - i) / (2 * n - i) for i in range(1, k + 1)])
    measured = [prdc(normal(seed, (n, 4)), normal(1000 + seed, (n, 4)), k) for seed in range(20)]
    assert np.mean([each["coverage"] for each in measured]) == pytest.approx(expected, abs=0.01)
    assert np.mean([each["density"] for each in measured]) == pytest.approx(1, abs=0.05)


@pytest.mark.backend_free
def test_each_part_of_prdc_moves_as_its_definition_says():
    modes = np.repeat(np.arange(10) * 100.0, 30)[:, None]
    real, fake = normal(0, (300, 2)) + modes, normal(1, (300, 2)) + modes
    all_modes, half = prdc(real, fake), prdc(real, np.tile(fake[:150], (2, 1)) + normal(2, (300, 2), 1e-3))
    assert half["precision"] > 0.8 and half["density"] > 0.8  # what it draws is right,
    assert half["coverage"] <= 0.5 and half["recall"] <= 0.5  # but half of the modes are missing
    assert all_modes["coverage"] > 0.9 and all_modes["recall"] > 0.8
    beside = prdc(real, fake + 50)
    assert beside == {"precision": 0, "recall": 0, "density": 0, "coverage": 0}
    itself = prdc(real, real.copy())
    assert itself == pytest.approx({"precision": 1, "recall": 1, "density": 1, "coverage": 1})


@pytest.mark.backend_free
def test_prdc_refuses_too_few_samples():
    with pytest.raises(ValueError, match=r"k=5.*5 real, 9 fake"):
        prdc(normal(0, (5, 2)), normal(0, (9, 2)))
    with pytest.raises(ValueError, match=r"dimension.*2 and 3"):
        prdc(normal(0, (9, 2)), normal(0, (9, 3)))


# --- kernel distance


@pytest.mark.backend_free
def test_kernel_distance_against_its_definition():
    real, fake = normal(0, (23, 4)), normal(1, (17, 4), 1.5)

    def kernel(x, y):
        return (x @ y / 4 + 1) ** 3

    def within(features):
        pairs = [kernel(x, y) for i, x in enumerate(features) for j, y in enumerate(features) if i != j]
        return np.mean(pairs)

    expected = within(real) + within(fake) - 2 * np.mean([kernel(x, y) for x in real for y in fake])
    assert kernel_distance(real, fake) == pytest.approx(expected, rel=1e-10)


@pytest.mark.backend_free
def test_kernel_distance_is_unbiased_at_few_samples_where_the_frechet_distance_is_not():
    pairs = [(normal(seed, (20, 4)), normal(1000 + seed, (20, 4))) for seed in range(300)]
    kernel = [kernel_distance(real, fake) for real, fake in pairs]
    frechet = [GaussianMoments().update(real).distance(GaussianMoments().update(fake)) for real, fake in pairs]
    assert abs(np.mean(kernel)) < 4 * np.std(kernel) / np.sqrt(len(pairs))
    assert np.mean(frechet) > 4 * np.std(frechet) / np.sqrt(len(pairs))


@pytest.mark.backend_free
def test_kernel_distance_over_more_rows_than_a_block(monkeypatch):
    real, fake = normal(0, (50, 3)), normal(1, (70, 3))
    whole = kernel_distance(real, fake)
    monkeypatch.setattr("ganzoo.metrics.kernel._CHUNK_ROWS", 7)
    assert kernel_distance(real, fake) == pytest.approx(whole, rel=1e-10)
    with pytest.raises(ValueError, match="1 real, 70 fake"):
        kernel_distance(real[:1], fake)


# --- extractors


@pytest.fixture(scope="module")
def mnist():
    return metrics.extractor("mnist")


@pytest.mark.parametrize(
    ("name", "features", "most_bytes"), [("mnist", 128, 1e6), ("fashion_mnist", 128, 1e6), ("cifar10", 256, 5e6)]
)
def test_bundled_extractor_computes_what_its_card_says_on_this_backend(name, features, most_bytes):
    extractor = metrics.extractor(name)
    golden = extractor.features(extractors.golden_images(extractor.image_shape))
    assert golden.dtype == np.float32 and golden.shape == (2, features)
    np.testing.assert_allclose(golden[:, :16].ravel(), extractor.card["golden"], rtol=1e-4, atol=1e-4)
    assert extractor.id == f"{name}-{extractor.card['sha256'][:8]}"
    assert extractor.card["bytes"] <= most_bytes


@pytest.mark.skipif(not DATA.is_dir(), reason="the real data is not here")
@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("mnist", 0.994),
        ("fashion_mnist", 0.925),
        pytest.param("cifar10", 0.88, marks=pytest.mark.backend_free),  # takes long, and features agree: see above
    ],
)
def test_bundled_extractor_is_as_accurate_as_its_card_says(name, least, cifar10):
    images, labels = cifar10("test") if name == "cifar10" else _test_split(name)
    extractor = metrics.extractor(name)
    accuracy = metrics.label_accuracy(extractor.logits(images), labels)
    assert accuracy == pytest.approx(extractor.card["test_accuracy"], abs=2e-4) and accuracy >= least


def _test_split(name):
    raw = (DATA / name / "t10k-images-idx3-ubyte.gz", DATA / name / "t10k-labels-idx1-ubyte.gz")
    images, labels = (np.frombuffer(gzip.decompress(path.read_bytes()), "uint8") for path in raw)
    return images[16:].reshape(-1, 28, 28, 1), labels[8:]


def test_features_depend_neither_on_the_batch_size_nor_on_the_global_precision(mnist):
    images = np.random.default_rng(0).integers(0, 256, (7, 28, 28, 1), "uint8")
    policy = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        other = metrics.extractor("mnist")
    finally:
        keras.config.set_dtype_policy(policy)
    other.batch_size = 3
    np.testing.assert_allclose(other.features(images), mnist.features(images), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(other.logits(images), mnist.logits(images), rtol=1e-4, atol=1e-4)


def test_extractor_refuses_images_that_are_not_as_stored(mnist):
    with pytest.raises(ValueError, match=r"uint8.*Received: images.dtype=float32"):
        mnist.features(np.zeros((2, 28, 28, 1), "float32"))
    with pytest.raises(ValueError, match=r"\(n, 28, 28, 1\).*Received: shape=\(2, 32, 32, 3\)"):
        mnist.features(np.zeros((2, 32, 32, 3), "uint8"))
    with pytest.raises(ValueError, match=r"shape=\(0, 28, 28, 1\)"):
        mnist.features(np.zeros((0, 28, 28, 1), "uint8"))
    with pytest.raises(ValueError, match=r"name one of .*mnist.*Received: name='minst'"):
        metrics.extractor("minst")


def test_extractor_with_other_weights_than_its_card_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(recipes, "config_dir", lambda: tmp_path)
    (tmp_path / "extractors").mkdir()
    frozen = extractors.freeze(extractors.build_classifier((8, 8, 1), 3, (2, 2, 2, 2, 4)), "tiny")
    extractors.write_card(frozen, test_accuracy=0.5)
    loaded = metrics.extractor("tiny")
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), "uint8")
    np.testing.assert_array_equal(loaded.features(images), frozen.features(images))
    assert (loaded.id, loaded.card) == (frozen.id, frozen.card)
    assert metrics.extractor_names() == ["tiny"]
    extractors.freeze(extractors.build_classifier((8, 8, 1), 3, (2, 2, 2, 2, 4)), "tiny")
    with pytest.raises(ValueError, match="not those on its card"):
        metrics.extractor("tiny")


def test_classifier_refuses_sizes_that_its_strides_do_not_allow():
    with pytest.raises(ValueError, match=r"divisible by 4.*\(30, 28, 1\)"):
        extractors.build_classifier((30, 28, 1))
    with pytest.raises(ValueError, match="5 convolutions"):
        extractors.build_classifier(widths=(8, 8))


# --- the protocol


class Pixels:
    """An extractor whose features are the means of four columns of pixels."""

    id, image_shape = "pixels-0", (4, 4, 1)

    def features(self, images):
        self.seen = getattr(self, "seen", 0) + len(images)
        return images.reshape(-1, 4, 4).mean(axis=1).astype("float32")


def pictures(seed, num):
    return np.random.default_rng(seed).integers(0, 256, (num, 4, 4, 1), "uint8")


@pytest.fixture
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("GANZOO_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.mark.backend_free
def test_score_is_the_metrics_of_the_features(home):
    extractor, real, fake = Pixels(), pictures(1, 100), pictures(2, 100) // 2
    scores = metrics.score(fake, Reference(extractor, real))
    seen = {name: extractor.features(images) for name, images in {"real": real, "fake": fake}.items()}
    moments = GaussianMoments().update(seen["fake"]), GaussianMoments().update(seen["real"])
    assert scores == pytest.approx(
        {
            "frechet_distance": moments[0].distance(moments[1]),
            "kernel_distance": kernel_distance(seen["real"], seen["fake"]),
            **prdc(seen["real"], seen["fake"]),
        }
    )


@pytest.mark.backend_free
def test_score_refuses_counts_that_do_not_compare(home):
    with pytest.raises(ValueError, match=r"100\. Received: 99 images"):
        metrics.score(pictures(2, 99), Reference(Pixels(), pictures(1, 100)))
    with pytest.raises(ValueError, match=r"4 features.*Received: 4 images"):
        metrics.score(pictures(2, 4), Reference(Pixels(), pictures(1, 4)))
    with pytest.raises(ValueError, match="takes the training images"):
        metrics.score(pictures(2, 9), Reference(Pixels(), pictures(1, 9)), ["copies"])
    with pytest.raises(ValueError, match=r"same size.*\(4, 4, 1\)"):
        metrics.score(pictures(2, 9)[:, :2], Reference(Pixels(), pictures(1, 9)))
    for names in (["frechet_distance"], "frechet", ["features"], []):
        with pytest.raises(ValueError, match="some of frechet, kernel"):
            metrics.scorer(Reference(Pixels(), pictures(1, 9)), names)
        with pytest.raises(ValueError, match="some of frechet, kernel"):
            metrics.Protocol("mine", names)


@pytest.mark.backend_free
def test_features_of_the_reference_are_computed_once_per_content(home):
    hashed = type("Hashed", (Pixels,), {"sha256": "0" * 64})
    first, second, third = hashed(), hashed(), hashed()
    fresh, cached = Reference(first, pictures(0, 300)), Reference(second, pictures(0, 300))
    np.testing.assert_array_equal(fresh.features, cached.features)
    assert Reference(third, pictures(5, 300)).moments.count == 300
    for file in (home / "home" / "references").iterdir():
        file.write_bytes(file.read_bytes()[:100])
    np.testing.assert_array_equal(Reference(hashed(), pictures(0, 300)).features, fresh.features)
    assert (first.seen, getattr(second, "seen", 0), third.seen) == (300, 0, 300)


@pytest.mark.backend_free
def test_features_of_what_has_no_hash_are_not_cached(home):
    for factor in (1.0, 2.0):  # another function under the same name
        see = metrics.CustomExtractor(lambda x, factor=factor: factor * x.mean(axis=(1, 2)), "mean")
        expected = factor * pictures(0, 30).mean(axis=(1, 2))
        np.testing.assert_allclose(Reference(see, pictures(0, 30)).features, expected)
    assert not (home / "home" / "references").exists()


@pytest.mark.backend_free
def test_features_are_computed_where_the_cache_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GANZOO_HOME", str(tmp_path / "file"))
    assert Reference(Pixels(), pictures(0, 300)).moments.count == 300


@pytest.mark.backend_free
def test_subset_of_real_images_does_not_depend_on_their_order():
    images = pictures(0, 50)
    one, other = protocol.some_of(images, 20), protocol.some_of(images[::-1], 20)
    np.testing.assert_array_equal(one, other)
    assert len({image.tobytes() for image in one}) == 20
    np.testing.assert_array_equal(protocol.some_of(images, 50), images)
    with pytest.raises(ValueError, match=r"50 real images.*Received: 51"):
        protocol.some_of(images, 51)


class Generator:
    """Draws noise that is darker where it is not averaged."""

    latent_dim = 3

    def generate(self, num, seed, averaged=True):
        return pictures(100 + seed, num) // (1 if averaged else 2)

    def predict_on_batch(self, latents):
        return np.tanh(np.repeat(latents, 6, axis=1)[:, :16].reshape(-1, 4, 4, 1))


@pytest.fixture
def toy_protocol(monkeypatch, home):
    """Two splits of noise, an extractor for them, and a preset that draws noise."""
    monkeypatch.setattr(protocol, "extractor_named", lambda name: Pixels())
    splits = {"train": pictures(0, 300), "test": pictures(1, 120)}
    monkeypatch.setattr(reals, "read_parts", lambda parts, dataset, split, **options: {"images": splits[split]})
    monkeypatch.setattr(presets, "load", lambda name, dtype: Generator())
    return home


SMALL = metrics.Protocol("small", ("frechet", "kernel", "neighbours"), num_images=100, num_seeds=3)


@pytest.mark.backend_free
def test_evaluate_reports_mean_and_spread_over_the_seeds(toy_protocol):
    measured = metrics.evaluate("dcgan-mnist", protocol=SMALL)
    reference = Reference(Pixels(), protocol.some_of(pictures(1, 120), 100))
    by_hand = [metrics.score(Generator().generate(100, seed), reference) for seed in range(3)]
    assert [metric["name"] for metric in measured] == list(by_hand[0])
    for metric in measured:
        values = [scores[metric["name"]] for scores in by_hand]
        assert metric["values"] == values
        assert metric["value"] == pytest.approx(np.mean(values))
        assert metric["std"] == pytest.approx(np.std(values, ddof=1))
        assert metric["protocol"] == f"small-v1/mnist-test100-{reference.content}/pixels-0/uint8/k5/ema/fakes100x3"
    assert metrics.evaluate(Generator(), "mnist", protocol=SMALL) == measured


@pytest.mark.backend_free
def test_a_protocol_says_which_split_the_reals_are_of(toy_protocol):
    path, split = toy_protocol / "samples.npz", dataclasses.replace(SMALL, split="train")
    np.savez(path, images=pictures(3, 100))
    measured = {metric["name"]: metric for metric in metrics.evaluate(path, "mnist", protocol=split)}
    expected = metrics.score(pictures(3, 100), Reference(Pixels(), protocol.some_of(pictures(0, 300), 100)))
    assert {name: metric["value"] for name, metric in measured.items()} == expected
    assert measured["coverage"]["protocol"].startswith("small-v1/mnist-train100-")
    literature = metrics.PROTOCOLS["literature"]
    assert (literature.split, literature.num_images, literature.extractor) == ("train", 50_000, "inception")
    with pytest.raises(ValueError, match="split='validation'"):
        metrics.Protocol("mine", ("frechet",), split="validation")


@pytest.mark.backend_free
def test_a_diverged_generator_is_refused_rather_than_scored(toy_protocol, monkeypatch):
    images = np.full((100, 4, 4, 1), np.nan, "float32")
    monkeypatch.setattr(Generator, "generate", lambda self, num, seed, averaged=True: to_uint8(images))
    with pytest.raises(ValueError, match=r"diverged.*Received: a model that draws NaN"):
        metrics.evaluate(Generator(), "mnist", protocol=SMALL)
    measured = metrics.scorer(Reference(Pixels(), pictures(1, 100)), ["frechet", "neighbours"])(Generator())
    assert list(measured) == ["frechet_distance", "precision", "recall", "density", "coverage"]
    assert all(np.isnan(value) for value in measured.values())  # training goes on, and no checkpoint is the best


@pytest.mark.backend_free
def test_frechet_kernel_and_neighbours_of_ten_thousand_images_take_seconds_and_little_memory():
    program = """
import time
from pathlib import Path
import numpy as np
from ganzoo import metrics
real, fake = np.random.default_rng(0).normal(size=(2, 10_000, 128)).astype("float32")
reference = metrics.GaussianMoments().update(real)
begin = time.process_time()  # not of a machine that does other things
metrics.GaussianMoments().update(fake).distance(reference)
metrics.kernel_distance(real, fake)
metrics.prdc(real, fake, 5)
seconds, status = time.process_time() - begin, Path("/proc/self/status")
peak = status.read_text().split("VmHWM:")[1].split()[0] if status.exists() else 0  # rusage's begins with the parent's
print(seconds, int(peak) / 1e6)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    seconds, gigabytes = map(float, done.stdout.split())
    assert seconds < 25 and gigabytes < 1.5


@pytest.mark.backend_free
def test_everything_that_moves_a_number_is_in_the_protocols_id(toy_protocol):
    def identity(**options):
        return metrics.evaluate(Generator(), "mnist", **{"protocol": SMALL, **options})[0]["protocol"]

    other = Pixels()
    other.id = "pixels-1"
    ids = {
        identity(),
        identity(num_images=90),
        identity(num_seeds=2),
        identity(weights="raw"),
        identity(extractor=other),
        identity(protocol=metrics.Protocol("other", ("frechet",), 100, 3)),
        identity(protocol=dataclasses.replace(SMALL, split="train")),
    }
    coarse = Generator()
    coarse.dtype_policy = keras.DTypePolicy("mixed_bfloat16")
    ids.add(metrics.evaluate(coarse, "mnist", protocol=SMALL)[0]["protocol"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reals, "read_parts", lambda parts, dataset, split, **options: {"images": pictures(2, 120)})
        ids.add(identity())
    assert len(ids) == 9
    raw, ema = (metrics.evaluate(Generator(), "mnist", protocol=SMALL, weights=w)[0] for w in ("raw", "ema"))
    assert raw["value"] > 2 * ema["value"]


@pytest.mark.backend_free
def test_the_extended_protocol_adds_copies_diversity_patches_and_path(toy_protocol, monkeypatch):
    monkeypatch.setattr(scores, "ms_ssim_diversity", lambda images, num_pairs: 0.25)
    monkeypatch.setattr(scores, "patch_wasserstein_distance", lambda real, fake, patches: {32: 2.0, 16: 4.0})
    both = lambda self, images: (self.features(images), self.features(images))  # noqa: E731
    monkeypatch.setattr(Pixels, "features_and_logits", both, raising=False)
    flat = lambda self, images: images.reshape(len(images), -1)  # noqa: E731
    monkeypatch.setattr(Pixels, "float_features", flat, raising=False)
    measured = metrics.evaluate("dcgan-mnist", protocol="extended", num_images=100, num_seeds=2)
    values = {metric["name"]: metric["value"] for metric in measured}
    assert values["ms_ssim_diversity"] == 0.25 and values["patch_wasserstein_distance"] == 3
    assert 0.3 < values["authenticity"] < 0.7 and values["perceptual_path_length"] > 0
    assert 1 <= values["classifier_score"] <= 4


@pytest.mark.backend_free
def test_evaluate_scores_a_file_and_says_what_is_wrong_with_it(toy_protocol):
    path = toy_protocol / "samples.npz"
    np.savez(path, images=pictures(3, 110))
    measured = metrics.evaluate(path, "mnist", protocol=SMALL)
    expected = metrics.score(pictures(3, 110)[:100], Reference(Pixels(), protocol.some_of(pictures(1, 120), 100)))
    assert {metric["name"]: metric["value"] for metric in measured} == expected
    assert measured[0]["std"] is None and measured[0]["protocol"].endswith("/k5/file/fakes100x1")
    for options, message in (
        ({"dataset": None}, "which data set"),
        ({"num_images": 115}, r"fewer images.*110"),
        ({"num_seeds": 0}, "at least 1.*num_seeds=0"),
        ({"protocol": "standart"}, r"'standard'.*Received: protocol='standart'"),
        ({"weights": "raw"}, "one sample, and of no weights.*weights='raw'"),
        ({"num_seeds": 3}, "one sample.*num_seeds=3"),
        ({"num_seeds": -1}, "at least 1"),
        ({"protocol": metrics.Protocol("p", ("path",), 100)}, r"None of these.*\('path',\)"),
    ):
        with pytest.raises(ValueError, match=message):
            metrics.evaluate(path, **{"dataset": "mnist", "protocol": SMALL, **options})
    assert metrics.evaluate(pictures(3, 110), "mnist", protocol=SMALL) == measured
    for options, message in (
        ({"weights": "raw"}, "averaged generator alone"),
        ({"weights": "average"}, '"ema" or "raw"'),
        ({"num_seeds": 0}, "at least 1.*num_seeds=0"),
        ({"num_images": 2.5}, "whole number.*num_images=2.5"),
    ):
        with pytest.raises(ValueError, match=message):
            metrics.evaluate("dcgan-mnist", protocol=SMALL, **options)


@pytest.mark.backend_free
def test_real_images_of_another_size_are_resized_from_folders_alone_and_the_id_says_so(home):
    from PIL import Image

    small, large = pictures(1, 120), pictures(2, 120).repeat(2, axis=1).repeat(2, axis=2)
    np.savez(home / "large.npz", images=large)
    with pytest.raises(ValueError, match=r"same size.*\(4, 4, 1\) and \(8, 8, 1\)"):
        metrics.evaluate(small, str(home / "large.npz"), protocol=SMALL, extractor=Pixels())
    (home / "photos").mkdir()
    for i, image in enumerate(large):
        Image.fromarray(image[..., 0]).save(home / f"photos/{i}.png")
    identity = metrics.evaluate(small, str(home / "photos"), protocol=SMALL, extractor=Pixels())[0]["protocol"]
    assert "/uint8-lanczos4x4x1/" in identity and identity.startswith("small-v1/photos-all100-")


@pytest.mark.backend_free
def test_a_metric_of_ones_own_is_part_of_a_protocol(toy_protocol):
    def brightness(score):
        return {"brightness": score.images.mean() - score.reference.images.mean()}

    mine = metrics.Protocol("mine", (brightness, "wasserstein"), num_images=100, num_seeds=2)
    measured = {metric["name"]: metric for metric in metrics.evaluate(Generator(), "mnist", protocol=mine)}
    real = protocol.some_of(pictures(1, 120), 100)
    assert measured["brightness"]["values"] == [pictures(100 + i, 100).mean() - real.mean() for i in range(2)]
    features = [Pixels().features(x) for x in (real, pictures(100, 100))]
    expected = metrics.sliced_wasserstein_distance(*features)
    assert measured["sliced_wasserstein_distance"]["values"][0] == pytest.approx(expected)
    assert metrics.scorer(Reference(Pixels(), real), [brightness])(Generator()) == {
        "brightness": measured["brightness"]["values"][0]
    }


@pytest.mark.backend_free
def test_classes_that_a_generator_reaches_as_a_classifier_sees_them(home):
    class Classifier(Pixels):
        def features_and_logits(self, images):
            return self.features(images), np.eye(4)[images[:, 0, 0, 0] % 2]

    numbers = metrics.score(pictures(0, 100), Reference(Classifier(), pictures(1, 100)), ["classes"])
    assert numbers["num_classes"] == 2 and numbers["class_kl"] == pytest.approx(np.log(2), rel=0.05)


def test_path_length_of_raw_weights_is_of_the_raw_generator(home):
    class See(Pixels):
        def float_features(self, images):
            return np.asarray(images).reshape(len(images), -1)

    keras.utils.set_random_seed(0)
    model = ganzoo.DCGAN((16, 16, 1), latent_dim=4, width=4)
    for weight in model.generator.trainable_weights:
        weight.assign(3 * weight)
    path = metrics.Protocol("path", ("path",), num_images=10, num_seeds=1)
    images = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 1), "uint8")
    np.savez(home / "real.npz", images=images)
    values = {}
    for weights in ("ema", "raw"):
        measured = metrics.evaluate(model, str(home / "real.npz"), protocol=path, extractor=See(), weights=weights)
        values[weights] = measured[0]["value"]
    draw = lambda z: keras.ops.convert_to_numpy(keras.ops.stop_gradient(model.generator(z, training=False)))  # noqa: E731
    expected = metrics.perceptual_path_length(draw, See().float_features, 4, num_samples=protocol.PATHS)
    assert values["raw"] == pytest.approx(expected, rel=1e-4) and values["raw"] > 2 * values["ema"]


@pytest.mark.backend_free
def test_images_without_splits_are_not_called_training_images(toy_protocol, monkeypatch):
    def names(path):
        copies = metrics.Protocol("copies", ("frechet", "copies"), num_images=100, num_seeds=1)
        return [metric["name"] for metric in metrics.evaluate(Generator(), str(path), protocol=copies)]

    monkeypatch.setattr(reals, "read_parts", read_parts)
    np.savez(toy_protocol / "all.npz", images=pictures(1, 120))
    identity = metrics.evaluate(Generator(), str(toy_protocol / "all.npz"), protocol=SMALL)[0]["protocol"]
    assert identity.startswith("small-v1/all.npz-all100-")  # and none of a test split
    np.savez(toy_protocol / "split.npz", x_train=pictures(0, 300), x_test=pictures(1, 120))
    assert names(toy_protocol / "all.npz") == ["frechet_distance"]
    assert names(toy_protocol / "split.npz") == ["frechet_distance", "authenticity"]


@pytest.mark.backend_free
@pytest.mark.skipif(not DATA.is_dir(), reason="the real data is not here")
def test_a_generator_that_memorises_collapses_or_drops_a_class_is_seen(home):
    raw = [gzip.decompress((DATA / f"mnist/{s}-images-idx3-ubyte.gz").read_bytes()) for s in ("train", "t10k")]
    train, test = (np.frombuffer(r, "uint8", offset=16).reshape(-1, 28, 28, 1)[:4000] for r in raw)
    extractor = metrics.extractor("mnist")
    reference = Reference(extractor, test[:2000], train)
    classes = extractor.logits(train).argmax(axis=1)
    fakes = {
        "new": test[2000:],
        "memorised": train[:2000],
        "collapsed": test[2000 + np.arange(2000) % 20],
        "dropped": train[classes != 3][:2000],
    }
    measures = ["frechet", "neighbours", "classifier", "copies", "diversity"]
    scores = {name: metrics.score(images, reference, measures) for name, images in fakes.items()}
    new = scores["new"]
    assert scores["memorised"]["authenticity"] == 0 and new["authenticity"] > 0.4
    assert scores["memorised"]["coverage"] > 0.85
    assert scores["collapsed"]["coverage"] < 0.2 and new["coverage"] > 0.9
    assert scores["collapsed"]["recall"] < new["recall"] - 0.2 and scores["collapsed"]["precision"] > 0.8
    assert scores["collapsed"]["frechet_distance"] > 10 * new["frechet_distance"]
    assert scores["dropped"]["classifier_score"] < 0.95 * new["classifier_score"]
    assert scores["dropped"]["frechet_distance"] > 3 * new["frechet_distance"]
    assert scores["dropped"]["recall"] < new["recall"] - 0.03 and scores["dropped"]["precision"] > 0.85


@pytest.mark.backend_free
def test_any_function_and_any_model_is_an_extractor():
    images = pictures(7, 30)
    function = metrics.CustomExtractor(lambda x: x.mean(axis=(1, 2)), "mean-1", batch_size=7)
    np.testing.assert_allclose(function.features(images), images.mean(axis=(1, 2)))
    assert function.id == "mean-1"
    inputs = keras.Input((4, 4, 1))
    flat = metrics.CustomExtractor(keras.Model(inputs, keras.layers.Flatten()(inputs)), "flat")
    np.testing.assert_allclose(flat.features(images), images.reshape(30, 16) / 127.5 - 1, rtol=1e-5, atol=1e-6)
    networks = (keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]) for _ in range(2))
    one, other = (metrics.CustomExtractor(network, "d") for network in networks)
    assert one.id != other.id and one.id.startswith("d-")
    shapes = [
        keras.Sequential([keras.Input((4, 4, 1)), layer()])
        for layer in (keras.layers.Flatten, keras.layers.GlobalAveragePooling2D)
    ]
    assert len({metrics.CustomExtractor(network, "d").id for network in shapes}) == 2
    twins = [metrics.Extractor("e", extractors.build_classifier((8, 8, 1), 3, (2, 2, 2, 2, 4))) for _ in range(2)]
    assert twins[0].id != twins[1].id
    dense = keras.layers.Dense(2)

    def network(function):
        inputs = keras.Input((4, 4, 1))
        return metrics.CustomExtractor(keras.Model(inputs, function(dense(keras.layers.Flatten()(inputs)))), "d")

    clip, ops = keras.ops.clip, keras.ops
    functions = [ops.relu, ops.tanh, lambda x: x * 1.0, lambda x: x * 2.0, lambda x: clip(x, 0, 1)]
    wired = [network(function) for function in (*functions, lambda x: clip(x, 0, 2), lambda x: x + ops.relu(x))]
    assert len({each.id for each in wired}) == len({each.sha256 for each in wired}) == len(wired)
    assert network(ops.relu).id == wired[0].id
    before = wired[0].id
    dense.kernel.assign(dense.kernel + 1)
    assert wired[0].id != before
    with pytest.raises(ValueError, match=r"features \(n, d\).*\(30, 4, 4, 1\)"):
        metrics.CustomExtractor(lambda x: x, "raw").features(images)
    with pytest.raises(ValueError, match=r"features \(n, d\).*\(\)"):
        metrics.CustomExtractor(lambda x: None, "none").features(images)
    with pytest.raises(ValueError, match="one output"):
        metrics.CustomExtractor(keras.Model(inputs, [inputs, inputs]), "two")
    with pytest.raises(ValueError, match="a function or a model"):
        metrics.CustomExtractor(3, "three")
    with pytest.raises(ValueError, match="batch_size=0"):
        metrics.CustomExtractor(lambda x: x, "raw", batch_size=0)


def run_evaluate(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["evaluate.py", *map(str, arguments)])
    with pytest.raises(SystemExit) as exit_:
        runpy.run_path(str(SCRIPTS / "evaluate.py"), run_name="__main__")
    return exit_.value.code


@pytest.mark.backend_free
def test_evaluate_script(toy_protocol, monkeypatch, capsys):
    path, output = toy_protocol / "samples.npz", toy_protocol / "numbers.json"
    np.savez(path, images=pictures(3, 100))
    small = ("--num-images", 100)
    monkeypatch.setitem(metrics.PROTOCOLS, "standard", SMALL)
    assert run_evaluate(monkeypatch, path, "--data", "mnist", *small, "-o", output) == 0
    assert json.loads(output.read_text()) == metrics.evaluate(path, "mnist", num_images=100)
    assert run_evaluate(monkeypatch, path, "--data", "mnist", *small, "-o", output) == 2
    assert "is there already" in capsys.readouterr().err
    assert run_evaluate(monkeypatch, "dcgan-mnist", *small, "--seeds", 2) == 0
    printed = capsys.readouterr().out
    assert "ema/fakes100x2" in printed and "+-" in printed and "coverage" in printed
    assert run_evaluate(monkeypatch, path) == 2
    assert "which data set" in capsys.readouterr().err
