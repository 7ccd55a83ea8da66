"""The engine beyond two players: guards, seams, optimizers, callbacks."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

import ganzoo
from ganzoo import losses
from ganzoo.engine.backend import BACKEND
from ganzoo.networks.dcgan import dcgan_discriminator, dcgan_generator

ROOT = Path(__file__).resolve().parents[1]


def tiny(model=ganzoo.DCGAN, **kwargs):
    keras.utils.set_random_seed(7)
    return model(**{"image_shape": (16, 16, 1), "latent_dim": 4, "width": 4, "seed": 3, **kwargs})


def values(variables):
    return [ops.convert_to_numpy(v).copy() for v in variables]


def same(before, variables) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(before, values(variables), strict=True))


@keras.saving.register_keras_serializable(package="tests")
class ThreePlayerGAN(ganzoo.DCGAN):
    """A DCGAN with an encoder that learns, as a player of its own, to find the latents of generated images."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.encoder = self.make_encoder()

    def make_encoder(self):
        return keras.Sequential(
            [keras.Input(self.image_shape), keras.layers.Flatten(), keras.layers.Dense(self.latent_dim, name="code")],
            name="encoder",
        )

    def players(self):
        return {"encoder": [self.encoder], **super().players()}

    def update(self, reals, training):
        latents = self.latents(ops.shape(reals[0])[0])
        fake = self.without_updates(lambda: self.generator(latents, training=training))
        error = self.minimize(
            lambda: ops.mean(ops.square(self.encoder(fake, training=training) - latents)), "encoder", training
        )
        return {"encoder": error, **super().update(reals, training)}


def test_a_third_player_needs_no_change_of_the_engine(images, tmp_path):
    model = tiny(ThreePlayerGAN)
    before = {name: values(network.weights) for name, network in model.networks.items()}
    assert set(before) == {"encoder", "discriminator", "generator"}
    model.compile({"encoder": keras.optimizers.Adam(1e-2)})
    history = model.fit(images, batch_size=8, epochs=2, verbose=0).history
    assert set(history) == {"loss", "encoder_loss", "discriminator_loss", "generator_loss"}
    assert history["encoder_loss"][1] < history["encoder_loss"][0]
    assert [o.name for o in model.optimizer.optimizers] == ["encoder", "discriminator", "generator"]
    for name, network in model.networks.items():
        assert not same(before[name], network.weights)
    assert "encoder_loss" in model.evaluate(images[:8], verbose=0)
    model.save(tmp_path / "three.keras")
    again = keras.saving.load_model(tmp_path / "three.keras")
    assert same(values(model.encoder.weights), again.encoder.weights)


class Careless(ganzoo.DCGAN):
    def discriminator_loss(self, real, fake, training):
        OUTSIDE.assign(ops.mean(real))
        return super().discriminator_loss(real, fake, training)


OUTSIDE = keras.Variable(0.0, trainable=False, name="outside")


def test_k25_write_to_an_untracked_variable(images):
    model = tiny(Careless)
    if BACKEND == "jax":  # which would lose it
        with pytest.raises(RuntimeError, match="outside"):
            model.fit(images, batch_size=8, steps_per_epoch=1, verbose=0)
    else:
        model.fit(images, batch_size=8, steps_per_epoch=1, verbose=0)
        assert float(ops.convert_to_numpy(OUTSIDE)) != 0


class Injected(ganzoo.WGANGP):
    """Counts the real batches that the critic sees."""

    seen: list

    def update_discriminator(self, real, training):
        self.seen.append(ops.convert_to_numpy(real))
        return super().update_discriminator(real, training)


def test_n03_each_critic_step_sees_new_images(images):
    model = tiny(Injected)
    model.seen = []
    model.compile(run_eagerly=True)
    model.fit(images[:80], batch_size=8, epochs=1, verbose=0)
    seen = np.concatenate(model.seen)
    assert len(model.seen) == 10 and {len(batch) for batch in model.seen} == {8}
    assert len(np.unique(seen.reshape(80, -1), axis=0)) == len(np.unique(images[:80].reshape(80, -1), axis=0))


def softplus(x):
    return np.logaddexp(0, x)


def with_linear_discriminator(model, **kwargs):
    """A model of vectors whose discriminator is x @ (3, 4) + .5, and the images, logits and losses to try it on."""
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)], name="discriminator")
    network.set_weights([np.array([[3.0], [4.0]]), np.array([0.5])])
    gan = model((2,), latent_dim=4, generator=small_generator(), discriminator=network, **kwargs)
    real, fake = (np.random.default_rng(seed).normal(size=(6, 2)).astype("float32") for seed in (0, 1))
    logits = [x @ np.array([3.0, 4.0]) + 0.5 for x in (real, fake)]
    numbers = [gan.discriminator_loss(ops.convert_to_tensor(real), ops.convert_to_tensor(fake), True)]
    numbers.append(gan.generator_loss(None, ops.convert_to_tensor(fake), True))
    return logits, [float(ops.convert_to_numpy(number)) for number in numbers]


def small_generator():
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)], name="generator")


