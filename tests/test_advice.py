"""What can be seen of networks before training: ends that no loss can train, layers that no penalty can pass."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest
from keras import layers, ops

import ganzoo
from ganzoo.engine.advice import last_activation

BACKEND = keras.config.backend()


def generator(end="tanh", *more):
    head = layers.Dense(16 * 16, activation=end)
    return lambda: keras.Sequential([keras.Input((8,)), head, layers.Reshape((16, 16, 1)), *more], name="generator")


def critic(*more, end=None):
    parts = [layers.Conv2D(4, 3, 2, "same"), layers.LeakyReLU(0.2), *more, layers.Flatten(), layers.Dense(1, end)]
    return lambda: keras.Sequential([keras.Input((16, 16, 1)), *parts], name="discriminator")


def test_the_last_activation_is_found_where_it_can_be_seen():
    x = keras.Input((8,))
    dense = layers.Dense(4)(x)
    inner = keras.Sequential([keras.Input((8,)), layers.Dense(1, "sigmoid")])
    for output, name in (
        (layers.Dense(1, "sigmoid")(x), "sigmoid"),
        (layers.Reshape((2, 2))(layers.Dense(4, "relu")(x)), "relu"),
        (layers.Activation("tanh")(dense), "tanh"),
        (layers.Softmax()(dense), "softmax"),
        (keras.activations.sigmoid(dense), "sigmoid"),
        (ops.sigmoid(dense), "sigmoid"),
        (inner(x), "sigmoid"),
        (layers.Dropout(0.1)(inner(x)), "sigmoid"),
        (dense, "linear"),
        (layers.Add()([dense, dense]), None),
        (2 * ops.sigmoid(dense), None),
    ):
        assert last_activation(keras.Model(x, output)) == name

    class Own(keras.Model):
        def call(self, inputs):
            return inputs

    assert last_activation(Own()) is None


@pytest.mark.parametrize("end", ["sigmoid", "tanh", "softmax"])
def test_scores_without_bounds_are_asked_of_a_discriminator(end):
    model = ganzoo.VanillaGAN(generator=generator(), discriminator=critic(end=end))
    with pytest.raises(ValueError, match=rf"ends in '{end}', and the loss of VanillaGAN takes .*leave the activation"):
        model.compile()

    class Own(ganzoo.GAN):  # whose loss is of probabilities
        def discriminator_loss(self, real, fake, training):
            return -ops.mean(
                ops.log(self.discriminate(real, training)) + ops.log(1 - self.discriminate(fake, training))
            )

        def generator_loss(self, real, fake, training):
            return -ops.mean(ops.log(self.discriminate(fake, training)))

        def default_optimizers(self):
            return {player: keras.optimizers.Adam() for player in self.players()}

    Own(generator(), critic(end=end)).compile()


@pytest.mark.parametrize("end", ["sigmoid", "relu"])
def test_a_generator_that_is_never_negative_is_refused(end):
    with pytest.raises(ValueError, match=rf"ends in '{end}', which is never negative.*end it in tanh"):
        ganzoo.DCGAN(generator=generator(end), discriminator=critic()).compile()
    points = keras.Sequential([keras.Input((8,)), layers.Dense(2, end)], name="generator")
    judge = keras.Sequential([keras.Input((2,)), layers.Dense(1)], name="discriminator")
    ganzoo.VanillaGAN(generator=points, discriminator=judge).compile()  # points have no range


def test_layers_that_a_penalty_does_not_pass_rightly_are_named():
    for layer, text in (
        (
            layers.BatchNormalization(name="bn"),
            "'bn'.*ties the gradient of one image.*ganzoo.layers.Layer",
        ),
        (layers.LayerNormalization(name="ln"), "'ln'.*second derivative of Keras' LayerNormalization.*ganzoo.layers"),
        (layers.UpSampling2D(interpolation="bilinear", name="up"), "'up'.*no second derivative"),
    ):
        model = ganzoo.WGANGP(generator=generator(), discriminator=critic(layer))
        if BACKEND == "tensorflow" or layer.name == "bn":
            with pytest.warns(UserWarning, match=text):
                model.compile()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        ganzoo.WGANGP(generator=generator(), discriminator=critic(ganzoo.layers.LayerNormalization())).compile()
        ganzoo.DCGAN(generator=generator(), discriminator=critic(layers.BatchNormalization())).compile()


def test_attention_under_a_penalty():
    """On PyTorch flash attention has no second derivative: another route is taken."""
    x = keras.Input((16, 16, 1))
    h = layers.Reshape((16, 16))(x)
    h = layers.MultiHeadAttention(2, 4, name="attention")(h, h)
    network = keras.Model(x, layers.Dense(1, name="score")(layers.Flatten()(h)), name="discriminator")
    model = ganzoo.WGANGP(generator=generator(), discriminator=network, discriminator_steps=1)
    before = [w.copy() for w in network.get_weights()]
    history = model.fit(np.random.default_rng(0).uniform(-1, 1, (8, 16, 16, 1)), batch_size=4, epochs=1, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    moved = {v.path: np.abs(a - ops.convert_to_numpy(v)).max() > 0 for a, v in zip(before, network.weights)}
    assert all(moved[path] for path in moved if path.endswith("kernel")), moved


def test_very_many_weights_are_named(monkeypatch):
    monkeypatch.setattr(ganzoo.engine.advice, "MANY", 1000)
    with pytest.warns(UserWarning, match=r"generator has 0 million weights.*smaller `width`"):
        ganzoo.DCGAN(generator=generator(), discriminator=critic()).compile()


def test_numpy_numbers_are_numbers(tmp_path):
    number = np.int64
    model = ganzoo.WGANGP(
        image_shape=(number(16), number(16), number(1)),
        latent_dim=np.int32(4),
        width=number(4),
        penalty_weight=np.float32(10),
        discriminator_steps=number(1),
        seed=number(0),
    )
    images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 1), "uint8")
    model.fit(images, batch_size=number(4), epochs=number(1), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.generate(number(2), seed=number(0)), model.generate(2, seed=0))
    assert all(type(value) in (int, float, tuple, type(None)) for value in model.arguments.values())
