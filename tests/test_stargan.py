"""StarGAN: attributes by name, coloured images, tables of attributes, losses, recipes, the table of controls."""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image
from typer.testing import CliRunner

import ganzoo
from ganzoo import cli, losses
from ganzoo.data.coloured import COLOURS, FILLS, coloured_parts
from ganzoo.engine.attributes import Attribute, attribute_parts
from ganzoo.networks.resnet import resnet_generator
from ganzoo.networks.stargan import stargan_discriminator
from ganzoo.zoo import presets, reading, training

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

import stargan

RNG = np.random.default_rng(0)
ATTRIBUTES = {"ink": ["black", "blue", "red"], "bold": ["no", "yes"]}
RECIPES = [stargan.CLOTHING, stargan.EMOJI]


def tiny(**kwargs):
    keras.utils.set_random_seed(0)
    return ganzoo.StarGAN(**{"image_shape": (16, 16, 3), "attributes": ATTRIBUTES, "width": 4, "seed": 0, **kwargs})


def parts_of(num, seed=0):
    """Squares in an ink, bold ones larger, on white."""
    rng = np.random.default_rng(seed)
    ink, bold = rng.choice(ATTRIBUTES["ink"], num), rng.choice(["no", "yes"], num)
    images = np.full((num, 16, 16, 3), 255, "uint8")
    tints = {"black": (0, 0, 0), "blue": (0, 0, 255), "red": (255, 0, 0)}
    for image, own, is_bold in zip(images, ink, bold):
        edge = 2 if is_bold == "yes" else 5
        image[edge:-edge, edge:-edge] = tints[own]
    return {"images": images, "ink": ink, "bold": bold}


def values(x):
    return ops.convert_to_numpy(x)


# --- Attributes


@pytest.mark.backend_free
def test_an_attribute_is_told_by_name_or_number():
    hair, smile = Attribute(["black", "brown", "blond"]), Attribute(["no", "yes"])
    names = ["blond", "black"]
    for given in (names, np.array(names, object), np.array(names)[:, None], [2, 0], np.array([[2], [0]], "uint8")):
        checked = hair.check(given, "hair")
        assert checked.dtype == np.int32 and checked.tolist() == [2, 0]
    assert smile.check(np.array([True, False]), "smile").tolist() == [1, 0]
    assert hair.is_single("blond") and hair.is_single(2) and not hair.is_single(["blond"])
    assert (hair.num_channels, smile.num_channels) == (3, 1)
    assert hair.read("blond", "hair") == "blond" and hair.read("blond,black", "hair") == ["blond", "black"]
    assert hair.read("2,0", "hair") == [2, 0]
    assert Attribute.from_config(smile.get_config()).values == ["no", "yes"]
    assert hair.examples(4).tolist() == ["black", "brown", "blond", "black"]
    assert hair.named(np.eye(3)[[2, 0]]).tolist() == ["blond", "black"]
    assert smile.named(np.array([[-0.1], [0.1]])).tolist() == ["no", "yes"]


@pytest.mark.backend_free
def test_what_is_no_attribute_is_refused_with_the_fix():
    hair = Attribute(["black", "blond"])
    with pytest.raises(ValueError, match=r"one name for each image. Received: hair of shape \(1, 2\)"):
        hair.check([["black", "blond"]], "hair")
    for ask in (lambda: hair.check(["blonde"], "hair"), lambda: hair.read("black,blonde", "hair")):
        with pytest.raises(ValueError, match=r"black, blond\. Did you mean 'blond'\? Received: hair='blonde'"):
            ask()
    with pytest.raises(ValueError, match="from 3 to 3"):
        hair.check([3], "hair")
    for wrong in ("black", [0, 1]):
        with pytest.raises(ValueError, match="a list of names"):
            Attribute(wrong)
    for wrong in (["one"], ["a", "a"]):
        with pytest.raises(ValueError, match="at least two values, each once"):
            Attribute(wrong)
    for wrong in ({}, ["hair"]):
        with pytest.raises(ValueError, match="names of values by their own names"):
            attribute_parts(wrong)
    for wrong in ("seed", "images", "Wavy Hair"):
        with pytest.raises(ValueError, match=f"rename it. Received: '{wrong}'"):
            attribute_parts({wrong: ["no", "yes"]})
    assert list(attribute_parts({"5_o_Clock_Shadow": ["no", "yes"]})) == ["5_o_Clock_Shadow"]  # as CelebA has it


