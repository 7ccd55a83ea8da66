"""Sheets, paths, scatters, curves: every pixel where it belongs."""

from __future__ import annotations

import os
import subprocess
import sys
import types

import keras
import matplotlib.pyplot
import numpy as np
import pytest
from PIL import Image

import ganzoo
from ganzoo import plot

pytestmark = pytest.mark.backend_free


def read(path):
    return np.asarray(Image.open(path))


def numbered(number, channels=1):
    """2 x 3 images, the i-th of value i + 1."""
    return np.ones((number, 2, 3, channels), "uint8") * np.arange(1, number + 1, dtype="uint8")[:, None, None, None]


def test_image_grid_puts_images_row_by_row():
    grid = plot.image_grid(numbered(3), columns=2, padding=1, background=9)
    assert grid.dtype == np.uint8
    expected = [
        [9, 9, 9, 9, 9, 9, 9, 9, 9],
        [9, 1, 1, 1, 9, 2, 2, 2, 9],
        [9, 1, 1, 1, 9, 2, 2, 2, 9],
        [9, 9, 9, 9, 9, 9, 9, 9, 9],
        [9, 3, 3, 3, 9, 9, 9, 9, 9],
        [9, 3, 3, 3, 9, 9, 9, 9, 9],
        [9, 9, 9, 9, 9, 9, 9, 9, 9],
    ]
    np.testing.assert_array_equal(grid[..., 0], expected)


def test_image_grid_of_colours_without_padding():
    images = np.random.default_rng(0).integers(256, size=(4, 5, 6, 3), dtype="uint8")
    grid = plot.image_grid(images, padding=0)
    np.testing.assert_array_equal(grid, np.block([[[images[0]], [images[1]]], [[images[2]], [images[3]]]]))


@pytest.mark.parametrize(("number", "columns"), [(1, 1), (2, 2), (3, 3), (6, 3), (7, 3), (10, 5), (13, 4), (64, 8)])
def test_image_grid_is_nearly_square_and_leaves_no_gap_if_it_can(number, columns):
    assert plot.image_grid(numbered(number), padding=0).shape[1] == 3 * columns


def test_floats_are_rounded_to_the_nearest_step():
    images = np.array([-1.0, 0.0, 1.0, 1 / 127.5 * 0.6], "float32").reshape(4, 1, 1, 1)
    assert plot.image_grid(images, columns=4, padding=0)[0, :, 0].tolist() == [0, 128, 255, 128]


@pytest.mark.parametrize(
    ("images", "problem"),
    [
        (np.zeros((4, 8, 8), "uint8"), "height, width, channels"),
        (np.zeros((4, 8, 8, 0), "uint8"), "height, width, channels"),
        (np.zeros((0, 8, 8, 1), "uint8"), "height, width, channels"),
        (np.full((4, 8, 8, 1), 200.0), r"\[-1, 1\]"),
        (np.full((4, 8, 8, 1), -2.0), r"\[-1, 1\]"),
        (np.zeros((4, 8, 8, 1), "int64"), "uint8 or float"),
    ],
)
def test_bad_images_are_refused(images, problem):
    with pytest.raises(ValueError, match=problem):
        plot.image_grid(images)


def test_two_channels_are_red_and_green_and_of_many_the_first_three_are_seen():
    images = np.random.default_rng(0).integers(256, size=(3, 4, 5, 7), dtype="uint8")
    np.testing.assert_array_equal(plot.image_grid(images), plot.image_grid(images[..., :3]))
    grid = plot.image_grid(images[..., :2], columns=3, padding=0)
    np.testing.assert_array_equal(grid[..., :2], np.concatenate(list(images[..., :2]), axis=1))
    assert grid.shape == (4, 15, 3) and not grid[..., 2].any()


@pytest.mark.parametrize("background", [255, 100])
def test_transparent_images_lie_on_the_background(background):
    image = np.array([[[10, 200, 30, 0], [10, 200, 30, 255], [0, 100, 200, 51]]], "uint8")  # 51 is a fifth
    grid = plot.image_grid(image[None], padding=1, background=background)
    under = [np.rint(0.8 * background + 0.2 * value) for value in (0, 100, 200)]
    assert grid.shape == (3, 5, 3) and (grid[0] == background).all()
    np.testing.assert_array_equal(grid[1, 1:4], [[background] * 3, [10, 200, 30], under])


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (2, "LA"), (3, "RGB"), (4, "RGBA"), (5, "RGB")])
def test_a_single_image_keeps_the_channels_that_a_png_can_have(tmp_path, channels, mode):
    image = np.random.default_rng(0).integers(256, size=(4, 5, channels), dtype="uint8")
    with Image.open(plot.save_png(tmp_path / "one.png", image)) as written:
        assert written.mode == mode
        np.testing.assert_array_equal(np.asarray(written).reshape(4, 5, -1), image[..., : len(mode)])


