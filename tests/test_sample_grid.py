"""SampleGrid: sheets of the same latents from the averaged generator, epoch by epoch, over resumes."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

import ganzoo
from ganzoo import plot
from ganzoo.callbacks import SampleGrid


def images(number=32, channels=1):
    return np.random.default_rng(0).integers(256, size=(number, 16, 16, channels), dtype="uint8")


def small_dcgan(channels=1):
    """Its images differ in every pixel, and from step to step: fresh ones would be all grey."""
    model = ganzoo.DCGAN(image_shape=(16, 16, channels), latent_dim=4, width=2, seed=0)
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=w.shape) for w in model.generator.weights]
    weights = [abs(w) if "variance" in v.path else w for v, w in zip(model.generator.weights, weights)]
    model.generator.set_weights(weights)
    model.generator_ema.set_weights(weights)
    return model


def read(path):
    return np.asarray(Image.open(path))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Three epochs with a sheet after every second; before them two sheets that are not of this training."""
    folder = tmp_path_factory.mktemp("samples") / "made" / "on the way"
    folder.mkdir(parents=True)
    plot.save_png(folder / "epoch_0001.png", images(1))  # another size
    plot.save_png(folder / "epoch_0050.png", images(6), columns=3, scale=3)  # a later epoch
    model = small_dcgan()
    grid = SampleGrid(folder, every=2, num_images=6, seed=3, scale=3)
    model.fit(images(), batch_size=16, epochs=3, verbose=0, callbacks=[grid])
    return model, folder


def test_k19_the_last_sheet_is_what_the_trained_model_draws(trained):
    model, folder = trained
    expected = plot.image_grid(model.generate(6, seed=3)).repeat(3, 0).repeat(3, 1)[..., 0]
    np.testing.assert_array_equal(read(folder / "epoch_0003.png"), expected)
    assert (read(folder / "epoch_0002.png") != expected).any()


def test_sheets_are_written_every_so_many_epochs_and_at_the_end(trained):
    _, folder = trained
    assert sorted(os.listdir(folder)) == [
        "epoch_0001.png",
        "epoch_0002.png",
        "epoch_0003.png",
        "epoch_0050.png",
        "samples.gif",
    ]


def test_the_animation_shows_this_training(trained):
    _, folder = trained
    with Image.open(folder / "samples.gif") as gif:
        assert gif.n_frames == 2
        for index, name in enumerate(("epoch_0002.png", "epoch_0003.png")):
            gif.seek(index)
            assert np.abs(np.asarray(gif.convert("L")).astype(int) - read(folder / name)).max() <= 1


def run(grid, model, epochs):
    """What `fit` does with the callback, without the training."""
    grid.set_model(model)
    grid.on_train_begin()
    for epoch in epochs:
        model.generator_ema.set_weights([w * 0.9 for w in model.generator_ema.get_weights()])
        grid.on_epoch_end(epoch, {})
    grid.on_train_end()


def test_a_resumed_training_goes_on_with_the_numbers(tmp_path):
    model = small_dcgan(channels=3)
    run(SampleGrid(str(tmp_path), num_images=2), model, [0, 1])
    run(SampleGrid(str(tmp_path), num_images=2), model, [2])
    run(SampleGrid(str(tmp_path), num_images=2), model, [])  # resumed at its end: nothing left to do
    assert sorted(os.listdir(tmp_path)) == [f"epoch_000{i}.png" for i in (1, 2, 3)] + ["samples.gif"]
    assert read(tmp_path / "epoch_0001.png").shape == (40, 76, 3)
    with Image.open(tmp_path / "samples.gif") as gif:
        assert gif.n_frames == 3


@pytest.mark.parametrize("dimensions", [1, 2])
def test_vectors_are_plotted(tmp_path, dimensions):
    model = ganzoo.VanillaGAN(image_shape=(dimensions,), latent_dim=2, width=4, num_layers=1, seed=0)
    run(SampleGrid(tmp_path, animation=False), model, [0])
    assert os.listdir(tmp_path) == ["epoch_0001.png"]
    assert read(tmp_path / "epoch_0001.png").shape == (500, 500, 4)


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/ganzoo"])
def test_a_bad_directory_is_an_error_before_the_first_step(tmp_path, place):
    (tmp_path / "file").write_text("precious")
    model = small_dcgan()
    before = [w.copy() for w in model.generator.get_weights()]
    with pytest.raises(OSError, match=r"SampleGrid cannot write.*Received: directory="):
        model.fit(images(), epochs=1, verbose=0, callbacks=[SampleGrid(tmp_path / place)])
    assert (tmp_path / "file").read_text() == "precious"
    for old, new in zip(before, model.generator.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_what_cannot_be_drawn_is_an_error_before_the_first_step(tmp_path):
    model = ganzoo.VanillaGAN(image_shape=(5,), latent_dim=2, width=4, num_layers=1)
    with pytest.raises(ValueError, match=r"image_shape=\(5,\)"):
        model.fit(np.zeros((32, 5), "float32"), epochs=1, verbose=0, callbacks=[SampleGrid(tmp_path / "x")])
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("argument", ["every", "num_images", "columns", "scale"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True])
def test_bad_numbers_are_refused(argument, value):
    with pytest.raises(ValueError, match=rf"`{argument}`.*Received: {argument}={value}"):
        SampleGrid("x", **{argument: value})