@pytest.mark.backend_free
def test_arrays_of_str_are_attributes_of_whatever_type():
    hair, smile = np.array(["red", "black", "red"], object), np.array([["no"], ["yes"], ["no"]])
    parts = {"images": np.zeros((3, 8, 8, 3), "uint8"), "hair": hair, "smile": smile, "labels": np.arange(3)}
    parts |= {"boxes": np.array([[1], None, 3], object), "num": np.array(3)}
    assert ganzoo.data.attributes_of(parts) == {"hair": ["black", "red"], "smile": ["no", "yes"]}
    for missing in (None, np.nan):
        with pytest.raises(ValueError, match=r"2 of 3 values of 'hair' are missing.*Received: hair of dtype object"):
            ganzoo.data.attributes_of({"hair": np.array(["red", missing, missing], object)})


# --- Coloured images


@pytest.mark.backend_free
def test_a_coloured_image_is_brightness_times_fill_times_colour():
    grey = RNG.integers(0, 256, (6, 12, 14, 1), "uint8")
    colour, fill = ["red", "blue", "green"] * 2, [*FILLS, *FILLS]
    drawn = ganzoo.data.coloured(grey, colour, fill, size=(16, 18))
    assert drawn.shape == (6, 16, 18, 3) and drawn.dtype == np.uint8
    for image, before, own, how in zip(drawn, grey, colour, fill):
        for y, x in ((0, 0), (2, 2), (5, 9), (13, 15), (8, 3), (7, 7)):
            inside = 2 <= y < 14 and 2 <= x < 16
            dark = {"plain": 0, "striped": y // 2 % 2, "chequered": (y // 2 + x // 2) % 2}[how]
            bright = (before[y - 2, x - 2, 0] if inside else 0) / 255 * (0.35 if dark else 1)
            np.testing.assert_allclose(image[y, x], bright * np.array(COLOURS[own]), atol=0.51)
    np.testing.assert_array_equal(ganzoo.data.coloured(grey, "red", "plain", 16)[0], drawn[0][:, 1:17])
    for other in (dict(colours="read"), dict(fills=["plain"]), dict(images=grey[..., [0, 0, 0]]), dict(size=8)):
        with pytest.raises(ValueError, match="Received"):
            ganzoo.data.coloured(**{"images": grey, "colours": "red", "fills": "plain", **other})
    with pytest.raises(ValueError, match="uint8"):
        ganzoo.data.coloured(grey / 255, "red", "plain")


@pytest.mark.backend_free
def test_the_coloured_set_is_the_same_everywhere(data_dir):
    test = ganzoo.data.load_parts("coloured_fashion_mnist", "test", data_dir=data_dir)
    assert {name: (x.shape, x.dtype.kind) for name, x in test.items()} == {
        "images": ((10_000, 32, 32, 3), "u"),
        "colour": ((10_000,), "U"),
        "fill": ((10_000,), "U"),
        "labels": ((10_000,), "i"),
    }
    grey, labels = ganzoo.data.load("fashion_mnist", "test", data_dir=data_dir, return_labels=True)
    np.testing.assert_array_equal(test["labels"], labels)
    again = ganzoo.data.coloured(grey[:50], test["colour"][:50], test["fill"][:50])
    np.testing.assert_array_equal(test["images"][:50], again)
    assert test["colour"][:4].tolist() != coloured_parts(grey[:4], 0)["colour"].tolist()  # of another seed
    counts = np.unique(test["colour"], return_counts=True)[1], np.unique(test["fill"], return_counts=True)[1]
    assert [len(each) for each in counts] == [5, 3] and min(counts[0]) > 1900 and min(counts[1]) > 3200
    with pytest.raises(ValueError, match="in colour"):
        ganzoo.data.load_parts("coloured_fashion_mnist", "test", data_dir=data_dir, image_shape=(32, 32, 1))
    with pytest.raises(ValueError, match="load_parts"):
        ganzoo.data.load("coloured_fashion_mnist", "test", data_dir=data_dir)


@pytest.mark.backend_free
def test_an_emoji_is_followed_by_the_same_in_the_other_style(monkeypatch):
    emoji = {style: RNG.integers(0, 256, (3, 8, 8, 3), "uint8") for style in ("twemoji", "noto")}
    monkeypatch.setattr("ganzoo.data.parts.load_set", lambda name, *rest: {**emoji, "captions": np.array(["x"] * 3)})
    parts = ganzoo.data.load_parts("emoji_styles", "test")
    assert parts["style"].tolist() == ["twemoji", "noto"] * 3
    for style, own in emoji.items():
        np.testing.assert_array_equal(parts["images"][parts["style"] == style], own)


# --- Tables of attributes


def write(folder: Path, names, suffix=".png"):
    """An image of one grey level for each name."""
    for level, name in enumerate(names):
        file = folder / f"{name}{suffix}"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (10, 10), (level, level, level)).save(file)


