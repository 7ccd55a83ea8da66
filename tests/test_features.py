"""What a discriminator has learned: features, linear classifiers on them, filters, guided back-propagation."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops
from typer.testing import CliRunner

import ganzoo
from ganzoo import features
from ganzoo.cli import app


def images(num=6, size=16):
    return np.random.default_rng(0).integers(0, 256, (num, size, size, 1), "uint8")


def small():
    keras.utils.set_random_seed(1)
    return ganzoo.DCGAN((16, 16, 1), latent_dim=4, width=4, seed=0)


def judged_by(*hidden, shape=(8, 8, 1)):
    """A GAN whose discriminator has these layers before its logit."""
    source = x = keras.Input(shape, name="images")
    for layer in hidden:
        x = layer(x)
    judge = keras.Model(source, layers.Dense(1)(layers.Flatten()(x)))
    latents = keras.Input((3,), name="latents")
    drawn = layers.Reshape(shape)(layers.Dense(int(np.prod(shape)), "tanh")(latents))
    return ganzoo.GAN(keras.Model(latents, drawn), judge)


# --- Features


def test_features_are_the_maxima_of_a_grid_of_every_hidden_layer():
    first, second = layers.Conv2D(3, 3, activation="relu"), layers.Conv2D(2, 3, padding="same")
    model = judged_by(first, second, layers.LeakyReLU(0.2, name="leaky"), layers.Flatten(), layers.Dense(5, "tanh"))
    given = images(4, 8)
    found = features.features(model, given, batch_size=3)
    x = given.astype("float32") / 127.5 - 1
    one = ops.convert_to_numpy(first(x))
    two = ops.convert_to_numpy(model.discriminator.get_layer("leaky")(second(one)))
    last = ops.convert_to_numpy(model.discriminator.layers[-3](two.reshape(4, -1)))
    windows = [(0, 2), (1, 3), (3, 5), (4, 6)]  # of six, as adaptive pooling cuts them
    grids = [
        np.array([[each[:, a:b, c:d].max((1, 2)) for c, d in windows] for a, b in windows]).transpose(2, 0, 1, 3)
        for each in (one, two)
    ]
    expected = np.concatenate([grids[0].reshape(4, -1), grids[1].reshape(4, -1), last], axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_adaptive_grids_are_pytorchs():
    torch = pytest.importorskip("torch")
    from ganzoo.features.reading import _gridded

    maps = np.random.default_rng(0).normal(size=(2, 14, 7, 3)).astype("float32")
    theirs = torch.nn.functional.adaptive_max_pool2d(torch.from_numpy(maps.transpose(0, 3, 1, 2)), 4).numpy()
    np.testing.assert_array_equal(_gridded(maps), theirs.transpose(0, 2, 3, 1))


def test_features_take_no_label():
    model = ganzoo.ProjectionGAN(**ganzoo.ProjectionGAN.tiny)
    assert features.features(model, images()).shape[0] == 6
    with pytest.raises(ValueError, match=r"no hidden layer that takes images alone.*images, labels"):
        features.features(ganzoo.CGAN(**ganzoo.CGAN.tiny), images())
    with pytest.raises(ValueError, match="images"):
        features.features(small(), images(size=8))


def test_a_discriminator_of_several_images_at_once_has_no_features_of_one():
    model = judged_by(ganzoo.layers.Pack(2), layers.Conv2D(3, 3, activation="relu"))
    for ask in (features.features, features.excitations):
        with pytest.raises(ValueError, match="several images at once"):
            ask(model, images(4, 8))


def test_a_twin_has_other_weights_of_the_same_kind():
    model = small()
    one, again, other = (features.twin(model.discriminator, seed) for seed in (0, 0, 1))
    for a, b, d in zip(one.weights, again.weights, model.discriminator.weights):
        np.testing.assert_array_equal(a, b)
        assert a.shape == d.shape
    kernels = [each.weights[0] for each in (one, other, model.discriminator)]
    assert len({float(ops.convert_to_numpy(kernel).flat[0]) for kernel in kernels}) == 3


# --- The linear classifier


@pytest.mark.backend_free
def test_the_classifier_is_the_penalised_least_squares_solution():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(120, 4)).astype("float32"), rng.integers(0, 3, 120)
    fit = features.linear_accuracy(x, y, x, y)
    z = (x - x.mean(0)) / x.std(0)
    wanted = np.eye(3)[y]
    weights = np.linalg.inv(z.T @ z + fit.penalty * 120 * np.eye(4)) @ z.T @ (wanted - wanted.mean(0))
    assert fit.accuracy == np.mean((z @ weights + wanted.mean(0)).argmax(1) == y)


@pytest.mark.backend_free
def test_the_penalty_is_chosen_on_images_held_out():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 600)
    x = rng.normal(size=(600, 300))
    x[:, 0] += 2 * y
    fit = features.linear_accuracy(x[:120], y[:120], x[120:], y[120:])
    assert fit.penalty > 1e-3, "300 numbers of 120 examples are learned by heart without one"
    assert 0.6 < fit.accuracy < 1 and 0 < fit.held_out <= 1
    shifted = features.linear_accuracy(x[:120] * 100 + 7, y[:120] + 5, x[120:] * 100 + 7, y[120:] + 5)
    assert shifted == pytest.approx(fit, abs=0.01)
    with pytest.raises(ValueError, match="there is a label for each"):
        features.linear_accuracy(x, y[:-1], x, y)
    with pytest.raises(ValueError, match="At least 12 examples"):
        features.linear_accuracy(x[:5], y[:5], x, y)


def test_features_of_a_pattern_beat_pixels():
    """Classes that differ in texture, whose place is random: no pixel says anything alone."""
    rng = np.random.default_rng(0)
    labels = np.arange(240) % 2
    x = np.zeros((240, 16, 16, 1), "uint8")
    for row, label in zip(x, labels):
        a, b = rng.integers(0, 8, 2)
        row[a : a + 8, b : b + 8, 0][
            (slice(None, None, 2), slice(None)) if label else (slice(None), slice(None, None, 2))
        ] = 255
    found = features.compare(small(), x[:160], labels[:160], x[160:], labels[160:], seeds=(0,))
    assert list(found) == ["discriminator", "untrained discriminator", "pixels"]
    assert min(found["discriminator"] + found["untrained discriminator"]) > max(found["pixels"])


# --- Pictures


def test_filters_are_grey_where_they_are_zero():
    model = small()
    kernel = model.discriminator.layers[1].kernel
    values = np.zeros(kernel.shape, "float32")
    values[0, 0, 0, 0], values[1, 1, 0, 0], values[0, 1, 0, 1] = 2, -1, -3
    kernel.assign(values)
    drawn = features.filters(model)
    assert drawn.shape == (4, *kernel.shape[:2], 1) and drawn.dtype == np.uint8
    assert [drawn[0, 0, 0, 0], drawn[0, 1, 1, 0], drawn[1, 0, 1, 0], drawn[2, 0, 0, 0]] == [255, 64, 0, 128]
    four = judged_by(layers.Conv2D(2, 3, activation="relu"), shape=(8, 8, 4))
    assert features.filters(four).shape == (8, 3, 3, 1)
    with pytest.raises(ValueError, match="does not begin with a convolution"):
        features.filters(ganzoo.VanillaGAN(**ganzoo.VanillaGAN.tiny))


def test_guided_back_propagation_passes_what_is_positive_both_ways():
    """By hand: y = relu(x W1), z = relu(y W2); the gradient of z is cut where it or y is not positive."""
    model = judged_by(
        layers.Conv2D(3, 1, use_bias=False, activation="relu"), layers.Conv2D(2, 1, use_bias=False), layers.ReLU()
    )
    one, two = (layer for layer in model.discriminator.layers if isinstance(layer, layers.Conv2D))
    rng = np.random.default_rng(3)
    w1, w2 = rng.normal(size=(1, 3)).astype("float32"), rng.normal(size=(3, 2)).astype("float32")
    one.kernel.assign(w1[None, None])
    two.kernel.assign(w2[None, None])
    given = images(5, 8)
    found = features.excitations(model, given, num_features=2, num_images=5)
    x = given.astype("float32") / 127.5 - 1
    y = np.maximum(x @ w1, 0)
    z = np.maximum(y @ w2, 0)
    for feature, shown, causes in zip(found.features, found.images, found.causes):
        for image, cause in zip(shown, causes):
            n = next(i for i in range(5) if np.array_equal(given[i], image))
            place = np.unravel_index(z[n, :, :, feature].argmax(), (8, 8))
            if z[n][place][feature] <= 0:
                continue
            back = np.where((w2[:, feature] > 0) & (y[n][place] > 0), w2[:, feature], 0) @ w1.T
            expected = np.full((8, 8, 1), 128)
            expected[place] = 255 if back[0] > 0 else 0 if back[0] < 0 else 128
            np.testing.assert_array_equal(cause, expected)


def test_the_discriminator_is_as_before_afterwards():
    model = small()
    before = ops.convert_to_numpy(model.discriminator(images().astype("float32")))
    found = features.excitations(model, images(), num_features=3, num_images=2)
    assert found.images.shape == found.causes.shape == (3, 2, 16, 16, 1)
    np.testing.assert_array_equal(ops.convert_to_numpy(model.discriminator(images().astype("float32"))), before)
    assert not any("call" in vars(layer) for layer in model.discriminator.layers)
    model.fit(np.repeat(images(), 4, axis=0), batch_size=8, verbose=0)


# --- The command


def test_the_command_writes_pictures_and_accuracies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small().save("small.keras")
    x = images(64)
    np.savez("data.npz", x_train=x, y_train=np.arange(64) % 2, x_test=x[:20], y_test=np.arange(20) % 2)
    done = CliRunner().invoke(app, ["features", "small.keras", "--data", "data.npz", "-n", "40", "--seeds", "2"])
    assert done.exit_code == 0, done.output
    assert {path.name for path in (tmp_path / "small-features").iterdir()} == {"filters.png", "excited.png"}
    for name in ("discriminator", "untrained discriminator", "pixels"):
        assert f"\n{name} " in done.output
    np.savez("plain.npz", x_train=x, x_test=x)
    done = CliRunner().invoke(app, ["features", "small.keras", "--data", "plain.npz", "-o", "new"])
    assert done.exit_code == 0 and "no classes" in done.output
    done = CliRunner().invoke(app, ["features", "small.keras", "--data", "plain.npz", "-o", "new"])
    assert done.exit_code == 2 and "is there already" in done.output