@pytest.mark.parametrize("minimax", [False, True])
def test_losses_of_the_original_gan(minimax):
    (real, fake), (d_loss, g_loss) = with_linear_discriminator(ganzoo.VanillaGAN, minimax=minimax)
    assert d_loss == pytest.approx(np.mean(softplus(-real)) + np.mean(softplus(fake)), rel=1e-5)
    assert g_loss == pytest.approx(-np.mean(softplus(fake)) if minimax else np.mean(softplus(-fake)), rel=1e-5)


@pytest.mark.parametrize(("arguments", "weight"), [({}, 10.0), ({"penalty_weight": 0.5}, 0.5)])
def test_l01_losses_of_wgan_gp(arguments, weight):
    (real, fake), (d_loss, g_loss) = with_linear_discriminator(ganzoo.WGANGP, **arguments)
    penalty = (5.0 - 1.0) ** 2  # the critic's gradient is (3, 4) everywhere
    assert d_loss == pytest.approx(np.mean(fake) - np.mean(real) + weight * penalty, rel=1e-5)
    assert g_loss == pytest.approx(-np.mean(fake), rel=1e-5)


def test_n01_losses_of_dcgan_take_real_and_generated_images_as_batches_of_their_own():
    model = tiny(width=8)
    rng = np.random.default_rng(0)
    real, fake = (ops.convert_to_tensor(x) for x in rng.uniform(-1, 1, (2, 8, 16, 16, 1)).astype("float32"))
    fake = fake * 0.1 + 0.8  # other statistics than the real images'
    loss = float(ops.convert_to_numpy(model.discriminator_loss(real, fake, True)))
    apart = [ops.convert_to_numpy(model.discriminator(x, training=True)) for x in (real, fake)]
    whole = ops.convert_to_numpy(model.discriminator(ops.concatenate([real, fake]), training=True))
    assert loss == pytest.approx(np.mean(softplus(-apart[0])) + np.mean(softplus(apart[1])), rel=1e-4)
    assert abs(loss - np.mean(softplus(-whole[:8])) - np.mean(softplus(whole[8:]))) > 1e-2
    g_loss = float(ops.convert_to_numpy(model.generator_loss(None, fake, True)))
    assert g_loss == pytest.approx(np.mean(softplus(-apart[1])), rel=1e-4)


@pytest.mark.parametrize("model", [ganzoo.DCGAN, ganzoo.WGANGP])
def test_n02_every_update_draws_latents_of_its_own(model, images):
    gan, drawn = tiny(model), []
    draw = gan.latents

    def latents(num):
        drawn.append(draw(num))
        return drawn[-1]

    gan.latents = latents
    gan.compile(run_eagerly=True)
    gan.fit(images, batch_size=8, steps_per_epoch=2, verbose=0)
    drawn = np.stack([ops.convert_to_numpy(z) for z in drawn])
    assert len(drawn) == 2 * (gan.discriminator_steps + 1)
    assert len(np.unique(drawn.reshape(-1, drawn.shape[-1]), axis=0)) == drawn.shape[0] * drawn.shape[1]


def test_k34_batch_statistics_and_power_iterations_move_in_training(images):
    for arguments in ({}, {"spectral_norm": True}):
        model = tiny(**arguments)
        networks = (model.generator, model.discriminator)
        states = [[v for v in network.non_trainable_variables if "seed" not in v.path] for network in networks]
        before = [values(state) for state in states]
        model.fit(images, batch_size=8, steps_per_epoch=1, verbose=0)
        for state, old in zip(states, before):
            assert state and all(not np.array_equal(a, b) for a, b in zip(values(state), old))


def test_eager_and_compiled_steps_agree(images):
    results = []
    for eager in (True, False):
        model = tiny()
        model.compile(run_eagerly=eager)
        model.fit(images, batch_size=8, steps_per_epoch=2, verbose=0)
        results.append(values(model.generator.weights))
    for a, b in zip(*results):
        np.testing.assert_allclose(a, b, atol=2e-5)


def test_step_functions_of_the_seam_write_nothing():
    from ganzoo.engine.backend import forward, value_and_grad

    state = keras.Variable(1.0, trainable=False)
    weight = keras.Variable(2.0)

    def loss():
        state.assign(state + weight.value)
        return ops.square(weight.value) * state

    value, (gradient,), updates = value_and_grad(loss, [weight])
    assert float(ops.convert_to_numpy(state)) == 1.0
    assert [v is state for v, _ in updates] == [True] and float(ops.convert_to_numpy(updates[0][1])) == 3.0
    assert float(ops.convert_to_numpy(value)) == 12.0
    assert float(ops.convert_to_numpy(gradient)) == pytest.approx(2 * 2 * 3 + 4)  # through the state as well
    result, updates = forward(loss)
    assert float(ops.convert_to_numpy(result)) == 12.0 and float(ops.convert_to_numpy(state)) == 1.0


