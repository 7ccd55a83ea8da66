"""What every registered model must do on every backend. A model is tested by being registered.

A model brings what is needed: `tiny`, the arguments of a small one, and parts of data that make examples of themselves.
"""

from __future__ import annotations

import functools

import keras
import numpy as np
import pytest
from keras import ops

import ganzoo
from ganzoo.engine.parts import Images
from ganzoo.models import __all__ as MODELS
from ganzoo.models import get_model, list_models
from ganzoo.networks.making import seed_states

QUICKLY = {"run_eagerly": keras.backend.backend() == "tensorflow"}  # where a graph is not what is tested: it takes long
OWN = [n for n in list_models() if get_model(n).__module__.startswith("ganzoo.")]
pytestmark = pytest.mark.parametrize("name", OWN)


def tiny(name, **kwargs):
    keras.utils.set_random_seed(7)
    model = get_model(name)
    return model(**{**model.tiny, "seed": 3, **kwargs})


@functools.cache
def kept(name):
    """A small model that tests share one after the other, and all that it holds as it was made."""
    model = tiny(name)
    model.compile()
    return model, state(model)


@pytest.fixture(scope="module", autouse=True)
def forgotten():
    yield
    kept.cache_clear()


def shared(name):
    """The shared model, as if it had just been made: what it has compiled serves the next test too."""
    model, initial = kept(name)
    for variable, value in zip([*model.variables, *model.optimizer.variables], initial, strict=True):
        variable.assign(value)
    model.stop_training = False
    return model


def examples(model, num, seed=0):
    """Data of the model's parts, packed as arrays."""
    parts = {name: part for name, part in model.data.items() if not part.derived}
    return {name: part.check(part.examples(num, seed), name) for name, part in parts.items()}


def conditions(model, num, seed=0):
    """What `generate` must be told, also parts that training makes itself."""
    return {name: model.data[name].check(model.data[name].examples(num, seed), name) for name in model.conditions()}


def shaken(model):
    """The model with other weights, as training leaves them: what is zero at first hides what depends on it."""
    rng = np.random.default_rng(0)
    for variable in model.generator_ema.weights:
        if "moving_" not in variable.path:
            variable.assign(variable + 0.1 * rng.standard_normal(variable.shape).astype("float32"))
    return model


def drawn(model, num, seed=0, **options):
    return model.generate(num, seed=seed, **conditions(model, num), **options)


def draws_anew(model):
    """Whether its images depend on more than what it is told: on latents, or on layers that draw in inference."""
    return model._names_of(model.generator) != model.conditions() or bool(seed_states(model.generator))


def draws_images(model):
    """Or features, which are floats of any range."""
    return isinstance(model.data[model.target], Images)


def rows(data, chosen):
    return {name: part[chosen] for name, part in data.items()}


def values(variables):
    return [ops.convert_to_numpy(v).copy() for v in variables]


def same(before, variables) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(before, values(variables), strict=True))


def state(model):
    return values([*model.variables, *model.optimizer.variables])


class Batches(keras.utils.PyDataset):
    def __init__(self, data):
        super().__init__()
        self.data = data

    def __len__(self):
        return len(next(iter(self.data.values()))) // 8

    def __getitem__(self, i):
        return tuple(part[8 * i : 8 * i + 8] for part in self.data.values())


def as_tf_data(data):
    tf = pytest.importorskip("tensorflow")
    tf.config.set_visible_devices([], "GPU")
    return tf.data.Dataset.from_tensor_slices(data).batch(8)


def as_loader(data):
    torch = pytest.importorskip("torch")
    tensors = torch.utils.data.TensorDataset(*map(torch.from_numpy, data.values()))
    return torch.utils.data.DataLoader(tensors, batch_size=8, shuffle=True)


class Told(Batches):
    """Counts Keras' hooks."""

    def __init__(self, data):
        super().__init__(data)
        self.begun = self.ended = 0
        self.given = []

    def __getitem__(self, i):
        self.given.append((self.begun, self.ended, i))
        return super().__getitem__(i)

    def on_epoch_begin(self):
        self.begun += 1

    def on_epoch_end(self):
        self.ended += 1


