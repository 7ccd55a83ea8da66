"""SimGAN: its networks, losses, phases and buffer; rendered digits and eyes; the recipes and the tables."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
import scipy.ndimage
from keras import ops
from PIL import Image

import ganzoo
from ganzoo import metrics
from ganzoo.data import rendered
from ganzoo.engine.phases import check_lengths, moved_if, phase_of
from ganzoo.networks.refiner import local_discriminator, refiner
from ganzoo.zoo import presets, reading, training

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

import simgan

RNG = np.random.default_rng(0)
SOURCE, TARGET = RNG.integers(0, 256, (2, 48, 16, 16, 1), "uint8")
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def tiny(**kwargs):
    keras.utils.set_random_seed(0)
    return ganzoo.SimGAN(**{**ganzoo.SimGAN.tiny, "pretraining": (0, 0), "seed": 0, **kwargs})


def values(x):
    return ops.convert_to_numpy(x)


def weights(network):
    return [values(v).copy() for v in network.weights]


def same(some, others):
    return all(np.array_equal(a, b) for a, b in zip(some, others, strict=True))


# --- The networks


def reach(network, images, row, column):
    """Which input pixels an output at (row, column) depends on: (rows, columns) from the first to the last."""
    height, width = images.shape[1:3]
    ones = np.eye(height * width, dtype="float32").reshape(-1, height, width, 1)
    changed = values(network(np.concatenate([images, images + ones])))[:, row, column]  # a pixel in each
    seen = (np.abs(changed[1:] - changed[0]) > 1e-6).any(axis=-1).reshape(height, width)
    rows, columns = (np.flatnonzero(seen.any(axis=axis)) for axis in (1, 0))
    return rows[[0, -1]].tolist(), columns[[0, -1]].tolist()


def test_a_refined_pixel_depends_on_its_surroundings_alone():
    keras.utils.set_random_seed(0)
    images = RNG.uniform(-1, 1, (1, 11, 13, 2)).astype("float32")
    network = refiner(2, width=4, num_blocks=1)
    assert tuple(network(images).shape) == images.shape and np.abs(values(network(images))).max() < 1
    assert reach(network, images, 5, 6) == ([2, 8], [3, 9])  # 2 * num_blocks + 1 on each side


def test_a_logit_sees_a_patch_of_23_pixels():
    keras.utils.set_random_seed(0)
    shape = (40, 36, 1)
    network = local_discriminator(shape, width=12)
    assert network.output_shape == (None, 10, 9, 1)
    widths = [layer.filters for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    assert widths == [12, 8, 4, 4, 1]
    images = RNG.uniform(-1, 1, (1, *shape)).astype("float32")
    (top, bottom), (left, right) = reach(network, images, 5, 4)
    assert bottom - top <= 22 and right - left <= 22 and bottom - top >= 14  # the pooling passes on the largest alone
    assert local_discriminator((35, 55, 1), width=1).output_shape == (None, 9, 14, 1)


@pytest.mark.backend_free
@pytest.mark.parametrize("network", [partial(refiner, 1, num_blocks=0), partial(local_discriminator, (8, 8, 1), 0)])
def test_numbers_that_are_not_positive_are_refused(network):
    with pytest.raises(ValueError, match="Received"):
        network()


# --- Losses


def test_the_losses_are_those_of_numpy():
    model = tiny(l1_weight=7.0)
    real = {"source": SOURCE[:5] / np.float32(127.5) - 1, "target": TARGET[:5] / np.float32(127.5) - 1}
    tensors = {name: ops.convert_to_tensor(x) for name, x in real.items()}
    fake = model.fake(tensors, training=False)
    np.testing.assert_array_equal(values(fake["source"]), real["source"])
    refined = values(model.generator(real["source"]))
    np.testing.assert_allclose(values(fake["target"]), refined, atol=1e-6)
    softplus = lambda x: np.log1p(np.exp(x.astype("float64"))).mean()  # noqa: E731
    real_logits, fake_logits = (values(model.discriminator(x)) for x in (real["target"], refined))
    assert real_logits.shape == (5, 4, 4, 1)  # a patch each
    change = np.abs(refined.astype("float64") - real["source"]).mean()
    g_loss, d_loss = (loss(tensors, fake, training=False) for loss in (model.generator_loss, model.discriminator_loss))
    assert float(values(g_loss)) == pytest.approx(softplus(-fake_logits) + 7 * change, rel=1e-5)
    assert float(values(d_loss)) == pytest.approx(softplus(-real_logits) + softplus(fake_logits), rel=1e-5)
    assert float(values(model.l1(tensors, fake))) == pytest.approx(change, rel=1e-5)


def test_the_mean_change_is_logged_and_no_part_of_the_loss():
    model = tiny()
    model.compile({player: keras.optimizers.SGD(0.0) for player in model.players()})
    model.generator_ema.set_weights([1.5 * w for w in model.generator_ema.get_weights()])
    logs = model.fit(SOURCE[:16], TARGET[:16], batch_size=8, verbose=0).history
    change = np.abs(values(model.generator(SOURCE[:16] / np.float32(127.5) - 1)) - (SOURCE[:16] / 127.5 - 1)).mean()
    assert logs["change"][0] == pytest.approx(change, rel=1e-4)
    assert logs["loss"][0] == pytest.approx(logs["generator_loss"][0] + logs["discriminator_loss"][0], rel=1e-5)
    evaluated = model.evaluate(SOURCE[:16], TARGET[:16], batch_size=16, verbose=0)
    source = SOURCE[:16] / np.float32(127.5) - 1
    averaged = np.abs(values(model.generator_ema(source)) - source).mean()
    assert evaluated["l1"] == pytest.approx(change, rel=1e-4)  # as losses are, of the refiner in training
    assert averaged != pytest.approx(change, rel=1e-2)


# --- Phases


class Watch(keras.callbacks.Callback):
    """The weights of both players, and how full the buffer is, after every step."""

    def on_train_begin(self, logs=None):
        self.seen = [self._look()]

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(self._look())

    def _look(self):
        model = self.model
        return weights(model.generator), weights(model.discriminator), int(values(model.pool.count))


def test_v08_the_refiner_learns_alone_then_the_discriminator_then_both():
    model, watch = tiny(pretraining=(2, 1), pool_size=64), Watch()
    model.fit(
        np.concatenate([SOURCE, SOURCE]), np.concatenate([TARGET, TARGET]), batch_size=8, verbose=0, callbacks=[watch]
    )
    pairs = list(zip(watch.seen, watch.seen[1:]))[:5]
    assert [not same(before[0], after[0]) for before, after in pairs] == [True, True, False, True, True]
    assert [not same(before[1], after[1]) for before, after in pairs] == [False, False, True, True, True]
    assert [after[2] for _, after in pairs] == [0, 0, 4, 8, 12]  # half a batch each time, none of the first phase
    assert int(values(model.optimizer["discriminator"].iterations)) == 6  # its schedule goes on


def test_v08_at_first_the_discriminator_has_no_say():
    trained = []
    for scale in (1, 50):
        model = tiny(pretraining=(2, 0))
        model.discriminator.set_weights([scale * w for w in weights(model.discriminator)])
        watch = Watch()
        model.fit(SOURCE, TARGET, batch_size=8, verbose=0, shuffle=False, callbacks=[watch])
        trained.append([each[0] for each in watch.seen])
    assert same(trained[0][2], trained[1][2]) and not same(trained[0][3], trained[1][3])


def test_evaluated_before_it_has_learned_the_losses_are_whole():
    first, second = (tiny(pretraining=phases).evaluate(SOURCE, TARGET, verbose=0) for phases in ((9, 9), (0, 0)))
    assert first == pytest.approx(second, rel=1e-5)


def test_players_are_moved_as_often_as_they_should_be():
    model = tiny(generator_steps=1, discriminator_steps=3)
    assert model.discriminator_steps == 3  # batches
    model.fit(SOURCE[:24], TARGET[:24], batch_size=8, verbose=0)
    moved = {player: int(values(model.optimizer[player].iterations)) for player in model.players()}
    assert moved == {"discriminator": 3, "generator": 1} == {p: model.updates_per_step(p) for p in model.players()}


def test_weights_are_moved_if_the_condition_holds():
    variable, other = keras.Variable(np.zeros(3, "float32")), keras.Variable(np.zeros(2, "int32"), trainable=False)
    for condition in (True, False, ops.convert_to_tensor(True), ops.convert_to_tensor(False)):
        before = float(values(variable)[0])
        with moved_if(condition, (v for v in (variable, other))):
            variable.assign(variable + 1.0)
            other.assign(other + 1)
            assert float(values(variable)[0]) == before + 1  # inside it is what was written
        assert float(values(variable)[0]) == before + bool(condition)
    assert values(other).tolist() == [2, 2]


def test_phases_are_counted_from_the_first_step():
    assert [int(phase_of(ops.convert_to_tensor(step), (2, 0, 1))) for step in range(5)] == [0, 0, 2, 3, 3]
    assert check_lengths([3, 0]) == (3, 0)


@pytest.mark.backend_free
@pytest.mark.parametrize("given", [(1,), (1, -1), (1, 2.5), (True, 1), 7, (1, 2, 3)])
def test_other_phases_are_refused(given):
    with pytest.raises(ValueError, match=r"2 numbers of training steps.*Received: pretraining="):
        tiny(pretraining=given)


@pytest.mark.backend_free
def test_other_numbers_of_updates_are_refused():
    for name in ("generator_steps", "discriminator_steps"):
        with pytest.raises(ValueError, match=f"{name}=0"):
            tiny(**{name: 0})


# --- The buffer


def test_v08_half_of_what_is_judged_comes_from_the_buffer():
    model, shown = tiny(), []
    model.compile()
    model.pool.images.assign(ops.full(model.pool.images.shape, 0.25))
    model.pool.count.assign(model.pool.size)
    loss = model.discriminator_loss
    model.discriminator_loss = lambda real, fake, training: shown.append(fake["target"]) or loss(real, fake, training)
    real = model.as_batch(SOURCE[:8], TARGET[:8])
    refined = values(model.fake(real, training=True)["target"])
    for is_training in (True, False):
        model.update_discriminator(real, is_training)
    mixed, plain = map(values, shown)
    np.testing.assert_allclose(mixed[:4], refined[:4], atol=1e-5)
    assert (mixed[4:] == 0.25).all() and int((values(model.pool.images) != 0.25).any(axis=(1, 2, 3)).sum()) == 4
    np.testing.assert_allclose(plain, refined, atol=1e-5)


# --- It learns


def squares(num, level, seed):
    rng = np.random.default_rng(seed)
    images = np.zeros((num, 16, 16, 1), "uint8")
    for image, (top, left) in zip(images, rng.integers(1, 8, (num, 2))):
        image[top : top + 7, left : left + 7] = level
    return images


def test_rendered_images_come_to_look_real_and_keep_what_is_known_of_them():
    source, target = squares(128, 110, 0), squares(96, 250, 1)
    model = tiny(width=8, discriminator_width=12, l1_weight=1.0, pretraining=(40, 10), ema_decay=0.9)
    model.compile({player: keras.optimizers.Adam(3e-3, beta_1=0.5) for player in model.players()})
    model.fit(source, target, batch_size=8, epochs=12, verbose=0)
    refined, inside = model.generator.predict(source / np.float32(127.5) - 1, verbose=0), source > 0
    levels = (refined + 1) * 127.5
    assert levels[inside].mean() > 180  # of 110, towards 250
    assert levels[~inside].mean() < 40  # and nowhere else


# --- Data


def fill(folder, fonts=16, eyes=(20, 8)):
    """Archives as they are published, and MNIST, of random images."""
    rng = np.random.default_rng(0)
    (folder / "simgan").mkdir(parents=True)
    pixels = lambda *shape: rng.integers(0, 256, shape, "uint8")  # noqa: E731
    digits = np.tile(np.arange(fonts, dtype="uint8"), 10)  # the level tells the font
    images = np.zeros((10 * fonts, 28, 28), "uint8")
    images[:, 8:20, 8:20] = 100 + 8 * digits[:, None, None]
    np.savez(folder / "simgan" / "digits_fonts28.npz", x=images, y=np.arange(10, dtype="uint8").repeat(fonts))
    found = {"real": pixels(eyes[0], 35, 55), "synthetic_gray55x35": pixels(eyes[1], 35, 55)}
    found["synthetic_look"] = rng.uniform(-0.5, 0.5, (eyes[1], 2)).astype("float32")
    np.savez(folder / "simgan" / "eyes_mpiigaze_syntheyes.npz", **found)
    mnist = {"x_train": pixels(70, 28, 28), "x_test": pixels(40, 28, 28)}
    mnist |= {"y_train": np.arange(70) % 10, "y_test": np.arange(40) % 10}
    np.savez(folder / "mnist.npz", **mnist)
    return found


@pytest.mark.backend_free
def test_digits_of_a_font_are_all_in_one_split(tmp_path):
    fill(tmp_path)
    load = partial(ganzoo.data.load_parts, "simgan_digits", data_dir=tmp_path)
    train, test = load("train"), load("test")
    assert list(train) == ["rendered", "labels", "real"]
    assert train["rendered"].shape == (14 * 10 * 20, 28, 28, 1) and test["rendered"].shape == (2 * 10 * 10, 28, 28, 1)
    assert train["real"].shape == (70, 28, 28, 1) and test["real"].shape == (40, 28, 28, 1)
    fonts = [set(np.unique(part["rendered"].max(axis=(1, 2, 3)))) for part in (train, test)]
    assert fonts[1] == {156, 220} and not fonts[0] & fonts[1] and len(fonts[0]) == 14
    assert np.bincount(train["labels"]).tolist() == [280] * 10 and train["labels"].dtype == np.int64
    apart = train["rendered"].reshape(140, 20, -1)
    assert all(len(np.unique(copies, axis=0)) == 20 for copies in apart)
    np.testing.assert_array_equal(load("train")["rendered"], train["rendered"])
    assert load("test", image_shape=16)["rendered"].shape == (200, 16, 16, 1)
    once = rendered.font_digits("train", tmp_path)
    assert once["rendered"].shape == (140, 28, 28, 1) and set(np.unique(once["rendered"][0])) == {0, 100}


def font_distances(train, test):
    """Of each test font, in grey levels, to the nearest training font."""
    train, test = (
        part["rendered"].reshape(10, len(part["rendered"]) // 10, -1).astype(float) for part in (train, test)
    )
    return np.abs(train[:, None] - test[:, :, None]).mean(axis=(0, 3)).min(axis=1)


@pytest.mark.backend_free
def test_fonts_like_those_of_training_are_not_in_the_test_set(tmp_path):
    fill(tmp_path)
    path = tmp_path / "simgan" / "digits_fonts28.npz"
    with np.load(path) as archive:
        arrays = dict(archive)
    digits = arrays["x"].reshape(10, 16, 28, 28)
    digits[:, 15] = digits[:, 3]
    digits[:, 15, 0, :27] += 28  # a mean of 27 * 28 / 784 < 1
    np.savez(path, **arrays)
    train, test = (rendered.font_digits(split, tmp_path) for split in ("train", "test"))
    assert set(test["rendered"].max(axis=(1, 2, 3))) == {156} and len(train["labels"]) == 140
    assert test["labels"].tolist() == list(range(10)) and font_distances(train, test).min() >= 1
    digits[:, 15, 0, :] += 3
    np.savez(path, **arrays)
    assert len(rendered.font_digits("test", tmp_path)["labels"]) == 20


@pytest.mark.backend_free
def test_eyes_and_their_gaze_stay_together(tmp_path):
    arrays = fill(tmp_path)
    parts = {split: rendered.rendered_eyes(split, tmp_path) for split in ("train", "test")}
    assert parts["test"]["rendered"].shape == (2, 35, 55, 1) and parts["test"]["real"].shape == (5, 35, 55, 1)
    np.testing.assert_array_equal(parts["test"]["rendered"][..., 0], arrays["synthetic_gray55x35"][3::4])
    np.testing.assert_array_equal(parts["test"]["gaze"], arrays["synthetic_look"][3::4])
    both = np.concatenate([parts["train"]["real"], parts["test"]["real"]])
    assert {x.tobytes() for x in both} == {x.tobytes() for x in arrays["real"]}
    more = ganzoo.data.load_parts("simgan_eyes", data_dir=tmp_path)
    assert more["rendered"].shape == (60, 35, 55, 1) and more["real"].shape == (150, 35, 55, 1)
    np.testing.assert_array_equal(more["gaze"], parts["train"]["gaze"].repeat(10, axis=0))


@pytest.mark.backend_free
def test_data_sets_that_cannot_be_read_say_what_helps(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"simgan/digits_fonts28.npz.*data_dir= or\s+GANZOO_DATA.*Received"):
        ganzoo.data.load_parts("simgan_digits", data_dir=tmp_path)
    fill(tmp_path)
    for name in rendered.RENDERED:
        with pytest.raises(ValueError, match="'train' and 'test'"):
            ganzoo.data.load_parts(name, "validation", data_dir=tmp_path)
        with pytest.raises(ValueError, match="grey"):
            ganzoo.data.load_parts(name, data_dir=tmp_path, image_shape=(32, 32, 3))
        with pytest.raises(ValueError, match="load_parts"):
            ganzoo.data.load(name, data_dir=tmp_path / "simgan" / "..")
    np.savez(tmp_path / "simgan" / "digits_fonts28.npz", x=np.zeros((3, 28, 28), "uint8"))
    with pytest.raises(ValueError, match="no array 'y'"):
        ganzoo.data.load_parts("simgan_digits", data_dir=tmp_path)
    with pytest.raises(ValueError, match="copies=0"):
        rendered.font_digits("train", tmp_path, 0)


@pytest.mark.backend_free
@pytest.mark.skipif(not (SHARED / "simgan").is_dir(), reason="the data set is not at hand")
def test_the_published_archives():
    train, test = (rendered.font_digits(split, SHARED) for split in ("train", "test"))
    assert len(train["labels"]) == 1000 and len(test["labels"]) == 110
    assert np.bincount(test["labels"]).tolist() == [11] * 10 and font_distances(train, test).min() > 5
    eyes = rendered.rendered_eyes("train", SHARED)
    assert {name: len(part) for name, part in eyes.items()} == {"rendered": 39, "real": 108, "gaze": 39}


@pytest.mark.backend_free
@pytest.mark.parametrize("beyond,mode", [("black", "grid-constant"), ("edge", "nearest")])
def test_warped_images_are_those_of_scipy(beyond, mode):
    images = RNG.integers(0, 256, (6, 9, 14, 2), "uint8")
    options = {"angle": 30.0, "stretch": 0.3, "shear": 0.4, "shift": 0.2}
    ours = ganzoo.data.warped(images, seed=5, beyond=beyond, **options)
    draws = np.random.default_rng(5).uniform(-1, 1, (6, 6))
    for image, own, (a, sy, sx, k, dy, dx) in zip(images, ours, draws):
        angle = np.radians(30 * a)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix = turn @ np.array([[1, 0], [0.4 * k, 1]]) @ np.diag([1.3**sy, 1.3**sx])
        inverse, centre = np.linalg.inv(matrix), np.array([4, 6.5])
        start = centre - inverse @ (centre + 0.2 * np.array([9 * dy, 14 * dx]))
        for channel in range(2):
            theirs = scipy.ndimage.affine_transform(
                image[..., channel].astype("float64"), inverse, start, order=1, mode=mode
            )
            assert np.abs(own[..., channel] - theirs).max() <= 0.51
    np.testing.assert_array_equal(ganzoo.data.warped(images, angle=0, stretch=0, shear=0, shift=0), images)


@pytest.mark.backend_free
def test_what_cannot_be_warped_is_refused():
    with pytest.raises(ValueError, match="uint8"):
        ganzoo.data.warped(SOURCE / 255.0)
    for name in ("angle", "stretch", "shear", "shift"):
        with pytest.raises(ValueError, match=f"Received: {name}=-1"):
            ganzoo.data.warped(SOURCE, **{name: -1})
    with pytest.raises(ValueError, match="'black' or 'edge'"):
        ganzoo.data.warped(SOURCE, beyond="wrap")


@pytest.mark.backend_free
@pytest.mark.parametrize("name", ["synthetic", "rendered", "zzz"])
def test_a_folder_of_ones_own_has_real_images_as_targets(tmp_path, name):
    for folder, level, num in ((name, 10, 3), ("real", 200, 5)):
        (tmp_path / folder).mkdir()
        for i in range(num):
            Image.new("L", (16, 16), level + i).save(tmp_path / folder / f"{i}.png")
    parts = tiny().data
    assert reading.layout_of(parts) == "domains"
    found = reading.read_parts(parts, str(tmp_path))
    assert found["source"][:, 0, 0, 0].tolist() == [10, 11, 12]
    assert found["target"][:, 0, 0, 0].tolist() == [200, 201, 202, 203, 204]
    assert reading.how_read(parts, str(tmp_path), "train", {}) == f"source from {name}/, target from real/"


# --- The recipes and the tables


@pytest.mark.backend_free
@pytest.mark.parametrize("preset", [simgan.DIGITS, simgan.EYES])
def test_the_recipes_build_models_within_their_bytes(preset):
    recipe = presets.read_recipe(preset)
    model = training.compiled(recipe, 1000, preset)
    sizes = [np.prod(v.shape) for each in (model.generator, model.discriminator) for v in each.weights]
    assert 2 * sum(sizes) < 1.5e6 and not recipe.dataset.shown and recipe.licence == "research use"
    assert type(model).from_config(model.get_config()).arguments == model.arguments


@pytest.mark.backend_free
def test_measures_of_eyes_have_closed_forms():
    assert simgan.area(np.array([0.0, 1.0]), np.array([1.0, 2.0])) == pytest.approx(0.875)
    x, y = RNG.standard_normal((9, 3)), RNG.standard_normal((9, 2))
    direct = np.empty((9, 2))
    for i in range(9):
        others, told = np.delete(x, i, axis=0), np.delete(y, i, axis=0)
        mid, centre = told.mean(axis=0), others.mean(axis=0)
        a = others - centre
        direct[i] = (x[i] - centre) @ np.linalg.solve(a.T @ a + 0.5 * np.eye(3), a.T @ (told - mid)) + mid
    np.testing.assert_allclose(simgan.left_out(x, x, y, 0.5), direct, rtol=1e-8)
    near, far = RNG.standard_normal((2, 40, 5))
    assert simgan.told_apart(near, far + 9)["value"] == 1
    alike = [simgan.told_apart(*RNG.standard_normal((2, 40, 20)))["value"] for _ in range(40)]
    assert np.mean(alike) == pytest.approx(0.5, abs=0.04)  # each moves by about .08
    folds = np.array([0, 0, 1, 1, 1, 2, 2, 2, 2])
    for fold in range(3):
        own = folds == fold
        alone = [
            simgan.left_out(*(np.concatenate([z[~own], z[[i]]]) for z in (x, x, y)), 0.5)[-1]
            for i in np.flatnonzero(own)
        ]
        np.testing.assert_allclose(simgan.left_out(x, x, y, 0.5, folds)[own], alone, rtol=1e-8)
    images, degrees = RNG.integers(0, 256, (12, 60, 60, 1), "uint8"), RNG.uniform(-30, 30, (12, 2))
    errors = simgan.gaze_errors(images, images, degrees)  # which say nothing of the angles
    assert errors.shape == (12, 2) and errors.mean() > 0.8 * np.abs(degrees - degrees.mean(axis=0)).mean()
    told = images // 4
    told[:, :30] += np.rint(60 + degrees[:, :1, None, None]).astype("uint8")
    told[:, :, :30] += np.rint(60 + degrees[:, 1:, None, None]).astype("uint8")
    assert simgan.gaze_errors(told, told, degrees).mean() < 0.6 * errors.mean()
    assert simgan.mean([0.5, 0.7])["value"] == pytest.approx(0.6)
    assert simgan.mean([0.5, 0.7])["interval"][1] == pytest.approx(0.6 + 12.706 * 0.1, rel=1e-3)


@pytest.mark.backend_free
def test_a_classifier_learns_from_images_and_is_tested_on_others(monkeypatch):
    monkeypatch.setattr(simgan, "STEPS", (1, 150))
    monkeypatch.setattr(simgan, "RATES", (4e-3,))
    labels = np.arange(300) % 10
    images = np.zeros((300, 28, 28, 1), "uint8")
    for image, label in zip(images, labels):
        image[:, :: label + 2] = 255
    data = images[:200], labels[:200]
    scores, chosen = simgan.accuracies(data, (images[200:], labels[200:]), (images[200:], labels[200:]), seeds=2)
    assert len(scores) == 2 and min(scores) > 0.5 and chosen == "rate 0.004, 150 steps"


@pytest.mark.backend_free
def test_the_tables_and_their_controls(tmp_path, monkeypatch, capsys):
    data, runs = tmp_path / "data", tmp_path / "runs"
    fill(data)
    monkeypatch.setattr(simgan, "STEPS", (2,))
    monkeypatch.setattr(simgan, "HELD_OUT", 20)
    recipe_of = simgan.controls.recipe_of

    def small(preset):
        recipe = recipe_of(preset)
        recipe["arguments"] |= {"width": 4, "num_blocks": 1, "discriminator_width": 6, "pretraining": [1, 1]}
        recipe["training"] |= {"epochs": 1, "batch_size": 8, "precision": "float32"}
        return recipe

    monkeypatch.setattr(simgan.controls, "recipe_of", small)
    control = simgan.train("simgan-eyes-without_adversary", runs, data_dir=data, verbose=0)
    assert set(control.players()) == {"generator"} and control.updates_per_step("generator") == 1
    other = simgan.train("simgan-eyes-l1_0.5", runs, data_dir=data, verbose=0)
    assert other.l1_weight == 0.5 and type(other) is ganzoo.SimGAN
    (runs / "simgan-digits").mkdir()
    ganzoo.SimGAN((28, 28, 1), width=4, num_blocks=1).save(runs / "simgan-digits" / "model.keras")
    arguments = ["--data-dir", str(data), "--runs", str(runs), "--seeds", "2", "--limit", "150"]
    with pytest.warns(UserWarning, match="covariance"):  # of so few images
        simgan.main([*arguments, "--json", str(tmp_path / "table.json")])
    tables = json.loads((tmp_path / "table.json").read_text())
    rows = tables["simgan-digits"]["rows"]
    assert list(rows) == ["rendered, as they are", simgan.BASELINE, "preset", "handwritten (upper bound)"]
    assert ["frechet" in row for row in rows.values()] == [False, True, True, False]  # of 140 and 70 images
    assert "gain" in rows["preset"] and "gain" not in rows[simgan.BASELINE] and "change" in rows["preset"]
    assert list(tables["simgan-eyes"]["rows"]) == [
        "mean angles (lower bound)",
        "rendered (baseline)",
        "without adversary",
        "l1_weight 0.5",
        "as many real ones (upper bound)",
    ]
    assert "8 images in each row, compared with 12 real ones" in tables["simgan-eyes"]["protocol"]
    told = capsys.readouterr()
    assert "| preset |" in told.out and "simgan-eyes/model.keras is missing" in told.err


@pytest.mark.backend_free
@pytest.mark.parametrize("name", ["simgan-digits", "simgan-digits-l1_x", "cyclegan-facades-l1_3", "nonsense"])
def test_what_is_no_control_is_not_trained(name, tmp_path):
    with pytest.raises(SystemExit, match="--train takes"):
        simgan.train(name, tmp_path)


@pytest.mark.backend_free
def test_labels_are_kept_where_the_digit_is_still_found():
    images = np.arange(4, dtype="uint8").reshape(4, 1, 1, 1)
    logits = lambda images: np.eye(10)[images[:, 0, 0, 0]]  # noqa: E731
    assert simgan.kept(logits, (images, np.array([0, 1, 2, 9])))["value"] == 0.75
    assert simgan.change(images, images + np.uint8(51))["value"] == pytest.approx(0.2)
    labels, fonts = np.array([0, 0, 3, 3]), np.array([5, 5, 9, 9])  # both of a font, or none
    found = simgan.kept(logits, (images[[0, 0, 1, 1]], labels), fonts)
    assert found == {"value": 0.5, "interval": (0.0, 1.0)} == simgan.kept(logits, (images[[0, 1]], labels[[0, 2]]))


@pytest.mark.backend_free
@pytest.mark.parametrize("copies", [None, 20])
def test_images_of_a_font_are_known_by_their_place(tmp_path, copies):
    fill(tmp_path)
    images = rendered.font_digits("train", tmp_path, copies)["rendered"]
    fonts, levels = simgan.font_of_each(images, copies), images.max(axis=(1, 2, 3))
    assert len(set(zip(fonts, levels))) == len(set(fonts)) == len(set(levels)) == 14
    assert isinstance(metrics.interval(np.ones(4)), tuple)
