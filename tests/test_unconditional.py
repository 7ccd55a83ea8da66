"""The unconditional family: losses, penalties, layers and what each variant does, by closed forms."""

from __future__ import annotations

from functools import partial

import keras
import numpy as np
import pytest
from keras import ops

import ganzoo
from ganzoo import Images, Labels, layers, losses
from ganzoo.engine.backend import input_gradient
from ganzoo.models import get_model
from ganzoo.networks.dcgan import dcgan_discriminator, dcgan_generator
from ganzoo.networks.r3gan import r3gan_discriminator, r3gan_generator

DCGAN_LIKE = ("lsgan", "wgan", "dragan", "hinge", "relativistic", "r1")
FAMILY = (*DCGAN_LIKE, "sngan", "sagan", "lapgan", "r3gan")


def array(tensor):
    return ops.convert_to_numpy(tensor)


def number(tensor):
    return float(array(tensor))


def random(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def tensor(*shape, seed=0):
    return ops.convert_to_tensor(random(*shape, seed=seed))


def softplus(x):
    return np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0)


def tiny(name, **changes):
    keras.utils.set_random_seed(0)
    model = get_model(name)
    return model(**{**model.tiny, "seed": 0, **changes})


# --- Losses


def test_least_squares():
    real, fake = random(8, 1), random(8, 1, seed=1)
    expected = ((real - 1) ** 2).mean() / 2 + (fake**2).mean() / 2
    assert number(losses.least_squares_discriminator_loss(real, fake)) == pytest.approx(expected, rel=1e-6)
    assert number(losses.least_squares_generator_loss(fake)) == pytest.approx(((fake - 1) ** 2).mean() / 2, rel=1e-6)
    half = np.full(4, 0.5)
    assert number(losses.least_squares_discriminator_loss(half, half)) == 0.25


def test_relativistic_average_is_the_papers_with_sigmoids():
    real, fake = random(8, 1), random(8, 1, seed=1)

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    expected = -np.log(sigmoid(real - fake.mean())).mean() - np.log(1 - sigmoid(fake - real.mean())).mean()
    assert number(losses.relativistic_average_loss(real, fake)) == pytest.approx(expected, rel=1e-5)
    swapped = -np.log(sigmoid(fake - real.mean())).mean() - np.log(1 - sigmoid(real - fake.mean())).mean()
    assert number(losses.relativistic_average_loss(fake, real)) == pytest.approx(swapped, rel=1e-5)
    assert number(losses.relativistic_average_loss(real + 5, fake + 5)) == pytest.approx(expected, rel=1e-4)


def test_relativistic_pairing():
    real, fake = random(8, 1), random(8, 1, seed=1)
    assert number(losses.relativistic_pairing_loss(real, fake)) == pytest.approx(softplus(fake - real).mean(), rel=1e-5)
    assert number(losses.relativistic_pairing_loss(real, real)) == pytest.approx(np.log(2))


@pytest.mark.parametrize("name", ["relativistic", "r3gan"])
def test_the_generators_gradient_comes_from_real_images_too(name):
    model = tiny(name)
    fake, real = tensor(4, 16, 16, 1), tensor(4, 16, 16, 1, seed=2)
    one = number(model.generator_loss(real, fake, training=False))
    other = number(model.generator_loss(real * 3, fake, training=False))
    scores = array(model.discriminate(fake, False)), array(model.discriminate(real, False))
    assert one != other
    expected = losses.relativistic_average_loss if name == "relativistic" else losses.relativistic_pairing_loss
    assert one == pytest.approx(number(expected(*scores)), rel=1e-5)


def test_one_sided_label_smoothing_is_cross_entropy_with_that_aim():
    real, fake = random(8, 1), random(8, 1, seed=1)
    smooth = (0.9 * softplus(-real) + 0.1 * softplus(real)).mean() + softplus(fake).mean()
    got = number(losses.non_saturating_discriminator_loss(real, fake, smoothing=0.1))
    assert got == pytest.approx(smooth, rel=1e-5)


