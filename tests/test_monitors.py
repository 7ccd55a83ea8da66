"""MetricMonitor and HealthMonitor: what they measure, what they do to the logs, and what raises an alarm."""

from __future__ import annotations

import logging

import keras
import numpy as np
import pytest
from keras import ops

import ganzoo
from ganzoo import metrics
from ganzoo.callbacks import HealthMonitor, MetricMonitor
from ganzoo.data import toys

Adam, SGD = keras.optimizers.Adam, keras.optimizers.SGD


def tiny(**kwargs):
    keras.utils.set_random_seed(7)
    return ganzoo.DCGAN(**{"image_shape": (16, 16, 1), "latent_dim": 4, "width": 4, "seed": 3, **kwargs})


def ring_gan(**kwargs):
    keras.utils.set_random_seed(0)
    return ganzoo.VanillaGAN((2,), **{"latent_dim": 16, "width": 128, "dropout": 0.0, "seed": 0, **kwargs})


# --- MetricMonitor


def test_numbers_are_logged_as_keras_logs_its_own(images, tmp_path):
    values = iter([3.0, 1.0, 2.0, 4.0, 5.0])
    monitor = MetricMonitor(lambda model: {"distance": next(values)})
    best = keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", "distance", mode="min", save_best_only=True)
    stop = keras.callbacks.EarlyStopping("distance", mode="min", patience=2)
    log = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    model = tiny()
    history = model.fit(images[:16], batch_size=8, epochs=5, verbose=0, callbacks=[monitor, best, stop, log])
    assert history.history["distance"] == [3, 1, 2, 4]  # no better than the second for two epochs
    assert int(ops.convert_to_numpy(keras.saving.load_model(tmp_path / "best.keras").optimizer.iterations)) == 4
    assert "distance" in (tmp_path / "log.csv").read_text().splitlines()[0].split(",")


def test_a_name_that_the_logs_have_is_refused(images):
    with pytest.raises(ValueError, match=r"MetricMonitor\(\.\.\., name=\).*'loss'"):
        tiny().fit(images[:16], batch_size=8, verbose=0, callbacks=[MetricMonitor(lambda model: 1.0, name="loss")])
    for second in (MetricMonitor(lambda model: 2.0), MetricMonitor(lambda model: {"metric": 2.0, "generator_loss": 1})):
        with pytest.raises(ValueError, match=r"number of that name already.*'(metric|generator_loss)'"):
            tiny().fit(images[:16], batch_size=8, verbose=0, callbacks=[MetricMonitor(lambda model: 1.0), second])
    both = [MetricMonitor(lambda model: 1.0, name="one"), MetricMonitor(lambda model: 2.0, name="two")]
    history = tiny().fit(images[:16], batch_size=8, epochs=2, verbose=0, callbacks=both).history
    assert history["one"] == [1, 1] and history["two"] == [2, 2]


@pytest.mark.parametrize("value", ["a", np.zeros(3), None, {"x": [1, 2]}])
def test_a_metric_that_is_no_number_is_told(images, value):
    with pytest.raises(TypeError, match="returns a number, or a mapping from names to numbers"):
        tiny().fit(images[:16], batch_size=8, verbose=0, callbacks=[MetricMonitor(lambda model: value)])


def test_every_so_many_steps_over_epochs(images):
    seen = []
    monitor = MetricMonitor(lambda model: seen.append(len(seen)) or float(len(seen)), every=3, name="count")
    history = tiny().fit(images[:32], batch_size=8, epochs=2, verbose=0, callbacks=[monitor])  # 4 steps each
    assert monitor.history == [(3, {"count": 1.0}), (6, {"count": 2.0})]
    assert history.history["count"] == [1, 2]
    rare = MetricMonitor(lambda model: 7.0, every=6, name="rare")
    history = tiny().fit(images[:32], batch_size=8, epochs=2, verbose=0, callbacks=[rare])
    assert [step for step, _ in rare.history] == [4, 6] and len(history.history["rare"]) == 2


def test_measuring_leaves_the_training_as_it_was(images):
    def scored(model):
        return {"brightness": model.generate(8, seed=0).mean()}

    straight, watched = tiny(), tiny()
    straight.fit(images[:32], batch_size=8, epochs=2, verbose=0)
    health = HealthMonitor(images[:16], every=1)
    watched.fit(images[:32], batch_size=8, epochs=2, verbose=0, callbacks=[MetricMonitor(scored, every=1), health])
    assert len(health.looks) == 8
    for a, b in zip(
        [*straight.variables, *straight.optimizer.variables], [*watched.variables, *watched.optimizer.variables]
    ):
        np.testing.assert_array_equal(ops.convert_to_numpy(a), ops.convert_to_numpy(b))


