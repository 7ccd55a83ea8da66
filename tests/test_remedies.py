"""Errors about data say what to do in the words of the framework that they come from, and it does what it says."""

from __future__ import annotations

import re

import keras
import numpy as np
import pytest
from PIL import Image

import ganzoo
from ganzoo.engine.remedies import translated

WRONG = {
    "channels first": np.random.default_rng(0).uniform(-1, 1, (8, 1, 16, 16)).astype("float32"),
    "0 to 255": np.random.default_rng(0).uniform(0, 255, (8, 16, 16, 1)).astype("float32"),
    "0 to 1": np.random.default_rng(0).uniform(0, 1, (8, 16, 16, 1)).astype("float32"),
    "flat": np.random.default_rng(0).uniform(-1, 1, (8, 256)).astype("float32"),
    "no channels": np.random.default_rng(0).uniform(-1, 1, (8, 16, 16)).astype("float32"),
    "int32": np.random.default_rng(0).integers(0, 256, (8, 16, 16, 1)).astype("int32"),
}


@pytest.fixture(scope="module")
def model():
    return ganzoo.VanillaGAN(image_shape=(16, 16, 1), width=4, latent_dim=4)


def said(call):
    with pytest.raises(ValueError) as caught:
        call()
    return str(caught.value)


@pytest.mark.parametrize("fault", WRONG)
@pytest.mark.parametrize("kind", ["numpy", "torch", "tensorflow"])
def test_c9_a_remedy_applies_as_it_stands(model, kind, fault):
    names = {"np": np}
    x = WRONG[fault]
    if kind == "torch":
        names["torch"] = torch = pytest.importorskip("torch")
        x = torch.from_numpy(x)
    elif kind == "tensorflow":
        names["tf"] = tf = pytest.importorskip("tensorflow")
        tf.config.set_visible_devices([], "GPU")
        x = tf.constant(x)
    message = said(lambda: model.fit(x, batch_size=8, verbose=0))
    remedy = re.search(r"use `([^`]+)`", message)
    assert remedy, message
    model.fit(eval(remedy[1], {**names, "x": x}), batch_size=8, verbose=0)


def test_c9_a_remedy_in_a_stream_of_tensorflow(model):
    tf = pytest.importorskip("tensorflow")
    tf.config.set_visible_devices([], "GPU")
    for fault in ("channels first", "0 to 255", "0 to 1"):
        dataset = tf.data.Dataset.from_tensor_slices(WRONG[fault]).batch(8)
        message = said(lambda dataset=dataset: model.fit(dataset, verbose=0))
        remedy = re.search(r"use `([^`]+)`", message)[1]
        assert "`dataset.map(...)`" in message
        model.fit(dataset.map(lambda x, remedy=remedy: eval(remedy, {"x": x, "tf": tf})), verbose=0)


@pytest.mark.backend_free
def test_remedies_of_arrays_stay():
    text = "`x` is wrong: use `x.transpose(0, 2, 3, 1)`. Received: x of shape (8, 1, 16, 16)"
    assert translated(text, "") == text
    in_batches = translated(text, "torch", in_batches=True)
    assert "x.permute(0, 2, 3, 1)" in in_batches and in_batches.index("DataLoader") < in_batches.index(" Received:")


def test_c3_pillow_images_functions_and_keras_arguments(model):
    images = [Image.new("L", (16, 16))] * 8
    assert "np.stack([ganzoo.data.resize_and_crop(image" in said(lambda: model.fit(images))

    def batches():
        yield WRONG["0 to 1"] * 2 - 1

    with pytest.raises(TypeError, match=r"fit\(batches\(\), steps_per_epoch=100\)"):
        model.fit(batches)
    with pytest.raises(TypeError, match=r"one optimizer per player.*Received: d_optimizer, loss_fn"):
        model.compile(d_optimizer="adam", loss_fn="bce")


def test_b8_an_average_has_a_name_of_its_own(model, capsys):
    assert model.get_layer("generator_ema") is model.generator_ema
    model.summary()
    assert "generator_ema" in capsys.readouterr().out


@pytest.mark.backend_free
def test_c4_a_torn_keras_file_is_called_damaged(tmp_path):
    from ganzoo.zoo.opening import open_model

    (tmp_path / "x.keras").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(ValueError, match="damaged or cut off"):
        open_model(tmp_path / "x.keras")


def test_a8_a_layer_that_draws_in_inference_follows_the_seed_in_the_average_of_a_clone_too():
    @keras.saving.register_keras_serializable("tests")
    class Drop(keras.layers.Dropout):
        def call(self, inputs, training=None):
            return super().call(inputs, training=True)

    latents = keras.Input((4,), name="latents")
    drawn = Drop(0.5)(keras.layers.Dense(256, activation="tanh")(latents))
    generator = keras.Model(latents, keras.layers.Reshape((16, 16, 1))(drawn))
    discriminator = keras.Sequential([keras.Input((16, 16, 1)), keras.layers.Flatten(), keras.layers.Dense(1)])
    made = ganzoo.VanillaGAN(generator=generator, discriminator=discriminator, image_shape=(16, 16, 1))
    np.testing.assert_array_equal(made.generate(8, seed=0), made.generate(8, seed=0))


def test_a2_accumulated_gradients_are_refused_where_they_are_not_taken(model):
    adam = keras.optimizers.Adam(gradient_accumulation_steps=4)
    if keras.config.backend() == "torch":
        with pytest.raises(ValueError, match="gradient_accumulation_steps"):
            model.compile({"generator": adam})
    else:
        model.compile({"generator": adam})
    model.compile()
