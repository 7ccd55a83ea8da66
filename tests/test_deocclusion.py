"""De-occlusion: occluders and their families, the composition, the losses, the mask, the recipe, the table."""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import skimage.morphology
from keras import ops

import ganzoo
from ganzoo import metrics
from ganzoo.data.occluders import COVERAGE, SHAPES, num_draws, occlude
from ganzoo.networks.deocclusion import deocclusion_generator
from ganzoo.zoo import presets, training

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

import deocclusion

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (24, 16, 16, 1), "uint8")


def squares(num, side=28, channels=1, seed=0):
    """A bright square on black, somewhere."""
    rng = np.random.default_rng(seed)
    images = np.zeros((num, side, side, channels), "uint8")
    for image, (top, left) in zip(images, rng.integers(0, side - 12, (num, 2))):
        image[top : top + 12, left : left + 12] = rng.integers(150, 255)
    return images


def tiny(**kwargs):
    keras.utils.set_random_seed(0)
    return ganzoo.Deocclusion((16, 16, 1), width=4, seed=0, **kwargs)


def values(x):
    return ops.convert_to_numpy(x)


# --- Occluders


@pytest.mark.backend_free
@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("size", [(28, 28, 1), (32, 48, 3), (9, 20, 4)], ids=str)
def test_occluders_cover_what_they_should_and_leave_the_rest(shapes, size):
    images = np.random.default_rng(1).integers(0, 256, (300, *size), "uint8")
    hidden, masks = ganzoo.data.occluded(images, seed=3, shapes=shapes)
    assert hidden.dtype == np.uint8 and hidden.shape == images.shape
    assert masks.dtype == bool and masks.shape == (*images.shape[:3], 1)
    np.testing.assert_array_equal(np.where(masks, 0, hidden), np.where(masks, 0, images))
    share = masks.mean(axis=(1, 2, 3))
    assert COVERAGE[0] <= share.min() < COVERAGE[0] + 0.03 and COVERAGE[1] - 0.03 < share.max() <= COVERAGE[1]
    assert abs(share.mean() - np.mean(COVERAGE)) < 0.015  # evenly
    assert (hidden != images)[np.broadcast_to(masks, images.shape)].mean() > 0.9
    again, same = ganzoo.data.occluded(images, seed=3, shapes=shapes)
    np.testing.assert_array_equal(again, hidden)
    np.testing.assert_array_equal(same, masks)
    assert (ganzoo.data.occluded(images, seed=4, shapes=shapes)[1] != masks).any(axis=(1, 2, 3)).all()


@pytest.mark.backend_free
def test_training_draws_convex_shapes_and_testing_shapes_that_are_not():
    """So that no shape of the one family is of the other: by area over area of the convex hull."""
    images = np.zeros((60, 256, 256, 1), "uint8")  # so large that the steps of a slanted rim count for little
    solidity = {}
    for shapes in SHAPES:
        masks = ganzoo.data.occluded(images, seed=0, shapes=shapes)[1][..., 0]
        solidity[shapes] = np.array([m.sum() / skimage.morphology.convex_hull_image(m).sum() for m in masks])
    assert solidity["training"].min() > 0.95 > solidity["testing"].max()
    assert solidity["testing"].mean() < 0.85


@pytest.mark.backend_free
def test_occluders_differ_in_what_they_look_like():
    """One colour, two colours, and pieces of the image before."""
    images = np.random.default_rng(0).integers(0, 256, (300, 28, 28, 1), "uint8")
    hidden, masks = ganzoo.data.occluded(images, seed=0)
    colours = np.array([len(np.unique(image[mask])) for image, mask in zip(hidden, masks)])
    shares = [(colours == 1).mean(), (colours == 2).mean(), (colours > 2).mean()]
    assert min(shares) > 0.25
    for i in np.flatnonzero(colours > 2)[:20]:
        assert np.isin(hidden[i][masks[i]], images[i - 1, 7:21, 7:21]).all()