def test_the_scorer_scores_the_averaged_generator(images):
    see = metrics.CustomExtractor(lambda x: x.reshape(len(x), 4, -1).mean(axis=2), "rows-1")
    reference = metrics.Reference(see, images[:40])
    model = tiny()
    monitor = MetricMonitor(metrics.scorer(reference, seed=5))
    model.fit(images[:32], batch_size=8, verbose=0, callbacks=[monitor])
    assert monitor.history[-1][1] == metrics.score(model.generate(40, seed=5), reference, ["frechet"])


@pytest.mark.backend_free
@pytest.mark.parametrize("every", [0, -1, 1.5, True, "step"])
def test_monitor_refuses_no_interval(every):
    with pytest.raises(ValueError, match="Received: every="):
        MetricMonitor(float, every=every)


# --- HealthMonitor: trainings that go wrong as trainings do


@pytest.mark.parametrize(
    ("kind", "model", "discriminator", "generator", "steps"),
    [
        ("vanishing gradients", {"minimax": True, "num_layers": 3}, Adam(1e-2), Adam(1e-5), 300),
        ("discriminator at chance", {}, Adam(1e-6), Adam(1e-3), 550),
        ("mode collapse", {}, Adam(0.1), Adam(0.1), 800),
        ("oscillation", {}, Adam(2e-4, beta_1=0.5), Adam(2e-3, beta_1=0.5), 900),
        ("not a number", {}, SGD(10.0), SGD(10.0), 200),
    ],
)
def test_a_training_that_goes_wrong_is_named(kind, model, discriminator, generator, steps, caplog):
    points = toys.gaussian_ring(64 * steps, seed=0)
    monitor, gan = HealthMonitor(points[:256], every=50), ring_gan(**model)
    gan.compile({"discriminator": discriminator, "generator": generator})
    with caplog.at_level(logging.WARNING, "ganzoo"):
        gan.fit(points, batch_size=64, verbose=0, callbacks=[monitor])
    kinds = [alarm[1] for alarm in monitor.alarms]
    assert kind in kinds, (kinds, monitor.looks)
    step, _, message = monitor.alarms[kinds.index(kind)]
    assert message.startswith(f"Step {step}: {kind}: ") and "\n" not in message
    assert message in caplog.messages
    assert message.endswith(".") and len(message.split(". ")) > 1  # and what helps


def test_after_not_a_number_the_last_good_state_is_back():
    points = toys.gaussian_ring(64 * 100, seed=0)
    monitor, gan = HealthMonitor(points[:256], every=10), ring_gan()
    gan.compile({"discriminator": SGD(10.0), "generator": SGD(10.0)})
    history = gan.fit(points, batch_size=64, epochs=5, verbose=0, callbacks=[monitor])
    assert [alarm[1] for alarm in monitor.alarms] == ["not a number"] and len(history.epoch) == 1
    last = monitor.looks[-1]["step"] if monitor.looks else 0
    assert int(ops.convert_to_numpy(gan.optimizer.iterations)) == last
    assert np.isfinite(gan.generate(8, seed=0)).all()
    assert all(np.isfinite(ops.convert_to_numpy(v)).all() for v in gan.variables)


def test_not_a_number_between_two_looks_is_seen_at_the_end_of_the_epoch():
    points = toys.gaussian_ring(64 * 20, seed=0)
    monitor, gan = HealthMonitor(points[:256], every=1000), ring_gan()
    before = [ops.convert_to_numpy(v).copy() for v in gan.generator.weights]
    gan.compile({"discriminator": SGD(1e30), "generator": SGD(1e30)})
    history = gan.fit(points, batch_size=64, epochs=5, verbose=0, callbacks=[monitor])
    assert [alarm[:2] for alarm in monitor.alarms] == [(20, "not a number")] and len(history.epoch) == 1
    for old, v in zip(before, gan.generator.weights):  # there was no look: the state of the begin is back
        np.testing.assert_array_equal(old, ops.convert_to_numpy(v))


def test_a_critics_gradient_does_not_vanish(images):
    monitor = HealthMonitor(images[:16], every=1)
    keras.utils.set_random_seed(7)
    model = ganzoo.WGANGP(image_shape=(16, 16, 1), latent_dim=4, width=4, seed=3)
    model.fit(images[:40], batch_size=4, verbose=0, callbacks=[monitor])
    assert [look["gradient"] for look in monitor.looks] == pytest.approx([1, 1], rel=1e-4)


@pytest.mark.backend_free
def test_health_monitor_refuses_what_it_cannot_compare_with(images):
    with pytest.raises(ValueError, match="Received: 15"):
        HealthMonitor(images[:15])
    with pytest.raises(ValueError, match="every=0"):
        HealthMonitor(images[:16], every=0)
    with pytest.raises(ValueError, match="finite and differ"):
        HealthMonitor(images[[0] * 16])
    with pytest.raises(ValueError, match="finite and differ"):
        HealthMonitor(np.full((16, 2), np.nan))
    with pytest.raises(ValueError, match=r"\(8, 8, 1\) for \(16, 16, 1\)"):
        tiny().fit(images[:16], batch_size=8, verbose=0, callbacks=[HealthMonitor(images[:, :8, :8])])
    with pytest.raises(ValueError, match=r"\[-1, 1\]"):
        HealthMonitor(np.full((16, 8, 8, 1), 3.0))


