"""Protocols of models with conditions: fakes are drawn for the conditions of the reals, and the ids say so."""

from __future__ import annotations

import types
import warnings

import keras
import numpy as np
import pytest
from keras import layers, ops

import ganzoo
from ganzoo import losses, metrics
from ganzoo.metrics import Reference, path_length, protocol, reals
from ganzoo.metrics.scores import PATHS, Score
from ganzoo.zoo import presets

CLASSES, SHAPE = 4, (16, 16, 1)
LEVELS = np.linspace(-0.75, 0.75, CLASSES)  # the grey of each class, in [-1, 1]


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("GANZOO_HOME", str(tmp_path / "home"))
    return tmp_path


class Sight:
    """A classifier of four greys; its one feature is the mean of an image in [-1, 1]."""

    id = "sight-0"

    def float_features(self, images):
        return np.asarray(images, "float64").mean(axis=(1, 2, 3))[:, None]

    def features(self, images):
        return self.float_features(images.astype("float64") / 127.5 - 1)

    def features_and_logits(self, images):
        features = self.features(images)
        return features, -((features - LEVELS) ** 2)


def class_generator():
    """Draws the grey of the class that is asked for, a little darker or brighter by its latents."""
    latents, labels = keras.Input((2,), name="latents"), keras.Input((), dtype="int32", name="labels")
    grey = layers.Embedding(CLASSES, 1, name="grey")(labels)
    around = layers.Dense(1, use_bias=False, name="around")(latents)
    image = layers.UpSampling2D(16, name="image")(layers.Reshape((1, 1, 1), name="pixel")(grey + around))
    network = keras.Model([latents, labels], image)
    network.get_layer("grey").set_weights([LEVELS[:, None]])
    network.get_layer("around").set_weights([np.array([[0.05], [0.02]])])
    return network


def class_model(cls=ganzoo.CGAN, **options):
    return cls(SHAPE, CLASSES, latent_dim=2, width=4, generator=class_generator, **options)