def test_feature_matching():
    real, fake = random(8, 5), random(8, 5, seed=1)
    expected = ((real.mean(0) - fake.mean(0)) ** 2).mean()
    assert number(losses.feature_matching_loss(real, fake)) == pytest.approx(expected, rel=1e-5)


# --- Penalties


def test_one_sided_penalty_leaves_small_gradients():
    scale = np.array([0.1, 0.5, 2.0], "float32").reshape(3, 1, 1, 1)
    x = tensor(3, 2, 2, 1)

    def critic(points):  # a gradient of norm 2 * scale
        return ops.sum(points * ops.convert_to_tensor(scale), axis=(1, 2, 3))

    norms = 2 * scale.ravel()
    alpha = ops.zeros((3, 1, 1, 1))
    two = number(losses.gradient_penalty(critic, x, x, alpha))
    one = number(losses.gradient_penalty(critic, x, x, alpha, one_sided=True))
    assert two == pytest.approx(((norms - 1) ** 2).mean(), rel=1e-5)
    assert one == pytest.approx((np.maximum(norms - 1, 0) ** 2).mean(), rel=1e-5)


def test_zero_centred_penalty_is_the_mean_square_norm_of_each_image():
    weight = random(2, 2, 1)
    scale = np.array([1.0, -2.0, 3.0], "float32").reshape(3, 1, 1, 1)
    slopes = ops.convert_to_tensor(weight * scale)
    got = losses.zero_centred_penalty(lambda x: ops.sum(x * slopes, axis=(1, 2, 3)), tensor(3, 2, 2, 1))
    assert number(got) == pytest.approx((weight**2).sum() * (scale**2).mean(), rel=1e-5)


def test_penalties_of_a_variant_are_those_of_its_formula():
    """DRAGAN, R1 and R3GAN on linear discriminators, whose gradient is known everywhere."""
    w = random(16, 16, 1)

    def linear():
        images = keras.Input((16, 16, 1), name="images")
        score = keras.layers.Dense(1, use_bias=False, name="score")
        network = keras.Model(images, score(keras.layers.Flatten(name="flat")(images)), name="discriminator")
        score.kernel.assign(w.reshape(-1, 1))
        return network

    real, fake = tensor(4, 16, 16, 1), tensor(4, 16, 16, 1, seed=2)
    square = float((w**2).sum())
    plain = {"dragan": "non_saturating_discriminator_loss", "r1": "non_saturating_discriminator_loss"}
    for name, options, penalty in (
        ("dragan", {"penalty_weight": 3.0}, 3.0 * (square**0.5 - 1) ** 2),
        ("r1", {"gamma": 4.0}, 2.0 * square),
        ("r3gan", {"gamma": 4.0}, 2.0 * 2 * square),
    ):
        model = tiny(name, discriminator=linear, **options)
        model.compile()
        scores = array(model.discriminate(real, False)), array(model.discriminate(fake, False))
        loss = getattr(losses, plain.get(name, "relativistic_pairing_loss"))(*scores)
        got = number(model.discriminator_loss(real, fake, training=False))
        assert got == pytest.approx(number(loss) + penalty, rel=1e-4), name


def test_dragan_moves_real_images_by_noise_of_the_batch(monkeypatch):
    model = tiny("dragan", noise_scale=0.5)
    seen = []
    monkeypatch.setattr(losses, "norm_penalty", lambda on, points: seen.append(points) or ops.zeros(()))
    real = ops.convert_to_tensor(3 * random(64, 16, 16, 1))
    model.discriminator_loss(real, real, training=False)
    (moved,) = map(array, seen)
    noise = moved - array(real)
    assert noise.std() == pytest.approx(0.5 * 3, rel=0.05) and abs(noise.mean()) < 0.05


