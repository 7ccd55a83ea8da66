"""SampleGrid: sheets of the same latents from the averaged generator, epoch by epoch, over resumes; of every family."""

from __future__ import annotations

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers, ops
from PIL import Image

import ganzoo
from ganzoo import plot
from ganzoo.callbacks import Backup, MetricMonitor, SampleGrid


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


@pytest.mark.skipif(os.name == "nt", reason="has no harmless way to ask whether a process runs")
def test_what_a_killed_training_left_is_removed_at_the_next_begin(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / f".epoch_0002.png.{ended.pid}").write_bytes(b"half")
    (tmp_path / f".samples.gif.{ended.pid}").write_bytes(b"half")
    run(SampleGrid(tmp_path, animation=False), small_dcgan(), [0])
    assert os.listdir(tmp_path) == ["epoch_0001.png"]


class Interruption(keras.callbacks.Callback):
    """In the middle of the third epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == (2, 0):
            raise KeyboardInterrupt


def test_b3_resumed_in_the_middle_of_an_epoch_that_is_not_asked_for(tmp_path):
    def fit(epochs, *others):
        callbacks = [SampleGrid(tmp_path / "samples"), Backup(tmp_path / "backup", 1), *others]
        return small_dcgan().fit(images(), batch_size=16, epochs=epochs, verbose=0, callbacks=callbacks)

    with pytest.raises(KeyboardInterrupt):
        fit(5, Interruption())
    assert sorted(os.listdir(tmp_path / "samples")) == ["epoch_0001.png", "epoch_0002.png"]
    fit(2)  # nothing is left to do, and nothing to draw
    assert sorted(os.listdir(tmp_path / "samples")) == ["epoch_0001.png", "epoch_0002.png"]
    fit(3)
    assert sorted(os.listdir(tmp_path / "samples")) == [f"epoch_000{i}.png" for i in (1, 2, 3)] + ["samples.gif"]


@pytest.mark.parametrize("argument", ["every", "num_images", "columns", "scale"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True])
def test_bad_numbers_are_refused(argument, value):
    with pytest.raises(ValueError, match=rf"`{argument}`.*Received: {argument}={value}"):
        SampleGrid("x", **{argument: value})


# --- Models that take more than latents


class Tiny(ganzoo.GAN):
    """The losses of a critic, for networks that are given."""

    def discriminator_loss(self, real, fake, training):
        return ops.mean(self.discriminate(fake, training)) - ops.mean(self.discriminate(real, training))

    def generator_loss(self, real, fake, training):
        return -ops.mean(self.discriminate(fake, training))


def convolution(name, shape, channels, times=1):
    """A network from images of that shape to others, larger by that factor."""
    x = keras.Input(shape, name=name)
    y = layers.Conv2D(channels, 3, padding="same", activation="tanh")(layers.UpSampling2D(times)(x))
    return keras.Model(x, y)


def critic(name, shape):
    x = keras.Input(shape, name=name)
    return keras.Model(x, layers.Dense(1)(layers.Flatten()(x)))


def translator(source=(16, 16, 1), target=(16, 16, 3), target_group=""):
    keras.utils.set_random_seed(0)
    generator = convolution("source", source, target[2], target[0] // source[0])
    data = {"source": ganzoo.Images(source), "target": ganzoo.Images(target, target_group)}
    return Tiny(generator, critic("target", target), data=data, seed=0)


def cgan(num_classes=3):
    keras.utils.set_random_seed(0)
    return ganzoo.CGAN((16, 16, 1), num_classes, latent_dim=4, width=2, seed=0)


def pair(number=20, source=(16, 16, 1), target=(16, 16, 3)):
    rng = np.random.default_rng(1)
    return tuple(rng.integers(256, size=(number, *shape), dtype="uint8") for shape in (source, target))


def strip(*row):
    """Images beside each other, as a sheet shows a group: in colour, 2 pixels apart."""
    row = [image.repeat(3 // image.shape[2], axis=2) for image in row]
    return plot.image_grid(np.stack(row), columns=len(row))


def test_a_class_has_a_row():
    model = cgan()
    expected = plot.image_grid(model.generate(labels=np.repeat([0, 1, 2], 8), seed=3), columns=8)
    np.testing.assert_array_equal(plot.sample_sheet(model, seed=3), expected)
    expected = plot.image_grid(model.generate(labels=[0, 0, 1, 1, 2, 2], seed=3), columns=2)
    np.testing.assert_array_equal(plot.sample_sheet(model, seed=3, columns=2), expected)
    np.testing.assert_array_equal(plot.sample_sheet(model, num=7, seed=3), expected)  # shared evenly


def test_of_many_classes_the_first_sixteen_have_a_row():
    (inputs,) = plot.sheet_inputs(cgan(num_classes=20))
    assert inputs["labels"].tolist() == np.repeat(np.arange(16), 8).tolist()
    (inputs,) = plot.sheet_inputs(cgan(num_classes=20), num=5)
    assert inputs["labels"].tolist() == [0, 1, 2, 3, 4]


def test_classes_of_points_are_all_drawn(tmp_path):
    keras.utils.set_random_seed(0)
    z, y = keras.Input((4,), name="latents"), keras.Input((), dtype="int32", name="labels")
    points = layers.Dense(2)(layers.Concatenate()([z, layers.Embedding(3, 2)(y)]))
    data = {"points": ganzoo.Vectors(2), "labels": ganzoo.Labels(3)}
    model = Tiny(keras.Model([z, y], points), critic("points", (2,)), data=data)
    seen = []
    model.generate = lambda n, seed, labels: seen.append(labels) or np.zeros((n, 2), "float32")
    plot.save_samples(tmp_path / "points.png", model, None, seed=0)
    assert len(seen[0]) == 2000 and min(np.bincount(seen[0])) > 600


def test_source_drawn_target_in_eight_rows_of_two():
    model, data = translator(), pair()
    sheet = plot.sample_sheet(model, data=data)
    drawn = model.generate(source=data[0][:16], seed=0)
    strips = [strip(*row) for row in zip(data[0], drawn, data[1])]
    np.testing.assert_array_equal(sheet, plot.image_grid(np.stack(strips), columns=2))
    np.testing.assert_array_equal(sheet, plot.sample_sheet(model, data={"target": data[1], "source": data[0]}))
    sheet = plot.sample_sheet(model, data=data, num=3, columns=1)
    np.testing.assert_array_equal(sheet, plot.image_grid(np.stack(strips[:3]), columns=1))
    sheet = plot.sample_sheet(model, data={"source": data[0][:2]})  # the target is not known
    np.testing.assert_array_equal(
        sheet, plot.image_grid(np.stack([strip(*row[:2]) for row in zip(data[0][:2], drawn)]), 2)
    )


def test_there_is_no_path_through_the_latents_of_a_model_that_has_none():
    with pytest.raises(ValueError, match="Tiny draws from `source`: there are no latents"):
        ganzoo.latent.interpolate(translator(), source=pair(1)[0])


def test_big_images_stand_in_a_row_each():
    model = translator((80, 80, 1), (80, 80, 3))
    sheet = plot.sample_sheet(model, data=pair(9, (80, 80, 1), (80, 80, 3)))
    assert sheet.shape == (2 + 8 * 86, 2 + 250, 3)  # eight rows of strips, 84 x 248 with their padding


@pytest.mark.parametrize(("size", "repeats"), [(8, [2] * 8), (5, [3, 3, 4, 3, 3])])
def test_small_sources_are_enlarged(size, repeats):
    source, target = pair(1, (size, size, 1), (16, 16, 3))
    model = Tiny(
        convolution("source", (size, size, 1), 3),
        critic("target", (size, size, 3)),
        data={"source": ganzoo.Images((size, size, 1)), "target": ganzoo.Images((None, None, 3))},
    )
    shown = plot.sample_sheet(model, data=(source, target))[4:20, 4:20]
    np.testing.assert_array_equal(shown, source[0].repeat(repeats, 0).repeat(repeats, 1).repeat(3, 2))


def test_unpaired_images_are_not_shown_as_the_target():
    model = translator(target=(16, 16, 1), target_group="other")
    sheet = plot.sample_sheet(model, data=pair(1, target=(16, 16, 1)))
    assert sheet.shape == (24, 42, 1)  # source and drawn alone


class Derived(Tiny):
    """Makes its small images itself."""

    def prepare(self, real, training):
        return {"small": ops.average_pool(real["large"], (2, 2), (2, 2)), **real}


def test_what_a_model_derives_is_shown():
    keras.utils.set_random_seed(0)
    data = {"large": ganzoo.Images((16, 16, 1)), "small": ganzoo.Images((8, 8, 1), derived=True)}
    model = Derived(convolution("small", (8, 8, 1), 1, times=2), critic("large", (16, 16, 1)), data=data)
    large = pair(1)[0] // 4 * 4
    state = ops.convert_to_numpy(model.seed_generator.state).copy()
    sheet = plot.sample_sheet(model, data=large)
    small = large.reshape(1, 8, 2, 8, 2, 1).mean((2, 4))
    shown = sheet[4:20, 4:20].astype(int)
    np.testing.assert_allclose(shown[::2, ::2], small[0], atol=0.51)
    np.testing.assert_array_equal(shown[::2, ::2].repeat(2, 0).repeat(2, 1), shown)
    np.testing.assert_array_equal(sheet[4:20, -20:-4], large[0])  # the target
    np.testing.assert_array_equal(ops.convert_to_numpy(model.seed_generator.state), state)


def test_sentences_are_drawn_for_those_given():
    keras.utils.set_random_seed(0)
    z, words = keras.Input((4,), name="latents"), keras.Input((3,), dtype="int32", name="captions")
    x = layers.Concatenate()([z, layers.Flatten()(layers.Embedding(5, 2)(words))])
    generator = keras.Model([z, words], layers.Reshape((16, 16, 1))(layers.Dense(256, "tanh")(x)))
    data = {"images": ganzoo.Images((16, 16, 1)), "captions": ganzoo.Text(["a", "red", "heart"], 3)}
    model = Tiny(generator, critic("images", (16, 16, 1)), data=data)
    captions = ["a red heart", "a heart", "red"]
    sheet = plot.sample_sheet(model, data={"captions": captions}, seed=4)
    np.testing.assert_array_equal(sheet, plot.image_grid(model.generate(captions=captions, seed=4)))
    with pytest.raises(ValueError, match=r"draws from `captions`.*data=\(images, captions\)"):
        plot.sample_sheet(model)


class Cycle(Tiny):
    """Two generators: from `a` to `b` and back."""

    def __init__(self, **kwargs):
        data = {"a": ganzoo.Images((16, 16, 1)), "b": ganzoo.Images((16, 16, 3), group="b")}
        super().__init__(convolution("a", (16, 16, 1), 3), critic("b", (16, 16, 3)), data=data, **kwargs)
        self.back = self.make_network(lambda: convolution("b", (16, 16, 3), 1), "back", average=True)

    def generators(self):
        return [self.generator, self.back]


def test_several_generators_stand_side_by_side():
    keras.utils.set_random_seed(0)
    model = Cycle()
    a, b = pair(3)
    sheet = plot.sample_sheet(model, data=(a, b[:2]))
    there, back = model.generate(a=a, seed=0), model.generate(b=b[:2], seed=0)
    strips = [each for i in range(2) for each in (strip(a[i], there[i]), strip(b[i], back[i]))]
    np.testing.assert_array_equal(sheet, plot.image_grid(np.stack(strips), columns=2))


def test_sheets_of_a_translator_in_training(tmp_path):
    model, data = translator(), pair()
    grid = SampleGrid(tmp_path, num_images=4, seed=2, scale=1, data=data)
    model.fit(*data, batch_size=10, epochs=2, verbose=0, callbacks=[grid])
    assert sorted(os.listdir(tmp_path)) == ["epoch_0001.png", "epoch_0002.png", "samples.gif"]
    expected = plot.sample_sheet(model, 4, 2, data)
    np.testing.assert_array_equal(read(tmp_path / "epoch_0002.png"), expected)
    assert (read(tmp_path / "epoch_0001.png") != expected).any()


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (None, r"draws from `source`.*data=\(source, target\) or data={'source': ...}.*Received: no data"),
        ({"target": pair()[1]}, r"draws from `source`.*Received: target"),
        ((np.zeros((4, 8, 8, 1), "uint8"), None), r"`?source`?.*\(4, 8, 8, 1\)"),
        (iter([pair()]), "as arrays. Received: data of type"),
    ],
)
def test_examples_that_a_sheet_lacks_are_an_error_before_the_first_step(tmp_path, data, problem):
    model = translator()
    before = [w.copy() for w in model.get_weights()]
    with pytest.raises((ValueError, TypeError), match=problem):
        model.fit(*pair(), batch_size=10, verbose=0, callbacks=[SampleGrid(tmp_path / "x", data=data)])
    assert not (tmp_path / "x").exists()
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_metric_may_draw_what_it_asks_for(tmp_path):
    """MetricMonitor calls its metric with the model, whatever the model takes."""

    def brightness(model):
        drawn = model.generate(labels=[0, 0, 1, 2], seed=0)
        return {"zeros": drawn[:2].mean(), "others": drawn[2:].mean()}

    model, monitor = cgan(), MetricMonitor(brightness)
    labels = np.arange(32) % 3
    history = model.fit(images(), labels, batch_size=16, epochs=2, verbose=0, callbacks=[monitor])
    assert history.history["zeros"][-1] == brightness(model)["zeros"] and len(history.history["others"]) == 2
    unwatched = cgan()
    unwatched.fit(images(), labels, batch_size=16, epochs=2, verbose=0)
    for a, b in zip(model.get_weights(), unwatched.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