NAMES = ["c", "a", "b", "d"]
CSV = "file,hair,Is Old\nc.png,red,1\na.png,black,0\nb.png,red,0\nd.png,grey,1\n"
CELEBA = "4\nhair Is_Old\nc.png  -1  1\na.png  1 -1\nb.png -1 -1\nd.png 1  1\n"


@pytest.mark.backend_free
@pytest.mark.parametrize("text", [CSV, CSV.replace(",", ";"), CSV.replace(",", "\t"), CSV.replace(".png", ""), CELEBA])
@pytest.mark.parametrize("below", ["", "images/"])
def test_a_table_beside_images(tmp_path, text, below):
    write(tmp_path, [below + name for name in NAMES])
    (tmp_path / ("list_attr.txt" if text is CELEBA else "table.csv")).write_text(text)
    parts = ganzoo.data.load_attributes(tmp_path, 8)
    assert parts["images"].shape == (4, 8, 8, 3) and parts["images"][:, 0, 0, 0].tolist() == [0, 1, 2, 3]  # its order
    hair = ["no", "yes", "no", "yes"] if text is CELEBA else ["red", "black", "red", "grey"]
    assert parts["hair"].tolist() == hair and parts["Is_Old"].tolist() == ["yes", "no", "no", "yes"]
    assert ganzoo.data.attributes_of(parts) == {"hair": sorted(set(hair)), "Is_Old": ["no", "yes"]}
    few = ganzoo.data.load_attributes(tmp_path, 8, "L", attributes=["Is_Old"], limit=3)
    assert list(few) == ["images", "Is_Old"] and few["images"].shape == (3, 8, 8, 1) and len(few["Is_Old"]) == 3


