"""StyleGAN2: modulated convolutions against plain ones of each image, styles, penalties, recipes, the script."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops
from layer_reference import assert_close, derivatives

import ganzoo
from ganzoo import layers, losses
from ganzoo.engine.backend import input_gradient
from ganzoo.engine.phases import check_intervals, every
from ganzoo.networks.stylegan2 import num_styles
from ganzoo.zoo import presets

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

import stylegan2

FIR = np.array([1, 3, 3, 1]) / 8
TOLERANCE = 1e-4  # both routes compute in float32


def array(x):
    return ops.convert_to_numpy(ops.cast(x, "float32"))


def random(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def tiny(**options):
    keras.utils.set_random_seed(0)
    return ganzoo.StyleGAN2(**{**ganzoo.StyleGAN2.tiny, "seed": 0, **options})


DATA = np.random.default_rng(1).integers(0, 256, (32, 16, 16, 1), "uint8")


# --- Convolutions


class PerImage(keras.layers.Layer):
    """A modulated convolution as the paper writes it, with a kernel of its own for each image."""

    def __init__(self, own, **kwargs):
        super().__init__(**kwargs)
        self.own = own
        self.kernel, self.bias = own.kernel, own.bias

    def call(self, inputs):
        x, styles = inputs[..., : self.own.channels], inputs[:, 0, 0, self.own.channels :]
        return ops.concatenate([self.one(x[i : i + 1], styles[i]) for i in range(inputs.shape[0])]) + self.bias

    def one(self, x, style):
        size, _, channels, filters = self.kernel.shape
        kernel = self.kernel / (size * size * channels) ** 0.5 * ops.reshape(style, (1, 1, -1, 1))  # eq. 1
        if self.own.demodulate:
            kernel = kernel / ops.sqrt(ops.sum(kernel * kernel, axis=(0, 1, 2)) + 1e-8)  # eq. 3
        if not self.own.double:
            return ops.conv(x, kernel, padding="same")
        _, height, width, _ = x.shape
        zeros = ops.zeros_like(x)
        x = ops.reshape(ops.stack([x, zeros], axis=3), (1, height, 2 * width, channels))
        x = ops.reshape(ops.stack([x, ops.zeros_like(x)], axis=2), (1, 2 * height, 2 * width, channels))
        reach = size // 2
        x = ops.pad(x, [[0, 0], [reach + 2, reach + 1], [reach + 2, reach + 1], [0, 0]])
        x = ops.conv(x, ops.flip(kernel, (0, 1)), padding="valid")  # as a transposed convolution turns its kernel
        plane = ops.convert_to_tensor((4 * np.outer(FIR, FIR))[:, :, None, None] * np.eye(filters), "float32")
        return ops.conv(x, plane, padding="valid")


class Together(keras.layers.Layer):
    """The layer with x and its styles in one tensor, styles repeated at each pixel."""

    def __init__(self, own, **kwargs):
        super().__init__(**kwargs)
        self.own = own

    def call(self, inputs):
        return self.own([inputs[..., : self.own.channels], inputs[:, 0, 0, self.own.channels :]])


def modulated(policy="float32", size=3, **options):
    own = layers.ModulatedConv2D(4, size, dtype=policy, name="own", **options)
    own.channels = 3
    own.build([(2, 5, 6, 3), (2, 3)])
    own.set_weights([random(own.kernel.shape), random((4,), 1)])
    both = np.concatenate([random((2, 5, 6, 3), 2), np.zeros((2, 5, 6, 3), "float32")], axis=-1)
    both[..., 3:] = 1 + 0.5 * random((2, 1, 1, 3), 3)
    return own, both


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("size,demodulate", [(3, True), (1, False), (1, True), (3, False)])
def test_k02_modulated_convolution_value_first_and_second_derivative(size, demodulate, double):
    own, both = modulated(size=size, demodulate=demodulate, double=double)
    shape = tuple(own.compute_output_shape([(2, 5, 6, 3), (2, 3)]))
    assert shape == ((2, 10, 12, 4) if double else (2, 5, 6, 4))
    c, q = random(shape, 4), random(both.shape, 5)
    fast, plain = Together(own, name="fast"), PerImage(own, name="plain")
    fast.built = plain.built = True
    expected, got = derivatives(plain, both, c, q), derivatives(fast, both, c, q)
    assert_close(got, expected, TOLERANCE)
    assert len(got.second) == 3 and all(np.abs(x).max() > 0 for x in got.second)


def test_modulated_convolution_in_bfloat16():
    (own, both), (exact, _) = modulated("mixed_bfloat16", double=True), modulated(double=True)
    given = [both[..., :3], both[:, 0, 0, 3:]]
    found = array(own(given))
    assert np.abs(found - array(exact(given))).max() < 4e-2 * np.abs(found).max()


def test_demodulated_outputs_do_not_know_the_scale_of_styles_and_have_unit_variance():
    layer = layers.ModulatedConv2D(64, name="conv")
    x, styles = random((4, 16, 16, 32)), np.abs(random((4, 32), 1)) + 0.1
    y = array(layer([x, styles]))
    assert y[:, 2:-2, 2:-2].std() == pytest.approx(1, abs=0.05)
    np.testing.assert_allclose(y, array(layer([x, 7 * styles])), rtol=1e-3, atol=1e-4)
    assert array(layer([x, styles * [[1], [1], [1], [2]]])).std() == pytest.approx(y.std(), rel=1e-3)


def test_what_no_modulated_convolution_takes_is_refused():
    with pytest.raises(ValueError, match=r"odd number of pixels\. Received: kernel_size=4"):
        layers.ModulatedConv2D(4, 4)
    with pytest.raises(ValueError, match="odd number of pixels"):
        layers.EqualizedConv2D(4, (3, 5))
    with pytest.raises(ValueError, match="Received: 3 channels and 4 styles"):
        layers.ModulatedConv2D(4)([random((2, 4, 4, 3)), random((2, 4))])
    with pytest.raises(ValueError, match="must be even"):
        layers.EqualizedConv2D(4, 3, halve=True)(random((1, 5, 4, 3)))


# --- Equalised learning rate, filters


class Filtered(keras.layers.Layer):
    """The filter, then a plain convolution of stride 2."""

    def __init__(self, own, **kwargs):
        super().__init__(**kwargs)
        self.own, self.kernel, self.bias = own, own.kernel, own.bias

    def call(self, x):
        size, _, channels, _ = self.kernel.shape
        reach = size // 2
        x = ops.pad(x, [[0, 0], [reach + 1, reach + 1], [reach + 1, reach + 1], [0, 0]])
        plane = ops.convert_to_tensor(np.outer(FIR, FIR)[:, :, None, None] * np.eye(channels), "float32")
        x = ops.conv(x, plane, padding="valid")
        return ops.conv(x, self.kernel / (size * size * channels) ** 0.5, strides=2, padding="valid") + self.bias


@pytest.mark.parametrize("size", [1, 3])
def test_k02_a_halving_convolution_filters_first(size):
    layer = layers.EqualizedConv2D(4, size, halve=True, name="conv")
    x = random((2, 8, 6, 3), 2)
    layer.build(x.shape)
    layer.set_weights([random(layer.kernel.shape), random((4,), 1)])
    plain = Filtered(layer, name="plain")
    plain.built = True
    c, q = random((2, 4, 3, 4), 4), random(x.shape, 5)
    assert_close(derivatives(layer, x, c, q), derivatives(plain, x, c, q), TOLERANCE)


def test_n10_equalised_learning_rate():
    dense = layers.EqualizedDense(64, lr_multiplier=0.01, bias=2.0, name="dense")
    x = random((512, 100))
    y = array(dense(x))
    kernel, bias = dense.get_weights()
    assert kernel.std() == pytest.approx(100, rel=0.05) and bias == pytest.approx(200)
    np.testing.assert_allclose(y, x @ kernel * (0.01 / 10) + 0.01 * bias, rtol=1e-4, atol=1e-4)
    assert y.std() == pytest.approx(1, abs=0.1) and y.mean() == pytest.approx(2, abs=0.2)
    conv = layers.EqualizedConv2D(32, 3, name="conv")
    assert array(conv(random((4, 12, 12, 16))))[:, 1:-1, 1:-1].std() == pytest.approx(1, abs=0.1)
    assert conv.get_weights()[0].std() == pytest.approx(1, abs=0.05)
    for layer in (dense, conv, layers.EqualizedConv2D(4, 1, halve=True, activation=layers.scaled_leaky_relu)):
        assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()
    np.testing.assert_allclose(array(layers.scaled_leaky_relu(np.float32([-1, 2]))), [-0.2 * 2**0.5, 2 * 2**0.5])


def test_n10_pixel_norm():
    x = random((3, 5))
    expected = x / np.sqrt(np.square(x).mean(axis=1, keepdims=True) + 1e-8)
    np.testing.assert_allclose(array(layers.PixelNorm()(x)), expected, rtol=1e-5)


def test_a_filter_of_four_weights_lies_between_pixels():
    x = random((1, 6, 8, 2))
    grown, shrunk = array(layers.Grow((1, 3, 3, 1))(x)), array(layers.Shrink((1, 3, 3, 1))(x))
    assert grown.shape == (1, 12, 16, 2) and shrunk.shape == (1, 3, 4, 2)
    line = 0.75 * x[:, 2] + 0.25 * x[:, 1]  # bilinear: a quarter of a pixel above the middle of row 2
    np.testing.assert_allclose(grown[:, 4, 6], 0.75 * line[:, 3] + 0.25 * line[:, 2], rtol=1e-4, atol=1e-5)
    line = np.einsum("i,bihc->bhc", FIR, x[:, 1:5])
    np.testing.assert_allclose(shrunk[:, 1, 1], np.einsum("i,bic->bc", FIR, line[:, 1:5]), rtol=1e-4, atol=1e-5)
    for layer in (layers.Grow((1, 3, 3, 1)), layers.Shrink((1, 3, 3, 1))):
        np.testing.assert_allclose(array(layer(np.full((1, 4, 4, 1), 0.5, "float32"))), 0.5, rtol=1e-5)
    with pytest.raises(ValueError, match="A filter has weights"):
        layers.Grow(())


# --- Noise, styles


def test_noise_is_drawn_in_training_and_a_weight_in_inference():
    layer, x = layers.NoiseInput(name="noise"), random((3, 4, 5, 2))
    np.testing.assert_array_equal(array(layer(x, training=True)), x)  # of strength 0 at first
    layer.strength.assign(0.5)
    first, second = (array(layer(x, training=True)) - x for _ in range(2))
    assert np.abs(first - second).max() > 0.1 and np.abs(first[0] - first[1]).max() > 0.1
    np.testing.assert_allclose(first[..., 0], first[..., 1], atol=1e-5)
    still = array(layer(x)) - x
    np.testing.assert_allclose(still, np.broadcast_to(0.5 * array(layer.noise), x.shape), atol=1e-5)
    assert [v.name for v in layer.trainable_variables] == ["strength"]


def test_styles_are_mixed_at_a_layer_and_truncated_to_their_mean():
    layer = layers.MixedStyles(4, name="mix")
    a, b, where, psi = random((3, 2)), random((3, 2), 1), np.float32([0, 2, 4]), np.float32([1, 0.5, 0])
    layer.build([a.shape, b.shape, where.shape, psi.shape])
    layer.mean.assign([0.3, -0.2])
    mean, found = np.float32([0.3, -0.2]), array(layer([a, b, where, psi]))
    np.testing.assert_allclose(found[0], np.stack([b[0]] * 4), atol=1e-6)
    half = np.stack([a[1], a[1], b[1], b[1]])
    np.testing.assert_allclose(found[1], mean + 0.5 * (half - mean), atol=1e-6)
    np.testing.assert_allclose(found[2], np.stack([mean] * 4), atol=1e-6)
    layer([a, b, where, psi], training=True)
    np.testing.assert_allclose(array(layer.mean), 0.995 * mean + 0.005 * a.mean(axis=0), atol=1e-6)


def test_generate_truncates_and_mixes():
    model = tiny(image_shape=(16, 16, 3))
    rng = np.random.default_rng(0)
    for variable in model.generator_ema.weights:
        variable.assign(variable + 0.2 * rng.standard_normal(variable.shape).astype("float32"))
    a, b = (model.seeded_latents(3, seed)["latents"] for seed in (1, 2))
    first, second = (model.generate(latents=z, seed=0) for z in (a, b))
    np.testing.assert_array_equal(first, model.generate(latents=a, mixed=b, crossover=model.num_layers, seed=5))
    np.testing.assert_array_equal(second, model.generate(latents=a, mixed=b, crossover=0))
    between = model.generate(latents=a, mixed=b, crossover=3)
    assert (between != first).any() and (between != second).any()
    flat = model.generate(latents=a, truncation=0.0)
    assert (flat == flat[:1]).all() and (first != first[:1]).any()
    spread = [model.generate(latents=a, truncation=psi).astype(float).std(axis=0).mean() for psi in (0.3, 1.0)]
    assert spread[0] < spread[1]
    each = model.generate(latents=a, truncation=[0.0, 0.3, 1.0])
    np.testing.assert_array_equal(each[2], first[2])
    np.testing.assert_array_equal(each[0], flat[0])


def test_training_mixes_with_a_probability_and_generate_does_not():
    model = tiny()
    assert (model.seeded_latents(50, 0)["crossover"] == model.num_layers).all()
    where = model.seeded_latents(2000, 0, mixing=0.5)["crossover"]
    mixed = where[where < model.num_layers]
    assert 0.45 < len(mixed) / 2000 < 0.55 and sorted({*mixed}) == list(range(1, model.num_layers))
    batch = {"images": ops.zeros((400, 16, 16, 1))}
    shares = [float((array(model.fake(batch, training)["crossover"]) < model.num_layers).mean()) for training in (1, 0)]
    assert 0.8 < shares[0] < 0.97 and shares[1] == 0


# --- Penalties


def test_l09_path_length_has_a_closed_form():
    matrix = random((5, 12))  # styles to images of 2x3x2
    synthesis = lambda w: ops.reshape(ops.matmul(ops.sum(w, axis=1) / 2, matrix), (-1, 2, 3, 2))  # noqa: E731
    y, w = random((4, 2, 3, 2), 1), random((4, 3, 5), 2)
    lengths = np.linalg.norm(y.reshape(4, 12) @ matrix.T / 2, axis=1)  # the same for each of three layers
    penalty, mean = losses.path_length_penalty(synthesis, ops.convert_to_tensor(w), ops.convert_to_tensor(y), 2.0)
    a = 2 + 0.01 * (lengths.mean() - 2)
    assert float(array(mean)) == pytest.approx(a, rel=1e-5)
    assert float(array(penalty)) == pytest.approx(np.square(lengths - a).mean(), rel=1e-4)


def test_l09_path_length_differentiates_again_and_not_through_its_mean():
    y, w = random((4, 1, 1, 3), 1), random((4, 3), 2)

    def penalty(scale):
        synthesis = lambda w: (scale * w)[:, None, None, :]  # noqa: E731
        return losses.path_length_penalty(synthesis, ops.convert_to_tensor(w), ops.convert_to_tensor(y), 1.0, 0.5)[0]

    found = float(array(input_gradient(penalty, ops.convert_to_tensor(3.0))))
    lengths = np.linalg.norm(y.reshape(4, 3), axis=1)
    a = 1 + 0.5 * (3 * lengths.mean() - 1)
    assert found == pytest.approx(np.mean(2 * (3 * lengths - a) * lengths), rel=1e-4)


def test_every_so_many_steps():
    found = [float(array(every(3, ops.convert_to_tensor(step), lambda: ops.ones(())))) for step in range(5)]
    assert found == [1, 0, 0, 1, 0]
    assert check_intervals([16, 4]) == (16, 4)
    for wrong in ((16,), 4, (0, 4), (1.5, 2), (True, 1)):
        with pytest.raises(ValueError, match="2 numbers of training steps, one for each penalty"):
            check_intervals(wrong)


def test_l08_penalties_come_in_their_steps_and_path_length_moves_in_these_alone():
    model = tiny(intervals=(4, 2))
    model.compile()
    lengths = []
    for _ in range(4):
        model.fit(DATA[:8], batch_size=8, verbose=0)
        lengths.append(float(array(model.path_length)))
    assert 0 < lengths[0] == lengths[1] < lengths[2] == lengths[3]
    for network in (model.generator, model.generator_ema):  # the mean style follows training
        assert np.abs(array(network.get_layer("styles").get_layer("mix").mean)).max() > 0
    without = tiny(path_weight=0.0)
    without.fit(DATA[:8], batch_size=8, verbose=0)
    assert float(array(without.path_length)) == 0


class Halving(layers.Augmentation):
    def change(self, images, noise):
        return images / 2


def test_l08_r1_is_by_the_images_before_they_are_augmented():
    model = tiny(augment=Halving(), gamma=3.0, group=1)
    model.compile()
    real = {"images": ops.convert_to_tensor(random((4, 16, 16, 1)))}
    fake = {"images": ops.convert_to_tensor(random((4, 16, 16, 1), 1))}
    with_r1 = float(array(model.discriminator_loss(real, fake, True)))
    model.gamma = 0.0
    plain = float(array(model.discriminator_loss(real, fake, True)))
    slope = array(input_gradient(lambda x: model.discriminator(x, training=True), real["images"] / 2)) / 2
    expected = 4 * 3.0 / 2 * np.square(slope).sum(axis=(1, 2, 3)).mean()
    assert with_r1 - plain == pytest.approx(expected, rel=2e-3)
    model.optimizer.iterations.assign(1)
    model.gamma = 3.0
    assert float(array(model.discriminator_loss(real, fake, True))) == pytest.approx(plain, rel=1e-5)


def test_logs_tell_of_paths_of_the_sign_and_of_augmentation():
    model = tiny(augment=layers.AdaptiveAugment(ramp=100))
    history = model.fit(DATA, batch_size=8, epochs=2, verbose=0).history
    assert {"path_length", "r_t", "augment_p"} <= set(history) and model.extra_logs[2:] == ("augment_p",)
    assert all(-1 <= r <= 1 for r in history["r_t"]) and float(array(model.r_t)) == float(array(model.augment.r))
    assert tiny().extra_logs == ("path_length", "r_t")


def test_a_class_is_drawn_and_judged():
    model = tiny(num_classes=3)
    model.fit(DATA, np.arange(32) % 3, batch_size=8, verbose=0)
    for variable in model.generator_ema.weights:
        variable.assign(variable + 0.1 * random(variable.shape))
    zero, one = (model.generate(4, labels=k, seed=0) for k in (0, 1))
    assert (zero != one).any()
    images = random((2, 16, 16, 1))
    logits = [array(model.discriminator([images, np.int32([k, k])])) for k in (0, 1)]
    assert logits[0].shape == (2, 1) and np.abs(logits[0] - logits[1]).max() > 1e-4
    with pytest.raises(ValueError, match="labels"):
        model.generate(2)


def test_a_generator_without_its_two_networks_is_refused():
    dcgan = ganzoo.DCGAN((16, 16, 1), latent_dim=4, width=4)
    with pytest.raises(ValueError, match="without styles and synthesis"):
        ganzoo.StyleGAN2((16, 16, 1), generator=dcgan.generator)
    with pytest.raises(ValueError, match="Received: intervals=16"):
        tiny(intervals=16)


@pytest.mark.backend_free
def test_styles_of_the_papers_sizes():
    assert num_styles((1024, 1024, 3)) == 18 and num_styles((32, 32, 3)) == 8 and num_styles((28, 28, 1)) == 6


# --- Recipes, the script


@pytest.mark.backend_free
@pytest.mark.parametrize("preset", stylegan2.CONTROLS)
def test_recipes(preset):
    recipe = presets.read_recipe(preset)
    model = ganzoo.load(preset, weights=None)
    bytes_ = 2 * sum(network.count_params() for network in (model.generator, model.discriminator))
    assert bytes_ < 5e6 and recipe.training.precision == "mixed_bfloat16"
    assert (recipe.training.augment is not None) == (preset == stylegan2.EMOJI)
    assert model.arguments["mixing"] == 0.9 and model.intervals == (16, 4)


@pytest.mark.backend_free
def test_emoji_of_both_styles_are_read_without_their_style(monkeypatch):
    from ganzoo.zoo.asked import parts_of, wanted_of

    emoji = {style: np.full((4, 64, 64, 3), i, "uint8") for i, style in enumerate(("twemoji", "noto"))}
    monkeypatch.setattr("ganzoo.data.parts.load_set", lambda name, *rest: {**emoji, "captions": np.array(["x"] * 4)})
    recipe = presets.read_recipe(stylegan2.EMOJI)
    found = parts_of(recipe, wanted_of(recipe), None, None, None, {})
    assert list(found) == ["images"] and found["images"][:, 0, 0, 0].tolist() == [0, 1] * 4


@pytest.mark.backend_free
def test_recipes_in_the_size_of_a_paper_are_no_presets():
    folder = Path(stylegan2.__file__).resolve().parents[1] / "zoo_configs" / "paper"
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    assert names == ["stylegan2-cifar10", "stylegan2-ffhq"] and not {*names} & {*presets.list_presets()}
    for path in folder.glob("*.yaml"):
        recipe = presets.read_recipe(path)
        assert recipe.departures[0] == "Not run here." and recipe.training.optimizer["generator"].beta_1 == 0
        small = {"image_shape": (32, 32, 3), "width": 4, "widest": 8, "latent_dim": 8, "mapping_layers": 1}
        model = presets.build(recipe, **small)
        assert model.ema_decay == recipe.arguments["ema_decay"] and model.gamma == recipe.arguments["gamma"]


class Means:
    """Twelve features: the mean colours of an image's quarters."""

    name = id = "means"

    def features(self, images):
        return self.float_features(images.astype("float32"))

    def float_features(self, images):
        return np.asarray(images).reshape(-1, 2, 32, 2, 32, 3).mean(axis=(2, 4)).reshape(-1, 12)