def class_images(num, seed=0):
    """uint8 images of the four greys, and their classes."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(num) % CLASSES)
    greys = 127.5 * (LEVELS[labels] + rng.normal(0, 0.05, num) + 1)
    noise = rng.normal(0, 3, (num, *SHAPE))  # each image is another one
    return np.clip(np.round(greys[:, None, None, None] + noise), 0, 255).astype("uint8"), labels


def values_of(measured):
    return {metric["name"]: metric["value"] for metric in measured}


# --- classes


@pytest.mark.backend_free
def test_fakes_are_drawn_for_the_classes_of_the_reals_and_measured_class_by_class():
    images, labels = class_images(200)
    model, reference = class_model(), Reference(Sight(), images, inputs={"labels": labels})
    numbers = metrics.scorer(reference, ["labels"], seed=3)(model)
    fakes = model.generate(labels=labels, seed=3)
    assert numbers == metrics.score(fakes, reference, ["labels"]) and numbers["label_accuracy"] == 1
    sides = [[Sight().features(x)[labels == c, 0] for c in range(CLASSES)] for x in (images, fakes)]
    expected = [
        (real.mean() - fake.mean()) ** 2 + (real.std(ddof=1) - fake.std(ddof=1)) ** 2 for real, fake in zip(*sides)
    ]
    assert numbers["within_class_frechet_distance"] == pytest.approx(np.mean(expected), rel=1e-6)


@pytest.mark.backend_free
def test_shuffled_labels_give_chance_where_the_frechet_distance_sees_nothing():
    images, labels = class_images(400)
    model, reference = class_model(), Reference(Sight(), images, inputs={"labels": labels})
    shuffled = np.random.default_rng(1).permutation(labels)
    right, wrong = (
        metrics.score(model.generate(labels=each, seed=0), reference, ["labels", "frechet"])
        for each in (labels, shuffled)
    )
    assert right["label_accuracy"] == 1 and wrong["label_accuracy"] == np.mean(labels == shuffled) < 0.35
    assert wrong["within_class_frechet_distance"] > 100 * right["within_class_frechet_distance"]
    assert wrong["frechet_distance"] < 0.01 * wrong["within_class_frechet_distance"]


@pytest.mark.backend_free
def test_labels_give_nothing_where_there_is_nothing_to_measure():
    images, labels = class_images(20)

    def numbers(see, inputs, model=None):
        return Score(images, Reference(see, images, inputs=inputs), model).labels()

    assert list(numbers(Sight(), {"labels": labels})) == ["label_accuracy", "within_class_frechet_distance"]
    one_alone = np.where(np.arange(20) == 3, 3, labels % 3)
    assert list(numbers(Sight(), {"labels": one_alone})) == ["label_accuracy"]  # one image has no covariance
    assert numbers(Sight(), None) == {} == numbers(Sight(), {"source": images})
    blind = metrics.CustomExtractor(lambda x: x.mean(axis=(1, 2)), "mean")
    assert numbers(blind, {"labels": labels}) == {}
    others = types.SimpleNamespace(data={"labels": ganzoo.Labels(7)})
    assert numbers(Sight(), {"labels": labels}, others) == {}  # four classes of something else
    with pytest.raises(ValueError, match=r"\[0, 4\)"):
        numbers(Sight(), {"labels": labels + 4})


@pytest.mark.backend_free
def test_conditions_are_one_for_each_real():
    images, labels = class_images(20)
    for wrong in (labels[:19], 3):
        with pytest.raises(ValueError, match=r"one for each real image.*Received: `labels`.*20 images"):
            Reference(Sight(), images, inputs={"labels": wrong})
    with pytest.raises(ValueError, match="knows no `style`"):
        metrics.scorer(Reference(Sight(), images, inputs={"labels": labels, "style": labels}))(class_model())


@pytest.mark.backend_free
def test_evaluate_takes_the_labels_that_belong_to_the_images(home):
    images, labels = class_images(60)
    np.savez(home / "greys.npz", x_test=images, y_test=labels, x_train=images[:9], y_train=labels[:9])
    found = []

    def rows(score):
        inside = [(score.reference.images[i] == images).all(axis=(1, 2, 3)).argmax() for i in range(40)]
        found.append(np.array_equal(labels[inside], score.reference.inputs["labels"]))
        return {}

    mine = metrics.Protocol("mine", ("labels", rows), num_images=40, num_seeds=2)
    measured = metrics.evaluate(class_model(), str(home / "greys.npz"), protocol=mine, extractor=Sight())
    assert found == [True, True] and values_of(measured)["label_accuracy"] == 1
    reference = Reference(Sight(), protocol.some_of(images, 40), inputs={"labels": labels[reals.rows_of(images, 40)]})
    begin = f"mine-v1/greys.npz-test40-{reference.content}/sight-0/uint8/k5/ema/fakes40x2"
    assert measured[0]["protocol"] == f"{begin}/of-labels-{reference.inputs_content}"
    other = Reference(Sight(), reference.images, inputs={"labels": reference.inputs["labels"][::-1]})
    assert other.inputs_content != reference.inputs_content


@pytest.mark.backend_free
def test_evaluate_takes_arrays_as_fit_does():
    images, labels = class_images(60)
    options = {"protocol": "conditional", "num_images": 60, "num_seeds": 1, "extractor": Sight()}
    measured = metrics.evaluate(class_model(), (images, labels), **options)
    assert measured == metrics.evaluate(class_model(), {"labels": labels, "images": images}, **options)
    assert measured[0]["protocol"].startswith("conditional-v1/arrays-all60-")
    assert {"label_accuracy", "within_class_frechet_distance", "frechet_distance", "recall"} <= set(values_of(measured))
    assert metrics.evaluate(images, images, **options)[0]["name"] == "frechet_distance"  # images have no classes
    with pytest.raises(ValueError, match="`labels` is missing"):
        metrics.evaluate(class_model(), images, **options)
    with pytest.raises(ValueError, match=r"Arrays have no extractor.*Received: extractor=None"):
        metrics.evaluate(class_model(), (images, labels), protocol="conditional")


@pytest.mark.backend_free
def test_numbers_of_unconditional_models_are_of_no_conditions():
    model = ganzoo.DCGAN(SHAPE, latent_dim=2, width=4)
    images, _ = class_images(30)
    small = metrics.Protocol("small", ("frechet", "labels"), num_images=30, num_seeds=1)
    measured = metrics.evaluate(model, images, protocol=small, extractor=Sight())
    assert list(values_of(measured)) == ["frechet_distance"] and measured[0]["protocol"].endswith("/ema/fakes30x1")
    assert metrics.PROTOCOLS["extended"].metrics[-1] == "labels"


@pytest.mark.backend_free
def test_a_hash_of_conditions_does_not_depend_on_how_they_are_stored():
    images, labels = class_images(4)

    def content(**inputs):
        return Reference(None, images, inputs=inputs).inputs_content

    assert content(labels=labels.astype("int32")) == content(labels=list(labels))
    words = ["a red heart", "a cat", "ü", "a longer sentence"]
    assert content(captions=words) == content(captions=np.array(words, object)) == content(captions=np.array(words))
    assert content(captions=words) == content(captions=np.array([word.encode() for word in words]))
    assert len({content(a=labels), content(b=labels), content(a=labels, b=labels), content(captions=words)}) == 4


# --- images that belong together


def shifted(source_shape=SHAPE, name="source", factor=1):
    """A generator that draws what it is given, ten grey levels brighter."""
    source = keras.Input(source_shape, name=name)
    larger = layers.UpSampling2D(factor, name="larger")(source) if factor > 1 else source
    network = keras.Model(source, layers.Conv2D(1, 1, name="brighter")(larger))
    network.get_layer("brighter").set_weights([np.ones((1, 1, 1, 1)), np.array([10 / 127.5])])
    return network


def critic(*names):
    inputs = [keras.Input(SHAPE, name=name) for name in names]
    x = layers.Concatenate(name="join")(inputs) if len(inputs) > 1 else inputs[0]
    return keras.Model(inputs, layers.Dense(1, name="logit")(layers.Flatten(name="flat")(x)))


@keras.saving.register_keras_serializable("test_protocols")
class Translating(ganzoo.GAN):
    def discriminator_loss(self, real, fake, training):
        return losses.non_saturating_discriminator_loss(
            self.discriminate(real, training), self.discriminate(fake, training)
        )

    def generator_loss(self, real, fake, training):
        return losses.non_saturating_generator_loss(self.discriminate(fake, training))


def translator(group=""):
    data = {"source": ganzoo.Images(SHAPE), "target": ganzoo.Images(SHAPE, group=group)}
    return Translating(shifted, lambda: critic("source", "target"), data=data)


def sources(num, seed=0):
    return np.random.default_rng(seed).integers(0, 246, (num, *SHAPE), "uint8")


def test_each_fake_is_compared_with_the_real_one_that_it_was_drawn_for():
    source = sources(9)
    for num in (None, 5):  # all, or some of them in another order
        measured = metrics.evaluate(translator(), (source, source), protocol="paired", num_images=num)
        numbers = values_of(measured)
        assert list(numbers) == ["psnr", "ssim", "l1"] and measured[0]["std"] is None
        assert numbers["l1"] == pytest.approx(10) and numbers["psnr"] == pytest.approx(20 * np.log10(25.5))
        begin, _, end = measured[0]["protocol"].partition("/psnr-ssim11x1.5-range255/uint8/k5/ema/")
        assert begin.startswith(f"paired-v1/arrays-all{num or 9}-") and end.startswith(f"fakes{num or 9}x1/of-source-")
    turned = {"source": source, "target": source[::-1]}
    assert values_of(metrics.evaluate(translator(), turned, protocol="paired"))["l1"] > 50


@pytest.mark.backend_free
def test_pairs_are_measured_without_an_extractor_and_nothing_else_is():
    source, images = sources(4), sources(4) + 10
    reference = Reference(None, images, inputs={"source": source})
    assert metrics.score(images, reference, ["paired"])["l1"] == 0
    with pytest.raises(ValueError, match=r"takes features.*Received: extractor=None"):
        metrics.score(images, reference, ["neighbours"])
    assert Score(images, reference).path() == {}
    assert not metrics.Protocol("p", ("paired", "diversity")).takes_features
    assert metrics.Protocol("p", ("paired", "frechet")).takes_features  # then it needs one,
    assert metrics.Protocol("p", ("diversity",)).takes_features  # and ids of before stay as they were
    with pytest.raises(ValueError, match=r"at least 1.*num_images=0"):
        metrics.Protocol("p", ("paired",), num_images=0)


@pytest.mark.backend_free
def test_what_does_not_belong_together_makes_no_pairs():
    source, other = sources(7), sources(5, seed=1)
    with pytest.raises(ValueError, match=r"None of these.*\('paired',\)"):
        metrics.evaluate(translator(group="others"), {"source": source, "target": other}, protocol="paired")
    unpaired = metrics.Protocol("unpaired", ("frechet",), num_images=None, num_seeds=1)
    options = {"protocol": unpaired, "extractor": Sight()}
    measured = metrics.evaluate(translator(group="others"), {"source": source, "target": other}, **options)
    assert measured[0]["protocol"].startswith("unpaired-v1/arrays-all5-")  # as many as there are of both
    with pytest.raises(ValueError, match=r"None of these.*\('paired',\)"):
        metrics.evaluate(class_model(), class_images(8), protocol="paired")
    with pytest.raises(ValueError, match=r"9 real images.*Received: 10 asked for"):
        metrics.evaluate(translator(), (sources(9), sources(9)), protocol="paired", num_images=10)


class Enlarging(Translating):
    def prepare(self, real, training):
        return {"small": ops.average_pool(real["images"], 2, 2), **real}


def test_conditions_that_the_model_makes_itself_are_made_of_the_reals(monkeypatch):
    monkeypatch.setattr(reals, "_BATCH", 4)
    data = {"small": ganzoo.Images((8, 8, 1), derived=True), "images": ganzoo.Images(SHAPE)}
    model = Enlarging(lambda: shifted((8, 8, 1), "small", 2), lambda: critic("images"), data=data)
    images = sources(9)[:, :8, :8].repeat(2, axis=1).repeat(2, axis=2)
    measured = metrics.evaluate(model, images, protocol="paired")
    assert values_of(measured)["l1"] == pytest.approx(10) and "/of-small-" in measured[0]["protocol"]


# --- presets

RECIPE = """
model: cgan
description: Greys.
paper: none
dataset: {name: greys, parts: {labels: grey}, derive: {source: edges}, image_shape: [16, 16, 1]}
training: {epochs: 1, batch_size: 1}
"""


@pytest.fixture
def preset(home, monkeypatch):
    """A recipe whose model draws greys, and what `read_parts` was asked for."""
    images, labels = class_images(60)
    asked = []

    def read_parts(parts, dataset, split, **options):
        asked.append({"parts": list(parts), "dataset": dataset, "split": split, **options})
        return {"images": images, "labels": labels}

    (home / "cgan-greys.yaml").write_text(RECIPE)
    monkeypatch.setattr(presets, "load", lambda name, dtype: class_model())
    monkeypatch.setattr(reals, "read_parts", read_parts)
    monkeypatch.setattr(protocol, "extractor_named", lambda name: Sight())
    return str(home / "cgan-greys.yaml"), asked


SMALL = metrics.Protocol("small", ("labels",), num_images=50, num_seeds=1)


@pytest.mark.backend_free
def test_a_recipe_says_which_parts_of_the_data_its_model_takes(preset):
    path, asked = preset
    measured = metrics.evaluate(path, protocol=SMALL, data_dir="there")
    assert "/uint8-16x16x1/" in measured[0]["protocol"] and measured[0]["protocol"].startswith("small-v1/greys-test50-")
    settings = {"names": {"labels": "grey"}, "derive": {}, "image_shape": [16, 16, 1], "reading": {}}
    parts = ["images", "labels"]
    shared = {"dataset": "greys", "split": "test", "data_dir": "there", "folder_shape": SHAPE}
    assert asked == [{"parts": parts, **shared, **settings}]  # not what is derived for parts that are not asked for
    metrics.evaluate(path, "others", protocol=SMALL)
    assert asked[-1]["names"] == {}  # another set has names of its own


@pytest.mark.backend_free
def test_reals_that_are_not_those_of_the_card_are_told(preset, monkeypatch):
    path, _ = preset
    content = Reference(None, protocol.some_of(class_images(60)[0], 50)).content

    def told(identity):
        card = types.SimpleNamespace(metrics=[{"protocol": identity}])
        monkeypatch.setattr(presets, "read_card", lambda preset: card)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            metrics.evaluate(path, protocol=SMALL)
        return [str(w.message) for w in caught if issubclass(w.category, UserWarning)]

    assert told(f"extended-v1/greys-test50-{content}/sight-0/uint8") == []
    assert told("extended-v1/greys-test60-0badc0de/sight-0/uint8") == []  # another count has another content
    assert told("extended-v1/greys-train50-0badc0de/sight-0/uint8") == []
    (message,) = told("extended-v1/greys-test50-0badc0de/sight-0/uint8")
    assert "not those of the card" in message and f"greys-test50 of content {content}" in message
    assert message.endswith("on the card 0badc0de")


# --- path length


@pytest.mark.backend_free
def test_path_length_between_ends_of_ones_own_is_that_of_a_straight_line():
    ends = np.random.default_rng(0).random((2, 30, 5))
    flat = lambda x: x.reshape(len(x), -1)  # noqa: E731
    measure = lambda **options: metrics.perceptual_path_length(  # noqa: E731
        lambda z: z, flat, num_samples=30, epsilon=0.01, trim=0, batch_size=7, **options
    )
    squared = np.sum((ends[0] - ends[1]) ** 2, axis=1)
    assert measure(ends=ends) == pytest.approx(squared.mean(), rel=1e-3)
    assert measure(ends=ends.reshape(2, 30, 1, 5, 1)) == measure(ends=ends)  # latents of any shape
    with pytest.raises(ValueError, match=r"`ends` for each of the 30 paths. Received: 29"):
        measure(ends=ends[:, :29])
    with pytest.raises(ValueError, match="latent_dim=None"):
        measure()


@pytest.mark.backend_free
def test_what_else_a_generator_takes_stays_the_same_along_a_path():
    ends, scale = np.random.default_rng(0).random((2, 30, 5)), np.arange(30.0)[:, None]
    options = {"num_samples": 30, "epsilon": 0.01, "trim": 0, "batch_size": 7, "ends": ends}
    draw = lambda given: given["latents"] * given["scale"]  # noqa: E731
    measured = metrics.perceptual_path_length(draw, lambda x: x, inputs={"scale": scale}, **options)
    assert measured == pytest.approx(np.mean(np.sum((ends[0] - ends[1]) ** 2, axis=1) * scale[:, 0] ** 2), rel=1e-3)
    with pytest.raises(ValueError, match=r"`scale` for each of the 30 paths. Received: 29"):
        metrics.perceptual_path_length(draw, lambda x: x, inputs={"scale": scale[:29]}, **options)


def around(latents):
    """What the generator of classes draws of the latents alone, as one feature."""
    return latents @ np.array([[0.05], [0.02]])


def path_of(model, averaged=True):
    images, labels = class_images(30)
    reference = Reference(Sight(), images, inputs={"labels": labels})
    return Score(images, reference, model, seed=1, averaged=averaged).path()["perceptual_path_length"]


def test_path_length_of_a_conditional_model_is_within_a_class():
    model = class_model()
    expected = metrics.perceptual_path_length(around, lambda x: x, 2, num_samples=PATHS, seed=1)
    assert path_of(model) == pytest.approx(expected, rel=0.05)  # of steps of 1e-4 in float32
    model.generator.get_layer("around").set_weights([np.array([[0.5], [0.2]])])
    assert path_of(model, averaged=False) == pytest.approx(100 * expected, rel=0.05)
    assert path_of(model) == pytest.approx(expected, rel=0.05)


class Uniform(ganzoo.CGAN):
    def latents(self, num):
        return self.noise("uniform", (num, self.latent_dim))


def test_paths_of_a_model_with_latents_of_its_own_run_straight_between_them():
    ends, held = path_length.own_latents(class_model(Uniform), PATHS, 1)
    assert ends.shape == (2, PATHS, 2) and held == {} and ends.min() >= 0 and ends.max() < 1
    expected = metrics.perceptual_path_length(around, lambda x: x, num_samples=PATHS, seed=1, ends=ends)
    assert path_of(class_model(Uniform)) == pytest.approx(expected, rel=0.05)


@pytest.mark.backend_free
def test_only_float_latents_of_that_name_move():
    own = path_length.own_latents
    assert own(class_model(), 5, 0) == (None, {}) and own(translator(), 5, 0) is None

    def stub(drawn):
        network = types.SimpleNamespace(inputs=[types.SimpleNamespace(name=name) for name in ("latents", "codes")])
        cls = type("Stub", (), {"latents": None, "seeded_latents": lambda self, n, seed: drawn(n)})
        cls.generator = network
        return cls()

    ones = lambda n, width: np.ones((n, width), "float32")  # noqa: E731
    ends, held = own(stub(lambda n: {"latents": ones(n, 2), "codes": ones(n, 3), "unused": ones(n, 1)}), 5, 0)
    assert ends.shape == (2, 5, 2) and {name: x.shape for name, x in held.items()} == {"codes": (5, 3)}
    assert own(stub(lambda n: {"codes": ones(n, 3)}), 5, 0) is None
    assert own(stub(lambda n: np.ones((n, 2), "int32")), 5, 0) is None