@pytest.mark.backend_free
def test_class_folders_are_domains_and_a_table_may_lie_elsewhere(tmp_path):
    write(tmp_path / "in", ["cats/a", "cats/b", "dogs/c"])
    parts = ganzoo.data.load_attributes(tmp_path / "in", 8)
    assert parts["domain"].tolist() == ["cats", "cats", "dogs"]
    (tmp_path / "in" / "README.txt").write_text("Pets.\n\nTaken in 2020, by hand.\n")
    assert ganzoo.data.load_attributes(tmp_path / "in", 8)["domain"].tolist() == ["cats", "cats", "dogs"]
    (tmp_path / "in" / "own.csv").write_text("name;sort\ncats/a;x\ndogs/c;y\nb;y\n")
    assert ganzoo.data.load_attributes(tmp_path / "in", 8)["sort"].tolist() == ["x", "y", "y"]
    (tmp_path / "in" / "own.csv").unlink()
    (tmp_path / "t.csv").write_text("name,sort\ncats/a,x\ndogs/c,y\nb,y\n")
    parts = ganzoo.data.load_attributes(tmp_path / "in", 8, table=tmp_path / "t.csv")
    assert parts["sort"].tolist() == ["x", "y", "y"] and parts["images"][:, 0, 0, 0].tolist() == [0, 2, 1]
    (tmp_path / "in" / "dogs" / "c.png").write_bytes(b"no image")
    with pytest.warns(UserWarning, match="Left out"):
        parts = ganzoo.data.load_attributes(tmp_path / "in", 8, table=tmp_path / "t.csv", skip_unreadable=True)
    assert parts["sort"].tolist() == ["x", "y"] and len(parts["images"]) == 2


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CSV.replace("d.png", "e.png"), r"1 of 4 names in the table are of no image .*: e\.png\. Add"),
        (CSV.replace("d.png,grey,1\n", ""), r"1 images have no line in the table: d\.png"),
        (CSV.replace("d.png", "a.png"), r"several lines for a\.png"),
        (CSV.replace("red,0", ",0"), r"1 values of 'hair' are missing, of b\.png"),
        (CSV.replace("red,0", "red"), r"3 columns, and these lines have more or fewer: b\.png"),
        (CSV.replace("grey", "red").replace("black", "red"), "'hair' has one value"),
        (CSV.replace("Is Old", "hair"), "two columns of one name: hair"),
        ("file,hair\n", "a line of names and one for each image"),
        ("file\na.png\nb.png\nc.png\nd.png\n", "names no attribute"),
        (CSV.replace("hair", "images"), r"rename the column, or leave it out \(attributes=\).*with images"),
        (CSV.replace("hair", "seed"), r"rename the column, or leave it out \(attributes=\).*with seed"),
        (CSV.replace("red", "r\u00f6d").encode("latin-1"), r"table\.csv is no UTF-8 text: save it as UTF-8"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path, text, message):
    write(tmp_path, NAMES)
    (tmp_path / "table.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=message):
        ganzoo.data.load_attributes(tmp_path, 8)


@pytest.mark.backend_free
def test_what_is_asked_of_a_table_is_in_it(tmp_path):
    write(tmp_path, NAMES)
    with pytest.raises(FileNotFoundError, match=r"no table of their attributes: put a \.csv"):
        ganzoo.data.load_attributes(tmp_path, 8)
    (tmp_path / "table.csv").write_text(CSV)
    with pytest.raises(ValueError, match=r"hair, Is_Old\. Did you mean 'hair'\? Received: attributes=\['hare'\]"):
        ganzoo.data.load_attributes(tmp_path, 8, attributes=["hare"])
    with pytest.raises(ValueError, match="first page"):
        ganzoo.data.load_attributes(tmp_path, 8, pages="all")
    with pytest.raises(FileNotFoundError, match="No such table"):
        ganzoo.data.load_attributes(tmp_path, 8, table=tmp_path / "other.csv")
    (tmp_path / "more.txt").write_text("notes")
    with pytest.raises(ValueError, match=r"which table it is, table=.*more\.txt, table\.csv"):
        ganzoo.data.load_attributes(tmp_path, 8)
    many = tmp_path / "many"
    write(many, range(60))
    (many / "t.csv").write_text("file,age\n" + "".join(f"{i},{i}\n" for i in range(60)))
    with pytest.raises(ValueError, match=r"'age' has 60 values.*groups"):
        ganzoo.data.load_attributes(many, 8)
    write(tmp_path / "twice", ["a/x", "b/x"])
    (tmp_path / "twice" / "t.csv").write_text("file,age\nx,1\na/x,0\n")
    with pytest.raises(ValueError, match="Several images are meant by x"):
        ganzoo.data.load_attributes(tmp_path / "twice", 8)


# --- Networks and losses


def test_planes_are_one_hot_or_of_two_classes_one():
    x = RNG.normal(size=(3, 2, 2, 2)).astype("float32")
    for num, planes in ((3, np.eye(3)), (2, np.array([[0.0], [1.0]]))):
        labels = np.array([0, num - 1, 1], "int32")
        layer = ganzoo.layers.ClassPlanes(num)
        y = values(layer([x, labels]))
        expected = np.broadcast_to(planes[labels][:, None, None], (3, 2, 2, planes.shape[1]))
        np.testing.assert_array_equal(y, np.concatenate([x, expected], axis=-1).astype("float32"))
        assert layer.compute_output_shape([(None, 2, 2, 2), (None,)]) == (None, *y.shape[1:])


@pytest.mark.backend_free
def test_the_networks_are_the_papers():
    network = stargan_discriminator((128, 128, 3), attribute_parts(ATTRIBUTES))
    assert [layer.kernel.shape[-1] for layer in network.layers if layer.name.endswith(tuple("123456"))] == [
        64 * 2**i for i in range(6)
    ]
    assert [tuple(output.shape[1:]) for output in network.outputs] == [(2, 2, 1), (3,), (1,)]
    generator = tiny().generator
    assert [x.name for x in generator.inputs] == ["source", "ink", "bold"]
    assert generator.get_layer("from_image").kernel.shape == (7, 7, 3 + 3 + 1, 4)
    assert not [layer.name for layer in generator.layers if "Reflection" in type(layer).__name__]
    layers = {"tanh": ["no", "yes"], "scores": ["low", "high"]}  # called as layers are
    model = tiny(attributes=layers)
    assert list(model.attributes_of(parts_of(2)["images"])) == ["tanh", "scores"]
    with pytest.raises(ValueError, match="padding='zeros'"):
        resnet_generator(3, 3, 4, classes={"ink": 3})
    with pytest.raises(ValueError, match="at least 8 pixels"):
        stargan_discriminator((4, 16, 3), attribute_parts(ATTRIBUTES))
    with pytest.raises(ValueError, match="multiples of 4"):
        tiny(image_shape=(18, 16, 3))


def softmax_loss(logits, labels):
    logits = logits.astype("float64")
    return (np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(labels)), labels]).mean()