@pytest.mark.backend_free
def test_the_script(tmp_path, monkeypatch, capsys):
    images = np.random.default_rng(0).integers(0, 256, (40, 64, 64, 3), "uint8")
    recipe = stylegan2.recipe_of(stylegan2.EMOJI)
    recipe["arguments"] |= {"width": 2, "widest": 4, "latent_dim": 4, "mapping_layers": 1}
    recipe["training"] |= {"epochs": 1, "batch_size": 20, "precision": "float32"}
    dcgan = stylegan2.recipe_of(stylegan2.DCGAN)
    dcgan["arguments"] |= {"width": 2, "discriminator_width": 2}
    dcgan["training"] |= {"batch_size": 20, "precision": "float32"}
    own = {stylegan2.EMOJI: recipe, stylegan2.DCGAN: dcgan}
    monkeypatch.setattr(stylegan2, "recipe_of", lambda preset: json.loads(json.dumps(own[preset])))
    monkeypatch.setattr(stylegan2, "images_of", lambda preset, data_dir: images)
    monkeypatch.setattr(stylegan2, "extractor_of", lambda preset: Means())
    monkeypatch.setattr("ganzoo.zoo.training.MONITORED", 40)
    timed = {"stylegan2": 30.0, "dcgan": 10.0}
    monkeypatch.setattr(stylegan2, "seconds_of", lambda recipe, images, path: path.touch() or timed[recipe["model"]])
    for kind in ("without_ada", "dcgan"):
        trained = stylegan2.train(stylegan2.EMOJI, kind, tmp_path, data=images, verbose=0)
        assert trained.augment is None and trained.image_shape == (64, 64, 3)
        assert len(stylegan2.log_of(tmp_path / f"{stylegan2.EMOJI}-{kind}")["frechet_distance"]) == (
            3 if kind == "dcgan" else 1
        )  # for as long
    assert isinstance(trained, ganzoo.DCGAN)
    arguments = ["--runs", str(tmp_path), "--limit", "40", "--preset", stylegan2.EMOJI, "--truncations", "0.5", "1"]
    stylegan2.main([*arguments, "--json", str(tmp_path / "table.json")])
    told = capsys.readouterr()
    assert "--train preset --preset stylegan2-emoji" in told.err
    table = json.loads((tmp_path / "table.json").read_text())[stylegan2.EMOJI]
    assert list(table["rows"]) == ["without ada", "dcgan"] and table["truncation"] == {}
    assert {"frechet_distance", "path_length", "r_t"} <= set(table["rows"]["without ada"])
    (tmp_path / f"{stylegan2.EMOJI}-without_ada").rename(tmp_path / stylegan2.EMOJI)
    stylegan2.main([*arguments, "--json", str(tmp_path / "table.json")])
    table = json.loads((tmp_path / "table.json").read_text())[stylegan2.EMOJI]
    assert list(table["truncation"]) == ["0.5", "1"] and "| psi |" in capsys.readouterr().out
    for name in ("mixing2", "mixing5", "truncation", "curves"):
        assert (tmp_path / f"{stylegan2.EMOJI}-{name}.png").is_file()
    with pytest.raises(SystemExit):
        stylegan2.main(["--train", "without_ada", "--preset", stylegan2.CLOTHING])


@pytest.mark.backend_free
def test_halved_images_are_means_of_four_pixels():
    x = np.arange(16, dtype="uint8").reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(stylegan2.halved(x)[0, :, :, 0], [[2, 4], [10, 12]])
    np.testing.assert_allclose(stylegan2.halved(x.astype("float32"))[0, :, :, 0], [[2.5, 4.5], [10.5, 12.5]])
