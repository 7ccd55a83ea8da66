"""HealthMonitor on what is built into networks, where a look at their last layer does not show it; and on resuming."""

from __future__ import annotations

import signal

import keras
import numpy as np
import pytest
from keras import ops

import ganzoo
from ganzoo import data, losses
from ganzoo.callbacks import Backup, HealthMonitor, SampleGrid
from ganzoo.callbacks.probing import bounds_of_scores
from ganzoo.models import get_model
from ganzoo.zoo import presets, training, watching
from ganzoo.zoo.reading import read_parts

BUILT_IN = {"bounded scores", "half of the range"}


class Inner(keras.Model):
    """A network and a function of what it gives, inside of a layer."""

    def __init__(self, network, function):
        super().__init__()
        self.network, self.function = network, function

    def call(self, inputs):
        return self.function(self.network(inputs))


def hidden(network, function, end="lambda"):
    if end == "lambda":
        shape = network.output_shape[1:]
        return keras.Model(network.inputs, keras.layers.Lambda(function, shape)(network.output), name=network.name)
    x = keras.Input(network.input_shape[1:])
    return keras.Model(x, Inner(network, function)(x), name=network.name)


def tiny(name, discriminator=None, generator=None, end="lambda", **kwargs):
    """A small model, whose networks end in these functions."""

    def make(**networks):
        keras.utils.set_random_seed(7)
        return get_model(name)(**get_model(name).tiny, seed=3, **kwargs, **networks)

    networks = {}
    if discriminator:
        networks["discriminator"] = lambda: hidden(make().discriminator, discriminator, end)
    if generator:
        networks["generator"] = lambda: hidden(make().generator, generator, end)
    return make(**networks)


def examples(model, num=16):
    return {name: part.examples(num) for name, part in model.data.items()}


def alarms(model, parts, steps=8, **kwargs):
    monitor = HealthMonitor(parts, **{"every": 1, **kwargs})
    model.compile({player: keras.optimizers.Adam(2e-3, beta_1=0.5) for player in model.players()})
    options = {"callbacks": [monitor], "allow_nonnegative": kwargs.get("allow_nonnegative", False), "verbose": 0}
    model.fit(parts, batch_size=8 // model.discriminator_steps, epochs=steps // 2, **options)
    return [alarm for alarm in monitor.alarms if alarm[1] in BUILT_IN]


# --- What is told


@pytest.mark.parametrize(
    ("name", "end", "function", "bounds"),
    [
        ("gan", "lambda", ops.sigmoid, "[0, 1]"),
        ("dcgan", "model", ops.sigmoid, "[0, 1]"),
        ("dcgan", "lambda", ops.tanh, "[-1, 1]"),
        ("cgan", "lambda", ops.sigmoid, "[0, 1]"),
        ("wgan_gp", "model", ops.sigmoid, "[0, 1]"),
        ("pix2pix", "lambda", ops.sigmoid, "[0, 1]"),
    ],
)
def test_a_hidden_sigmoid_before_a_loss_of_logits_is_told(name, end, function, bounds):
    model = tiny(name, discriminator=function, end=end)
    ((step, kind, message),) = alarms(model, examples(model), 60, every=12, patience=2)
    assert kind == "bounded scores" and step <= 60
    assert f"scores never leave {bounds}" in message and "Leave out the sigmoid" in message


@pytest.mark.parametrize("name", ["gan", "dcgan", "wgan_gp"])
def test_images_in_half_of_the_range_are_told(name):
    model = tiny(name, generator=lambda x: (x + 1) / 2)
    ((step, kind, message),) = alarms(model, examples(model), 30, every=6, patience=3)
    assert kind == "half of the range" and step <= 30
    assert "never below 0" in message and "End the generator in tanh" in message


def test_it_is_told_once(images):
    model = tiny("dcgan", discriminator=ops.sigmoid)
    monitor = HealthMonitor(images[:16], every=1)
    for _ in range(2):
        model.fit(images[:80], batch_size=8, verbose=0, callbacks=[monitor])
    assert [kind for _, kind, _ in monitor.alarms].count("bounded scores") == 1
    other = tiny("dcgan", discriminator=ops.sigmoid)
    other.fit(images[:80], batch_size=8, verbose=0, callbacks=[monitor])
    assert [kind for _, kind, _ in monitor.alarms].count("bounded scores") == 2


# --- What is not


class Own(ganzoo.GAN):
    """Losses of one's own."""

    def discriminator_loss(self, real, fake, training):
        return self.of_scores(self.discriminate(real, training), self.discriminate(fake, training))

    def generator_loss(self, real, fake, training):
        return ops.mean(ops.square(self.discriminate(fake, training) - 1))


def of_probabilities(real, fake):
    return -ops.mean(ops.log(real) + ops.log(1 - fake))


def of_clipped_probabilities(real, fake):
    entropy = keras.losses.BinaryCrossentropy()
    return entropy(ops.ones_like(real), real) + entropy(ops.zeros_like(fake), fake)


def of_cut_probabilities(real, fake):
    return -ops.mean(ops.log(ops.maximum(real, 1e-7)) + ops.log(ops.maximum(1 - fake, 1e-7)))


def least_squares(real, fake):
    return ops.mean(ops.square(real - 1) + ops.square(fake))


def hinge(real, fake):
    return ops.mean(ops.relu(1 - real) + ops.relu(1 + fake))


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("loss", "end", "told"),
    [
        (losses.non_saturating_discriminator_loss, ops.sigmoid, True),
        (losses.wasserstein_discriminator_loss, ops.sigmoid, True),
        (hinge, ops.sigmoid, True),
        (hinge, ops.tanh, False),
        (of_probabilities, ops.sigmoid, False),
        (of_clipped_probabilities, ops.sigmoid, False),
        (of_cut_probabilities, ops.sigmoid, False),
        (least_squares, ops.sigmoid, False),
        (least_squares, ops.tanh, False),
        (losses.non_saturating_discriminator_loss, lambda x: x, False),
        (losses.non_saturating_discriminator_loss, lambda x: 0.3 + x, False),  # in [0, 1] for images alone
    ],
)
def test_bounds_are_told_where_the_loss_asks_for_more(loss, end, told, images):
    networks = tiny("dcgan")
    network = hidden(networks.discriminator, end)
    model = type("Case", (Own,), {"of_scores": staticmethod(loss)})(networks.generator, network, seed=0)
    real = model.as_batch(images[:64])
    fake = model.seeded_fake(real)
    scores = [ops.convert_to_numpy(model.discriminate(x, training=False)).ravel() for x in (real, fake)]
    assert np.abs(np.concatenate(scores)).max() <= 1
    assert (bounds_of_scores(model, real, fake, np.concatenate(scores)) is not None) == told
    assert "discriminate" not in vars(model)