def sigmoid_loss(logit, labels):
    p = 1 / (1 + np.exp(-logit[:, 0].astype("float64")))
    return -(labels * np.log(p) + (1 - labels) * np.log(1 - p)).mean()


def test_the_loss_of_an_attribute_is_softmax_or_sigmoid():
    labels = np.array([2, 0, 1, 1])
    logits, one = RNG.normal(size=(4, 3)).astype("float32"), RNG.normal(size=(4, 1)).astype("float32")
    assert float(losses.attribute_loss(logits, labels)) == pytest.approx(softmax_loss(logits, labels), rel=1e-5)
    assert float(losses.attribute_loss(one, labels % 2)) == pytest.approx(sigmoid_loss(one, labels % 2), rel=1e-5)
    assert float(losses.attribute_loss(np.zeros((4, 1), "float32"), labels % 2)) == pytest.approx(np.log(2))


def test_sources_are_other_images_that_get_the_attributes_of_these():
    model, parts = tiny(), parts_of(6)
    batch = model.as_batch(parts)
    assert set(batch) == {"images", "ink", "bold", "source", "source_ink", "source_bold"}
    for name in ("ink", "bold"):
        np.testing.assert_array_equal(values(batch[f"source_{name}"]), np.roll(values(batch[name]), 1))
    np.testing.assert_array_equal(values(batch["source"]), np.roll(values(batch["images"]), 1, axis=0))
    fake = model.fake(batch, training=False)
    np.testing.assert_array_equal(values(fake["ink"]), values(batch["ink"]))  # so no combination is new
    asked = {name: values(batch[name]) for name in ("source", "ink", "bold")}
    np.testing.assert_allclose(values(fake["images"]), values(model.generator(asked)), atol=1e-6)
    with pytest.raises(ValueError, match="Leave `source` out"):
        model.as_batch({**parts, "source": parts["images"]})


def test_the_losses_are_those_of_numpy(monkeypatch):
    weights = {"adversarial_weight": 0.5, "class_weight": 2.0, "reconstruction_weight": 7.0, "penalty_weight": 3.0}
    model = tiny(**weights)
    batch = model.as_batch(parts_of(6))
    fake = model.fake(batch, training=False)
    answers = {name: list(map(values, model.discriminator(x["images"]))) for name, x in (("r", batch), ("f", fake))}
    labels = [values(batch[name]) for name in ATTRIBUTES]
    named = {key: softmax_loss(a[1], labels[0]) + sigmoid_loss(a[2], labels[1]) for key, a in answers.items()}
    before = {"source": fake["images"], "ink": batch["source_ink"], "bold": batch["source_bold"]}
    cycle = np.abs(values(model.generator(before)) - values(batch["source"])).mean()
    expected = -0.5 * answers["f"][0].mean() + 2 * named["f"] + 7 * cycle
    assert float(model.generator_loss(batch, fake, training=False)) == pytest.approx(expected, rel=1e-4)
    asked = []

    def penalty(critic, real, drawn, alpha):
        asked.append((values(critic(real)).shape, values(real), values(drawn), tuple(alpha.shape)))
        return ops.convert_to_tensor(np.float32(4.0))

    monkeypatch.setattr("ganzoo.losses.gradient_penalty", penalty)
    distance = answers["f"][0].mean() - answers["r"][0].mean()
    expected = 0.5 * (distance + 3 * 4) + 2 * named["r"]  # classes of real images alone
    assert float(model.discriminator_loss(batch, fake, training=False)) == pytest.approx(expected, rel=1e-4)
    shape, real, drawn, alpha = asked[0]
    assert shape == (6, 2, 2, 1) and alpha == (6, 1, 1, 1)  # the map of scores, whose sum is differentiated
    np.testing.assert_array_equal(real, values(batch["images"]))
    np.testing.assert_array_equal(drawn, values(fake["images"]))