def test_k15_optimizers_are_checked():
    with pytest.raises(ValueError, match="one optimizer per player"):
        tiny().compile("adam")
    with pytest.raises(TypeError, match="one optimizer per player"):
        tiny().compile(keras.optimizers.Adam(), keras.optimizers.Adam())
    with pytest.raises(ValueError, match="critic"):
        tiny().compile({"critic": keras.optimizers.Adam()})
    shared = keras.optimizers.Adam()
    with pytest.raises(ValueError, match="of its own"):
        tiny().compile({"generator": shared, "discriminator": shared})
    with pytest.raises(ValueError, match="ema_decay"):
        tiny().compile({"generator": keras.optimizers.Adam(use_ema=True)})


def test_learning_rate_callbacks_move_both_optimizers(images):
    model = tiny()
    model.compile({"generator": keras.optimizers.Adam(1e-4), "discriminator": keras.optimizers.Adam(4e-4)})
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    plateau = keras.callbacks.ReduceLROnPlateau("loss", mode="min", factor=0.1, patience=1, min_delta=1e9, min_lr=0)
    history = model.fit(images, batch_size=8, steps_per_epoch=1, epochs=3, verbose=0, callbacks=[schedule, plateau])
    rates = [float(ops.convert_to_numpy(o.learning_rate)) for o in model.optimizer.optimizers]
    assert rates[0] == pytest.approx(4 * rates[1]) and rates[1] < 1e-4 / 8
    assert {"learning_rate_generator", "learning_rate_discriminator"} <= set(history.history)
    model.optimizer.learning_rate = 1e-3
    assert float(ops.convert_to_numpy(model.optimizer["discriminator"].learning_rate)) == pytest.approx(4e-3)


@pytest.mark.parametrize("before", [[0.0], [1e-3, 0.0]])
def test_rates_that_were_zero_come_back_in_proportion(before):
    model = tiny()
    model.compile({"generator": keras.optimizers.Adam(1e-4), "discriminator": keras.optimizers.Adam(3e-4)})
    for rate in (*before, 0.1):
        model.optimizer.learning_rate = rate
    rates = [float(ops.convert_to_numpy(o.learning_rate)) for o in model.optimizer.optimizers]
    assert rates == pytest.approx([0.3, 0.1])


@pytest.mark.parametrize("settings", [{}, {"use_ema": True}])
def test_an_optimizer_that_scales_losses_is_refused(settings):
    scaling = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(1e-3, **settings))
    with pytest.raises(ValueError, match=r"generator's optimizer is a LossScaleOptimizer.*mixed_bfloat16"):
        tiny().compile({"generator": scaling})


def test_ordinary_callbacks_work(images, tmp_path):
    pytest.importorskip("tensorboard")
    model = tiny()
    callbacks = [
        keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", "generator_loss", mode="min", save_best_only=True),
        keras.callbacks.ModelCheckpoint(tmp_path / "w.weights.h5", save_weights_only=True),
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        keras.callbacks.EarlyStopping("loss", patience=0, min_delta=1e9, mode="min"),
        keras.callbacks.TerminateOnNaN(),
        keras.callbacks.TensorBoard(tmp_path / "board", write_graph=False),
    ]
    history = model.fit(images, batch_size=8, steps_per_epoch=1, epochs=5, verbose=0, callbacks=callbacks).history
    assert len(history["loss"]) == 2  # stopped early
    assert keras.saving.load_model(tmp_path / "best.keras").generate(1, seed=0).shape == (1, 16, 16, 1)
    assert "generator_loss" in (tmp_path / "log.csv").read_text()
    assert list((tmp_path / "board").rglob("events*"))


def test_k33_nan_ends_training(images):
    model = tiny()
    broken = model.discriminator.trainable_variables[0]
    broken.assign(ops.full(broken.shape, np.nan))
    history = model.fit(images, batch_size=8, epochs=4, verbose=0, callbacks=[keras.callbacks.TerminateOnNaN()])
    assert len(history.history["loss"]) == 1


@pytest.mark.skipif(BACKEND == "torch", reason="Keras' torch trainer runs one step per execution")
def test_steps_per_execution(images):
    model = tiny()
    model.compile(steps_per_execution=2)
    model.fit(images, batch_size=8, steps_per_epoch=4, verbose=0)
    assert int(ops.convert_to_numpy(model.optimizer.iterations)) == 4


def test_networks_that_do_not_fit_are_refused():
    d = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match=r"\(8, 8, 1\)"):
        tiny(discriminator=d)
    with pytest.raises(ValueError, match=r"keras\.Input"):
        tiny(generator=keras.Sequential([keras.layers.Dense(3)]))
    with pytest.raises(ValueError, match=r"keras\.Model"):
        tiny(generator=3)
    with pytest.raises(ValueError, match="ema_decay"):
        tiny(ema_decay=1.0)


@pytest.mark.parametrize(
    "shape", [(17, 16, 1), (8, 8, 1), (30, 30, 1), (16,), (16, 16), (16, 16, 0), 16, "16x16", None]
)
def test_sizes_that_the_strides_do_not_allow_are_refused(shape):
    with pytest.raises(ValueError, match=r"(multiples of 4|\(height, width, channels\)).*Received: image_shape="):
        tiny(image_shape=shape)


