"""StackGAN: sentences held out and extended, its losses, mismatched pairs, what it makes of any sentence, its table."""

from __future__ import annotations

import json
import sys
import warnings
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image
from test_data_parts import pack, png
from typer.testing import CliRunner

import ganzoo
from ganzoo import cli, losses
from ganzoo.data.sentences import held_out, sentences_of, words_of
from ganzoo.engine.parts import Text, vocabulary_of
from ganzoo.networks.sentences import sentence_encoder
from ganzoo.networks.stackgan import stackgan_discriminator, stackgan_generator, stages_of
from ganzoo.zoo import presets, training

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

import stackgan

WORDS = ["a", "red", "blue", "heart", "square"]
RGB = {"red": (255, 0, 0), "blue": (0, 0, 255)}


def tiny(**kwargs):
    keras.utils.set_random_seed(0)
    own = {"image_shape": (16, 16, 3), "vocabulary": WORDS, "length": 4, "width": 2, "units": 4, "seed": 0}
    return ganzoo.StackGAN(**{**own, "latent_dim": 3, "condition_dim": 4, **kwargs})


def values(x):
    return ops.convert_to_numpy(x)


def batch_of(model, captions, training=True):
    images = np.random.default_rng(0).uniform(-1, 1, (len(captions), 16, 16, 3)).astype("float32")
    told = model.data["captions"].check(captions, "captions")
    return model.prepare({"images": ops.convert_to_tensor(images), "captions": ops.convert_to_tensor(told)}, training)


# --- Sentences


@pytest.mark.backend_free
def test_what_is_held_out_is_made_of_words_that_remain():
    rng = np.random.default_rng(0)
    captions = {f"{i}": " ".join(rng.choice(list("abcdefghij"), 2)) for i in range(200)}
    captions |= {"alone": "a zebra", "empty": "", "twice": "quagga quagga"}
    for share, least in ((0.1, 1), (0.25, 2), (1.0, 2)):
        chosen = held_out(captions, share, least)
        rest = [{*words_of(text)} for name, text in captions.items() if name not in chosen]
        assert 0 < len(chosen) <= share * len(captions) and not {"alone", "empty", "twice"} & {*chosen}
        for name in chosen:
            assert all(sum(word in own for own in rest) >= least for word in words_of(captions[name]))
        assert [*captions] != chosen == [name for name in captions if name in chosen]
    assert len(held_out(captions)) == 20 and held_out(captions, 0) == []
    turned = dict(reversed(captions.items()))
    assert {*held_out(turned)} == {*held_out(captions)}  # whatever the order


@pytest.mark.backend_free
def test_sentences_are_a_caption_and_what_keywords_add():
    one = sentences_of("red_heart", "red heart", ["love", "red", "heart", "emotion", "my dear"])
    assert one == sentences_of("red_heart", "red heart", ["love", "red", "heart", "emotion", "my dear"])
    assert one[:2] == ["red heart", "a red heart"] and len(one) == 4
    for sentence in one[2:]:
        assert sentence.startswith("red heart ") and not {"red", "heart"} & {*words_of(sentence)[2:]}
    assert sentences_of("flag", "flag: Gabon", ["flag"]) == [
        "flag: Gabon",
        "a flag: Gabon",
        "flag: Gabon",
        "flag: Gabon",
    ]
    drawn = {tuple(sentences_of(str(i), "cat", ["pet", "face", "animal"])) for i in range(30)}
    assert len(drawn) > 5


def write_captioned(root):
    """Emoji of one colour: squares of four colours in names that stand in several captions."""
    names = [f"{size}_{colour}_{kind}" for size in ("big", "small") for colour in RGB for kind in ("heart", "square")]
    rows = [(name, name.replace("_", " "), "shapes" if "square" in name else "", "shape|geometric") for name in names]
    folder = root / "emoji_captions"
    tints = {name: RGB[name.split("_")[1]] for name in names}
    members = {
        f"{style}/{name}.png": png(Image.new("RGB", (72, 72), tints[name]), None)
        for name in names
        for style in ("twemoji", "noto")
    }
    pack(folder / "emoji72.zip", members)
    text = "\n".join(",".join(row) for row in [("name", "caption", "group", "keywords"), *rows])
    (folder / "captions.csv").write_text(text + "\n")
    return names


