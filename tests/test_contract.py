"""What every registered model must do on every backend. A model is tested by being registered."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from ganzoo.zoo.registry import get_model, list_models

pytestmark = pytest.mark.parametrize(
    "name", [n for n in list_models() if get_model(n).__module__.startswith("ganzoo.")]
)


def tiny(name, **kwargs):
    keras.utils.set_random_seed(7)
    return get_model(name)(**{"image_shape": (16, 16, 1), "latent_dim": 4, "width": 4, "seed": 3, **kwargs})


def values(variables):
    return [ops.convert_to_numpy(v).copy() for v in variables]


def same(before, variables) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(before, values(variables), strict=True))


class Batches(keras.utils.PyDataset):
    def __init__(self, images):
        super().__init__()
        self.images = images

    def __len__(self):
        return len(self.images) // 8

    def __getitem__(self, i):
        return self.images[8 * i : 8 * i + 8], np.arange(8)


def as_tf_data(images):
    tf = pytest.importorskip("tensorflow")
    tf.config.set_visible_devices([], "GPU")
    return tf.data.Dataset.from_tensor_slices((images, np.arange(len(images)))).batch(8)


def as_loader(images):
    torch = pytest.importorskip("torch")
    data = torch.utils.data.TensorDataset(torch.from_numpy(images), torch.arange(len(images)))
    return torch.utils.data.DataLoader(data, batch_size=8, shuffle=True)


class Told(keras.utils.PyDataset):
    """Counts Keras' hooks, and gives other batches after each of them."""

    def __init__(self):
        super().__init__()
        self.begun = self.ended = 0
        self.given = []

    num_batches = 7

    def __getitem__(self, i):
        self.given.append((self.begun, self.ended, i))
        return np.full((4, 16, 16, 1), i, "uint8")

    def on_epoch_begin(self):
        self.begun += 1

    def on_epoch_end(self):
        self.ended += 1


def test_a_py_dataset_is_told_where_its_epochs_begin_and_end(name):
    data, model = Told(), tiny(name)
    model.fit(data, epochs=3, verbose=0)
    assert (data.begun, data.ended) == (3, 3)
    taken = data.num_batches // model.discriminator_steps * model.discriminator_steps
    assert sorted(set(data.given)) == [(k + 1, k, i) for k in range(3) for i in range(taken)]


def test_a_bad_batch_later_in_a_stream_is_the_same_clear_error(name):
    model = tiny(name)
    good = [np.zeros((4, 16, 16, 1), "uint8")] * 4 * model.discriminator_steps
    with pytest.raises(ValueError, match=r"Received: .*3\)"):
        model.fit([*good, *[np.zeros((4, 16, 16, 3), "uint8")] * model.discriminator_steps], verbose=0)


@pytest.mark.parametrize("kind", ["array", "tf.data", "PyDataset", "DataLoader"])
def test_fit_takes(name, kind, images):
    model = tiny(name)
    basket = 8 * model.discriminator_steps
    images = images[: 2 * basket + 3]  # two whole baskets and some images left over
    if kind != "array":
        images = images.astype("float32") / 127.5 - 1
    data = {"array": lambda x: x, "tf.data": as_tf_data, "PyDataset": Batches, "DataLoader": as_loader}[kind](images)
    before = values(model.generator.trainable_variables)
    history = model.fit(data, batch_size=8 if kind == "array" else None, epochs=1, verbose=0).history
    assert set(history) == {"loss", "discriminator_loss", "generator_loss"}
    assert np.isfinite([v for series in history.values() for v in series]).all()
    assert history["loss"][0] == pytest.approx(
        history["discriminator_loss"][0] + history["generator_loss"][0], abs=1e-5
    )
    # tf.data and PyDataset: the loader's last, smaller batch of 3 completes no basket of five, but one of one.
    extra = 1 if kind in ("tf.data", "DataLoader") and model.discriminator_steps == 1 else 0
    assert int(ops.convert_to_numpy(model.optimizer.iterations)) == 2 + extra
    assert not same(before, model.generator.trainable_variables)


def test_n01_each_player_moves_only_its_own_state(name, images):
    model = tiny(name)
    model.compile()
    real = ops.convert_to_tensor(images[:8].astype("float32") / 127.5 - 1)
    g, d = values(model.generator.weights), values(model.discriminator.weights)
    model.update_discriminator(real, training=True)
    assert same(g, model.generator.weights) and not same(d, model.discriminator.trainable_variables)
    d = values(model.discriminator.weights)
    latents = model.latents(8)
    model.minimize(lambda: model.generator_loss(model.generator(latents, training=True), True), "generator", True)
    assert same(d, model.discriminator.weights) and not same(g, model.generator.weights)


def test_k03_slots_of_all_optimizers_move(name, images):
    model = tiny(name)
    model.fit(images, batch_size=8, steps_per_epoch=2, verbose=0)
    for optimizer in model.optimizer.optimizers:
        slots = [v for v in optimizer.variables if "momentum" in v.path or "velocity" in v.path]
        moved = [np.abs(v).max() > 0 for v in values(slots)]
        assert sum(moved) > len(moved) / 2  # a critic's last bias cancels out of its loss
    counts = [int(ops.convert_to_numpy(o.iterations)) for o in model.optimizer.optimizers]
    assert counts == [2 * model.discriminator_steps, 2]