def test_evaluate_tells_how_far_images_are_from_themselves():
    model, parts = tiny(), parts_of(8)
    batch = model.as_batch(parts)
    asked = batch | {"ink": (batch["source_ink"] + 1) % 3, "bold": 1 - batch["source_bold"]}  # other values, all
    cycle = float(model.cycle_loss(batch, model.fake(asked, training=False), training=False)) / 2
    assert model.evaluate(parts, batch_size=8, verbose=0)["cycle"] == pytest.approx(cycle, rel=1e-4)


def test_evaluate_tells_one_image_or_one_kind_from_other_values_too():
    model, parts = tiny(), parts_of(1)
    network = model.generator
    network.set_weights([RNG.normal(size=w.shape) for w in network.get_weights()])
    source = ops.convert_to_tensor(parts["images"] / np.float32(127.5) - 1)
    ink, bold = ([list(ATTRIBUTES[name]).index(parts[name][0])] for name in ATTRIBUTES)
    draw = lambda x, *numbers: network({"source": x, **dict(zip(ATTRIBUTES, map(ops.convert_to_tensor, numbers)))})  # noqa: E731
    back = draw(draw(source, [(ink[0] + 1) % 3], [1 - bold[0]]), ink, bold)
    found = model.evaluate(parts, batch_size=1, verbose=0)["cycle"]
    assert found == pytest.approx(np.abs(values(back) - values(source)).mean() / 2, rel=1e-3)


# --- What a user asks


def test_what_is_not_said_stays_as_the_critic_sees_it():
    model, parts = tiny(), parts_of(5)
    model.discriminator.set_weights([40 * w for w in model.discriminator.get_weights()])
    for network in (model.generator, model.generator_ema):
        network.set_weights([RNG.normal(size=w.shape) for w in network.get_weights()])
    seen = model.attributes_of(parts["images"])
    assert set(seen) == set(ATTRIBUTES) and all(set(seen[name]) <= set(ATTRIBUTES[name]) for name in seen)
    drawn = model.generate(source=parts["images"], ink="red")
    np.testing.assert_array_equal(drawn, model.generate(source=parts["images"], ink="red", bold=seen["bold"]))
    np.testing.assert_array_equal(drawn, model.generate(source=parts["images"], ink=2, bold=seen["bold"]))
    other = ["no" if each == "yes" else "yes" for each in seen["bold"]]
    assert (drawn != model.generate(source=parts["images"], ink="red", bold=other)).any(axis=(1, 2, 3)).all()
    three = model.generate(source=parts["images"][0], ink=ATTRIBUTES["ink"])
    np.testing.assert_array_equal(three[2], drawn[0])
    wide = np.concatenate([parts["images"]] * 2, axis=2)
    assert model.generate(source=wide, ink="red", bold=True).shape == (5, 16, 32, 3)
    with pytest.raises(ValueError, match=r"Received: no bold"):  # of another size than the critic's
        model.generate(source=wide, ink="red")
    with pytest.raises(ValueError, match=r"Did you mean 'red'\? Received: ink='rad'"):
        model.generate(source=parts["images"], ink="rad")
    with pytest.raises(ValueError, match=r"Did you mean 'ink'\?"):
        model.generate(source=parts["images"], inks="red")


def test_it_learns_to_change_what_it_is_asked_for():
    model, parts = tiny(width=8, blocks=1), parts_of(256)
    optimizers = {player: keras.optimizers.Adam(2e-3, beta_1=0.5, beta_2=0.9) for player in model.players()}
    model.discriminator_steps = 1
    model.compile(optimizers)
    model.fit(parts, batch_size=16, epochs=10, verbose=0)
    sources, tints, right = parts["images"][:32], [(0, 0, 0), (0, 0, 255), (255, 0, 0)], []
    for number in range(3):
        drawn = model.generate(source=sources, ink=number, bold=parts["bold"][:32], averaged=False)
        middle = drawn[:, 7:9, 7:9].mean(axis=(1, 2))
        apart = np.abs(middle[:, None] - np.array(tints)).mean(axis=2)
        right.append(apart.argmin(axis=1) == number)
    assert np.mean(right) > 0.7  # a third by chance


