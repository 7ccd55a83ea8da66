"""DiffAugment, adaptive augmentation, consistency: what they change, what passes through, how they train."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

import ganzoo
from ganzoo import layers
from ganzoo.callbacks import Backup
from ganzoo.engine.backend import input_gradient
from ganzoo.layers.augmenting import moved_by, sampled


def array(tensor):
    return ops.convert_to_numpy(tensor)


def pictures(n=6, size=8, channels=3, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (n, size, size, channels)).astype("float32")


def given(**fixed):
    """Noise in which every number is the same, by kind."""
    return lambda kind, shape: ops.ones(shape) * fixed[kind]


def drawn(seed=0):
    rng = np.random.default_rng(seed)

    def noise(kind, shape):
        shape = [int(n) for n in shape]
        values = rng.standard_normal(shape) if kind == "normal" else rng.random(shape)
        return ops.convert_to_tensor(values.astype("float32"))

    return noise


def small(**options):
    keras.utils.set_random_seed(0)
    return ganzoo.DCGAN((16, 16, 1), latent_dim=4, width=4, seed=0, **options)


DATA = np.random.default_rng(1).integers(0, 256, (48, 16, 16, 1), "uint8")


# --- DiffAugment


def test_translation_is_by_whole_pixels_and_zero_comes_in():
    x = pictures(3)
    got = array(
        moved_by(ops.convert_to_tensor(x), np.array([0.0, 2.0, -1.0], "float32"), np.array([0.0, -3.0, 1.0], "float32"))
    )
    np.testing.assert_allclose(got[0], x[0], rtol=1e-6)
    np.testing.assert_allclose(got[1][2:, :-3], x[1][:-2, 3:], rtol=1e-6)
    assert not got[1][:2].any() and not got[1][:, -3:].any()
    np.testing.assert_allclose(got[2][:-1, 1:], x[2][1:, :-1], rtol=1e-6)


def test_colour_by_its_formula():
    x = pictures(2)
    layer = layers.DiffAugment(["color"])
    got = array(layer.change(ops.convert_to_tensor(x), given(uniform=0.75)))
    y = x + 0.25
    y = y.mean(3, keepdims=True) + (y - y.mean(3, keepdims=True)) * 1.5
    y = y.mean((1, 2, 3), keepdims=True) + (y - y.mean((1, 2, 3), keepdims=True)) * 1.25
    np.testing.assert_allclose(got, y, rtol=1e-4, atol=1e-5)
    same = array(layer.change(ops.convert_to_tensor(x), given(uniform=0.5)))
    np.testing.assert_allclose(same, x, atol=1e-6)


def test_cutout_is_a_square_of_half_of_either_side():
    x = np.ones((400, 8, 12, 1), "float32")
    holes = array(layers.DiffAugment(["cutout"]).change(ops.convert_to_tensor(x), drawn())) == 0
    assert set(holes.sum(axis=(1, 2, 3))) <= {a * b for a in range(2, 5) for b in range(3, 7)}
    assert holes.sum(axis=(1, 2, 3)).max() == 4 * 6
    share = holes.mean(axis=0)[..., 0]
    assert share.min() > 0.05 and share.max() < 0.6


def test_translation_is_uniform_over_an_eighth():
    x = np.zeros((2000, 16, 16, 1), "float32")
    x[:, 8, 8] = 1
    moved = array(layers.DiffAugment(["translation"]).change(ops.convert_to_tensor(x), drawn()))
    rows = np.argwhere(moved[..., 0])[:, 1] - 8
    assert set(rows) == set(range(-2, 3))
    assert np.bincount(rows + 2).min() > 2000 / 5 * 0.8


# --- Adaptive augmentation


def test_an_affine_map_says_where_pixels_come_from():
    x = pictures(1, 6, 2)
    identity = np.eye(3, dtype="float32")[None]
    np.testing.assert_allclose(array(sampled(ops.convert_to_tensor(x), ops.convert_to_tensor(identity))), x, atol=1e-5)

    def mapped(matrix):
        return array(sampled(ops.convert_to_tensor(x), ops.convert_to_tensor(np.array([matrix], "float32"))))

    np.testing.assert_allclose(mapped([[1, 0, 0], [0, -1, 0], [0, 0, 1]]), x[:, :, ::-1], atol=1e-5)
    np.testing.assert_allclose(mapped([[0, 1, 0], [-1, 0, 0], [0, 0, 1]]), np.rot90(x, 1, (1, 2)), atol=1e-5)
    np.testing.assert_allclose(mapped([[1, 0, 2], [0, 1, 0], [0, 0, 1]])[:, :4], x[:, 2:], atol=1e-5)
    half = mapped([[1, 0, 0], [0, 1, 0.5], [0, 0, 1]])
    np.testing.assert_allclose(half[:, :, :5], (x[:, :, :5] + x[:, :, 1:]) / 2, atol=1e-5)
    reflected = mapped([[1, 0, -2], [0, 1, 0], [0, 0, 1]])
    np.testing.assert_allclose(reflected[:, :3], x[:, [2, 1, 0]], atol=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_nothing_happens_while_p_is_0_and_something_to_all_when_it_is_1(channels):
    x = ops.convert_to_tensor(pictures(16, 8, channels))
    layer = layers.AdaptiveAugment()
    np.testing.assert_allclose(array(layer.change(x, drawn())), array(x), atol=1e-5)
    layer.p.assign(1.0)
    changed = array(layer.change(x, drawn()))
    assert changed.shape == x.shape and np.isfinite(changed).all()
    assert (np.abs(changed - array(x)).max(axis=(1, 2, 3)) > 0.05).all()
    layer.p.assign(0.5)
    kept = np.abs(array(layer.change(x, drawn())) - array(x)).max(axis=(1, 2, 3)) < 1e-4
    assert kept.sum() <= 4, "of many transformations one happens almost always"


def test_turning_hue_keeps_brightness_and_three_turns_by_a_third_are_none():
    layer = layers.AdaptiveAugment(initial=1.0)
    x = pictures(4)
    step = [0.0]

    def noise(kind, shape):  # everything happens; no brightness, contrast or saturation; hue turns by 120 degrees
        step[0] += kind == "uniform"
        order = {3: 0.9, 4: 0.9, 5: 0.5 + 1 / 3}  # flip: no; the angle: (2 u - 1) pi
        return ops.ones(shape) * (0.0 if kind == "normal" else order.get(int(step[0]), 0.0))

    turned = array(layer._recoloured(ops.convert_to_tensor(x), noise, 1.0))
    np.testing.assert_allclose(turned.mean(-1), x.mean(-1), atol=1e-5)
    shifted = min(np.abs(turned - np.roll(x, k, axis=-1)).max() for k in (1, 2))
    assert shifted < 1e-5, "a third of the way round the grey axis exchanges the colours"


def test_n11_p_follows_the_sign_of_the_answers_to_real_images():
    layer = layers.AdaptiveAugment(target=0.6, ramp=1000)
    for _ in range(40):
        layer.observe(ops.ones((10, 1)))
    rising = float(array(layer.p))
    assert 0.2 < rising < 0.4 and float(array(layer.r)) > 0.9
    for _ in range(100):
        layer.observe(-ops.ones((10, 1)))
    assert float(array(layer.p)) == 0 and float(array(layer.r)) < -0.9


# --- In training


@pytest.mark.parametrize("make", [layers.DiffAugment, layers.AdaptiveAugment])
def test_the_gradient_passes_to_the_images_twice(make):
    layer = make(initial=0.7) if make is layers.AdaptiveAugment else make()
    x = ops.convert_to_tensor(pictures(2))

    def energy(y):
        return ops.sum(ops.square(layer.change(y, drawn(3)) ** 2))

    slope = array(input_gradient(energy, x))
    assert np.isfinite(slope).all() and (np.abs(slope).max(axis=(1, 2, 3)) > 1e-3).all()
    again = array(input_gradient(lambda y: ops.sum(ops.square(input_gradient(energy, y))), x))
    assert np.isfinite(again).all() and np.abs(again).max() > 1e-3


def test_n11_real_and_generated_images_are_changed_in_both_players_steps():
    class Counting(layers.Augmentation):
        def __init__(self):
            super().__init__()
            self.calls, self.noted = [], 0

        def change(self, images, noise):
            self.calls.append(noise("uniform", (1,)) is not None)
            return images * 0.5

        def observe(self, logits):
            self.noted += 1

    counting = Counting()
    model = small(augment=counting)
    model.compile(run_eagerly=True)
    model.train_on_batch(DATA[:8])
    assert len(counting.calls) == 3 and counting.noted == 1  # D: real, fake; G: fake
    model.evaluate(DATA[:8], verbose=0)
    assert len(counting.calls) == 3, "nothing is changed outside of training"


@pytest.mark.parametrize("make", [layers.DiffAugment, layers.AdaptiveAugment, layers.Consistency])
@pytest.mark.parametrize("variant", ["dcgan", "wgan_gp", "r3gan", "cgan", "biggan"])
def test_it_combines_with_any_variant(variant, make):
    model = ganzoo.models.get_model(variant)
    options = {"ramp": 200} if make is layers.AdaptiveAugment else {}
    if options and not model.divided_at_zero:
        options |= {"target": None, "initial": 0.5}
    model = model(**{**model.tiny, "seed": 0, "augment": make(**options)})
    conditional = [np.arange(40) % 3] if "labels" in model.data else []
    history = model.fit(DATA[:40], *conditional, batch_size=8, verbose=0).history
    assert np.isfinite(history["loss"]).all()


def test_consistency_is_its_formula():
    model = small(augment=layers.Consistency(weight=3.0, mirror=False))
    x = ops.convert_to_tensor(pictures(4, 16, 1))
    moved = model.augment.moved(x, drawn(5))

    def judge(images):
        return model.run(model.discriminator, images, False)

    got = float(array(model.augment.penalty(judge, x, drawn(5))))
    assert got == pytest.approx(3.0 * np.square(array(judge(x)) - array(judge(moved))).mean(), rel=1e-4)
    assert got > 0


def codes_model(**options):
    keras.utils.set_random_seed(0)
    return ganzoo.InfoGAN((16, 16, 1), 4, 2, latent_dim=4, width=4, units=8, hidden=8, seed=0, **options)


def test_invariance_is_its_formula_and_begins_when_it_should():
    layer = layers.Invariance(weight=2.0, after=1, seed=0)
    model = codes_model(augment=layer)
    x = ops.convert_to_tensor(pictures(4, 16, 1))
    moved = layer.moved(x, drawn(5))

    def judge(images):
        return model.run(model.discriminator, images, False)

    def log_softmax(images):
        logits = array(judge(images)[1]).astype("float64")
        return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))

    a, b = log_softmax(x), log_softmax(moved)
    expected = -2.0 * (np.exp(a) * b + np.exp(b) * a).sum(axis=1).mean()
    assert float(array(layer.penalty(judge, x, drawn(5)))) == 0, "the first step is without it"
    assert float(array(layer.penalty(judge, x, drawn(5)))) == pytest.approx(expected, rel=1e-4)
    with pytest.raises(ValueError, match=r"second output must be their logits.*one output"):
        layer.penalty(lambda images: judge(images)[0], x, drawn(5))


def test_what_invariance_moves():
    x = pictures(3, 9, 1)
    still = layers.Invariance(rotation=0, shear=0, zoom=0, shift=0, stroke=0)
    np.testing.assert_allclose(array(still.moved(ops.convert_to_tensor(x), drawn())), x, atol=1e-6)
    dot = np.full((1, 9, 9, 1), -1.0, "float32")
    dot[0, 4, 4] = 1
    ones = given(uniform=1.0, normal=0.0)  # the most to one side
    thick = layers.Invariance(rotation=0, shear=0, zoom=0, shift=0, stroke=1)
    square = array(thick.moved(ops.convert_to_tensor(dot), ones))[0, :, :, 0]
    expected = np.full((9, 9), -1.0)
    expected[3:6, 3:6] = 1
    np.testing.assert_allclose(square, expected, atol=1e-6)
    thin = array(thick.moved(ops.convert_to_tensor(dot), given(uniform=0.0, normal=0.0)))
    np.testing.assert_allclose(thin, -1, atol=1e-6)
    shifted = layers.Invariance(rotation=0, shear=0, zoom=0, shift=2, stroke=0)
    place = np.argwhere(array(shifted.moved(ops.convert_to_tensor(dot), ones))[0, :, :, 0] > 0.99)
    assert place.tolist() == [[2, 2]], "each pixel comes from two below and right of it"
    turned = layers.Invariance(rotation=np.pi / 2, shear=0, zoom=0, shift=0, stroke=0)
    np.testing.assert_allclose(
        array(turned.moved(ops.convert_to_tensor(x), ones))[..., 0], np.rot90(x[..., 0], axes=(2, 1)), atol=1e-4
    )


def test_invariance_trains_and_is_kept(tmp_path):
    model = codes_model(augment=layers.Invariance(after=2, seed=0))
    assert np.isfinite(model.fit(DATA, batch_size=8, verbose=0).history["loss"]).all()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert float(array(loaded.augment.steps)) == 6 and loaded.augment.get_config() == model.augment.get_config()
    with pytest.raises(ValueError, match="after is 0 or more"):
        layers.Invariance(after=-1)


def test_a_training_with_adaptive_augmentation_resumes_and_is_saved(tmp_path):
    def fresh():
        return small(
            augment=layers.AdaptiveAugment(ramp=300, target=0.01, seed=0)
        )  # else drawn before `small` sets one

    class Crash(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 3:
                raise KeyboardInterrupt

    fit = {"x": DATA, "batch_size": 8, "epochs": 2, "verbose": 0}
    straight = fresh()
    straight.fit(**fit)
    with pytest.raises(KeyboardInterrupt):
        fresh().fit(**fit, callbacks=[Backup(tmp_path / "backup", 1), Crash()])
    resumed = fresh()
    resumed.fit(**fit, callbacks=[Backup(tmp_path / "backup", 1)])
    for a, b in zip(straight.variables, resumed.variables, strict=True):
        np.testing.assert_array_equal(array(a), array(b), err_msg=a.path)
    assert float(array(straight.augment.r)) != 0
    straight.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert float(array(loaded.augment.p)) == float(array(straight.augment.p))
    assert loaded.augment.ramp == 300 and type(loaded.augment) is layers.AdaptiveAugment


def test_before_a_network_of_ones_own_it_acts_in_training_alone():
    network = keras.Sequential([keras.Input((8, 8, 3)), layers.DiffAugment(seed=1)])
    x = pictures()
    np.testing.assert_array_equal(array(network(x, training=False)), x)
    assert not np.array_equal(array(network(x, training=True)), array(network(x, training=True)))


@pytest.mark.parametrize("variant", ["lsgan", "wgan", "wgan_gp", "relativistic", "r3gan"])
def test_a_sign_that_means_nothing_is_not_followed(variant):
    model = ganzoo.models.get_model(variant)
    with pytest.raises(
        ValueError, match=r"their sign cannot be followed: .*AdaptiveAugment\(target=None, initial=0.2\)"
    ):
        model(**model.tiny, augment=layers.AdaptiveAugment())
    fixed = model(**model.tiny, augment=layers.AdaptiveAugment(target=None, initial=0.2))
    fixed.fit(DATA[:40], batch_size=8, verbose=0)
    assert float(array(fixed.augment.p)) == pytest.approx(0.2)


def test_a_training_does_not_resume_with_another_augmentation(tmp_path):
    small(augment=layers.DiffAugment()).fit(DATA, batch_size=8, verbose=0, callbacks=[Backup(tmp_path / "backup", 1)])
    with pytest.raises(ValueError, match="augment"):
        small(augment=layers.DiffAugment(["color"])).fit(
            DATA, batch_size=8, epochs=2, verbose=0, callbacks=[Backup(tmp_path / "backup", 1)]
        )


def test_what_cannot_be_augmented_is_told():
    with pytest.raises(ValueError, match=r"images of one height and width. Received: a generator of \(2,\)"):
        ganzoo.VanillaGAN((2,), augment=layers.DiffAugment())
    with pytest.raises(ValueError, match=r"`augment` is one of ganzoo.layers: DiffAugment\(\)"):
        small(augment="diffaugment")
    with pytest.raises(ValueError, match="The images of a Pix2Pix belong to `source`"):
        ganzoo.Pix2Pix(**ganzoo.Pix2Pix.tiny, augment=layers.DiffAugment())
    with pytest.raises(ValueError, match="A LAPGAN judges its images in a way"):
        ganzoo.LAPGAN(**ganzoo.LAPGAN.tiny, augment=layers.DiffAugment())
    with pytest.raises(ValueError, match="`policies` are some of color, translation, cutout"):
        layers.DiffAugment("color")
    with pytest.raises(ValueError, match="target lies in"):
        layers.AdaptiveAugment(target=2)