@pytest.mark.backend_free
def test_captioned_emoji(tmp_path, monkeypatch):
    names = write_captioned(tmp_path)
    monkeypatch.setattr("ganzoo.data.part_sets.held_out", partial(held_out, share=0.3))
    read = partial(ganzoo.data.load_parts, "emoji_captions", data_dir=tmp_path, image_shape=16)
    train, test = read("train"), read("test")
    assert {*train["emoji"]} | {*test["emoji"]} == {*names} and not {*train["emoji"]} & {*test["emoji"]}
    assert len(test["captions"]) == 2 * 2 and len(train["captions"]) == 6 * 2 * 4
    for parts in (train, test):
        for name, caption, image in zip(parts["emoji"], parts["captions"], parts["images"]):
            assert (
                name.replace("_", " ") in caption
                and (image == RGB[words_of(caption)[name.count("x") + 1 + caption.startswith("a ")]]).all()
            )
    first = train["captions"][:12]
    assert (first[::2] == first[1::2]).all() and [x.replace(" ", "_") for x in first] == train["emoji"][:12].tolist()
    assert train["captions"][12:24].tolist() == [f"a {x}" for x in first]
    assert {word for x in train["captions"][24:] for word in words_of(x)} >= {"shape", "geometric"}
    assert {word for x in test["captions"] for word in words_of(x)} <= {*vocabulary_of(train["captions"])}
    assert {*train["group"]} == {"", "shapes"}