@pytest.mark.parametrize("model", [ganzoo.DCGAN, ganzoo.WGANGP])
def test_the_discriminator_can_be_narrower_and_deeper(model, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (16, 28, 28, 1), dtype="uint8")
    gan = model((28, 28, 1), 4, 4, discriminator_width=3, final_size=4, seed=0)
    sizes = [tuple(gan.discriminator.get_layer(f"down{i}").output.shape[1:]) for i in (1, 2, 3)]
    assert sizes == [(14, 14, 3), (7, 7, 6), (4, 4, 12)]
    gan.compile()
    gan.fit(images, batch_size=2, epochs=1, verbose=0)
    gan.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for mine, its in zip(gan.discriminator.get_weights(), loaded.discriminator.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)


@pytest.mark.parametrize("final_size", [0, -1, 16])
def test_an_impossible_final_size_is_refused(final_size):
    with pytest.raises(ValueError, match=r"less than that of the images.*Received: final_size="):
        tiny(final_size=final_size)


def test_a_shape_may_hold_numpy_integers():
    assert tiny(image_shape=[*np.array([16, 16]), 1]).get_config()["image_shape"] == (16, 16, 1)


@pytest.mark.parametrize("n", [0, -1, 2.5, True, "3"])
def test_generate_refuses_what_is_no_count(n):
    with pytest.raises(ValueError, match="positive integer"):
        tiny().generate(n)


def test_generate_refuses_labels():
    with pytest.raises(ValueError, match="labels"):
        tiny().generate(2, labels=[0, 1])


def test_minimax_and_non_saturating_generators_differ():
    fake = np.zeros((4, 16, 16, 1), "float32")
    for minimax, loss in ((True, losses.minimax_generator_loss), (False, losses.non_saturating_generator_loss)):
        model = tiny(ganzoo.VanillaGAN, minimax=minimax)
        expected = float(ops.convert_to_numpy(loss(model.discriminator(fake))))
        assert float(ops.convert_to_numpy(model.generator_loss(None, fake, training=False))) == pytest.approx(expected)


def test_vectors_are_generated_as_they_are():
    model = tiny(ganzoo.VanillaGAN, image_shape=(2,))
    ring = np.random.default_rng(0).normal(size=(64, 2)).astype("float32") * 5  # no range rule for vectors
    model.fit(ring, batch_size=16, verbose=0)
    points = model.generate(7, seed=0)
    assert points.shape == (7, 2) and points.dtype == np.float32


def test_a_gradient_penalty_of_vectors_takes_one_number_per_vector():
    networks = {
        "generator": keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]),
        "discriminator": keras.Sequential([keras.Input((2,)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(1)]),
    }
    model = ganzoo.WGANGP((2,), seed=0, **networks)
    ring = np.random.default_rng(0).normal(size=(80, 2)).astype("float32")
    assert np.isfinite(model.fit(ring, batch_size=16, verbose=0).history["loss"]).all()
    assert model.generate(3, seed=0).shape == (3, 2)


def test_seeds_do_not_share_their_numbers():
    """Keras' torch backend adds seed and counter, so that unscrambled seeds 0 and 1 draw the same numbers, shifted."""
    a, b = tiny(seed=0), tiny(seed=1)
    first = [ops.convert_to_numpy(a.latents(4)) for _ in range(3)]
    second = [ops.convert_to_numpy(b.latents(4)) for _ in range(3)]
    assert not any(np.array_equal(x, y) for x in first for y in second)
    assert np.array_equal(first[0], ops.convert_to_numpy(tiny(seed=0).latents(4)))


class JointGAN(ganzoo.DCGAN):
    """A second network in each player, as InfoGAN's Q beside its generator."""

    extra_logs = ("code",)

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.q = keras.Sequential(
            [keras.Input(self.image_shape), keras.layers.Flatten(), keras.layers.Dense(1)], name="q"
        )

    def players(self):
        return {"discriminator": [self.discriminator], "generator": [self.generator, self.q]}

    def generator_loss(self, real, fake, training):
        return super().generator_loss(real, fake, training) + 0.1 * ops.mean(ops.square(self.q(fake) - 1.0))

    def update(self, reals, training):
        return {**super().update(reals, training), "code": ops.convert_to_tensor(2.5)}


def test_a_player_of_two_networks_and_an_extra_log(images):
    model = tiny(JointGAN)
    before = values(model.q.weights)
    history = model.fit(images, batch_size=8, steps_per_epoch=2, verbose=0).history
    assert not same(before, model.q.weights)
    assert history["code"] == [2.5]
    assert history["loss"][0] == pytest.approx(
        history["generator_loss"][0] + history["discriminator_loss"][0], abs=1e-5
    )
    assert set(model.networks) == {"discriminator", "generator/generator", "generator/q"}
    assert model.moving_averages == {"generator/generator": model.generator_ema}
    assert not same(values(model.generator.weights), model.generator_ema.weights)


def soft_generator():
    latents = keras.Input((4,), name="latents")
    x = keras.layers.LeakyReLU(0.5, name="soft")(keras.layers.Dense(256, name="dense")(latents))
    return keras.Model(latents, keras.layers.Reshape((16, 16, 1), name="image")(keras.ops.tanh(x)), name="generator")