def test_a_table_of_ones_own_is_trained_on_by_one_command(tmp_path):
    parts = parts_of(12)
    rows = ["file,ink,bold"]
    (tmp_path / "data").mkdir()
    for i, image in enumerate(parts["images"]):
        Image.fromarray(image).save(tmp_path / "data" / f"{i}.png")
        rows.append(f"{i}.png,{parts['ink'][i]},{parts['bold'][i]}")
    (tmp_path / "data" / "table.csv").write_text("\n".join(rows))
    recipe = presets.read_recipe(stargan.CLOTHING).model_dump(mode="json", by_alias=True, exclude_none=True)
    recipe["arguments"] |= {"width": 2, "blocks": 1, "discriminator_width": 2}
    recipe["training"] |= {"epochs": 1, "batch_size": 2}
    path = tmp_path / "mine.yaml"
    path.write_text(json.dumps(recipe))
    model = ganzoo.train(path, tmp_path / "run", data=tmp_path / "data", image_shape=(16, 16, 3), verbose=0)
    assert {name: part.values for name, part in model.attributes.items()} == ATTRIBUTES
    assert model.image_shape == (16, 16, 3) and int(values(model.optimizer.iterations)) == 1
    again = ganzoo.train(path, tmp_path / "run2", data=parts, verbose=0)
    assert {name: part.values for name, part in again.attributes.items()} == ATTRIBUTES
    arguments = [f"source={tmp_path / 'data' / '0.png'}", "ink=red"]
    result = CliRunner().invoke(cli.app, ["generate", str(tmp_path / "run"), *arguments, "-o", str(tmp_path / "o.png")])
    assert result.exit_code == 0, result.output
    assert Image.open(tmp_path / "o.png").size >= (16, 16)
    with pytest.raises(ValueError, match="no line in the table"):
        (tmp_path / "data" / "table.csv").write_text("\n".join(rows[:-1]))
        ganzoo.train(path, tmp_path / "run3", data=tmp_path / "data", image_shape=(16, 16, 3), verbose=0)


@pytest.mark.backend_free
def test_check_says_what_is_wrong_with_a_table(tmp_path):
    from ganzoo.zoo.asked import check_data

    write(tmp_path, NAMES)
    (tmp_path / "table.csv").write_text(CSV.replace("d.png,grey,1\n", ""))
    report = check_data(stargan.CLOTHING, tmp_path, image_shape=(32, 32, 3))
    assert any("no line in the table" in problem for problem in report.problems), report


# --- Recipes, and the table of controls


@pytest.mark.backend_free
@pytest.mark.parametrize("preset", RECIPES)
def test_the_recipes_build_models_within_their_bytes(preset):
    recipe = presets.read_recipe(preset)
    model = training.compiled(recipe, 60_000, preset)
    weights = sum(np.prod(v.shape) for each in (model.generator, model.discriminator) for v in each.weights)
    assert 2 * weights < 3e6 and reading.layout_of(model.data) == "attributes"
    assert type(model).from_config(model.get_config()).arguments == model.arguments


def task(num=24):
    parts = parts_of(num)
    parts["images"] = parts["images"].astype("uint8")

    def truth(rows, asked):
        images = np.full((len(rows), 16, 16, 3), 255, "uint8")
        for image, ink, bold in zip(images, asked["ink"], asked["bold"]):
            edge = 2 if bold == "yes" else 5
            image[edge:-edge, edge:-edge] = {"black": (0, 0, 0), "blue": (0, 0, 255), "red": (255, 0, 0)}[ink]
        return images

    return stargan.Task(parts, parts_of(160, seed=1), ATTRIBUTES, truth)