def test_it_is_public(name):
    model = get_model(name)
    assert model.__name__ in MODELS and getattr(ganzoo, model.__name__) is model


def test_fit_takes_arrays(name):
    model = shared(name)
    data = examples(model, 2 * 8 * model.discriminator_steps + 3)  # two whole baskets and some left over
    before = values(model.generator.trainable_variables)
    history = model.fit(*data.values() if len(data) <= 2 else [data], batch_size=8, epochs=1, verbose=0).history
    losses = [f"{player}_loss" for player in model.players()]
    assert set(history) == {"loss", *losses, *model.extra_logs}
    assert np.isfinite([v for series in history.values() for v in series]).all()
    assert history["loss"][0] == pytest.approx(sum(history[loss][0] for loss in losses), rel=1e-5)
    assert int(ops.convert_to_numpy(model.optimizer.iterations)) == 2
    assert not same(before, model.generator.trainable_variables)


@pytest.mark.parametrize("kind", ["tf.data", "PyDataset", "DataLoader"])
def test_fit_takes_batches(name, kind):
    model = shared(name)
    data = examples(model, 2 * 8 * model.discriminator_steps)
    floats = {
        part: x.astype("float32") / 127.5 - 1 if isinstance(model.data[part], Images) else x for part, x in data.items()
    }
    as_batches = {"tf.data": as_tf_data, "PyDataset": Told, "DataLoader": as_loader}[kind](floats)
    model.fit(as_batches, epochs=2, verbose=0)
    assert int(ops.convert_to_numpy(model.optimizer.iterations)) == 4
    if kind == "PyDataset":
        assert (as_batches.begun, as_batches.ended) == (2, 2)
        taken = range(2 * model.discriminator_steps)
        assert sorted(set(as_batches.given)) == [(k + 1, k, i) for k in range(2) for i in taken]


def test_a_bad_batch_later_in_a_stream_is_the_same_clear_error(name):
    model = tiny(name)  # what an error leaves behind is nobody else's
    model.compile(**QUICKLY)
    batches = [rows(examples(model, 8), slice(None)) for _ in range(3 * model.discriminator_steps)]
    part = model.target if model.target in batches[-1] else "images"
    batches[-1] = {**batches[-1], part: batches[-1][part][:, 1:]}
    with pytest.raises(ValueError, match=r"Received: .*shape \(8, \d+, \d+, \d\)"):
        model.fit(batches, verbose=0)


def test_a_missing_part_is_named_before_the_first_step(name):
    model = shared(name)
    data = examples(model, 16)
    for part in data if len(data) > 1 else ():
        with pytest.raises(ValueError, match=f"`{part}` is missing"):
            model.fit({other: x for other, x in data.items() if other != part}, batch_size=8, verbose=0)
    with pytest.raises(ValueError, match="another part would go unused"):
        model.fit((*data.values(), *[next(iter(data.values()))] * (len(model.data) - len(data) + 1)), verbose=0)
    assert int(ops.convert_to_numpy(model.optimizer.iterations)) == 0


def test_n01_each_player_moves_only_its_own_state(name):
    model = tiny(name)
    data = examples(model, 8 * model.discriminator_steps)
    zero = ops.zeros(())

    def discriminators(reals, training):
        return {"discriminator": model.update_discriminator(reals[0], training), "generator": zero}

    def generators(reals, training):
        loss = model.minimize(
            lambda: model.generator_loss(reals[0], model.fake(reals[0], training), training), "generator", training
        )
        return {"discriminator": zero, "generator": loss}

    others = {player: zero for player in model.players() if player not in ("discriminator", "generator")}
    for update, moved, still in (
        (discriminators, model.discriminator, model.generator),
        (generators, model.generator, model.discriminator),
    ):
        model.update = lambda reals, training, update=update: {**others, **update(reals, training)}
        model.compile(**QUICKLY)
        before, kept = values(moved.trainable_variables), values(still.weights)
        model.fit(data, batch_size=8, verbose=0)
        assert same(kept, still.weights) and not same(before, moved.trainable_variables)