def test_n04_average_of_weights_and_statistics_follows_its_formula(name, images):
    model = tiny(name, ema_decay=0.9)
    initial = values(model.generator.weights)
    model.fit(images, batch_size=8, steps_per_epoch=1, verbose=0)
    keep = (1 + 1) / (10 + 1)  # the ramp at step 1
    for w0, w1, average in zip(
        initial, values(model.generator.weights), values(model.generator_ema.weights), strict=True
    ):
        np.testing.assert_allclose(average, keep * w0 + (1 - keep) * w1, atol=1e-6)
    assert not same(initial, model.generator.weights)


def test_save_load_and_resume_equal_uninterrupted_training(name, images, tmp_path):
    straight = tiny(name)
    straight.fit(images, batch_size=8, epochs=2, steps_per_epoch=2, verbose=0)
    halved = tiny(name)
    halved.fit(images, batch_size=8, epochs=1, steps_per_epoch=2, verbose=0)
    halved.save(tmp_path / "model.keras")
    resumed = keras.saving.load_model(tmp_path / "model.keras")
    assert type(resumed) is type(straight) and resumed.compiled
    resumed.fit(images, batch_size=8, epochs=1, steps_per_epoch=2, verbose=0)
    for a, b in zip(
        values([*straight.variables, *straight.optimizer.variables]),
        values([*resumed.variables, *resumed.optimizer.variables]),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


def test_config_round_trip(name):
    model = tiny(name, ema_decay=0.5)
    config = model.get_config()
    again = type(model).from_config(config)
    assert again.get_config() == config
    assert [v.shape for v in again.weights] == [v.shape for v in model.weights]
    assert keras.saving.serialize_keras_object(again)["registered_name"].startswith("ganzoo>")


def test_generate_is_seeded_and_uint8(name):
    model = tiny(name)
    images = model.generate(5, seed=0, batch_size=2)
    assert images.shape == (5, 16, 16, 1) and images.dtype == np.uint8
    np.testing.assert_allclose(images.astype(int), model.generate(5, seed=0).astype(int), atol=1)
    assert not np.array_equal(images, model.generate(5, seed=1))
    assert not np.array_equal(model.generate(5), model.generate(5))


def test_predict_uses_the_averaged_generator(name, images):
    model = tiny(name)
    model.fit(images, batch_size=8, steps_per_epoch=2, verbose=0)
    latents = np.random.default_rng(0).standard_normal((3, 4), dtype="float32")
    predicted = model.predict(latents, verbose=0)
    assert predicted.dtype == np.float32 and np.abs(predicted).max() <= 1
    expected = ops.convert_to_numpy(model.generator_ema(latents, training=False))
    np.testing.assert_allclose(predicted, expected, atol=1e-5)


def test_evaluate_reports_and_updates_nothing(name, images):
    model = tiny(name)
    model.compile()
    before = values([*model.variables, *model.optimizer.variables])
    first = model.evaluate(images[:20], batch_size=8, verbose=0)
    assert set(first) == {"loss", "discriminator_loss", "generator_loss", "real_accuracy", "fake_accuracy"}
    assert first == pytest.approx(model.evaluate(images[:20], batch_size=8, verbose=0), abs=1e-5)
    after = [v for v in [*model.variables, *model.optimizer.variables] if "evaluation_seed" not in v.path]
    kept = [
        b for b, v in zip(before, [*model.variables, *model.optimizer.variables]) if "evaluation_seed" not in v.path
    ]
    assert same(kept, after)


def test_fit_evaluates_validation_data(name, images):
    model = tiny(name)
    history = model.fit(images, batch_size=8, steps_per_epoch=1, verbose=0, validation_data=images[:8]).history
    assert {"val_loss", "val_real_accuracy", "loss"} <= set(history) and "real_accuracy" not in history


def test_trains_in_mixed_bfloat16_and_not_in_float16(name, images):
    model = tiny(name, dtype="mixed_bfloat16")
    history = model.fit(images, batch_size=8, steps_per_epoch=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert all(keras.backend.standardize_dtype(v.dtype) == "float32" for v in model.trainable_variables)
    assert keras.config.dtype_policy().name == "float32"
    with pytest.raises(ValueError, match="mixed_bfloat16"):
        tiny(name, dtype="mixed_float16")


def test_takes_ones_own_networks(name, images, tmp_path):
    g = keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(256, activation="tanh"), keras.layers.Reshape((16, 16, 1))]
    )
    d = keras.Sequential([keras.Input((16, 16, 1)), keras.layers.Flatten(), keras.layers.Dense(1)])
    model = get_model(name)(generator=g, discriminator=d)
    assert model.generator is g and model.discriminator is d and model.latent_dim == 6
    model.fit(images, batch_size=8, steps_per_epoch=1, verbose=0)
    model.save(tmp_path / "own.keras")
    again = keras.saving.load_model(tmp_path / "own.keras")
    np.testing.assert_array_equal(again.generate(4, seed=0), model.generate(4, seed=0))


@pytest.mark.parametrize(("height", "width", "channels"), [(16, 16, 1), (28, 28, 1), (32, 48, 3), (20, 64, 4)])
def test_any_size_that_the_strides_allow(name, height, width, channels):
    model = tiny(name, image_shape=(height, width, channels), width=2)
    assert model.generate(2, seed=0).shape == (2, height, width, channels)
    assert tuple(model.discriminator.output_shape) == (None, 1)


def test_layers_have_explicit_names(name):
    first, second = tiny(name), tiny(name)
    for key, network in first.networks.items():
        assert [v.path for v in network.weights] == [v.path for v in second.networks[key].weights]