def test_networks_given_as_functions_are_saved(images, tmp_path):
    model = tiny(generator=soft_generator)
    model.fit(images, batch_size=8, steps_per_epoch=2, verbose=0)
    model.save(tmp_path / "own.keras")
    again = keras.saving.load_model(tmp_path / "own.keras")
    assert [type(layer) for layer in again.generator.layers] == [type(layer) for layer in model.generator.layers]
    np.testing.assert_array_equal(again.generate(4, seed=0), model.generate(4, seed=0))


def test_spectral_normalisation_is_saved(images, tmp_path):
    model = tiny(spectral_norm=True)
    model.fit(images, batch_size=8, steps_per_epoch=2, verbose=0)
    model.save(tmp_path / "spectral.keras")
    again = keras.saving.load_model(tmp_path / "spectral.keras")
    assert again.evaluate(images, verbose=0) == pytest.approx(model.evaluate(images, verbose=0), abs=1e-5)


def test_an_optimizer_belongs_to_one_model(images):
    optimizers = {"generator": keras.optimizers.Adam(), "discriminator": keras.optimizers.Adam()}
    model = tiny()
    model.compile(optimizers)
    model.fit(images, batch_size=8, steps_per_epoch=1, verbose=0)
    model.compile(optimizers)  # again for the same model
    with pytest.raises(ValueError, match="another model"):
        tiny().compile(optimizers)
    with pytest.raises(ValueError, match="No optimizer"):
        tiny().compile({"generator": None})


def test_validation_data_may_be_of_another_kind(images):
    batches = [images[:8], images[8:16]]
    history = tiny().fit(images, batch_size=8, steps_per_epoch=1, verbose=0, validation_data=batches).history
    assert np.isfinite(history["val_loss"]).all()
    bright = np.ones((16, 16, 16, 1), "float32") * 0.5
    model = tiny()
    model.fit(bright, batch_size=8, verbose=0, validation_data=bright, allow_nonnegative=True)
    model.evaluate(bright, verbose=0, allow_nonnegative=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"callbacks": ["Backup"]}, "Callback objects"),
        ({"callbacks": keras.callbacks.TerminateOnNaN}, "Callback objects"),
        ({"class_weight": {0: 1.0}}, "class_weight"),
        ({"validation_split": 0.1}, "validation_split"),
    ],
)
def test_arguments_of_fit_that_are_refused(arguments, message, images):
    with pytest.raises(ValueError, match=message):
        tiny().fit(images, batch_size=8, verbose=0, **arguments)


@pytest.mark.parametrize("seed", [-1, 1.5, True, "a"])
def test_seeds_are_checked(seed):
    with pytest.raises(ValueError, match="`seed` must be an integer"):
        tiny(seed=seed)
    with pytest.raises(ValueError, match="`seed` must be an integer"):
        tiny().generate(1, seed=seed)


@pytest.mark.parametrize("order", ["import ganzoo, keras", "import keras, ganzoo"])
def test_a_saved_model_loads_in_a_process_that_only_imports_ganzoo(order, images, tmp_path):
    from ganzoo.zoo.presets import Schedule, Training
    from ganzoo.zoo.training import compile_for

    model = tiny()
    compile_for(model, Training(epochs=1, batch_size=8, schedule=Schedule(hold=0.5)), num_steps=10)
    model.fit(images, batch_size=8, steps_per_epoch=1, verbose=0)
    model.save(tmp_path / "model.keras")
    code = f"{order}; print(keras.saving.load_model('model.keras').generate(2, seed=0).mean())"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert float(done.stdout) == pytest.approx(model.generate(2, seed=0).mean(), abs=0.5)


# --- What is saved serves on every backend


def test_the_saved_settings_name_no_backend():
    model = tiny()
    model.compile({"generator": keras.optimizers.Adam(1e-3)})
    config = model.get_compile_config()
    assert config["jit_compile"] == "auto"
    for optimizer in config["optimizer"].values():
        assert (optimizer["module"], optimizer["class_name"]) == ("keras.optimizers", "Adam")
    config["optimizer"]["generator"] |= {"module": "keras.src.backend.torch.optimizers.torch_adam"}  # as Keras has it
    other = tiny()
    other.compile_from_config({**config, "jit_compile": BACKEND == "jax", "steps_per_execution": 2})
    assert isinstance(other.optimizer["generator"], type(keras.optimizers.Adam()))
    assert other.steps_per_execution == (1 if BACKEND == "torch" else 2)


@pytest.mark.skipif(BACKEND != "torch", reason="the others compile")
def test_torch_refuses_to_compile_a_step():
    with pytest.raises(ValueError, match="leave `jit_compile` out"):
        tiny().compile(jit_compile=True)


# --- Networks of one's own


def flat(*layers, shape=(16, 16, 1), **options):
    return keras.Sequential([keras.Input(shape), keras.layers.Flatten(), *layers], **options)


def test_two_networks_of_one_name_are_refused(images):
    class Twins(ganzoo.DCGAN):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.encoder = flat(keras.layers.Dense(4), name="generator")

        def players(self):
            return {**super().players(), "generator": [self.generator, self.encoder]}

    with pytest.raises(ValueError, match=r"different names.*'generator/generator'"):
        tiny(Twins).fit(images, batch_size=8, verbose=0)