@pytest.mark.parametrize("shapes", SHAPES)
def test_a_step_draws_the_occluders_of_the_host(shapes):
    images = RNG.uniform(-1, 1, (32, 24, 28, 3)).astype("float32")
    draws = RNG.random((32, num_draws(3)), "float32")
    ours, masks = map(values, occlude(ops.convert_to_tensor(images), ops.convert_to_tensor(draws), shapes, ops))
    theirs, true = occlude(images, draws, shapes, np)
    assert ours.dtype == masks.dtype == true.dtype == np.float32
    assert set(np.unique(masks)) == {0, 1} and np.abs(masks - true).mean() < 2e-3  # a cosine's last bit
    same = (masks == true).all(axis=(1, 2, 3))
    assert same.mean() > 0.7 and np.abs(ours - theirs)[same].mean() < 1e-3


@pytest.mark.backend_free
def test_other_images_and_families_are_refused():
    with pytest.raises(ValueError, match=r"'training' or 'testing'.*Received: shapes='test'"):
        ganzoo.data.occluded(IMAGES, shapes="test")
    with pytest.raises(ValueError, match="at least 8 pixels"):
        ganzoo.data.occluded(IMAGES[:, :4])
    with pytest.raises(ValueError, match="uint8"):
        ganzoo.data.occluded(IMAGES / 255.0)


# --- The network


@functools.cache
def network():
    keras.utils.set_random_seed(0)
    built = deocclusion_generator((16, 20, 3), width=4, num_blocks=1)
    built.get_layer("to_mask").kernel.assign(40 * built.get_layer("to_mask").kernel)  # sure of itself
    return built


def test_the_image_is_put_together_of_mask_and_completion():
    source = RNG.uniform(-1, 1, (8, 16, 20, 3)).astype("float32")
    outputs = [network().get_layer(name).output for name in ("mask_logits", "mask", "completion")]
    logits, mask, drawn = map(values, keras.Model(network().input, outputs)(source))
    image = values(network()(source))
    np.testing.assert_allclose(mask, np.clip(logits / 6 + 0.5, 0, 1), atol=1e-6)
    np.testing.assert_allclose(image, mask * drawn + (1 - mask) * source, atol=1e-6)
    untouched = np.broadcast_to(mask == 0, image.shape)
    assert 0.05 < untouched.mean() < 0.95 and (mask == 1).any()
    np.testing.assert_array_equal(image[untouched], source[untouched])  # to the bit
    assert np.abs(image).max() <= 1


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_what_is_not_hidden_is_drawn_to_the_grey_level(policy):
    model = tiny(dtype=policy)
    for generator in (model.generator, model.generator_ema):
        generator.get_layer("to_mask").kernel.assign(40 * generator.get_layer("to_mask").kernel)
    drawn, mask = model.generate(source=IMAGES), model.mask_of(IMAGES)
    assert mask.dtype == np.float32 and mask.shape == (24, 16, 16, 1) and 0 <= mask.min() < mask.max() <= 1
    assert 0.05 < (mask == 0).mean() < 0.95
    off = np.abs(drawn[mask == 0].astype(int) - IMAGES[mask == 0])
    rounding = policy == "mixed_bfloat16"  # XLA rounds otherwise in the program that draws than in that of the mask
    assert off.max() <= rounding and off.mean() <= 1e-3 * rounding
    assert (drawn[mask == 1] != IMAGES[mask == 1]).mean() > 0.9
    np.testing.assert_array_equal(model.mask_of(IMAGES.astype("float32") / 127.5 - 1), mask)


@pytest.mark.backend_free
def test_sizes_and_networks_that_do_not_fit_are_refused():
    for shape in ((18, 16, 1), (12, 12, 1)):
        with pytest.raises(ValueError, match="multiples of 4 and at least 16"):
            deocclusion_generator(shape)
    source = keras.Input((16, 16, 1), name="source")
    other = keras.Model(source, keras.layers.Conv2D(1, 3, padding="same", activation="tanh", name="draw")(source))
    with pytest.raises(ValueError, match="'mask_logits'"):
        tiny(generator=other)


# --- The losses


