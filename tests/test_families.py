"""Families that the zoo does not hold yet, in small: what the engine carries beside latents, labels and pairs."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops

import ganzoo
from ganzoo import Images, Labels, Vectors, losses
from ganzoo.callbacks import Backup
from ganzoo.engine.gan import GAN

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (40, 16, 16, 1), "uint8")


def convolution(shape, given, name, channels=1):
    """Images to images of the same size, by one input of that name."""
    x = keras.Input(shape, name=given)
    drawn = layers.Conv2D(channels, 3, padding="same", activation="tanh", name="draw")(x)
    return keras.Model({given: x}, drawn, name=name)


def judge(shape, given, name="discriminator", outputs=1):
    x = keras.Input(shape, name=given)
    pooled = layers.GlobalAveragePooling2D(name="pool")(layers.Conv2D(4, 3, 2, activation="relu", name="see")(x))
    return keras.Model({given: x}, layers.Dense(outputs, name="logit")(pooled), name=name)


@keras.saving.register_keras_serializable("families")
class Codes(GAN):
    """InfoGAN's shape: named latents, a discriminator of several outputs."""

    def __init__(self, generator=None, discriminator=None, **kwargs):
        super().__init__(generator or self._draw, discriminator or self._judge, **kwargs)

    def _draw(self):
        inputs = [keras.Input((n,), name=name) for name, n in (("latents", 4), ("category", 3), ("code", 2))]
        x = layers.Dense(256, activation="tanh", name="draw")(layers.Concatenate(name="all")(inputs))
        return keras.Model(inputs, layers.Reshape((16, 16, 1), name="image")(x), name="generator")

    def _judge(self):
        x = keras.Input((16, 16, 1), name="images")
        trunk = layers.Dense(8, activation="relu", name="trunk")(layers.Flatten(name="flat")(x))
        outputs = [layers.Dense(n, name=name)(trunk) for name, n in (("logit", 1), ("to_category", 3), ("to_code", 2))]
        return keras.Model({"images": x}, outputs, name="discriminator")

    def latents(self, num):
        kind = ops.cast(self.noise("uniform", (num,)) * 3, "int32")
        code = 2 * self.noise("uniform", (num, 2)) - 1
        return {"latents": self.noise("normal", (num, 4)), "category": ops.one_hot(kind, 3), "code": code}

    def information(self, fake, category, code):
        kinds = ops.categorical_crossentropy(fake["category"], category, from_logits=True)
        return ops.mean(kinds) + 0.1 * ops.mean(ops.square(fake["code"] - code))

    def discriminator_loss(self, real, fake, training):
        logit, *answers = self.discriminate(fake, training)
        adversarial = losses.non_saturating_discriminator_loss(self.discriminate(real, training)[0], logit)
        return adversarial + self.information(fake, *answers)

    def generator_loss(self, real, fake, training):
        logit, *answers = self.discriminate(fake, training)
        return losses.non_saturating_generator_loss(logit) + self.information(fake, *answers)


@keras.saving.register_keras_serializable("families")
class TwoDomains(GAN):
    """CycleGAN's shape: two domains, two generators of one player with averages, state that the step moves."""

    evaluation_metrics = ()

    def __init__(self, generator=None, discriminator=None, **kwargs):
        shape = (16, 16, 1)
        super().__init__(
            generator or (lambda: convolution(shape, "a", "generator")),
            discriminator or (lambda: judge(shape, "b")),
            data={"a": Images(shape, group="a"), "b": Images(shape, group="b")},
            **kwargs,
        )
        self.back = self.make_network(lambda: convolution(shape, "b", "back"), "back", average=True)
        self.pool = self.add_weight(shape=(4, *shape), initializer="zeros", trainable=False, name="pool")

    def players(self):
        return {"discriminator": [self.discriminator], "generator": [self.generator, self.back]}

    def generators(self):
        return [self.generator, self.back]

    def update(self, reals, training):
        (real,) = reals

        def g_loss():
            there, back = self.run(self.generator, real, training), self.run(self.back, real, training)
            cycle = self.back({"b": there}, training=training), self.generator({"a": back}, training=training)
            error = ops.mean(ops.abs(cycle[0] - real["a"])) + ops.mean(ops.abs(cycle[1] - real["b"]))
            return error + losses.non_saturating_generator_loss(self.discriminator({"b": there}, training=training))

        fake = self.without_updates(lambda: self.fake(real, training))
        old = {**fake, "b": ops.convert_to_tensor(self.pool)}
        if training:
            self.pool.assign(fake["b"])
        d_loss = self.minimize(
            lambda: losses.non_saturating_discriminator_loss(
                self.discriminate(real, training), self.discriminate(old, training)
            ),
            "discriminator",
            training,
        )
        return {"discriminator": d_loss, "generator": self.minimize(g_loss, "generator", training)}

    def evaluate_batch(self, real):
        return {}