def test_k03_n04_slots_move_and_the_average_follows_its_formula(name):
    model = shared(name)
    initial = values(model.generator.weights)
    model.fit(examples(model, 8 * model.discriminator_steps), batch_size=8, verbose=0)
    for optimizer in model.optimizer.optimizers:
        slots = [v for v in optimizer.variables if "momentum" in v.path or "velocity" in v.path]
        moved = [np.abs(v).max() > 0 for v in values(slots)]
        assert sum(moved) > len(moved) / 4  # a critic's last bias cancels out of its loss, blocks may begin as nothing
    counts = {player: int(ops.convert_to_numpy(model.optimizer[player].iterations)) for player in model.players()}
    assert counts == {player: model.updates_per_step(player) for player in model.players()}
    keep = (1 + 1) / (10 + 1)  # the ramp at step 1
    for w0, w1, average in zip(
        initial, values(model.generator.weights), values(model.generator_ema.weights), strict=True
    ):
        np.testing.assert_allclose(average, keep * w0 + (1 - keep) * w1, atol=1e-6)
    assert not same(initial, model.generator.weights)


class Crash(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        raise KeyboardInterrupt


def test_saved_or_interrupted_it_trains_on_exactly(name, tmp_path):
    straight = shared(name)
    data = examples(straight, 8 * 2 * straight.discriminator_steps)
    straight.fit(data, batch_size=8, epochs=2, verbose=0)
    trained = state(straight)
    halved = tiny(name)
    with pytest.raises(KeyboardInterrupt):  # after the first of two steps
        halved.fit(
            data, batch_size=8, epochs=2, verbose=0, callbacks=[ganzoo.callbacks.Backup(tmp_path / "b", 1), Crash()]
        )
    resumed = shared(name)
    resumed.fit(data, batch_size=8, epochs=1, verbose=0, callbacks=[ganzoo.callbacks.Backup(tmp_path / "b", 1)])
    resumed.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded) is type(straight) and loaded.compiled
    np.testing.assert_array_equal(drawn(loaded, 3), drawn(resumed, 3))
    loaded.fit(data, batch_size=8, epochs=2, initial_epoch=1, verbose=0)
    for a, b in zip(trained, state(loaded), strict=True):
        np.testing.assert_array_equal(a, b)


def test_config_round_trip(name):
    model = tiny(name, ema_decay=0.5)
    config = model.get_config()
    again = type(model).from_config(config)
    assert again.get_config() == config
    assert [v.shape for v in again.weights] == [v.shape for v in model.weights]
    assert {part: x.get_config() for part, x in again.data.items()} == {
        part: x.get_config() for part, x in model.data.items()
    }
    assert keras.saving.serialize_keras_object(again)["registered_name"].startswith("ganzoo>")


def test_generate_is_seeded_and_follows_what_it_is_told(name):
    model = shaken(shared(name))
    images = drawn(model, 5)
    assert images.shape == (5, *model.image_shape) and images.dtype == ("uint8" if draws_images(model) else "float32")
    before = values(model.variables)
    np.testing.assert_array_equal(images, drawn(model, 5))
    assert same(before, model.variables)  # no random state is moved
    draws = draws_anew(model)  # else what it is told is all
    assert draws != np.array_equal(images, drawn(model, 5, seed=1))
    assert draws != np.array_equal(drawn(model, 5, seed=None), drawn(model, 5, seed=None))
    for part in model.conditions():
        other = {**conditions(model, 5), part: conditions(model, 5, seed=9)[part][::-1]}
        assert not np.array_equal(images, model.generate(5, seed=0, **other))
    with pytest.raises(ValueError, match=r"Received: nonsense="):
        drawn(model, 2, nonsense=1)


def test_predict_uses_the_averaged_generator(name):
    model = shared(name)
    model.fit(examples(model, 8 * model.discriminator_steps), batch_size=8, verbose=0)
    latents = model.seeded_latents(3, seed=0) if model.latent_dim else {}
    latents = latents if isinstance(latents, dict) else {"latents": latents}
    predicted = model.predict({**latents, **conditions(model, 3)}, verbose=0)
    assert predicted.dtype == np.float32 and (not draws_images(model) or np.abs(predicted).max() <= 1)
    if (
        draws_images(model) and not model.generator.variables[len(model.generator.weights) :]
    ):  # it draws nothing in inference
        again = ganzoo.data.to_uint8(predicted).astype(int)
        assert np.abs(again - model.generate(3, seed=0, **conditions(model, 3))).max() <= 1