def test_a_discriminator_loss_that_takes_something_else_is_let_be(images):
    class Two(Own):
        def discriminator_loss(self, network, batch):
            return ops.mean(ops.square(network(batch) - 1))

        def update_discriminator(self, real, training):
            return self.minimize(lambda: self.discriminator_loss(self.discriminator, real), "discriminator", training)

        def default_optimizers(self):
            return {player: keras.optimizers.Adam(1e-3) for player in self.players()}

    networks = tiny("dcgan")
    model = Two(networks.generator, hidden(networks.discriminator, ops.sigmoid), seed=0)
    assert alarms(model, {"images": images[:16]}) == []


@pytest.mark.parametrize("name", ["gan", "dcgan", "cgan", "wgan_gp"])
def test_healthy_networks_raise_neither_alarm_from_the_first_step_on(name):
    model = tiny(name)
    assert alarms(model, examples(model), 20, patience=2) == []


def test_data_that_use_half_of_the_range_or_four_channels_raise_no_alarm():
    rng = np.random.default_rng(0)
    light = rng.uniform(0, 1, (16, 16, 16, 1)).astype("float32")
    model = tiny("dcgan", generator=ops.sigmoid)
    assert alarms(model, {"images": light}, allow_nonnegative=True) == []
    seen = rng.integers(0, 256, (16, 16, 16, 4), "uint8")
    seen[..., 3] = 255
    keras.utils.set_random_seed(7)
    assert alarms(ganzoo.DCGAN((16, 16, 4), 4, 4, seed=3), {"images": seen}) == []
    points = data.gaussian_ring(16, seed=0)
    positive = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, "sigmoid")], name="generator")
    assert alarms(ganzoo.VanillaGAN((2,), 4, 8, generator=positive, seed=3), {"images": points}) == []