@pytest.mark.backend_free
def test_rows_of_translations_have_closed_forms():
    own = task()
    name, value, rows, asked = next(own.translations())
    assert (name, value) == ("ink", "black") and (own.test["ink"][rows] != "black").all()
    assert set(asked["ink"]) == {"black"} and (asked["bold"] == own.test["bold"][rows]).all()
    truth, sources = own.truth(rows, asked), own.test["images"][rows]
    half = np.rint((truth.astype("float64") + sources) / 2)
    seen = {"ink": np.where(np.arange(len(rows)) % 2, "black", "red"), "bold": asked["bold"]}
    found = [stargan.measured(rows, half, truth, name, asked, seen)]
    identity = [stargan.measured(rows, sources, truth, name, asked, seen)]
    row = stargan.row_of(found, identity)
    assert row["asked"]["value"] == pytest.approx((len(rows) // 2) / len(rows)) and row["kept"]["value"] == 1
    assert row["of_identity"]["value"] == pytest.approx(0.5, abs=0.01)
    assert row["error"]["value"] == pytest.approx(np.abs(half - truth).mean())
    assert row["rmse"]["value"] == pytest.approx(np.sqrt(np.square(half - truth).mean()))
    assert stargan.row_of(found * 4, identity * 4)["error"] == row["error"]  # of as many images
    mixed = {key: x[::-1] for key, x in found[0].items()}
    assert stargan.row_of([found[0], mixed], identity * 2)["error"]["interval"] == row["error"]["interval"]
    np.testing.assert_array_equal(stargan.nearest(sources, own.test["images"]), sources)


def test_the_table_and_the_controls(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(stargan, "task_of", lambda preset, data_dir, limit: task(limit))
    recipe = stargan.recipe_of(stargan.CLOTHING)
    recipe["arguments"] = {"image_shape": [16, 16, 3], "attributes": ATTRIBUTES, "width": 2, "blocks": 1}
    recipe["training"] |= {"epochs": 1, "batch_size": 2, "precision": "float32"}
    monkeypatch.setattr(stargan, "recipe_of", lambda preset: json.loads(json.dumps(recipe)))
    parts = parts_of(20)
    told = []
    train = functools.partial(ganzoo.train)
    monkeypatch.setattr(ganzoo, "train", lambda *args, **kwargs: told.append(kwargs) or train(*args, **kwargs))
    for kind in stargan.CONTROLS:
        control = stargan.train_control(stargan.CLOTHING, kind, tmp_path, data=dict(parts), verbose=0)
        weight = 0 if kind == "without_adversary" else 1
        assert control.arguments["adversarial_weight"] == weight and int(values(control.optimizer.iterations)) == 2
        assert list(control.attributes["ink"].values) == ATTRIBUTES["ink"]
    kept, shuffled = (kwargs["data"] for kwargs in told)
    assert kept["ink"].tolist() == parts["ink"].tolist() != shuffled["ink"].tolist()
    pairs = lambda p: sorted(zip(p["ink"], p["bold"]))  # noqa: E731
    assert pairs(shuffled) == pairs(parts) and (shuffled["images"] == parts["images"]).all()
    (tmp_path / stargan.CLOTHING).mkdir()
    ganzoo.StarGAN(**recipe["arguments"]).save(tmp_path / stargan.CLOTHING / "model.keras")
    arguments = ["--runs", str(tmp_path), "--limit", "24", "--preset", stargan.CLOTHING, "--classifier-epochs", "12"]
    arguments += ["--json", str(tmp_path / "table.json"), "--picture", str(tmp_path)]
    stargan.main(arguments)
    tables = json.loads((tmp_path / "table.json").read_text())[stargan.CLOTHING]
    rows = tables["all"]["rows"]
    assert list(rows) == ["identity", "without adversary", "shuffled", "preset", "truth (upper bound)"]
    assert rows["identity"]["of_identity"]["value"] == 1 and rows["truth (upper bound)"]["error"]["value"] == 0
    assert rows["truth (upper bound)"]["asked"]["value"] > 0.9 > 0.2 > rows["identity"]["asked"]["value"]
    assert len(tables["each"]["rows"]) == 5 and "right about ink" in tables["all"]["protocol"]
    assert Image.open(tmp_path / f"{stargan.CLOTHING}.png").size[0] > 16 * 16
    assert "| preset |" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        stargan.main(["--train", "shuffled"])
    (tmp_path / stargan.CLOTHING / "model.keras").unlink()
    (tmp_path / f"{stargan.CLOTHING}.png").unlink()
    stargan.main(arguments)
    assert not (tmp_path / f"{stargan.CLOTHING}.png").exists()
    assert f"train.py {stargan.CLOTHING} --data-dir FOLDER" in capsys.readouterr().err


@pytest.mark.backend_free
def test_the_truth_of_an_emoji_is_the_other_style(monkeypatch):
    emoji = {style: RNG.integers(0, 256, (4, 64, 64, 3), "uint8") for style in ("twemoji", "noto")}
    monkeypatch.setattr("ganzoo.data.parts.load_set", lambda name, *rest: {**emoji, "captions": np.array(["x"] * 4)})
    assert len(stargan.task_of(stargan.EMOJI, None, 5).test["images"]) == 4  # whole pairs
    own = stargan.task_of(stargan.EMOJI, None, 8)
    told = {value: (rows, asked) for _, value, rows, asked in own.translations()}
    for value, other in (("noto", "twemoji"), ("twemoji", "noto")):
        rows, asked = told[value]
        np.testing.assert_array_equal(own.test["images"][rows], emoji[other])
        np.testing.assert_array_equal(own.truth(rows, asked), emoji[value])