@keras.saving.register_keras_serializable("families")
class Larger(GAN):
    """SRGAN's shape: any size, a derived part, a frozen network in the loss."""

    def __init__(self, perceptual=None, generator=None, discriminator=None, **kwargs):
        shape = (None, None, 3)
        super().__init__(
            generator or self._draw,
            discriminator or (lambda: judge(shape, "large")),
            data={"large": Images(shape), "small": Images(shape, derived=True)},
            **kwargs,
        )
        self.perceptual = perceptual or convolution(shape, "large", "perceptual", channels=4)
        self.perceptual.trainable = False
        self.arguments = {"perceptual": self.perceptual}

    def _draw(self):
        x = keras.Input((None, None, 3), name="small")
        drawn = layers.Conv2DTranspose(3, 4, 2, "same", activation="tanh", name="draw")(x)
        return keras.Model(x, drawn, name="generator")

    def prepare(self, real, training):
        return real if "small" in real else {**real, "small": ops.average_pool(real["large"], (2, 2), (2, 2))}

    def discriminator_loss(self, real, fake, training):
        return losses.non_saturating_discriminator_loss(
            self.discriminate(real, training), self.discriminate(fake, training)
        )

    def generator_loss(self, real, fake, training):
        seen = [self.run(self.perceptual, batch, training=False) for batch in (real, fake)]
        adversarial = losses.non_saturating_generator_loss(self.discriminate(fake, training))
        return ops.mean(ops.square(seen[0] - seen[1])) + 1e-3 * adversarial


@keras.saving.register_keras_serializable("families")
class Few(GAN):
    """The semi-supervised GAN's shape: labelled images beside unlabelled ones."""

    evaluation_metrics = ("accuracy",)

    def __init__(self, generator=None, discriminator=None, **kwargs):
        shape = (16, 16, 1)
        super().__init__(
            generator or ganzoo.DCGAN(shape, 4, 4).generator,
            discriminator or (lambda: judge(shape, "images", outputs=3)),
            data={
                "images": Images(shape, group="all"),
                "labelled": Images(shape, group="few"),
                "labels": Labels(3, group="few"),
            },
            **kwargs,
        )

    def classes(self, images, training):
        return self.run(self.discriminator, {"images": images}, training)

    def discriminator_loss(self, real, fake, training):
        answers = self.classes(real["labelled"], training)
        supervised = ops.mean(ops.sparse_categorical_crossentropy(real["labels"], answers, from_logits=True))
        logits = [ops.logsumexp(self.discriminate(batch, training), axis=-1) for batch in (real, fake)]
        return supervised + losses.non_saturating_discriminator_loss(*logits)

    def generator_loss(self, real, fake, training):
        means = [ops.mean(self.discriminate(batch, training), axis=0) for batch in (real, fake)]
        return ops.mean(ops.square(means[0] - means[1]))

    def evaluate_batch(self, real):
        right = ops.cast(ops.argmax(self.classes(real["labelled"], False), axis=-1), "int32") == real["labels"]
        return {"accuracy": ops.mean(ops.cast(right, "float32"))}


SMALL = IMAGES[:20]
FAMILIES = {
    "codes": (Codes, IMAGES[:20], {"n": 3, "category": np.eye(3)}),
    "two domains": (TwoDomains, (IMAGES[:20], IMAGES[20:28]), {"b": IMAGES[:3]}),
    "any size": (Larger, IMAGES[:20].repeat(3, axis=-1), {"small": IMAGES[:3].repeat(3, axis=-1)[:, :10, :12]}),
    "few labels": (Few, {"images": SMALL, "labelled": SMALL[:8], "labels": np.arange(8) % 3}, {"n": 3}),
}


def build(family):
    keras.utils.set_random_seed(0)
    return family(seed=0)