@pytest.mark.backend_free
@pytest.mark.parametrize("preset", presets.list_presets(pretrained=True))
def test_published_weights_raise_neither_alarm(preset, data_dir, cifar10, tmp_path, monkeypatch):
    model, recipe = ganzoo.load(preset), presets.read_recipe(preset).dataset
    if recipe.name == "cifar10":
        data_dir, (images, labels) = tmp_path, cifar10("train", sheets=1)
        np.savez(data_dir / "cifar10.npz", x_train=images, y_train=labels)
    monkeypatch.setenv("GANZOO_DATA", str(data_dir))
    shape = recipe.image_shape and tuple(recipe.image_shape)
    options = {"names": recipe.parts, "derive": recipe.derive, "image_shape": shape}
    split = "test" if recipe.name.endswith("mnist") else recipe.split  # is read faster
    parts = read_parts(model.data, recipe.name, split, **options)
    model.compile()
    if reason := HealthMonitor.cannot_watch(model):
        assert reason == "its discriminator is not trained" and preset == "srresnet-photos"
        return
    monitor = HealthMonitor({name: part[:64] for name, part in parts.items()}, every=1, patience=1)
    monitor.set_model(model)
    monitor.on_train_begin()
    monitor._look()
    assert len(monitor.looks) == 1 and not BUILT_IN & {kind for _, kind, _ in monitor.alarms}


# --- Resuming


class Crash(keras.callbacks.Callback):
    def __init__(self, epoch, batch):
        super().__init__()
        self.at, self.epoch = (epoch, batch), 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.at:
            raise KeyboardInterrupt


@pytest.mark.parametrize(("every", "freq", "at"), [(1, 1, (0, 1)), (2, 3, (1, 2)), (2, "epoch", (1, 2))])
def test_a_resumed_training_raises_the_same_alarms_at_the_same_steps(every, freq, at, images, tmp_path):
    def trained(*callbacks):
        thresholds = {"least_diversity": 10.0, "chance": 1.0, "most_movement": 1e-9, "least_gradient": 0.02}
        monitor = HealthMonitor(images[:16], every=every, patience=2, **thresholds)
        model = tiny("dcgan", discriminator=ops.sigmoid)
        model.fit(images[:32], batch_size=8, epochs=4, verbose=0, callbacks=[monitor, *callbacks])  # 4 steps each
        return monitor

    straight = trained()
    with pytest.raises(KeyboardInterrupt):
        trained(Backup(tmp_path / "b", freq), Crash(*at))
    resumed = trained(Backup(tmp_path / "b", freq))
    kinds = {kind for _, kind, _ in straight.alarms}
    assert kinds >= {"mode collapse", "discriminator at chance", "oscillation", "bounded scores"}
    assert resumed.alarms == straight.alarms and resumed.looks == straight.looks


def test_what_was_seen_is_set_by_a_backup_that_resumes_only(images, tmp_path):
    options = {"images": images[:16], "every": 1, "least_diversity": 10.0}
    first, again, other = HealthMonitor(**options), HealthMonitor(**options), HealthMonitor(**options, patience=2)
    for monitor, epochs, looks in ((first, 1, 2), (again, 2, 4), (other, 3, 2)):  # the third is of other settings
        backup = Backup(tmp_path / "b")
        tiny("dcgan").fit(images[:16], batch_size=8, epochs=epochs, verbose=0, callbacks=[monitor, backup])
        assert len(monitor.looks) == looks
    fresh = HealthMonitor(**options)
    tiny("dcgan").fit(images[:16], batch_size=8, verbose=0, callbacks=[fresh])
    assert len(fresh.looks) == 2


def test_a_recipe_that_is_trained_in_two_parts_has_the_same_alarms(tmp_path, monkeypatch):
    monkeypatch.setattr(watching, "HEALTH_STEPS", 2)
    np.savez(tmp_path / "toy.npz", images=np.random.default_rng(0).integers(0, 256, (40, 16, 16, 1), "uint8"))
    recipe = tmp_path / "dcgan-toy.yaml"
    recipe.write_text(
        "model: dcgan\ndescription: tiny\npaper: none\narguments: {image_shape: [16, 16, 1], latent_dim: 4, width: 4}\n"
        f"dataset: {{name: {tmp_path / 'toy.npz'}}}\ntraining: {{epochs: 3, batch_size: 8, seed: 1}}\n"
    )

    class Interrupting(SampleGrid):
        left = 7

        def on_train_batch_end(self, batch, logs=None):
            self.left -= 1
            if self.left == 0:
                signal.raise_signal(signal.SIGINT)

    ganzoo.train(recipe, tmp_path / "straight", verbose=0)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(training, "SampleGrid", Interrupting)
            ganzoo.train(recipe, tmp_path / "broken", verbose=0)
    finally:
        signal.signal(signal.SIGINT, before)
    ganzoo.train(recipe, tmp_path / "broken", verbose=0)
    told = [training.read_record(tmp_path / name)["alarms"] for name in ("straight", "broken")]
    assert told[0] == told[1] and {"step": 10, "kind": "mode collapse"} in told[0]