def test_the_real_captions(data_dir):
    train, test = (
        ganzoo.data.load_parts("emoji_captions", s, data_dir=data_dir, image_shape=64) for s in ("train", "test")
    )
    plain = train["captions"][: len(train["captions"]) // 4]
    counts = dict.fromkeys(vocabulary_of(plain), 0)
    for caption in plain[::2]:
        for word in {*words_of(caption)}:
            counts[word] += 1
    assert len(test["captions"]) == 378 and len(plain) == 2 * 1891 - 378
    assert all(counts.get(word, 0) >= 2 for caption in test["captions"] for word in words_of(caption))
    recipe = presets.read_recipe("stackgan-emoji")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no word is unknown, no sentence too long
        Text(recipe.arguments["vocabulary"], recipe.arguments["length"]).check(train["captions"], "captions")
    assert recipe.arguments["vocabulary"] == vocabulary_of(train["captions"])
    real = np.flatnonzero([caption in [f"{c} heart" for c in stackgan.COLOURS] for caption in plain])
    right = stackgan.colours_right(train["images"][real], plain[real])
    assert right.mean() > 0.9 and len(real) == 14 and stackgan.HEARTS == 16
    assert stackgan.overlap(train["images"][real], stackgan.inside(train["images"][real[:1]])).min() > stackgan.OUTLINE
    known = {*vocabulary_of(plain)}
    assert all({*words_of(text)} <= known and text not in {*plain, *test["captions"]} for text in stackgan.COMPOSITIONS)


# --- Networks


def test_a_sentence_is_the_mean_of_its_words():
    told, sentence = sentence_encoder(Text(WORDS, 4), units=3)
    network = keras.Model(told, sentence)
    words, kernel, bias, dense, shift = (values(v) for v in network.weights)
    assert words.shape == (len(WORDS) + 2, 3)
    for numbers in ([2, 5, 0, 0], [3, 1, 4, 2], [0, 0, 0, 0]):
        padded = np.concatenate([np.zeros((1, 3)), words[numbers], np.zeros((1, 3))])
        beside = [np.einsum("ij,ijk->k", padded[i : i + 3], kernel) + bias for i in range(4)]
        each = words[numbers] + np.maximum(beside, 0)
        there = np.array(numbers) > 0
        mean = each[there].sum(axis=0) / max(there.sum(), 1)
        x = mean @ dense + shift
        expected = np.where(x > 0, x, 0.2 * x)
        np.testing.assert_allclose(values(network(np.array([numbers])))[0], expected, atol=1e-5)
    told, sentence = sentence_encoder(ganzoo.Vectors((2, 3)), units=5)
    assert told.shape == (None, 2, 3) and keras.Model(told, sentence)(np.ones((4, 2, 3), "float32")).shape == (4, 5)


def test_stage_two_goes_on_from_stage_one():
    network = stages_of(stackgan_generator((32, 48, 3), Text(WORDS, 4), 3, 4, 2, units=4))
    rng = np.random.default_rng(0)
    given = {
        "latents": rng.normal(size=(2, 3)),
        "captions": np.array([[2, 3, 0, 0]] * 2),
        "condition_noise": rng.normal(size=(2, 4)),
    }
    images, small, mean, log_variance = map(values, network(given))
    assert (
        images.shape == (2, 32, 48, 3) and small.shape == (2, 16, 24, 3) and mean.shape == log_variance.shape == (2, 4)
    )
    np.testing.assert_array_equal(mean[0], mean[1])  # of one sentence
    begin = keras.Model(network.inputs, network.get_layer("begin").output)
    condition = mean + np.exp(log_variance / 2) * given["condition_noise"]
    np.testing.assert_allclose(values(begin(given)), np.concatenate([condition, given["latents"]], 1), atol=1e-5)
    judge = stackgan_discriminator((32, 48, 3), Text(WORDS, 4), 2, 4)
    assert [x.name for x in judge.inputs] == ["images", "small", "captions"]
    assert [tuple(x.shape) for x in judge.outputs] == [(None, 1)] * 4
    for shape in ((24, 32, 3), (64,)):
        with pytest.raises(ValueError, match="multiples of 16"):
            ganzoo.StackGAN(shape, WORDS)
    with pytest.raises(ValueError, match="Received: a network without 'small'"):
        stages_of(ganzoo.DCGAN((16, 16, 1), latent_dim=2, width=2).generator)


def test_the_logits_without_a_sentence_do_not_hear_it():
    model = tiny()
    one, other = (batch_of(model, [text, text], training=False) for text in ("red heart", "blue square"))
    a, b = (model.discriminate(each, training=False) for each in (one, other))
    for i in (0, 2):
        assert np.abs(values(a[i]) - values(b[i])).max() > 0
        np.testing.assert_array_equal(values(a[i + 1]), values(b[i + 1]))


# --- Losses


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_divergence_has_its_closed_form(dtype):
    mean, log_variance = np.array([[0.0, 1.0], [2.0, -1.0]]), np.array([[0.0, 0.5], [-1.0, 1.0]])
    expected = np.mean(mean**2 + np.exp(log_variance) - 1 - log_variance) / 2
    found = losses.normal_divergence(*(ops.convert_to_tensor(x, dtype=dtype) for x in (mean, log_variance)))
    assert float(found) == pytest.approx(expected, rel=1e-5)
    assert float(losses.normal_divergence(ops.zeros((2, 3)), ops.zeros((2, 3)))) == 0


def test_the_losses_are_those_of_the_paper(monkeypatch):
    model = tiny(divergence_weight=3.0)
    captions = ["red heart", "blue square", "blue square", "a heart"]  # the third follows one of its own caption
    real = batch_of(model, captions, training=False)
    assert values(real["is_other"]).tolist() == [True, True, False, True]
    told = model.data["captions"].check(captions, "captions")
    np.testing.assert_array_equal(values(real["wrong"]), np.roll(told, 1, axis=0))
    images = values(real["images"])
    np.testing.assert_allclose(values(real["small"]), images.reshape(4, 8, 2, 8, 2, 3).mean(axis=(2, 4)), atol=1e-6)
    fake = model.fake(real, training=False)
    assert fake["images"].shape == (4, 16, 16, 3) and fake["small"].shape == (4, 8, 8, 3)
    rng = np.random.default_rng(0)
    logits = {kind: rng.normal(size=(4, 4, 1)).astype("float32") for kind in ("real", "fake", "wrong")}
    kinds = {id(real): "real", id(fake): "fake"}
    monkeypatch.setattr(
        model,
        "discriminate",
        lambda batch, training: [*map(ops.convert_to_tensor, logits[kinds.get(id(batch), "wrong")])],
    )
    softplus, r, f, w = (lambda x: np.log1p(np.exp(x))), *logits.values()
    expected = sum(
        softplus(-r[i]).mean()
        + (softplus(f[i]).mean() + softplus(w[i])[[0, 1, 3]].mean()) / 2
        + (softplus(-r[i + 1]).mean() + softplus(f[i + 1]).mean())
        for i in (0, 2)
    )
    assert float(model.discriminator_loss(real, fake, False)) == pytest.approx(expected, rel=1e-5)
    expected = sum(softplus(-f[i]).mean() + softplus(-f[i + 1]).mean() for i in (0, 2))
    expected += 3.0 * float(losses.normal_divergence(fake["mean"], fake["log_variance"]))
    assert float(model.generator_loss(real, fake, False)) == pytest.approx(expected, rel=1e-5)


def test_a_batch_of_one_caption_has_no_mismatched_pair():
    model = tiny()
    for captions in (["red heart"], ["red heart"] * 3):
        real = batch_of(model, captions)
        assert not values(real["is_other"]).any()
        assert np.isfinite(float(model.discriminator_loss(real, model.fake(real, False), False)))


def test_words_are_unknown_now_and_then_in_training_alone():
    captions = ["a red heart", "a blue square"] * 50
    model = tiny(word_dropout=0.5)
    told = model.data["captions"].check(captions, "captions")
    np.testing.assert_array_equal(values(batch_of(model, captions, training=False)["captions"]), told)
    real = batch_of(model, captions)
    seen = values(real["captions"])
    assert (
        ((seen == told) | (seen == 1)).all()
        and (seen[told == 0] == 0).all()
        and 0.3 < (seen[told > 0] == 1).mean() < 0.7
    )
    assert values(real["is_other"]).all()  # by the whole sentences
    np.testing.assert_array_equal(values(real["wrong"]), np.roll(seen, 1, axis=0))


def test_both_sizes_are_augmented(monkeypatch):
    model = tiny(augment=ganzoo.layers.DiffAugment(["translation"]))
    real, seen = batch_of(model, ["red heart", "a heart"]), []
    monkeypatch.setattr(model, "run", lambda network, batch, training: seen.append(batch) or [])
    model.discriminate(real, training=True)
    model.discriminate(real, training=False)
    for name in ("images", "small"):
        assert np.abs(values(seen[0][name]) - values(real[name])).max() > 0
        np.testing.assert_array_equal(values(seen[1][name]), values(real[name]))


# --- Whatever is said


def test_any_sentence_is_drawn():
    model = tiny()
    one = model.generate(2, captions="a red heart", seed=0)
    assert one.shape == (2, 16, 16, 3) and one.dtype == np.uint8
    np.testing.assert_array_equal(one, model.generate(2, captions=["A red, HEART!"] * 2, seed=0))
    with pytest.warns(UserWarning, match="not in the model's vocabulary of 5 and count as unknown: 'zebra' .1."):
        zebra = model.generate(2, captions="a zebra", seed=0)
    with pytest.warns(UserWarning, match="'quagga'"):
        np.testing.assert_array_equal(zebra, model.generate(2, captions="a quagga", seed=0))
    with pytest.warns(UserWarning, match="more than 4 words: the rest is left out"):
        np.testing.assert_array_equal(
            model.generate(1, captions="a red heart a blue", seed=0),
            model.generate(1, captions="a red heart a", seed=0),
        )
    for empty in ("", "...", " "):
        np.testing.assert_array_equal(model.generate(2, captions=empty, seed=0), model.generate(2, captions="", seed=0))
    noise = np.zeros((2, 4), "float32")
    model.generate(2, captions="a heart", condition_noise=noise, seed=0)
    for wrong, match in (
        ([3], "a list of strings"),
        ([], "nothing to draw from"),
        ([None], "a list of strings|one sentence"),
    ):
        with pytest.raises(ValueError, match=match):
            model.generate(1, captions=wrong)
    with pytest.raises(ValueError, match="as a command"):
        model.generate(2)
    with pytest.raises(ValueError, match="holds some words"):
        ganzoo.StackGAN((16, 16, 3))


def test_vectors_of_an_encoder_of_ones_own():
    model = tiny(vocabulary=(), captions=ganzoo.Vectors(6))
    images = np.random.default_rng(0).integers(0, 255, (16, 16, 16, 3), "uint8")
    vectors = np.random.default_rng(1).normal(size=(16, 6)).astype("float32")
    model.fit(images, vectors, batch_size=8, verbose=0)
    assert model.generate(captions=vectors[:3], seed=0).shape == (3, 16, 16, 3)
    again = type(model).from_config(model.get_config())
    assert again.data["captions"].shape == (6,)
    with pytest.raises(ValueError, match="Received"):
        model.generate(captions="a red heart")


def test_it_learns_the_colour_that_it_is_told():
    colours = [*RGB] * 24
    images = np.array([RGB[c] for c in colours], "uint8")[:, None, None].repeat(16, 1).repeat(16, 2)
    model = tiny(width=8, units=8, ema_decay=0.9)
    model.compile({player: keras.optimizers.Adam(2e-3, 0.5) for player in model.players()})
    model.fit(images, [f"a {c} square" for c in colours], batch_size=16, epochs=40, verbose=0)
    red, blue = (model.generate(8, captions=f"a {c} square", seed=0).astype(float) for c in RGB)
    apart = lambda x: (x[..., 0] - x[..., 2]).mean()  # noqa: E731
    assert apart(red) - apart(blue) > 100


# --- The recipe, the command, the table


@pytest.mark.backend_free
def test_the_recipe_builds_a_model_within_its_bytes():
    model = training.compiled(presets.read_recipe("stackgan-emoji"), 13_616, "stackgan-emoji")
    assert 2 * sum(np.prod(v.shape) for each in (model.generator, model.discriminator) for v in each.weights) < 5e6
    assert model.image_shape == (64, 64, 3) and type(model.augment).__name__ == "DiffAugment"


def test_a_sentence_as_a_command(tmp_path):
    tiny().save(tmp_path / "model.keras")
    command = [
        "generate",
        str(tmp_path / "model.keras"),
        "captions=a red heart",
        "-n",
        "2",
        "-o",
        str(tmp_path / "o.png"),
    ]
    done = CliRunner().invoke(cli.app, command)
    assert done.exit_code == 0, done.output
    assert Image.open(tmp_path / "o.png").size >= (32, 16)


@pytest.mark.backend_free
def test_colours_outlines_and_neighbours_are_measured():
    tints = {"red": (221, 46, 68), "orange": (244, 144, 12), "yellow": (253, 203, 88), "green": (120, 177, 89)}
    tints |= {"blue": (93, 173, 236), "purple": (170, 142, 214), "brown": (193, 105, 79), "black": (49, 55, 61)}
    for colour, tint in tints.items():
        image = np.full((8, 8, 3), 255, "uint8")
        assert stackgan.colour_of(image) == "white"
        image[2:6, 2:6] = tint
        assert stackgan.colour_of(image) == colour
    captions = np.array(["red heart", "a red heart", "black cat"])
    assert stackgan.coloured(captions).tolist() == [0, 2]
    square = np.full((2, 8, 8, 3), 255, "uint8")
    square[0, :4], square[1, :2] = 0, 0
    outline = stackgan.inside(square)
    assert stackgan.overlap(square, outline[:1]).tolist() == [1, 0.5]
    rows, far = stackgan.nearest(square[::-1] - square[::-1] // 255, square)
    assert rows.tolist() == [1, 0] and far.max() < 1
    one, own = np.eye(4), np.eye(4)[[0, 1, 3, 2]]
    assert stackgan.r_precision(one, own, np.arange(4), np.random.default_rng(0)) == 0.5
    assert stackgan.cell({"value": 0.5, "std": 0.1}) == "0.500 ± 0.100" and stackgan.cell({"value": 3}) == "3"


def test_the_table(tmp_path, monkeypatch, capsys):
    write_captioned(tmp_path)
    monkeypatch.setattr("ganzoo.data.part_sets.held_out", partial(held_out, share=0.3))
    monkeypatch.setattr(stackgan, "COMPOSITIONS", ("red shape",))
    arguments = ["--data-dir", str(tmp_path), "--runs", str(tmp_path / "runs"), "--epochs", "8", "--seeds", "2"]
    arguments += ["--hearts", "2", "--json", str(tmp_path / "table.json"), "--pictures", str(tmp_path / "sheets")]
    monkeypatch.setattr(stackgan, "model_of", lambda folder, command: None)
    with pytest.raises(SystemExit):
        stackgan.main([*arguments, "--model", str(tmp_path)])
    model = tiny(image_shape=(64, 64, 3), vocabulary=[*WORDS, "big", "small", "shape"], length=9)
    monkeypatch.setattr(stackgan, "model_of", lambda folder, command: model)
    monkeypatch.setattr(stackgan, "COLOURS", tuple(RGB))
    monkeypatch.setattr(stackgan, "hearts", partial(hearts_of, stackgan.hearts))
    stackgan.main([*arguments, "--model", str(tmp_path)])
    tables = json.loads((tmp_path / "table.json").read_text())
    rows = [f"{part} captions, {of}" for part in ("training", "held-out") for of in ("drawn", "real", "shuffled")]
    assert list(tables["captions"]) == rows and list(tables["hearts"]) == [*RGB]
    assert tables["captions"]["training captions, real"]["r_precision"]["value"] > 0.1
    assert tables["neighbours"]["held-out images, real"]["distance"]["value"] == 0  # others of their colour
    assert {path.name for path in (tmp_path / "sheets").iterdir()} >= {"held_out.png", "captions.json"}
    assert len([*(tmp_path / "runs").glob("stackgan-matcher-?.keras")]) == 2
    assert "| training captions, drawn |" in capsys.readouterr().out


def hearts_of(own, model, train, num):
    """As the script's, of hearts that are called big."""
    captions = np.array([text.removeprefix("big ") for text in train["captions"]])
    return own(model, {**train, "captions": captions}, num)