@keras.saving.register_keras_serializable(package="tests")
class BiGAN(ganzoo.GAN):
    """Donahue et al. 2017, arXiv:1605.09782: the discriminator sees images beside their codes."""

    def __init__(self, generator=None, discriminator=None, **kwargs):
        latents, images, codes = keras.Input((4,)), keras.Input((16, 16, 1)), keras.Input((4,))
        x = keras.layers.Dense(256, activation="tanh", name="draw")(latents)
        generator = generator or keras.Model(latents, keras.layers.Reshape((16, 16, 1), name="image")(x))
        x = keras.layers.Concatenate(name="both")([keras.layers.Flatten(name="flat")(images), codes])
        joint = discriminator or keras.Model([images, codes], keras.layers.Dense(1, name="logit")(x))
        super().__init__(generator, joint, **kwargs)
        self.encoder = flat(keras.layers.Dense(4, name="code"), name="encoder")

    def players(self):
        return {"discriminator": [self.discriminator], "generator": [self.generator, self.encoder]}

    def update(self, reals, training):
        real, latents = reals[-1], self.latents(ops.shape(reals[-1])[0])

        def logits():
            codes, fake = self.encoder(real, training=training), self.generator(latents, training=training)
            pairs = ([real, codes], [fake, latents])
            return [self.discriminator(pair, training=training) for pair in pairs]

        return {
            "discriminator": self.minimize(
                lambda: losses.non_saturating_discriminator_loss(*logits()), "discriminator", training
            ),
            "generator": self.minimize(
                lambda: losses.non_saturating_discriminator_loss(*reversed(logits())), "generator", training
            ),
        }

    evaluation_metrics = ()

    def evaluate_batch(self, real):
        return {}


def test_a_discriminator_of_images_and_codes(images, tmp_path):
    keras.utils.set_random_seed(0)
    model = BiGAN(seed=0)
    before = {name: values(network.weights) for name, network in model.networks.items()}
    ema = values(model.generator_ema.weights)
    model.fit(images, batch_size=8, verbose=0)
    assert set(before) == {"discriminator", f"generator/{model.generator.name}", "generator/encoder"}
    assert not any(same(before[name], network.weights) for name, network in model.networks.items())
    assert not same(ema, model.generator_ema.weights)
    assert set(model.evaluate(images[:16], verbose=0)) == {"loss", "discriminator_loss", "generator_loss"}
    model.save(tmp_path / "joint.keras")
    loaded = keras.saving.load_model(tmp_path / "joint.keras")
    np.testing.assert_array_equal(loaded.generate(4, seed=0), model.generate(4, seed=0))
    with pytest.raises(ValueError, match=r"takes more than the data, keras_tensor"):
        model.fit(images, batch_size=8, verbose=0, callbacks=[ganzoo.callbacks.HealthMonitor(images)])
    with pytest.raises(ValueError, match=r"discriminator for \(8, 8, 1\) and \(4,\)"):
        pair = keras.Input((8, 8, 1)), keras.Input((4,))
        ganzoo.GAN(model.generator, keras.Model(pair, keras.layers.Dense(1)(pair[1])))