def example():
    shape = (5, 16, 16, 1)
    uniform = lambda low, high: RNG.uniform(low, high, shape).astype("float32")  # noqa: E731
    real = {"target": uniform(-1, 1), "mask": (uniform(0, 1) < 0.3).astype("float32")}
    fake = {"target": uniform(-1, 1), "completion": uniform(-1, 1), "mask_logits": uniform(-4, 4)}
    return real, fake


def test_the_losses_are_those_of_numpy():
    model = tiny(adversarial_weight=0.5, l1_weight=7.0, mask_weight=3.0)
    real, fake = example()
    tensors = [{name: ops.convert_to_tensor(x) for name, x in each.items()} for each in (real, fake)]
    t, error = real["mask"], np.abs(real["target"] - fake["completion"])
    m = 1 / (1 + np.exp(-fake["mask_logits"].astype("float64")))
    entropy = -(t * np.log(m) + (1 - t) * np.log(1 - m)).mean()
    supervised = 7 * error[t == 1].mean() + 3 * entropy
    assert float(model.supervised_loss(*tensors)) == pytest.approx(supervised, rel=1e-5)
    real_logits, fake_logits = (values(model.discriminator({"target": x["target"]})).astype("float64") for x in tensors)
    softplus = lambda x: np.log1p(np.exp(x))  # noqa: E731
    expected = 0.5 * softplus(-fake_logits).mean() + supervised
    assert float(model.generator_loss(*tensors, training=False)) == pytest.approx(expected, rel=1e-4)
    expected = (softplus(-real_logits).mean() + softplus(fake_logits).mean()) / 2
    assert float(model.discriminator_loss(*tensors, training=False)) == pytest.approx(expected, rel=1e-4)


def test_an_image_without_an_occluder_has_a_finite_loss():
    model = tiny()
    batch = model.as_batch((IMAGES, IMAGES))  # the occluded one is the same
    assert not values(batch["mask"]).any()
    assert np.isfinite(float(model.supervised_loss(batch, model.fake(batch, training=False))))
    assert float(model.l1(batch, model.fake(batch, training=False))) == 0


def test_occluders_are_drawn_anew_in_a_step_and_of_other_shapes_in_evaluation(monkeypatch):
    model, told = tiny(), []
    batch = {"target": ops.convert_to_tensor(IMAGES / np.float32(127.5) - 1)}
    first, second = (model.prepare(batch, training=True) for _ in range(2))
    assert (values(first["mask"]) != values(second["mask"])).any(axis=(1, 2, 3)).all()
    kept = values(first["mask"])[..., 0] == 0
    np.testing.assert_array_equal(values(first["source"])[kept], values(batch["target"])[kept])
    spy = lambda images, draws, shapes, xp: told.append(shapes) or occlude(images, draws, shapes, xp)  # noqa: E731
    monkeypatch.setattr("ganzoo.models.deocclusion.occlude", spy)
    for is_training in (True, False):
        model.prepare(batch, is_training)
    assert told == ["training", "testing"]


def test_occluders_of_ones_own_are_where_the_images_differ():
    hidden, masks = ganzoo.data.occluded(IMAGES, seed=1)
    batch = tiny().as_batch((IMAGES, hidden))  # the target first, as for fit
    differ = np.abs(hidden.astype(int) - IMAGES).max(axis=-1, keepdims=True) > 4
    np.testing.assert_array_equal(values(batch["mask"]) > 0.5, differ)
    assert not (differ & ~masks).any()


def test_it_learns_to_find_and_fill():
    model, images = tiny(l1_weight=10.0, mask_weight=30.0), squares(256, 16)
    before = model.evaluate(images[:64], verbose=0)
    model.compile({"generator": keras.optimizers.Adam(1e-2, beta_1=0.5)})
    model.fit(images, batch_size=16, epochs=8, verbose=0)
    after = model.evaluate(images[:64], verbose=0)
    assert after["mask_iou"] > before["mask_iou"] + 0.1 and after["l1"] < 0.6 * before["l1"]


# --- The recipe and the table