class Third(ganzoo.GAN):
    """An encoder beside the two, of which a look at images and logits sees nothing."""

    def __init__(self, **kwargs):
        points = [keras.Input((n,)) for n in (2, 2, 2)]
        networks = [keras.Model(x, keras.layers.Dense(n)(x)) for x, n in zip(points, (2, 1, 2))]
        super().__init__(networks[0], networks[1], **kwargs)
        self.encoder = networks[2]

    def players(self):
        return {"encoder": [self.encoder], **super().players()}

    def discriminator_loss(self, real, fake, training):
        return ops.mean(self.discriminator(fake, training=training) - self.discriminator(real, training=training))

    def generator_loss(self, real, fake, training):
        return -ops.mean(self.discriminator(fake, training=training))

    def update(self, reals, training):
        loss = self.minimize(lambda: ops.mean(ops.square(self.encoder(reals[0]))) * 1e30, "encoder", training)
        return {"encoder": loss, **super().update(reals, training)}


def test_a_third_players_weights_are_looked_at_too():
    points = toys.gaussian_ring(64)
    gan = Third(seed=0)
    gan.compile({"encoder": SGD(1.0)})
    gan.encoder.layers[-1].kernel.assign(np.eye(2))
    before = [w.copy() for w in gan.encoder.get_weights()]
    monitor = HealthMonitor(points[:64], every=1)
    gan.fit(points[:64], batch_size=32, epochs=5, verbose=0, callbacks=[monitor])
    assert [kind for _, kind, _ in monitor.alarms] == ["not a number"] and gan.stop_training
    for old, new in zip(before, gan.encoder.get_weights()):
        assert np.isfinite(new).all() and (monitor.looks or np.array_equal(old, new))


@pytest.mark.skipif(keras.config.backend() == "torch", reason="Keras executes one step at a time there")
def test_looks_are_at_the_steps_that_were_made(images):
    model, monitor = tiny(), HealthMonitor(images[:16], every=6)
    model.compile(steps_per_execution=4)
    model.fit(images[:16].repeat(15, axis=0), batch_size=8, epochs=2, verbose=0, callbacks=[monitor])  # 30 steps each
    steps = [look["step"] for look in monitor.looks]
    assert steps == sorted(set(steps)) and steps[-1] == 60 and 30 in steps and 32 not in steps


def test_a_monitor_begins_anew_with_another_model(images):
    monitor = HealthMonitor(images[:16], every=1)
    for _ in range(2):
        model = tiny()
        model.fit(images[:16], batch_size=8, verbose=0, callbacks=[monitor])
        monitor._in_a_row["mode collapse"] = 3
    assert [look["movement"] == 0 for look in monitor.looks] == [True, False, True, False]
    model = tiny()
    model.compile()
    monitor.set_model(model)
    monitor.on_train_begin()
    assert set(monitor._in_a_row.values()) == {0}


def test_monitors_refuse_what_they_cannot_watch(images):
    nonnegative = np.abs(np.random.default_rng(0).random((16, 16, 16, 1), dtype="float32"))
    with pytest.raises(ValueError, match="allow_nonnegative=True"):
        HealthMonitor(nonnegative)
    HealthMonitor(nonnegative, allow_nonnegative=True)
    for options in ({"every": 2.5}, {"every": "epoch"}, {"patience": True}):
        with pytest.raises(ValueError, match="positive integer"):
            HealthMonitor(images[:16], **options)
    other = keras.Sequential([keras.Input((16, 16, 1)), keras.layers.Flatten(), keras.layers.Dense(1)])
    other.compile(loss="mse")
    with pytest.raises(ValueError, match=r"it is no ganzoo\.GAN"):
        other.fit(images[:16] / 255.0, np.zeros((16, 1)), verbose=0, callbacks=[HealthMonitor(images[:16])])
    assert MetricMonitor(float, every=np.int64(5)).every == 5

    class OwnUpdate(ganzoo.GAN):
        """Has no `generator_loss`: its `update` says all."""

    generator = ganzoo.DCGAN((16, 16, 1), 4, 4).generator
    autoencoder = keras.Sequential([keras.Input((16, 16, 1)), keras.layers.Activation("tanh")])  # as BEGAN's
    logits = keras.Sequential([keras.Input((16, 16, 1)), keras.layers.Flatten(), keras.layers.Dense(1)])
    assert "generator_loss" in HealthMonitor.cannot_watch(OwnUpdate(generator, logits))
    assert "more than a logit" in HealthMonitor.cannot_watch(
        ganzoo.DCGAN(discriminator=autoencoder, generator=generator)
    )
    assert HealthMonitor.cannot_watch(ganzoo.DCGAN(discriminator=logits, generator=generator)) is None