def test_l08_a_lazy_penalty_is_taken_every_so_many_steps_and_as_much_stronger():
    model = tiny("r1", gamma=4e4, penalty_every=4)
    model.compile()
    each = tiny("r1", gamma=4e4)
    each.compile()
    each.set_weights(model.get_weights())
    none = tiny("r1", gamma=0.0)
    none.compile()
    none.set_weights(model.get_weights())
    real, fake = tensor(4, 16, 16, 1), tensor(4, 16, 16, 1, seed=2)

    def loss(model):
        return number(model.discriminator_loss(real, fake, training=True))

    bare = loss(none)
    assert loss(model) - bare == pytest.approx(4 * (loss(each) - bare), rel=0.02) and loss(each) > bare
    model.optimizer.iterations.assign(1)
    assert loss(model) == pytest.approx(bare, rel=1e-6)
    model.optimizer.iterations.assign(8)
    assert loss(model) > bare
    model.optimizer.iterations.assign(1)
    shown = [number(gan.discriminator_loss(real, fake, training=False)) for gan in (model, each)]
    assert shown[0] == pytest.approx(shown[1], rel=1e-5), "in evaluate it is whole, whatever the step"


def test_r3gans_gamma_falls_along_a_cosine_and_is_no_number_of_the_trace():
    model = tiny("r3gan", gamma=2.0, final_gamma=0.5, decay_steps=10)
    model.compile()
    found = []
    for step in (0, 5, 10, 20):
        model.optimizer.iterations.assign(step)
        found.append(number(model.gamma_now()))
    np.testing.assert_allclose(found, [2.0, 1.25, 0.5, 0.5], rtol=1e-5)
    with pytest.raises(ValueError, match="`final_gamma` and `decay_steps` go together"):
        tiny("r3gan", final_gamma=0.5)


# --- Layers


def test_attention_is_a_softmax_over_all_positions():
    q, k, v = random(2, 3, 4, 5), random(2, 2, 2, 5, seed=1), random(2, 2, 2, 6, seed=2)
    got = array(layers.SpatialAttention()([q, k, v]))
    scores = np.einsum("bijc,bklc->bijkl", q, k).reshape(2, 3, 4, 4)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    expected = np.einsum("bijk,bkd->bijd", weights, v.reshape(2, 4, 6))
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_attention_is_differentiable_twice():
    """The gradient of |grad|^2 against differences of it."""
    layer = layers.SpatialAttention()

    def energy(x):
        return ops.sum(ops.square(input_gradient(lambda y: layer([y, y, y]), x)))

    x = random(1, 2, 2, 3, seed=4)
    second = array(input_gradient(energy, ops.convert_to_tensor(x)))
    direction, h = random(1, 2, 2, 3, seed=5), 1e-2
    ahead, behind = (number(energy(ops.convert_to_tensor(x + s * h * direction))) for s in (1, -1))
    assert (second * direction).sum() == pytest.approx((ahead - behind) / (2 * h), rel=0.02)


def test_attention_begins_as_nothing():
    model = tiny("sagan")
    gates = [layer for layer in model.generator.layers if isinstance(layer, layers.GatedAdd)]
    assert len(gates) == 1 and number(gates[0].gamma) == 0
    x, y = random(2, 3), random(2, 3, seed=1)
    gate = layers.GatedAdd()
    np.testing.assert_array_equal(array(gate([x, y])), x)
    gate.gamma.assign(2.0)
    np.testing.assert_allclose(array(gate([x, y])), x + 2 * y, rtol=1e-5)
    with pytest.raises(ValueError, match=r"`attention` is a height of feature maps, here 8"):
        tiny("sagan", attention=5)