@pytest.mark.parametrize("model", [ganzoo.DCGAN, ganzoo.WGANGP])
def test_ones_own_networks_in_mixed_bfloat16_give_float32(model, images):
    def generator():
        layers = [keras.Input((4,)), keras.layers.Dense(256, activation="tanh"), keras.layers.Reshape((16, 16, 1))]
        return keras.Sequential(layers, name="generator")

    gan = tiny(model, generator=generator, discriminator=lambda: flat(keras.layers.Dense(1)), dtype="mixed_bfloat16")
    for network in (gan.generator, gan.discriminator, gan.generator_ema):
        assert keras.backend.standardize_dtype(network.outputs[0].dtype) == "float32"
        assert network.layers[-2].compute_dtype == "bfloat16"
    history = gan.fit(images, batch_size=8, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert tiny(discriminator=gan.discriminator).discriminator is gan.discriminator  # no second cast


def test_regularizers_of_ones_own_networks_are_part_of_the_loss(images):
    def trained(strength):
        keras.utils.set_random_seed(7)
        dense = keras.layers.Dense(1, kernel_regularizer=keras.regularizers.L2(strength) if strength else None)
        model = tiny(discriminator=flat(dense))
        start = ops.convert_to_numpy(dense.kernel).copy()
        model.compile({"discriminator": keras.optimizers.SGD(1e-3)})
        evaluated = model.evaluate(images[:8], verbose=0)["discriminator_loss"]
        model.fit(images[:8], batch_size=8, shuffle=False, verbose=0)
        return start, ops.convert_to_numpy(dense.kernel), evaluated

    (start, plain, loss), (_, regular, higher) = trained(0.0), trained(10.0)
    np.testing.assert_allclose(regular - plain, -1e-3 * 2 * 10.0 * start, rtol=1e-3, atol=1e-6)
    assert higher - loss == pytest.approx(10.0 * np.sum(start**2), rel=1e-4)
    with pytest.raises(ValueError, match=r"activity regularizer.*'busy' of discriminator"):
        tiny(discriminator=flat(keras.layers.Dense(1, activity_regularizer="l2", name="busy"))).compile()


# --- The same on every backend, or refused


def test_a_player_that_is_frozen_trains_no_more(images):
    model = tiny()
    model.discriminator.trainable = False
    model.compile()
    before, others = values(model.discriminator.trainable_weights), values(model.generator.trainable_weights)
    history = model.fit(images[:16], batch_size=8, verbose=0).history
    assert same(before, model.discriminator.trainable_weights) and history["discriminator_loss"][0] > 0
    assert not same(others, model.generator.trainable_weights)


def test_what_is_frozen_after_compile_asks_for_another_compile(images):
    model = tiny()
    model.fit(images[:16], batch_size=8, verbose=0)
    model.generator.get_layer("project").trainable = False
    with pytest.raises(ValueError, match=r"trainable of the generator has changed.*call `compile` again"):
        model.fit(images[:16], batch_size=8, verbose=0)
    model.compile()
    frozen = values(model.generator.get_layer("project").weights)
    model.fit(images[:16], batch_size=8, verbose=0)
    assert same(frozen, model.generator.get_layer("project").weights)


def test_compiled_again_a_model_counts_on(images):
    model = tiny()
    model.fit(images[:32], batch_size=8, epochs=5, verbose=0)
    before = values(model.generator_ema.weights)
    model.compile({player: keras.optimizers.SGD(0.0) for player in ("generator", "discriminator")})
    assert int(ops.convert_to_numpy(model.optimizer.iterations)) == 20 and model._order()[1] == 20
    model.fit(images[:8], batch_size=8, verbose=0)
    decay = 22 / 31  # (1 + 21) / (10 + 21), not the 2 / 11 of a first step
    expected = [new + decay * (old - new) for old, new in zip(before, values(model.generator.weights))]
    for got, value in zip(values(model.generator_ema.weights), expected):
        np.testing.assert_allclose(got, value, rtol=1e-4, atol=1e-6)


def test_a_loss_that_is_no_number_is_refused(images):
    class Forgetful(ganzoo.DCGAN):
        def generator_loss(self, real, fake, training):
            return -self.discriminator(fake, training=training)

    with pytest.raises(ValueError, match=r"take the mean.*loss of the generator of shape \((8|None), 1\)"):
        tiny(Forgetful).fit(images[:8], batch_size=8, verbose=0)


def test_a_scaled_loss_is_refused():
    with pytest.raises(ValueError, match="loss_scale_factor=1024"):
        tiny().compile({"generator": keras.optimizers.SGD(1e-2, loss_scale_factor=1024.0)})


@pytest.mark.parametrize(
    "arguments",
    [
        {"latent_dim": -3},
        {"latent_dim": 2.5},
        {"latent_dim": "a"},
        {"width": 0},
        {"width": "wide"},
        {"ema_decay": "x"},
    ],
)
def test_arguments_of_the_wrong_kind_are_named(arguments):
    ((name, value),) = arguments.items()
    with pytest.raises(ValueError, match=f"`{name}` must .*Received: {name}={value!r}"):
        tiny(**arguments)


def test_a_critic_takes_at_least_one_step():
    with pytest.raises(ValueError, match=r"`discriminator_steps` must be .*discriminator_steps=0"):
        tiny(ganzoo.WGANGP, discriminator_steps=0)


def endless(images, batch_size=8):
    class Endless(keras.utils.PyDataset):
        @property
        def num_batches(self):
            return None

        def __getitem__(self, i):
            return images[(i * batch_size) % 32 : (i * batch_size) % 32 + batch_size]

    return Endless()


def test_data_without_end_is_evaluated_for_some_steps(images):
    model = tiny()
    once = model.evaluate(endless(images), steps=2, verbose=0)
    assert once == pytest.approx(model.evaluate(images[:16], batch_size=8, verbose=0))
    history = model.fit(
        images[:16], batch_size=8, epochs=2, verbose=0, validation_data=endless(images), validation_steps=2
    ).history
    assert len(history["val_loss"]) == 2
    with pytest.raises(ValueError, match=r"never ends.*`steps=`"):
        model.evaluate(endless(images), verbose=0)
    with pytest.raises(ValueError, match=r"never ends.*`validation_steps=`"):
        model.fit(images[:16], batch_size=8, verbose=0, validation_data=endless(images))
    with pytest.raises(ValueError, match="`validation_data` must lie in"):
        model.fit(images[:16], batch_size=8, verbose=0, validation_data=np.full((8, 16, 16, 1), 99.0))


class SharedTrunk(ThreePlayerGAN):
    """InfoGAN's shape: the third player answers from the discriminator's own layers."""

    def make_encoder(self):
        trunk = self.discriminator
        code = keras.layers.Dense(self.latent_dim, name="code")(trunk.get_layer("flatten").output)
        return keras.Model(trunk.inputs, code, name="encoder")


@pytest.mark.parametrize("normalization", ["batch", "spectral"])
def test_layers_that_two_players_share_keep_their_statistics(normalization, images):
    model = tiny(SharedTrunk, discriminator=lambda: dcgan_discriminator((16, 16, 1), 4, normalization))
    states = [v for v in model.discriminator.non_trainable_variables if "seed" not in v.path]
    before = values(states)
    assert before
    model.fit(images[:32], batch_size=8, verbose=0)
    for variable, old in zip(states, before):
        assert not np.array_equal(ops.convert_to_numpy(variable), old), variable.path
    frozen = values(model.discriminator.weights)
    latents = model.latents(8)
    model.minimize(lambda: model.generator_loss(None, model.generator(latents, training=True), True), "generator", True)
    assert same(frozen, model.discriminator.weights)


def test_generate_draws_the_latents_of_training(images):
    class Uniform(ganzoo.DCGAN):
        def latents(self, num):
            return 2.0 * self.noise("uniform", (num, self.latent_dim)) - 1.0

    model = tiny(Uniform)
    latents = model.seeded_latents(500, seed=0)
    expected = 2.0 * np.random.default_rng(0).random((500, 4), dtype="float32") - 1.0
    np.testing.assert_allclose(latents, expected, rtol=1e-6, atol=1e-7)
    drawn = ganzoo.data.to_uint8(ops.convert_to_numpy(model(latents[:8])))
    assert np.abs(model.generate(8, seed=0).astype(int) - drawn).max() <= 1  # drawn in one go: the first rows
    model.fit(images[:16], batch_size=8, verbose=0, callbacks=[ganzoo.callbacks.HealthMonitor(images, every=1)])
    normal = np.random.default_rng(5).standard_normal((3, 4), dtype="float32")
    np.testing.assert_array_equal(tiny().seeded_latents(3, seed=5), normal)


@keras.saving.register_keras_serializable(package="tests")
class OwnNetworks(ganzoo.GAN):
    """Makes its networks itself, and hands on what every model takes."""

    def __init__(self, width=4, **kwargs):
        super().__init__(
            functools.partial(dcgan_generator, (16, 16, 1), 4, width),
            functools.partial(dcgan_discriminator, (16, 16, 1), width),
            **kwargs,
        )
        self.arguments = {"width": width}

    discriminator_loss = ganzoo.DCGAN.discriminator_loss
    generator_loss = ganzoo.DCGAN.generator_loss


@keras.saving.register_keras_serializable(package="tests")
class GivenEncoder(ganzoo.DCGAN):
    """Takes a third network as an argument."""

    def __init__(self, encoder=None, **kwargs):
        super().__init__(**kwargs)
        self.encoder = encoder or self.make_network(lambda: flat(keras.layers.Dense(4)), "encoder")
        self.arguments = {**self.arguments, "encoder": self.encoder}


@pytest.mark.parametrize("make", [lambda: OwnNetworks(width=8, seed=3), lambda: tiny(GivenEncoder)])
def test_constructors_of_other_arguments_are_saved_and_loaded(make, images, tmp_path):
    model = make()
    model.fit(images[:16], batch_size=8, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert same(values(model.weights), loaded.weights)
    np.testing.assert_array_equal(loaded.generate(4, seed=0), model.generate(4, seed=0))


def test_further_networks_follow_the_models_precision():
    model = tiny(GivenEncoder, dtype="mixed_bfloat16")
    assert model.encoder.layers[-2].compute_dtype == "bfloat16"
    assert keras.backend.standardize_dtype(model.encoder.outputs[0].dtype) == "float32"
    with pytest.raises(ValueError, match=r"`judge` must be a keras\.Model"):
        model.make_network(lambda: 3, "judge")


def test_layers_without_weights_may_belong_to_the_model(images):
    class Augmented(ganzoo.DCGAN):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.flip = keras.layers.RandomFlip("horizontal", seed=1)

        def discriminator_loss(self, real, fake, training):
            return super().discriminator_loss(self.flip(real, training=training), fake, training)

    history = tiny(Augmented).fit(images[:32], batch_size=8, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()


def test_evaluate_discards_what_a_variant_writes(images):
    class Counting(ganzoo.DCGAN):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.steps = self.add_weight(shape=(), initializer="zeros", trainable=False, name="steps")

        def update(self, reals, training):
            self.steps.assign(self.steps + 1.0)
            return super().update(reals, training)

    model = tiny(Counting)
    model.fit(images[:32], batch_size=8, verbose=0, validation_data=images[:16])
    first = model.evaluate(images[:16], batch_size=8, verbose=0)
    assert float(ops.convert_to_numpy(model.steps)) == 4
    assert model.evaluate(images[:16], batch_size=8, verbose=0) == first
    model.fit(images[:8], batch_size=8, verbose=0)
    assert float(ops.convert_to_numpy(model.steps)) == 5


def test_weights_of_a_model_that_was_never_compiled_load(images, tmp_path):
    fresh, compiled = tiny(seed=1), tiny()
    fresh.save_weights(tmp_path / "fresh.weights.h5")
    compiled.fit(images[:16], batch_size=8, verbose=0)
    compiled.load_weights(tmp_path / "fresh.weights.h5")
    assert same(values(fresh.weights), compiled.weights)