def test_evaluate_reports_and_updates_nothing(name):
    model = shared(name)
    data = examples(model, 20)
    history = model.fit(
        examples(model, 8 * model.discriminator_steps), batch_size=8, verbose=0, validation_data=rows(data, slice(8))
    ).history
    assert {"val_loss", "loss", *(f"val_{metric}" for metric in model.evaluation_metrics)} <= set(history)
    assert not set(model.evaluation_metrics) & set(history)
    kept = [v for v in [*model.variables, *model.optimizer.variables] if "evaluation_seed" not in v.path]
    before = values(kept)
    first = model.evaluate(data, batch_size=8, verbose=0)
    assert set(first) == {"loss", *(f"{player}_loss" for player in model.players()), *model.evaluation_metrics}
    assert first == pytest.approx(model.evaluate(data, batch_size=8, verbose=0), abs=1e-5)
    assert same(before, kept)


def test_trains_in_mixed_bfloat16_and_not_in_float16(name):
    model = tiny(name, dtype="mixed_bfloat16")
    history = model.fit(examples(model, 8 * model.discriminator_steps), batch_size=8, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert all(keras.backend.standardize_dtype(v.dtype) == "float32" for v in model.trainable_variables)
    assert keras.config.dtype_policy().name == "float32"
    with pytest.raises(ValueError, match="mixed_bfloat16"):
        tiny(name, dtype="mixed_float16")


def test_takes_ones_own_networks(name):
    other = shared(name)
    model = type(other)(**{**other.arguments, "generator": other.generator, "discriminator": other.discriminator})
    assert model.generator is other.generator and model.discriminator is other.discriminator
    np.testing.assert_array_equal(drawn(model, 2), drawn(other, 2))


def test_any_size_that_the_strides_allow(name):
    for height, width in get_model(name).tiny_sizes:
        channels = 1 + height % 3
        shapes = {
            argument: (height, width, channels)
            for part, argument in get_model(name).shaped_by.items()
            if isinstance(tiny(name).data.get(part), Images)
        }
        model = tiny(name, **shapes)
        assert drawn(model, 2).shape == (2, *((height, width, channels) if draws_images(model) else model.image_shape))
        assert model.discriminator.outputs[0].shape[0] is None


def test_monitors_and_sheets(name, tmp_path):
    model = shared(name)
    data = examples(model, 16 * model.discriminator_steps)
    watched = [
        ganzoo.callbacks.HealthMonitor(data, every=1),
        ganzoo.callbacks.SampleGrid(tmp_path, data=rows(data, slice(3))),
    ]
    model.fit(data, batch_size=8, verbose=0)
    straight = state(model)
    model = shared(name)
    model.fit(data, batch_size=8, verbose=0, callbacks=watched)
    assert len(watched[0].looks) == 2 and {path.name for path in tmp_path.iterdir()} == {
        "epoch_0001.png",
        "samples.gif",
    }
    for a, b in zip(straight, state(model), strict=True):  # training is not changed by being watched
        np.testing.assert_array_equal(a, b)


def test_golden_images_are_drawn_again(name):
    from ganzoo.zoo.presets import Golden

    model = tiny(name)
    golden = Golden.drawn_by(model, 3, seed=0)
    assert golden.difference(model) == 0 and golden.array().shape == (3, *model.image_shape)
    assert Golden.model_validate_json(golden.model_dump_json()).difference(model) == 0
    model.generator_ema.set_weights([w + 0.5 for w in model.generator_ema.get_weights()])
    assert golden.difference(model) > 1


def test_layers_have_explicit_names(name):
    first, second = tiny(name), tiny(name)
    for key, network in first.networks.items():
        assert [v.path for v in network.weights] == [v.path for v in second.networks[key].weights]