@pytest.mark.parametrize("batch", [1, 3, 4, 6, 8])
def test_n10_minibatch_stddev_of_any_batch(batch):
    x = random(batch, 2, 2, 3)
    network = keras.Sequential([keras.Input((2, 2, 3)), layers.MinibatchStdDev(4)])
    got = network.predict(x, batch_size=batch, verbose=0)
    group = min(4, batch)
    apart = -(-batch // group)
    rows = np.arange(group * apart) % batch
    spread = np.sqrt(x[rows].reshape(group, apart, 2, 2, 3).var(0) + 1e-8).mean((1, 2, 3))
    np.testing.assert_array_equal(got[..., :3], x)
    np.testing.assert_allclose(
        got[..., 3], np.tile(spread, group)[:batch, None, None] * np.ones((batch, 2, 2)), rtol=1e-4
    )


def test_minibatch_stddev_is_zero_of_images_all_alike():
    alike = np.repeat(random(1, 2, 2, 3), 4, axis=0)
    assert array(layers.MinibatchStdDev()(alike))[..., 3].max() < 2e-4


def test_minibatch_discrimination():
    x = random(5, 7)
    layer = layers.MinibatchDiscrimination(3, 2)
    got = array(layer(x))
    m = (x @ array(layer.kernel)).reshape(5, 3, 2)
    closeness = np.exp(-np.abs(m[:, None] - m[None]).sum(-1)).sum(1) - 1
    np.testing.assert_allclose(got, np.concatenate([x, closeness], 1), rtol=1e-4, atol=1e-5)


def test_packs_hold_neighbours_along_their_channels():
    x = random(5, 2, 3, 2)
    got = array(layers.Pack(2)(x))
    assert got.shape == (3, 2, 3, 4)
    np.testing.assert_array_equal(got[1], np.concatenate([x[2], x[3]], axis=-1))
    np.testing.assert_array_equal(got[2], np.concatenate([x[4], x[0]], axis=-1))


def test_a_packing_discriminator_trains_with_any_loss():
    images = keras.Input((16, 16, 1), name="images")
    x = layers.MinibatchStdDev(name="spread")(layers.Pack(2, name="pack")(images))
    x = keras.layers.GaussianNoise(0.1, name="noise")(x)  # instance noise
    x = layers.MinibatchDiscrimination(4, 2, name="close")(keras.layers.Flatten(name="flat")(x))
    judge = keras.Model(images, keras.layers.Dense(1, name="logit")(x), name="discriminator")
    for name in ("lsgan", "relativistic", "wgan"):
        model = tiny(name, discriminator=keras.models.clone_model(judge))
        data = np.random.default_rng(0).integers(0, 256, (30, 16, 16, 1), "uint8")
        history = model.fit(data, batch_size=6, verbose=0).history
        assert np.isfinite(history["loss"]).all()


@pytest.mark.parametrize("weights", [(1, 4, 6, 4, 1), (1, 2, 1)])
def test_shrinking_and_growing(weights):
    x = random(2, 8, 12, 3)
    shrink, grow = layers.Shrink(weights), layers.Grow(weights)
    kernel = np.array(weights) / sum(weights)
    reach = len(weights) // 2
    small = array(shrink(x))
    inside = sum(a * b * x[:, 4 + i, 6 + j] for i, a in enumerate(kernel, -reach) for j, b in enumerate(kernel, -reach))
    np.testing.assert_allclose(small[:, 2, 3], inside, rtol=1e-4, atol=1e-5)
    constant = np.full((1, 6, 4, 1), 0.7, "float32")
    np.testing.assert_allclose(array(shrink(constant)), 0.7, rtol=1e-5)
    np.testing.assert_allclose(array(grow(constant)), 0.7, rtol=1e-5)
    assert small.shape == (2, 4, 6, 3) and array(grow(x)).shape == (2, 16, 24, 3)
    if weights == (1, 2, 1):
        large = array(grow(x))
        np.testing.assert_allclose(large[:, 4, 6], x[:, 2, 3], rtol=1e-5)
        np.testing.assert_allclose(large[:, 5, 6], (x[:, 2, 3] + x[:, 3, 3]) / 2, rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match="must be even"):
        layers.Shrink()(random(1, 7, 8, 1))


# --- Variants


def test_wgan_clips_after_every_critic_step():
    model = tiny("wgan", clip=0.03)
    data = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 1), "uint8")
    model.fit(data, batch_size=8, verbose=0)
    largest = [float(np.abs(array(v)).max()) for v in model.discriminator.trainable_variables]
    assert max(largest) <= 0.03 + 1e-7 and max(largest) == pytest.approx(0.03)
    drawn = [float(np.abs(array(v)).max()) for v in model.generator.trainable_variables]
    assert max(drawn) > 0.03, "the generator is not clipped"
    before = model.discriminator.get_weights()
    model.evaluate(data, verbose=0)
    for a, b in zip(before, model.discriminator.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_l10_wgan_takes_five_critic_steps_on_new_images():
    model = tiny("wgan")
    assert model.discriminator_steps == 5
    model.fit(np.zeros((80, 16, 16, 1), "uint8"), batch_size=8, verbose=0)
    counts = {player: int(array(model.optimizer[player].iterations)) for player in model.players()}
    assert counts == {"discriminator": 10, "generator": 2}


@pytest.mark.parametrize("name", ["r1", "dragan"])
def test_penalised_discriminators_are_spectrally_normalised_where_asked(name):
    model = tiny(name, spectral_norm=True)
    assert any(isinstance(layer, layers.SpectralNormalization) for layer in model.discriminator.layers)
    assert model.get_config()["spectral_norm"] is True


def test_every_layer_of_sngans_discriminator_is_normalised():
    for options in ({}, {"residual": True}):
        model = tiny("sngan", **options)
        kernels = [layer for layer in model.discriminator.layers if hasattr(getattr(layer, "layer", layer), "kernel")]
        assert kernels and all(isinstance(layer, layers.SpectralNormalization) for layer in kernels)
        assert not any(isinstance(layer, layers.SpectralNormalization) for layer in model.generator.layers)
    with pytest.raises(ValueError, match="`final_size` is for the networks of DCGAN"):
        tiny("sngan", residual=True, final_size=4)


def test_sagan_learns_at_two_rates_and_normalises_both_networks():
    model = tiny("sagan")
    rates = {player: number(each.learning_rate) for player, each in model.default_optimizers().items()}
    assert rates == pytest.approx({"discriminator": 4e-4, "generator": 1e-4})
    for network in (model.generator, model.discriminator):
        kernels = [layer for layer in network.layers if hasattr(getattr(layer, "layer", layer), "kernel")]
        assert all(isinstance(layer, layers.SpectralNormalization) for layer in kernels)


def test_r3gan_begins_with_blocks_that_do_nothing_and_keeps_variances():
    keras.utils.set_random_seed(0)
    for network, given in (
        (r3gan_generator((32, 32, 3), 64, 16), random(64, 64)),
        (r3gan_discriminator((32, 32, 3), 16), random(64, 32, 32, 3)),
    ):
        adds = [layer for layer in network.layers if isinstance(layer, keras.layers.Add)]
        assert len(adds) == 2 * 4, "two blocks at 4, 8, 16 and 32 pixels"
        before, after = adds[-1].input[0], adds[-1].output
        x, y = keras.Model(network.input, [before, after])(given)
        np.testing.assert_array_equal(array(x), array(y))
        inner = keras.Model(network.input, adds[0].input[0])(given)
        assert 0.2 < array(inner).std() < 5
    for layer in network.layers:
        assert "norm" not in type(layer).__name__.lower()


def test_v09_the_pyramid_reconstructs_exactly():
    model = tiny("lapgan")
    images = random(2, 16, 16, 1)
    levels = model.pyramid(ops.convert_to_tensor(images))
    x = array(levels[0][0])
    assert x.shape == (2, 4, 4, 1)
    for image, larger in levels[1:]:
        residual = array(image) - array(larger)
        x = array(layers.Grow()(x)) + residual
    np.testing.assert_allclose(x, images, atol=1e-6)


def test_lapgan_draws_from_coarse_to_fine_in_one_generate():
    model = tiny("lapgan")
    assert model._names_of(model.generator) == ["latents", "noise1", "noise2"]
    given = model.inputs_for(2, 3)
    network = model.generator_ema
    x = network.get_layer("level0")(given["latents"], training=False)
    for i in (1, 2):
        larger = layers.Grow()(x)
        noise = ops.convert_to_tensor(given[f"noise{i}"])
        x = larger + network.get_layer(f"level{i}")([noise, larger], training=False)
    expected = ganzoo.data.to_uint8(np.clip(array(x), -1, 1))
    assert np.abs(model.generate(2, seed=3).astype(int) - expected).max() <= 1


def test_lapgan_trains_each_level_on_true_coarse_images():
    model = tiny("lapgan")
    real = {"images": tensor(4, 16, 16, 1)}
    fake = model.fake(real, training=False)
    for i, (image, larger) in enumerate(model.pyramid(real["images"])):
        assert tuple(fake[f"level{i}"].shape) == tuple(image.shape)
        if larger is not None:  # what is drawn is the true coarse image and a small residual, at first
            assert np.abs(array(fake[f"level{i}"]) - array(larger)).mean() < 0.5
    model.compile()
    before = {i: [array(v) for v in model.generator.get_layer(f"level{i}").trainable_variables] for i in range(3)}
    model.minimize(  # the loss of one level moves that level alone
        lambda: ops.mean(model.judged(real, [model.fake(real, True)[f"level{i}"] for i in range(3)], True)[1]),
        "generator",
        True,
    )
    moved = {
        i: any(
            not np.array_equal(a, array(b))
            for a, b in zip(old, model.generator.get_layer(f"level{i}").trainable_variables)
        )
        for i, old in before.items()
    }
    assert moved == {0: False, 1: True, 2: False}


def conditional_networks(name):
    """Networks with labels, for the constructor of a variant."""
    if name == "lapgan":
        return {"num_classes": 3}
    parts = {"data": {"images": Images((16, 16, 1)), "labels": Labels(3)}}
    if name == "r3gan":
        draw = partial(r3gan_generator, (16, 16, 1), 4, 4, 1, 3)
        return {**parts, "generator": draw, "discriminator": partial(r3gan_discriminator, (16, 16, 1), 4, 1, 3)}
    normalization = {"wgan": "batch", "lsgan": "batch"}.get(name)
    draw = partial(dcgan_generator, (16, 16, 1), 4, 4, 3)
    return {
        **parts,
        "generator": draw,
        "discriminator": partial(dcgan_discriminator, (16, 16, 1), 4, normalization, None, 3),
    }


@pytest.mark.parametrize("name", FAMILY)
def test_every_variant_is_conditional_where_given_labels(name):
    model = tiny(name, **conditional_networks(name))
    images = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 1), "uint8")
    history = model.fit(images, np.arange(40) % 3, batch_size=8, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    given = {**model.inputs_for(1, 0, labels=0), "labels": np.array([0, 1])}
    drawn = model.predict({key: np.repeat(each, 2 // len(each), 0) for key, each in given.items()}, verbose=0)
    assert not np.array_equal(drawn[0], drawn[1])
    judged = [model.discriminate({"images": images[:2] / 127.5 - 1, "labels": np.array([c, c])}, False) for c in (0, 1)]
    judged = [array(each[0] if isinstance(each, list) else each) for each in judged]
    assert not np.array_equal(*judged), "the discriminator is told the class too"


@pytest.mark.parametrize("name", FAMILY)
def test_n07_no_gradient_of_one_player_moves_the_other(name):
    """D's loss has no gradient in G's weights, and `fake` in D's loss carries none."""
    model = tiny(name)
    model.compile()
    data = np.random.default_rng(0).integers(0, 256, (8 * model.discriminator_steps, 16, 16, 1), "uint8")
    before = [array(v) for v in model.generator.trainable_variables]
    model.generator_loss = lambda real, fake, training: 0.0 * ops.sum(model.images_of(fake))
    model.compile({"generator": keras.optimizers.SGD(1.0)})
    model.fit(data, batch_size=8, verbose=0)
    for a, b in zip(before, model.generator.trainable_variables):
        np.testing.assert_array_equal(a, array(b))