class Crash(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 2:
            raise KeyboardInterrupt


@pytest.mark.parametrize("name", FAMILIES)
def test_it_trains_resumes_in_mid_epoch_saves_and_draws(name, tmp_path):
    family, data, inputs = FAMILIES[name]
    fit = {"x": data, "batch_size": 4, "epochs": 2, "verbose": 0}
    straight = build(family)
    before = [ops.convert_to_numpy(v) for v in straight.trainable_variables]
    history = straight.fit(**fit).history
    assert np.isfinite(history["loss"]).all() and len(history["loss"]) == 2
    assert int(ops.convert_to_numpy(straight.optimizer.iterations)) == 10  # a pass over the longest group is 5
    moved = [not np.array_equal(a, ops.convert_to_numpy(b)) for a, b in zip(before, straight.trainable_variables)]
    assert np.mean(moved) > 0.5
    with pytest.raises(KeyboardInterrupt):
        build(family).fit(**fit, callbacks=[Backup(tmp_path / "backup", 1), Crash()])
    resumed = build(family)
    resumed.fit(**fit, callbacks=[Backup(tmp_path / "backup", 1)])
    for a, b in zip(straight.variables, resumed.variables, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(a), ops.convert_to_numpy(b), err_msg=a.path)
    images = straight.generate(**inputs, seed=0)
    assert len(images) == 3 and images.dtype == np.uint8
    np.testing.assert_array_equal(images, straight.generate(**inputs, seed=0))
    straight.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(images, loaded.generate(**inputs, seed=0))
    assert np.isfinite(list(loaded.evaluate(data, batch_size=4, verbose=0).values())).all()


def test_codes_are_drawn_unless_they_are_given():
    model = build(Codes)
    latents = np.zeros((2, 4))
    same = model.generate(latents=latents, category=np.eye(3)[0], code=np.zeros(2), seed=1)
    np.testing.assert_array_equal(same[0], same[1])  # nothing is left to draw
    assert not np.array_equal(*model.generate(latents=latents, code=np.zeros(2), category=np.eye(3)[:2]))
    with pytest.raises(ValueError, match=r"`code` are finite numbers \(n, 2\)"):
        model.generate(2, code=np.zeros((2, 3)))
    monitor = ganzoo.callbacks.HealthMonitor(IMAGES[:16], every=1)  # the first output is the logit
    model.fit(IMAGES[:8], batch_size=4, verbose=0, callbacks=[monitor])
    assert len(monitor.looks) == 2
    points = ganzoo.latent.interpolate(model, num_steps=3, num_paths=2)
    assert points.shape == (6, 16, 16, 1)


def test_two_generators_are_asked_by_their_input_and_both_are_averaged():
    model = build(TwoDomains)
    model.fit(IMAGES[:8], IMAGES[8:20], batch_size=4, verbose=0)
    assert int(ops.convert_to_numpy(model.optimizer.iterations)) == 3
    assert set(model.moving_averages) == {"generator/generator", "generator/back"}
    for given, network in (("a", model.generator_ema), ("b", model.back_ema)):
        drawn = model.generate(**{given: IMAGES[:2]})
        expected = network({given: ops.convert_to_tensor(IMAGES[:2] / 127.5 - 1.0)}, training=False)
        assert np.abs(drawn - ganzoo.data.to_uint8(ops.convert_to_numpy(expected)).astype(int)).max() <= 1
        assert model.predict({given: IMAGES[:2]}, verbose=0).shape == (2, 16, 16, 1)
    assert np.abs(ops.convert_to_numpy(model.pool)).max() > 0
    with pytest.raises(ValueError, match=r"ask one of them, generate\(a=\.\.\.\) or generate\(b=\.\.\.\)"):
        model.generate(4)


def test_monitors_look_at_groups_of_different_lengths():
    class Watched(TwoDomains):  # HealthMonitor asks for it
        def generator_loss(self, real, fake, training):
            return losses.non_saturating_generator_loss(self.discriminate(fake, training))

    model = build(Watched)
    many, few = np.tile(IMAGES, (4, 1, 1, 1))[:60], IMAGES[:18]
    monitor = ganzoo.callbacks.HealthMonitor((many, few), every=1)
    model.fit(many, few, batch_size=4, steps_per_epoch=2, verbose=0, callbacks=[monitor])
    assert len(monitor.looks) == 2 and all(np.isfinite(list(look.values())).all() for look in monitor.looks)


def test_a_frozen_network_is_saved_and_does_not_move(tmp_path):
    model = build(Larger)
    frozen = model.perceptual.get_weights()
    model.fit(IMAGES[:8].repeat(3, axis=-1), batch_size=4, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for before, now, read in zip(frozen, model.perceptual.get_weights(), loaded.perceptual.get_weights(), strict=True):
        np.testing.assert_array_equal(before, now)
        np.testing.assert_array_equal(before, read)
    assert not loaded.perceptual.trainable
    assert model.generate(small=np.zeros((5, 7, 3), "uint8")).shape == (1, 10, 14, 3)
    large = IMAGES[:8].repeat(3, axis=-1)
    model.fit(large, large[:, ::2, ::2], batch_size=4, verbose=0)  # the small ones given


@pytest.mark.parametrize("shape", [(12,), (64, 2), (4, 6, 6, 1)], ids=["vectors", "sequences", "volumes"])
def test_data_that_are_no_images_train_with_ones_own_networks(shape, tmp_path):
    keras.utils.set_random_seed(0)
    size = int(np.prod(shape))
    generator = keras.Sequential([keras.Input((4,)), layers.Dense(size), layers.Reshape(shape)])
    discriminator = keras.Sequential([keras.Input(shape), layers.Flatten(), layers.Dense(1)])
    model = ganzoo.WGANGP(generator=generator, discriminator=discriminator, discriminator_steps=2, seed=0)
    data = RNG.standard_normal((16, *shape)).astype("float32") * 3
    model.fit(data, batch_size=4, verbose=0)
    drawn = model.generate(3, seed=0)
    assert drawn.shape == (3, *shape) and drawn.dtype == np.float32
    assert isinstance(model.data["images"], Vectors)
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(drawn, keras.saving.load_model(tmp_path / "model.keras").generate(3, seed=0))
    with pytest.raises(ValueError, match=r"must have the shape \(batch, "):
        model.fit(data[:, :3], batch_size=4)
