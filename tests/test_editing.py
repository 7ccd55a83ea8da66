"""Editing by hand: constraints, edits, the encoder's guess, the way back to the picture."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops
from scipy import ndimage

import ganzoo
from ganzoo import editing, latent

RNG = np.random.default_rng(0)
SIZE = 16


@keras.saving.register_keras_serializable(package="tests")
class Disc(keras.layers.Layer):
    """A soft disc: latents say where, and how bright."""

    def __init__(self, channels, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels

    def call(self, latents):
        rows, columns = (ops.convert_to_tensor(each.astype("float32") - 7.5) for each in np.indices((SIZE, SIZE)))
        y, x, light = (latents[:, i, None, None] for i in range(3))
        far = ops.square(rows - 2.5 * y) + ops.square(columns - 2.5 * x)
        return ops.repeat((ops.sigmoid(light) * 2 * ops.exp(-far / 8) - 1)[..., None], self.channels, axis=-1)

    def get_config(self):
        return {**super().get_config(), "channels": self.channels}


@keras.saving.register_keras_serializable(package="tests")
class Darker(keras.layers.Layer):
    """Half as bright for the label 1."""

    def call(self, images, labels):
        return (images + 1) * (1 - ops.cast(labels, "float32")[:, None, None, None] / 2) - 1


class Blob(ganzoo.GAN):
    """All that it can draw is known."""

    def __init__(self, labelled=False):
        shape = (SIZE, SIZE, 1)
        latents, labels = keras.Input((3,), name="latents"), keras.Input((), name="labels", dtype="int32")
        images = Disc(1, name="disc")(latents)
        images = Darker(name="darker")(images, labels) if labelled else images
        image = keras.Input(shape)
        judge = keras.Model(image, keras.layers.Dense(1)(keras.layers.Flatten()(image)))
        data = {"images": ganzoo.Images(shape), "labels": ganzoo.Labels(2)} if labelled else None
        inputs = {"latents": latents, "labels": labels} if labelled else latents
        super().__init__(keras.Model(inputs, images), judge, **({"data": data} if labelled else {}))


def value(constraint, images):
    return ops.convert_to_numpy(constraint(ops.convert_to_tensor(np.asarray(images, "float32"))))


def box(top, bottom, left, right, size=SIZE):
    mask = np.zeros((size, size), bool)
    mask[top:bottom, left:right] = True
    return mask


# --- Constraints


def test_a_stroke_is_its_formula():
    images, soft = RNG.uniform(-1, 1, (3, 6, 5, 3)), RNG.uniform(0, 1, (6, 5))
    colour = np.array([255, 0, 127.5])
    wanted = np.einsum("hw,nhwc->n", soft, np.square(images - (colour / 127.5 - 1))) / soft.sum() / 3
    np.testing.assert_allclose(value(editing.stroke(soft, colour, weight=2.0), images), 2 * wanted, rtol=1e-5)
    picture = RNG.integers(0, 256, (6, 5, 3), "uint8")
    own = ganzoo.data.to_float(picture)[None]
    np.testing.assert_allclose(value(editing.stroke(soft, picture), own), 0, atol=1e-9)
    one = np.zeros((6, 5))
    one[2, 3] = 1
    np.testing.assert_allclose(
        value(editing.stroke(one, 0), images), np.square(images[:, 2, 3] + 1).mean(axis=-1), rtol=1e-5
    )


def test_a_part_is_wanted_elsewhere():
    picture, mask = RNG.integers(0, 256, (8, 8, 1), "uint8"), box(1, 3, 1, 4, 8)
    shifted = np.roll(picture, (3, -2), axis=(0, 1))
    error = value(editing.moved(picture, mask, (3, -2)), ganzoo.data.to_float(np.stack([shifted, picture])))
    assert error[0] == pytest.approx(0, abs=1e-9) and error[1] > 0.01  # the column that left the image is not asked for
    with pytest.raises(ValueError, match="moved out of the image"):
        editing.moved(picture, mask, (8, 0))


@pytest.mark.parametrize("angle", [0, 30, 90, 135])
def test_a_sketch_asks_for_directions_and_nothing_else(angle):
    def edge(degrees, low=-1.0, high=1.0):
        rows, columns = np.indices((32, 32)) - 15.5
        side = columns * np.cos(np.radians(degrees)) + rows * np.sin(np.radians(degrees))
        return low + (high - low) / (1 + np.exp(-2 * side))

    rows, columns = np.indices((32, 32)) - 15.5
    lines = np.abs(columns * np.cos(np.radians(angle)) + rows * np.sin(np.radians(angle))) < 1
    others = [edge(angle), edge(angle, 0.3, -0.3), edge(angle + 45), edge(angle + 90), np.zeros((32, 32))]
    own, weak, askew, across, flat = value(editing.sketch(lines), np.stack(others)[..., None])
    assert own < 0.35 and weak == pytest.approx(own, abs=0.1)  # strength and bright side are free
    assert askew > 3 * own and across > askew and 0.9 < flat < 1.1


def test_a_sketch_has_a_gradient_where_nothing_changes():
    from ganzoo.engine import backend

    error = editing.sketch(box(2, 14, 7, 8))
    slope = ops.convert_to_numpy(backend.input_gradient(error, ops.zeros((1, SIZE, SIZE, 1)) + 0.2))
    assert np.isfinite(slope).all()


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: editing.stroke(np.zeros((4, 4)), 0), "the mask is empty"),
        (lambda: editing.stroke(np.ones((4, 4, 1)), 0), r"\(height, width\), bool or from 0 to 1"),
        (lambda: editing.stroke(np.full((4, 4), 255), 0), "from 0 to 1"),
        (lambda: editing.stroke(np.ones((4, 4)), 256), "from 0 to 255"),
        (lambda: editing.stroke(np.ones((4, 4)), np.zeros((5, 4, 1), "uint8")), "one size"),
        (lambda: editing.stroke(np.ones((4, 4)), np.zeros((4, 4, 1))), "an image, uint8"),
        (lambda: editing.stroke(np.ones((4, 4)), []), "A colour is"),
        (lambda: editing.stroke(np.ones((4, 4)), 1, np.nan), "weight=nan"),
        (lambda: editing.moved(np.zeros((4, 4, 1), "uint8"), np.ones((4, 4)), 6), "how many pixels down"),
        (lambda: editing.moved(np.zeros((4, 4, 1)), np.ones((4, 4)), (1, 1)), "The image is uint8"),
        (lambda: editing.sketch(np.eye(8), cell=2.0), "cell=2.0"),
        (lambda: editing.sketch(np.ones((8, 8))), "no edge"),
        (lambda: editing.sketch(np.eye(8), cell=9), "cell=9"),
        (lambda: value(editing.stroke(np.ones((4, 4)), (1, 2)), np.zeros((1, 4, 4, 3))), "3 channels"),
        (lambda: value(editing.stroke(np.ones((4, 4)), 1), np.zeros((1, 5, 4, 3))), "5 x 4 pixels"),
    ],
)
def test_what_was_not_drawn_is_told(make, match):
    with pytest.raises(ValueError, match=match):
        make()


# --- Edits


def test_an_edit_follows_the_stroke_and_stays_near():
    model = Blob()
    origin = np.array([-1.0, -1.0, 2.0], "float32")
    wanted = model.generate(latents=np.array([[1.0, 1.2, 2.0]], "float32"))[0]
    stroke = [editing.stroke(box(7, 14, 7, 14), wanted)]
    options = {"candidates": 3, "starts": 8, "steps": 80, "closeness": 0.02, "spread": 0.5}
    found = editing.edit(model, stroke, origin, **options)
    assert found.images.shape == (3, SIZE, SIZE, 1) and found.images.dtype == np.uint8
    assert (np.diff(found.error) >= 0).all() and found.error[0] < 0.05 * found.start_error
    np.testing.assert_array_equal(found.images, model.generate(latents=found.latents))
    again = editing.edit(model, stroke, origin, **options)
    np.testing.assert_array_equal(again.latents, found.latents)
    options = {"candidates": 1, "starts": 1, "steps": 80}
    near, free = (editing.edit(model, stroke, origin, closeness=c, **options) for c in (1.0, 0.0))
    far = [np.linalg.norm(each.latents[0] - origin) for each in (near, free)]
    assert far[0] < 0.5 * far[1] and near.error[0] > free.error[0]


def test_without_an_image_it_begins_at_what_follows_best():
    model = Blob()
    stroke = editing.stroke(box(2, 6, 2, 6), 200)
    found = editing.edit(model, [stroke], candidates=2, starts=4, steps=40, num_drawn=200)
    pool = model.generate(200, seed=0)
    assert found.start_error == pytest.approx(value(stroke, ganzoo.data.to_float(pool)).min(), abs=1e-3)
    assert found.error[0] <= found.start_error
    both = editing.edit(model, [stroke, lambda x: 0 * ops.mean(x, axis=(1, 2, 3)) + 1], steps=2, num_drawn=50, starts=8)
    assert (both.error >= 1).all()


def test_labels_are_held_and_mistakes_told():
    model = Blob(labelled=True)
    stroke = editing.stroke(box(4, 12, 4, 12), 255)
    found = editing.edit(model, [stroke], np.zeros(3), candidates=2, starts=4, steps=10, labels=1)
    np.testing.assert_array_equal(found.images, model.generate(latents=found.latents, labels=1))
    frames = editing.morph(model, np.zeros(3), found.latents[0], steps=5, labels=1)
    np.testing.assert_array_equal(frames[-1], found.images[0])
    assert frames.shape == (5, SIZE, SIZE, 1)
    middle = model.generate(latents=found.latents[:1] / 2, labels=1)[0].astype(int)
    assert np.abs(frames[2] - middle).max() <= 1
    with pytest.raises(ValueError, match="of one image"):
        editing.edit(model, [stroke], np.zeros((1, 3)), labels=1)
    for options in ({"closeness": np.nan}, {"learning_rate": -1.0}, {"spread": "wide"}):
        with pytest.raises(ValueError, match="finite number, not below 0"):
            editing.edit(model, [stroke], labels=1, **options)
    for wrong in (lambda x: ops.mean(x), lambda x: ops.mean(x, axis=(1, 2, 3)) * float("nan")):
        with pytest.raises(ValueError, match="to n finite numbers"):
            editing.edit(model, wrong, np.zeros(3), labels=1)
    for draw in (partial(editing.edit, model, [stroke]), partial(editing.morph, model, np.zeros(3), np.zeros(3))):
        with pytest.raises(ValueError, match="one for all images"):
            draw(labels=[0, 1])
    with pytest.raises(ValueError, match="not all finite"):
        editing.edit(model, [stroke], np.full(3, np.nan), labels=1)
    with pytest.raises(ValueError, match="0 constraints"):
        editing.edit(model, [], labels=1)
    with pytest.raises(ValueError, match="candidates=8, starts=4"):
        editing.edit(model, [stroke], starts=4, labels=1)
    with pytest.raises(ValueError, match="two images"):
        editing.morph(model, np.zeros(3), np.zeros(3), steps=1, labels=1)
    with pytest.raises(ValueError, match="of one image are"):
        editing.morph(model, np.zeros(4), np.zeros(3), labels=1)
    with pytest.raises(ValueError, match="16 x 16 pixels: draw at that size"):
        editing.edit(model, [editing.stroke(np.ones((8, 8)), 0)], labels=1)


# --- The encoder's guess


@pytest.mark.parametrize("labelled", [False, True])
def test_the_encoder_guesses_and_the_hybrid_is_nearer(labelled):
    keras.utils.set_random_seed(0)
    model = Blob(labelled=labelled)
    told = {"labels": 1} if labelled else {}
    latents = np.random.default_rng(5).normal(0, 0.7, (64, 3)).astype("float32")
    real = model.generate(latents=latents, **told)
    was = [each.trainable for each in (model.generator, model.generator_ema)]
    options = {"width": 8, "num_drawn": 512, "epochs": 20, "batch_size": 32, "learning_rate": 3e-3}
    weights = [w.copy() for w in model.generator_ema.get_weights()]
    encoder = editing.fit_encoder(model, real, **options, **told)
    assert [each.trainable for each in (model.generator, model.generator_ema)] == was
    for before, after in zip(weights, model.generator_ema.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    found = editing.invert(model, real[:8], encoder, steps=30, **told)
    np.testing.assert_array_equal(
        found.nearest, model.generate(latents=model.answers(real[:8], network=encoder), **told)
    )
    middle = np.sqrt(np.square(real[:8] - real.mean(axis=0)).mean((1, 2, 3)))
    assert found.nearest_error.mean() < middle.mean() and found.error.mean() < 0.5 * found.nearest_error.mean()


def test_the_encoder_may_be_told_a_label_for_each():
    model = Blob(labelled=True)
    labels = np.arange(40) % 2
    real = model.generate(40, seed=1, labels=labels)
    encoder = editing.fit_encoder(model, real, width=2, num_drawn=50, epochs=1, labels=labels)
    assert encoder.output.shape == (None, 3)
    for images in (None, real[:30]):
        with pytest.raises(ValueError, match="one for all images"):
            editing.fit_encoder(model, images, width=2, num_drawn=50, labels=labels)
    for options, match in (({"begin": np.zeros((1, 3))}, "begins"), ({"starts": 8}, "starts=8")):
        with pytest.raises(ValueError, match=match):
            editing.invert(model, real[:1], encoder, labels=1, **options)
    with pytest.raises(ValueError, match=r"fit_encoder\(model, images\)"):
        editing.invert(model, real[:1], None, labels=1)


@pytest.mark.parametrize("variant", ["cgan", "biggan", "infogan"])
def test_variants_of_several_inputs(variant):
    keras.utils.set_random_seed(1)
    model = ganzoo.models.get_model(variant)
    model = model(**model.tiny, seed=0)
    told = {"labels": 1} if "labels" in model.conditions() else {}
    generator = model.generator_ema
    generator.trainable, weights = True, generator.get_weights()
    generator.layers[-1].trainable = False
    flags = [layer.trainable for layer in generator._flatten_layers()]
    real = model.generate(8, seed=3, **told)
    encoder = editing.fit_encoder(model, real, width=2, num_drawn=16, epochs=1, batch_size=8, **told)
    assert [layer.trainable for layer in generator._flatten_layers()] == flags
    for before, after in zip(weights, generator.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    found = editing.invert(model, real[:2], encoder, steps=2, **told)
    stroke = editing.stroke(box(4, 12, 4, 12, model.image_shape[0]), 255)
    for latents in (found.latents[0], None):
        options = {"candidates": 2, "starts": 4, "steps": 3, "num_drawn": 8, **told}
        edited = editing.edit(model, stroke, latents, **options)
        np.testing.assert_array_equal(edited.images, model.generate(**edited.inputs))
        frames = editing.morph(model, found.latents[0], edited.latents[0], steps=3, **told)
        np.testing.assert_array_equal(frames[-1], edited.images[0])


# --- The way back to the picture


def picture(size):
    """A soft square on a ramp, with fine stripes where `size` is large."""
    rows, columns = np.indices((size, size)) / size
    image = 40 + 60 * rows + 110 * ((np.abs(rows - 0.45) < 0.2) & (np.abs(columns - 0.4) < 0.2))
    image = ndimage.gaussian_filter(image, size / 32)
    return image + (20 * np.sin(columns * size * 1.2) if size > 32 else 0)


def as_image(values):
    return np.clip(np.rint(values), 0, 255).astype("uint8")[..., None]


@pytest.mark.backend_free
def test_a_movement_is_done_to_the_picture():
    small, large = picture(32), picture(96)
    frames = np.stack([as_image(ndimage.shift(small, (0, x), order=1, mode="nearest")) for x in (0, 1, 2, 3)])
    found = editing.transfer(as_image(large), frames)
    assert found.error < 0.1 * found.change, (found.error, found.change)
    inside = (slice(8, 20), slice(10, 22))
    np.testing.assert_allclose(np.median(found.flow[inside][..., 1]), -3, atol=0.1)
    wanted = ndimage.shift(large, (0, 9), order=1, mode="nearest")[:, 12:-12]
    error, undone = (np.abs(x[:, 12:-12] - wanted).mean() for x in (found.image[..., 0].astype(float), large))
    assert found.image.shape == (96, 96, 1) and error < 0.15 * undone, (error, undone)


@pytest.mark.backend_free
def test_colours_change_and_details_stay():
    small, large = picture(32), picture(96)
    colours = np.stack([as_image(small * k)[..., 0] for k in (1, 0.9, 0.8)])[..., None].repeat(3, axis=-1)
    colours[..., 2] = colours[0, ..., 2]  # blue stays
    found = editing.transfer(as_image(large).repeat(3, axis=-1), colours)
    before = as_image(large).repeat(3, axis=-1).astype(float)
    blurred, was = (ndimage.gaussian_filter(each, (4, 4, 0)) for each in (found.image.astype(float), before))
    np.testing.assert_allclose(blurred[..., 0], 0.8 * was[..., 0], atol=8)
    np.testing.assert_allclose(blurred[..., 2], was[..., 2], atol=6)
    details, known = found.image - blurred, before - was
    assert np.corrcoef(details[8:-8, 8:-8, 0].ravel(), known[8:-8, 8:-8, 0].ravel())[0, 1] > 0.9
    same = editing.transfer(as_image(large), as_image(small)[None].repeat(2, axis=0))
    assert np.abs(same.image.astype(int) - as_image(large)).max() <= 1 and same.error == same.change == 0


@pytest.mark.backend_free
def test_what_cannot_be_transferred_is_told():
    frames = np.zeros((2, 8, 8, 1), "uint8")
    with pytest.raises(ValueError, match="two or more"):
        editing.transfer(frames[0], frames[:1])
    for wrong in (np.zeros((8, 8, 3), "uint8"), np.zeros((16, 32, 1), "uint8"), np.zeros((8, 8, 1), "float32")):
        with pytest.raises(ValueError, match="proportions"):
            editing.transfer(wrong, frames)


def test_a_descent_sees_each_row_by_itself():
    model = Blob()
    drawn = {"latents": np.random.default_rng(0).normal(size=(3, 3)).astype("float32")}
    draw = latent.descent.drawing(model, drawn, "latents", {})
    target = ops.convert_to_tensor(model.predict(np.zeros((1, 3), "float32"), verbose=0))

    def error(moved):
        return ops.mean(ops.square(draw(moved) - target), axis=(1, 2, 3))

    edge = np.full(3, 3.0)
    for method in latent.descent.METHODS.values():
        together, least = method(error, drawn["latents"], -edge, edge, 15, 0.1)
        draw_one = latent.descent.drawing(model, {"latents": drawn["latents"][1:2]}, "latents", {})
        alone, _ = method(
            lambda moved, draw_one=draw_one: ops.mean(ops.square(draw_one(moved) - target), axis=(1, 2, 3)),
            drawn["latents"][1:2],
            -edge,
            edge,
            15,
            0.1,
        )
        np.testing.assert_allclose(together[1], alone[0], atol=2e-3)
        assert (least < ops.convert_to_numpy(error(ops.convert_to_tensor(drawn["latents"])))).all()


@pytest.mark.backend_free
def test_the_table(tmp_path, monkeypatch, data_dir, capsys):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[1] / "scripts"))
    import editing as script

    few = ["--images", "2", "--edited", "2", "--train", "64", "--epochs", "1", "--steps", "3", "--starts", "4"]
    paths = ["--data-dir", str(data_dir), "--json", str(tmp_path / "t.json"), "--pictures", str(tmp_path)]
    script.main(["--presets", "dcgan-mnist", *few, *paths])
    row = json.loads((tmp_path / "t.json").read_text())["dcgan-mnist"]
    assert row["hybrid"] <= row["encoder"] and row["optimisation of 4"] <= row["optimisation"] <= row["nearest drawn"]
    assert row["after"] < row["under the stroke, before"] and np.isfinite(list(row.values())).all()
    assert (tmp_path / "edited-dcgan-mnist.png").is_file() and "hybrid" in capsys.readouterr().out
