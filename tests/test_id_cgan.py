"""ID-CGAN (CORRECTNESS V12): the released networks, the losses, windows, any size, the recipe, the table."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

import ganzoo
from ganzoo import IDCGAN
from ganzoo.layers import BatchNormalization
from ganzoo.networks.id_cgan import REACH, id_cgan_generator
from ganzoo.networks.perceptual import feature_network
from ganzoo.zoo import presets, training

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

import deraining

RNG = np.random.default_rng(0)
CLEAN = RNG.integers(0, 200, (6, 24, 24, 3), "uint8")


def rained(clean, seed=0):
    """Bright columns, a few pixels high."""
    rainy, rng = clean.astype(int), np.random.default_rng(seed)
    for image in rainy:
        for top, left in rng.integers(0, image.shape[0] - 6, (image.shape[0] // 4, 2)):
            image[top : top + 6, left] += 55
    return rainy.clip(0, 255).astype("uint8")


def smooth(num, side=24, seed=0):
    """Slanted planes, on which a streak stands out."""
    rng, across = np.random.default_rng(seed), np.linspace(0, 1, side)
    slopes = rng.uniform(-60, 60, (2, num, 1, 1, 3))
    planes = slopes[0] * across[None, :, None, None] + slopes[1] * across[None, None, :, None]
    return (100 + planes).clip(0, 200).astype("uint8")


RAINY = rained(CLEAN)


def tiny(**arguments):
    keras.utils.set_random_seed(7)
    return IDCGAN(**{**IDCGAN.tiny, "seed": 3, **arguments})


def values(x):
    return ops.convert_to_numpy(x).copy()


# --- The networks


@pytest.mark.backend_free
def test_v12_the_released_networks_have_their_weights():
    network = id_cgan_generator(3, residual=False)
    sizes = [64, 64, 64, 64, 32, 1, 32, 64, 64, 64, 64, 3]
    kernels = sum(9 * one * other for one, other in zip([3, *sizes], sizes))
    assert network.count_params() == kernels + 64 + 3 + 4 * sum(sizes[1:-1])  # biases of both ends, four per channel
    norms = [layer.name for layer in network.layers if isinstance(layer, BatchNormalization)]
    assert norms == [f"encode{i}_norm" for i in range(2, 7)] + [f"decode{i}_norm" for i in range(1, 6)]
    wiring = {layer.name: [x._keras_history.operation.name for x in layer.input] for layer in network.layers[1:]
              if isinstance(layer, keras.layers.Add)}  # fmt: skip
    assert wiring == {
        "decode2_skip": ["decode2_norm", "encode4_norm"],
        "decode4_skip": ["decode4_norm", "encode2_norm"],
    }
    model = IDCGAN(perceptual_weight=0)
    inputs = {x.name: x.shape for x in model.discriminator.inputs}
    assert inputs == {"source": (None, None, None, 3), "target": (None, None, None, 3)}
    kernels = [v.shape for v in model.discriminator.weights if v.path.endswith("kernel")]
    assert kernels == [(4, 4, 6, 48), (4, 4, 48, 96), (4, 4, 96, 192), (4, 4, 192, 384), (4, 4, 384, 1)]
    assert model.discriminator.layers[-1].activation is keras.activations.linear  # a logit, no sigmoid


def test_a_pixel_reaches_as_far_as_it_is_said_to():
    keras.utils.set_random_seed(0)
    network, images = id_cgan_generator(1, 4), np.zeros((2, 61, 61, 1), "float32")
    for variable in network.trainable_variables:
        if variable.path.endswith("kernel"):
            variable.assign(RNG.uniform(0.1, 0.3, variable.shape))  # no cancelling, nothing below zero
    images[1, 30, 30] = 0.5
    one, other = values(network(images))
    rows = np.flatnonzero(np.abs(one - other)[..., 0].max(axis=1))
    assert (rows.min(), rows.max()) == (30 - REACH, 30 + REACH)


def test_a_residual_network_that_adds_nothing_gives_the_image_back():
    network = id_cgan_generator(3, 4)
    for variable in network.get_layer("decode6").weights:
        variable.assign(np.zeros(variable.shape))
    source = RNG.uniform(-1, 1, (2, 9, 14, 3)).astype("float32")
    np.testing.assert_array_equal(values(network(source)), source)
    network.get_layer("decode6").bias.assign([3.0, -3.0, 0.0])
    drawn = values(network(source))
    assert (drawn[..., 0] == 1).all() and (drawn[..., 1] == -1).all()
    np.testing.assert_allclose(values(network(source, training=True))[..., 0], source[..., 0] + 3, atol=1e-6)


@pytest.mark.backend_free
@pytest.mark.parametrize(
    "arguments,reason",
    [
        ({"width": 5}, "even"),
        ({"width": 0}, "positive"),
        ({"crop": 25}, r"at most the height and the width.*crop=25"),
        ({"crop": 12}, "leave no patch"),
        ({"augment": ganzoo.layers.DiffAugment()}, "would spoil"),
        ({"perceptual_weight": 1.0, "features": feature_network((2,)), "layer": "relu9"}, "no layer of that name"),
        ({"perceptual_weight": 1.0, "features": "vgg16"}, "no perceptual network of that name"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, reason):
    with pytest.raises(ValueError, match=reason):
        tiny(**arguments)


# --- The losses


def batches():
    shape = (4, 24, 24, 3)
    uniform = lambda: RNG.uniform(-1, 1, shape).astype("float32")  # noqa: E731
    real = {"source": uniform(), "target": uniform()}
    return real, {**real, "target": uniform()}


def test_v12_the_losses_are_those_of_numpy():
    features = feature_network((3, 4))
    model = tiny(adversarial_weight=0.5, perceptual_weight=3.0, features=features, layer="relu2_1")
    real, fake = batches()
    tensors = [{name: ops.convert_to_tensor(x) for name, x in each.items()} for each in (real, fake)]
    real_logits, fake_logits = (values(model.discriminator(x, training=False)).astype("float64") for x in tensors)
    softplus = lambda x: np.log1p(np.exp(x)).mean()  # noqa: E731
    see = keras.Model(features.input, features.get_layer("relu2_1").output)
    seen = [values(see(x["target"])).astype("float64") for x in (real, fake)]
    expected = ((real["target"] - fake["target"]).astype("float64") ** 2).mean()
    expected += 0.5 * softplus(-fake_logits) + 3 * ((seen[0] - seen[1]) ** 2).mean()
    assert float(values(model.generator_loss(*tensors, training=False))) == pytest.approx(expected, rel=1e-4)
    expected = softplus(-real_logits) + softplus(fake_logits)
    assert float(values(model.discriminator_loss(*tensors, training=False))) == pytest.approx(expected, rel=1e-4)


def test_the_features_are_neither_trained_nor_counted_and_a_saved_model_has_them(tmp_path):
    features = feature_network((3, 4))
    model = tiny(perceptual_weight=1.0, features=features)
    kept = [values(v) for v in features.weights]
    mine = {id(v) for v in features.weights}
    assert not mine & {id(v) for player in model.players() for v in model.trainable_variables_of(player)}
    assert not {id(v) for v in model.trainable_variables} & mine
    model.fit(RAINY, CLEAN, batch_size=2, verbose=0)
    for before, variable in zip(kept, features.weights):
        np.testing.assert_array_equal(before, values(variable))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    one, other = (m.evaluate(RAINY, CLEAN, batch_size=2, verbose=0) for m in (model, loaded))
    assert one == pytest.approx(other, rel=1e-4)
    loaded.fit(RAINY, CLEAN, batch_size=2, verbose=0)


def test_without_an_adversary_the_generator_alone_is_trained_by_the_squared_error():
    model = tiny(adversarial_weight=0)
    assert list(model.players()) == ["generator"]
    kept = [values(v) for v in model.discriminator.weights]
    assert set(model.fit(RAINY, CLEAN, batch_size=2, verbose=0).history) == {"loss", "generator_loss"}
    for before, variable in zip(kept, model.discriminator.weights):
        np.testing.assert_array_equal(before, values(variable))
    real, fake = batches()
    tensors = [{name: ops.convert_to_tensor(x) for name, x in each.items()} for each in (real, fake)]
    expected = ((real["target"] - fake["target"]).astype("float64") ** 2).mean()
    assert float(values(model.generator_loss(*tensors, training=True))) == pytest.approx(expected, rel=1e-5)


def test_evaluate_measures_psnr_on_whole_images_as_they_are_drawn():
    model = tiny()
    model.fit(RAINY, CLEAN, batch_size=2, verbose=0)
    found = model.evaluate(RAINY, CLEAN, batch_size=3, verbose=0)["psnr"]
    drawn = values(model.generator(RAINY / np.float32(127.5) - 1, training=False)).astype("float64")
    errors = ((drawn - (CLEAN / 127.5 - 1)) ** 2).mean(axis=(1, 2, 3))
    assert found == pytest.approx((10 * np.log10(4 / errors)).mean(), abs=1e-3)


def test_training_sees_windows_of_both_images_at_one_place_and_evaluation_whole_ones():
    model = tiny(crop=20, crops=3)
    pair = {
        "source": ops.convert_to_tensor(CLEAN / np.float32(255)),
        "target": ops.convert_to_tensor(CLEAN / np.float32(127.5)),
    }
    seen = {name: values(x) for name, x in model.prepare(pair, training=True).items()}
    assert seen["source"].shape == seen["target"].shape == (18, 20, 20, 3)
    np.testing.assert_allclose(2 * seen["source"], seen["target"], atol=1e-5)
    assert len({x.tobytes() for x in seen["source"]}) > 9  # at places of their own
    whole = model.prepare(pair, training=False)
    assert all(whole[name] is pair[name] for name in pair)
    model = tiny(crop=None, flip=False)
    assert model.prepare(pair, training=True)["source"] is pair["source"]


def test_it_learns_to_take_streaks_away_and_draws_images_of_any_size():
    clean = smooth(32)
    model = tiny(width=8, crops=2, adversarial_weight=1e-3, ema_decay=0.9)
    model.compile({"generator": keras.optimizers.Adam(1e-2, beta_1=0.5)})
    model.fit(rained(clean), clean, batch_size=2, epochs=5, verbose=0)
    other = smooth(4, 40, seed=9)
    hidden, other = rained(other, seed=9)[:, :, :33], other[:, :, :33]
    drawn = model.generate(source=hidden)
    gain = ganzoo.metrics.psnr(other, drawn) - ganzoo.metrics.psnr(other, hidden)
    assert drawn.shape == (4, 40, 33, 3) and gain.mean() > 3


# --- The recipe and the table


@pytest.mark.backend_free
def test_the_recipe_builds_a_model_within_its_bytes(monkeypatch):
    monkeypatch.setattr("ganzoo.zoo.perceptual.features", lambda name, layers, channels: None)
    recipe = presets.read_recipe("id_cgan-rain100l")
    model = training.compiled(recipe, 80, "id_cgan-rain100l")
    weights = sum(np.prod(v.shape) for each in (model.generator, model.discriminator) for v in each.weights)
    assert 2 * weights < 3e6 and model.image_shape == (256, 256, 3)
    assert type(model).from_config(model.get_config()).arguments == model.arguments


@pytest.mark.backend_free
@pytest.mark.parametrize("side,num", [(24, 16), (128, 16), (256, 4), (512, 4)])
def test_sheets_of_large_images_show_fewer(side, num):
    images = np.zeros((20, side, side, 3), "uint8")
    shown = training._shown(tiny(), {"source": images, "target": images})
    assert {name: len(part) for name, part in shown["data"].items()} == {"source": num, "target": num}


@pytest.mark.backend_free
def test_a_folder_of_pairs_is_learned(tmp_path):
    from PIL import Image

    for folder, images in (("input", RAINY), ("target", CLEAN)):
        (tmp_path / "pairs" / folder).mkdir(parents=True)
        for i, image in enumerate(images):
            Image.fromarray(image).save(tmp_path / "pairs" / folder / f"{i}.png")
    recipe = presets.read_recipe("id_cgan-rain100l").model_dump(mode="json", by_alias=True, exclude_none=True)
    recipe["arguments"] |= {**IDCGAN.tiny, "image_shape": [24, 24, 3]}
    (tmp_path / "mine.yaml").write_text(json.dumps(recipe))
    options = {"data": tmp_path / "pairs", "image_shape": (24, 24, 3), "epochs": 1, "verbose": 0}
    model = ganzoo.train(tmp_path / "mine.yaml", tmp_path / "run", **options)
    assert model.generate(source=RAINY).shape == CLEAN.shape
    assert (tmp_path / "run" / "samples.png").is_file()


@pytest.mark.backend_free
def test_the_control_without_learning_is_the_best_of_the_filters():
    clean = smooth(3, 48)
    rainy = rained(clean)
    chosen = deraining.best_filter(rainy, clean)
    assert "1x" in chosen  # along the lines, across the streaks
    found = {name: np.stack([make(image) for image in rainy]) for name, make in deraining.filters().items()}
    assert all(images.shape == clean.shape and images.dtype == np.uint8 for images in found.values())
    assert all((images <= rainy).all() for name, images in found.items() if name.startswith(("darker", "opening")))
    best = max(ganzoo.metrics.psnr(clean, images).mean() for images in found.values())
    assert ganzoo.metrics.psnr(clean, found[chosen]).mean() == best


@pytest.mark.backend_free
def test_measures_have_closed_forms():
    ends = np.array([[[[0, 0, 0], [255, 255, 255], [255, 0, 0]]]], "uint8")
    assert deraining.luminance(ends).ravel().tolist() == [16, 235, 81]  # MATLAB's rgb2ycbcr
    image = np.zeros((1, 16, 16, 3), "uint8")
    image[:, :, 8:] = 100
    np.testing.assert_allclose(deraining.steepness(image, image // 2), 0.5)
    equal = deraining.number(np.array([np.inf, 30.0, 32.0]))
    assert equal["value"] == 31 and deraining.number(np.array([np.inf])) == {"value": None}


@pytest.mark.backend_free
def test_the_table_and_the_controls_of_fewer_terms(tmp_path, monkeypatch, capsys):
    clean = smooth(6, 32)
    parts = {"rainy": rained(clean), "clean": clean}
    monkeypatch.setattr(ganzoo.data, "load_parts", lambda name, split="train", data_dir=None: parts)
    monkeypatch.setattr(deraining.perceptual, "names", lambda: [])
    recipe = presets.read_recipe(deraining.PRESET).model_dump(mode="json", by_alias=True, exclude_none=True)
    recipe["arguments"] |= {**IDCGAN.tiny, "image_shape": [32, 32, 3]}
    recipe["training"] |= {"epochs": 1, "precision": "float32"}
    monkeypatch.setattr(deraining, "recipe_of", lambda preset: json.loads(json.dumps(recipe)))
    for kind in deraining.CONTROLS:
        data = {"source": parts["rainy"], "target": clean}
        control = deraining.train_control(kind, tmp_path, data=data, verbose=0)
        assert set(control.players()) == {"generator"}
    (tmp_path / "preset").mkdir()
    IDCGAN(**recipe["arguments"]).save(tmp_path / "preset" / "model.keras")
    arguments = ["--runs", str(tmp_path), "--limit", "4", "--tune", "2", "--model", str(tmp_path / "preset")]
    deraining.main([*arguments, "--json", str(tmp_path / "table.json")])
    table = json.loads((tmp_path / "table.json").read_text())
    names = ["rainy image", "filter", "L2 alone", "L2 and features", "preset", "preset, shuffled"]
    assert list(table["rows"]) == names
    assert table["rows"]["rainy image"]["gain_psnr_rgb"] == {"value": 0, "interval": [0, 0]}
    rows = table["rows"]
    gain = rows["preset"]["psnr_rgb"]["value"] - rows["rainy image"]["psnr_rgb"]["value"]
    assert rows["preset"]["gain_psnr_rgb"]["value"] == pytest.approx(gain)
    assert list(table["differences"]) == ["preset over L2 alone", "preset over L2 and features",
                                          "L2 and features over L2 alone"]  # fmt: skip
    assert "perceptual_distance" not in rows["preset"], "the network is not there: its column is left out"
    told = capsys.readouterr().out
    assert "| preset |" in told and "to reach: at least 3.5" in told