def test_what_can_be_drawn():
    assert all(plot.drawable(shape) for shape in [(8, 8, 1), (8, 8, 2), (8, 8, 12), (None, None, 3), (1,), (2,)])
    assert not any(plot.drawable(shape) for shape in [(3,), (64, 2), (8, 8, 8, 1)])


def test_bad_layouts_are_refused(tmp_path):
    with pytest.raises(ValueError, match="columns=0"):
        plot.image_grid(numbered(4), columns=0)
    for scale in (0, 1.5):
        with pytest.raises(ValueError, match=f"scale={scale}"):
            plot.save_png(tmp_path / "x.png", numbered(4), scale=scale)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("channels", [1, 3])
def test_save_png_of_a_batch_and_of_one_image(tmp_path, channels):
    images = np.random.default_rng(0).integers(256, size=(6, 4, 5, channels), dtype="uint8")
    sheet = plot.image_grid(images)
    assert plot.save_png(tmp_path / "batch.png", images, scale=3) == tmp_path / "batch.png"
    plot.save_png(tmp_path / "one.png", sheet)
    one = read(tmp_path / "one.png")
    assert one.shape == (sheet.shape[:2] if channels == 1 else sheet.shape)
    np.testing.assert_array_equal(one.reshape(sheet.shape), sheet)
    large = read(tmp_path / "batch.png")
    assert large.shape[:2] == (3 * one.shape[0], 3 * one.shape[1])
    for row, column in np.ndindex(3, 3):
        np.testing.assert_array_equal(large[row::3, column::3], one)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    (tmp_path / "sheet.png").write_text("old")

    def write(file):
        file.write(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        plot.write_beside(tmp_path / "sheet.png", write)
    assert os.listdir(tmp_path) == ["sheet.png"]
    assert (tmp_path / "sheet.png").read_text() == "old"


@pytest.mark.skipif(os.name == "nt", reason="has no harmless way to ask whether a process runs")
def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dead = [f".epoch_0002.png.{ended.pid}", f".samples.gif.{ended.pid}", f".epoch_0003.png.{os.getpid()}"]
    kept = [f".epoch_0002.png.{os.getppid()}", f".notes.txt.{ended.pid}", "epoch_0002.png", ".epoch_0002.png.old"]
    for name in dead + kept:
        (tmp_path / name).write_bytes(b"half")
    plot.remove_leftovers(tmp_path, r"epoch_[0-9]+\.png|samples\.gif")
    assert sorted(os.listdir(tmp_path)) == sorted(kept)


def test_save_gif_keeps_frames_and_order(tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(5)]
    for index, path in enumerate(paths):
        plot.save_png(path, np.full((1, 8, 8, 3), [[[[50 * index, 0, 250]]]], "uint8"))
    plot.save_gif(tmp_path / "all.gif", paths)
    with Image.open(tmp_path / "all.gif") as gif:
        assert gif.n_frames == 5
        durations = []
        for index in range(5):
            gif.seek(index)
            durations.append(gif.info["duration"])
            assert np.abs(np.asarray(gif.convert("RGB"))[5, 5] - np.array([50 * index, 0, 250])).max() <= 8
    assert durations == [500] * 4 + [2000]
    with pytest.raises(ValueError, match="at least one"):
        plot.save_gif(tmp_path / "none.gif", [])


def test_slerp_keeps_to_the_sphere_and_its_ends():
    start, end = np.random.default_rng(0).normal(size=(2, 7, 16))
    start, end = (3 * v / np.linalg.norm(v, axis=1, keepdims=True) for v in (start, end))
    np.testing.assert_allclose(ganzoo.latent.slerp(start, end, 0.0), start, atol=1e-12)
    np.testing.assert_allclose(ganzoo.latent.slerp(start, end, 1.0), end, atol=1e-12)
    angle = np.arccos((start * end).sum(1) / 9)
    for fraction in (0.1, 0.5, 0.7):
        point = ganzoo.latent.slerp(start, end, fraction)
        np.testing.assert_allclose(np.linalg.norm(point, axis=1), 3, atol=1e-9)
        np.testing.assert_allclose(np.arccos((start * point).sum(1) / 9), fraction * angle, atol=1e-9)
    np.testing.assert_allclose(
        ganzoo.latent.slerp(np.eye(2)[0], np.eye(2)[1], 1 / 3), [np.sqrt(3) / 2, 0.5], atol=1e-12
    )
    np.testing.assert_allclose(ganzoo.latent.slerp(start, 2 * start, 0.5), 1.5 * start, atol=1e-9)  # parallel: a line


def remembering(kind, *args, **kwargs):
    """A small model that draws nothing, and keeps what it was asked to draw from."""

    class Remembering(kind):
        def generate(self, n, seed=None, **inputs):
            self.told = self._inputs_for(self._generator_of(inputs), n, seed, inputs)
            return np.zeros((n, *self.image_shape), "uint8")

        def predict(self, latents, verbose):
            self.told = {"latents": latents}
            return np.tanh(latents[:, :1, None, None]) * np.ones((1, *self.image_shape), "float32")

    return Remembering(*args, **kwargs)


def small_cgan():
    return remembering(ganzoo.CGAN, (16, 16, 1), num_classes=5, latent_dim=4, width=2)


def test_interpolate_goes_from_one_latent_to_the_other():
    model = remembering(ganzoo.DCGAN, (16, 16, 1), latent_dim=4, width=2)
    images = ganzoo.latent.interpolate(model, num_steps=5, num_paths=3, seed=7)
    assert images.shape == (15, 16, 16, 1) and images.dtype == np.uint8
    paths = model.told["latents"].reshape(3, 5, 4)
    assert paths.dtype == np.float32
    start, end = np.random.default_rng(7).normal(size=(2, 3, 4))
    np.testing.assert_allclose(paths[:, 0], start, rtol=1e-6)
    np.testing.assert_allclose(paths[:, -1], end, rtol=1e-6)
    np.testing.assert_allclose(paths[:, 2], ganzoo.latent.slerp(start, end, 0.5), rtol=1e-5)
    np.testing.assert_array_equal(
        images[..., 0, 0, 0], plot.image_grid(np.tanh(model.told["latents"][:, :1, None, None]), 15, 0)[0, :, 0]
    )
    with pytest.raises(ValueError, match="num_steps=1"):
        ganzoo.latent.interpolate(model, num_steps=1)
    with pytest.raises(ValueError, match="knows no `labels`"):
        ganzoo.latent.interpolate(model, labels=3)


@pytest.mark.parametrize(("labels", "expected"), [(3, [3] * 8), ([3], [3] * 8), ([1, 4], [1] * 4 + [4] * 4)])
def test_interpolate_holds_a_condition_along_a_path(labels, expected):
    model = small_cgan()
    assert ganzoo.latent.interpolate(model, num_steps=4, num_paths=2, seed=7, labels=labels).shape == (8, 16, 16, 1)
    assert model.told["labels"].tolist() == expected
    start, end = np.random.default_rng(7).normal(size=(2, 2, 4))
    np.testing.assert_allclose(
        model.told["latents"].reshape(2, 4, 4)[:, 1], ganzoo.latent.slerp(start, end, 1 / 3), rtol=1e-5
    )


def test_interpolate_must_be_told_the_conditions():
    with pytest.raises(ValueError, match=r"generate\(..., labels=...\)"):
        ganzoo.latent.interpolate(small_cgan())
    with pytest.raises(ValueError, match=r"one for each of the 2\. Received: 3"):
        ganzoo.latent.interpolate(small_cgan(), num_paths=2, labels=[0, 1, 2])
    with pytest.raises(ValueError, match=r"knows no `label`\. Did you mean 'labels'"):
        ganzoo.latent.interpolate(small_cgan(), label=3)
    with pytest.raises(ValueError, match="The path moves `latents`"):
        ganzoo.latent.interpolate(small_cgan(), labels=3, latents=np.zeros(4))


class InACube(ganzoo.CGAN):
    """Its latents fill a cube, and have a further one beside them."""

    def __init__(self):
        inputs = {name: keras.Input((n,), name=name) for name, n in {"latents": 6, "codes": 3}.items()}
        x = keras.layers.Concatenate()(list(inputs.values()))
        images = keras.layers.Reshape((16, 16, 1))(keras.layers.Dense(256, "tanh")(x))
        super().__init__((16, 16, 1), generator=keras.Model(inputs, images), width=2)

    def latents(self, num, reach=1.0):
        codes = self.noise("normal", (num, 3))
        return {"codes": codes, "latents": reach * (2 * self.noise("uniform", (num, 6)) - 1)}


def test_interpolate_follows_the_models_own_latents():
    model = remembering(InACube)
    ganzoo.latent.interpolate(model, num_steps=3, num_paths=2, seed=5)
    drawn = model.seeded_latents(4, seed=5)
    paths = model.told["latents"].reshape(2, 3, 6)
    np.testing.assert_array_equal(paths[:, [0, 2]], drawn["latents"].reshape(2, 2, 6).swapaxes(0, 1))
    np.testing.assert_allclose(paths[:, 1], (paths[:, 0] + paths[:, 2]) / 2, rtol=1e-5)  # straight, within the cube
    np.testing.assert_array_equal(model.told["codes"], drawn["codes"][:2].repeat(3, axis=0))
    ganzoo.latent.interpolate(model, num_steps=3, num_paths=2, seed=5, reach=0.5, codes=np.eye(3)[0])
    np.testing.assert_allclose(model.told["latents"].reshape(2, 3, 6), paths / 2, rtol=1e-6)
    np.testing.assert_array_equal(model.told["codes"], np.eye(3)[[0] * 6])
    ganzoo.latent.interpolate(model, num_steps=3, num_paths=2, codes=np.eye(3)[:2])
    np.testing.assert_array_equal(model.told["codes"], np.eye(3)[[0, 0, 0, 1, 1, 1]])


def test_scatter_of_two_dimensions_and_of_one():
    samples = np.random.default_rng(0).uniform(-2, 2, size=(500, 2))
    (axes,) = plot.scatter(samples, title="ring").axes
    np.testing.assert_allclose(axes.collections[0].get_offsets(), samples)
    assert axes.get_xlim() == axes.get_ylim() == (-2.5, 2.5)  # of 1.25, 2.5, 5 ... the first that holds them
    assert axes.get_title() == "ring"
    (axes,) = plot.scatter(samples[:, :1], limit=4).axes
    assert axes.get_xlim() == (-4, 4)
    assert sum(bar.get_height() * bar.get_width() for bar in axes.patches) == pytest.approx(1)
    plot.scatter(np.full((5, 2), np.nan))  # of a diverged model
    with pytest.raises(ValueError, match=r"\(5, 3\)"):
        plot.scatter(np.zeros((5, 3)))


LOG = {"discriminator_loss": [1.0, 0.9, 0.8], "generator_loss": [0.7, 0.8, 1.0], "loss": [1.7, 1.7, 1.8]}


def lines(figure):
    return {
        axes.get_title(): {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines}
        for axes in figure.axes
    }


def test_curves_of_a_dict_a_history_and_a_csv_file_are_the_same(tmp_path):
    expected = {
        "loss": {
            "discriminator loss": ([1, 2, 3], LOG["discriminator_loss"]),
            "generator loss": ([1, 2, 3], LOG["generator_loss"]),
        }
    }
    assert lines(plot.curves(LOG)) == expected
    history = keras.callbacks.History()
    history.on_train_begin()
    logger = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    logger.set_model(types.SimpleNamespace(stop_training=False))
    logger.on_train_begin()
    for epoch in range(3):
        logs = {name: values[epoch] for name, values in LOG.items()}
        history.set_model(types.SimpleNamespace())
        history.on_epoch_end(epoch, logs)
        logger.on_epoch_end(epoch, logs)
    logger.on_train_end()
    assert lines(plot.curves(history)) == expected
    assert lines(plot.curves(tmp_path / "log.csv")) == expected


def test_curves_of_a_resumed_training_keep_their_epochs():
    history = types.SimpleNamespace(epoch=[7, 8], history={"loss": [1.0, 2.0]})
    assert lines(plot.curves(history)) == {"loss": {"loss": ([8, 9], [1, 2])}}


def test_curves_have_a_panel_for_each_kind_of_value():
    log = {**LOG, "step": [100, 200, 300], "real_accuracy": [0.5] * 3, "fake_accuracy": [0.6] * 3, "fid": [9, 8, 7]}
    log["name"] = ["a", "b", "c"]  # no numbers: left out
    figure = plot.curves(log)
    drawn = lines(figure)
    assert {title: set(names) for title, names in drawn.items()} == {
        "loss": {"discriminator loss", "generator loss"},
        "accuracy": {"real accuracy", "fake accuracy"},
        "fid": {"fid"},
    }
    assert drawn["fid"]["fid"] == ([100, 200, 300], [9, 8, 7])
    assert {axes.get_xlabel() for axes in figure.axes} == {"step"}


def test_long_curves_are_smoothed_without_a_shift():
    values = np.arange(1000.0)
    (axes,) = plot.curves({"loss": values}).axes
    faint, mean = axes.lines
    np.testing.assert_array_equal(faint.get_ydata(), values)
    assert len(mean.get_xdata()) > 950
    np.testing.assert_allclose(mean.get_xdata(), mean.get_ydata() + 1, atol=0.51)  # a line stays where it is


def test_curves_are_written_and_pyplot_is_left_alone(tmp_path):
    figure = plot.curves(LOG, tmp_path / "curves.png")
    assert read(tmp_path / "curves.png").shape[0] == figure.get_figheight() * figure.dpi
    plot.curves(LOG, tmp_path / "curves.svg")
    assert "<svg" in (tmp_path / "curves.svg").read_text()
    assert len(os.listdir(tmp_path)) == 2
    assert matplotlib.pyplot.get_fignums() == []


@pytest.mark.parametrize("log", [{}, {"loss": []}, {"loss": ["x"]}])
def test_a_log_without_numbers_is_refused(log):
    with pytest.raises(ValueError, match="nothing to draw"):
        plot.curves(log)