@pytest.mark.backend_free
def test_the_recipe_builds_a_model_within_its_bytes():
    recipe = presets.read_recipe("deocclusion-fashion_mnist")
    model = training.compiled(recipe, 60_000, "deocclusion-fashion_mnist")
    weights = sum(np.prod(v.shape) for each in (model.generator, model.discriminator) for v in each.weights)
    assert 2 * weights < 1.5e6 and model.image_shape == (28, 28, 1)
    assert type(model).from_config(model.get_config()).arguments == model.arguments


@pytest.mark.backend_free
def test_the_recipes_data_have_an_extractor_but_nothing_is_measured_without_occluders(tmp_path):
    extractor, model = metrics.extractor("fashion_mnist"), tiny()
    parts = {"target": np.zeros((2000, 28, 28, 1), "uint8")}
    assert training._quality(tmp_path, {"extractor": extractor.id}, extractor, model, parts) == []


@pytest.mark.backend_free
def test_rows_of_controls_have_closed_forms():
    clean = np.full((3, 28, 28, 1), 100, "uint8")
    masks = np.zeros((3, 28, 28, 1), bool)
    masks[:, 7:21, 7:21] = True  # a quarter
    hidden = np.where(masks, 110, clean).astype("uint8")
    inside = 10 * np.log10(255**2 / 100)
    row = deocclusion.nearness(clean, hidden, masks)
    assert row["psnr_inside"]["value"] == pytest.approx(inside)
    assert row["psnr"]["value"] == pytest.approx(inside + 10 * np.log10(4))
    np.testing.assert_array_equal(deocclusion.mean_fill(hidden, masks), clean)
    assert np.abs(deocclusion.biharmonic(hidden, masks).astype(int) - 100).max() <= 1
    np.testing.assert_array_equal(deocclusion.ious(masks, masks), 1)
    np.testing.assert_allclose(deocclusion.ious(masks, masks & (np.arange(28)[:, None, None] < 14)), 0.5)
    assert deocclusion.recovered(clean=0.9, occluded=0.5, found=0.7) == pytest.approx(0.5)


@pytest.mark.backend_free
def test_identity_is_kept_by_images_that_are_their_own_nearest():
    clean = squares(40)
    assert deocclusion.identity(clean, clean) == 1
    assert deocclusion.identity(clean, clean[::-1]) < 0.2


@pytest.mark.backend_free
def test_the_table_and_the_control_without_an_adversary(tmp_path, monkeypatch, capsys):
    images, labels = squares(48), np.arange(48) % 10
    monkeypatch.setattr(deocclusion, "test_set", lambda args: (images[: args.limit], labels[: args.limit]))
    recipe = presets.read_recipe(deocclusion.PRESET).model_dump(mode="json", by_alias=True, exclude_none=True)
    recipe["arguments"] |= {"width": 4, "max_width": 4, "discriminator_width": 4}
    recipe["training"] |= {"epochs": 1, "batch_size": 8, "precision": "float32"}
    monkeypatch.setattr(deocclusion, "recipe_of", lambda preset: recipe)
    control = deocclusion.train_control(tmp_path, data={"target": images}, verbose=0)
    assert set(control.players()) == {"generator"}
    (tmp_path / "preset").mkdir()
    tiny_preset = ganzoo.Deocclusion(**recipe["arguments"])
    tiny_preset.save(tmp_path / "preset" / "model.keras")
    arguments = ["--runs", str(tmp_path), "--limit", "24", "--model", str(tmp_path / "preset")]
    deocclusion.main([*arguments, "--json", str(tmp_path / "table.json")])
    table = json.loads((tmp_path / "table.json").read_text())
    assert list(table["rows"]) == [
        "clean image (upper bound)",
        "occluded",
        "mean fill, true mask",
        "biharmonic, true mask",
        "without adversary",
        "preset",
    ]
    assert table["rows"]["occluded"]["share_recovered"]["value"] == 0
    assert "mask_iou" in table["rows"]["preset"] and "psnr_inside" not in table["rows"]["clean image (upper bound)"]
    assert "| preset |" in capsys.readouterr().out
