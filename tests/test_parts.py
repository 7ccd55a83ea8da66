"""Parts of data: what they check and pack, how they are named, in which order they come, what is said of wrong ones."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest
from keras import ops

import ganzoo
from ganzoo import Images, Labels, Text, Vectors
from ganzoo.engine.feed import make_feed
from ganzoo.engine.parts import vocabulary_of

pytestmark = pytest.mark.backend_free

NUMBERED = np.arange(24, dtype="uint8").repeat(16).reshape(24, 4, 4, 1)
CLASSES = np.arange(24) % 3
DATA = {"images": Images((4, 4, 1)), "labels": Labels(3)}
DOMAINS = {"a": Images((4, 4, 1), group="a"), "b": Images((4, 4, 1), group="b")}


def epoch(feed):
    """The first pixel of each image, and the labels, batch by batch."""
    feed.on_epoch_begin()
    rows = []
    for i in range(len(feed)):
        ((batch, *_),) = feed[i]
        rows.append({name: part.reshape(len(part), -1)[:, 0].tolist() for name, part in batch.items()})
    feed.on_epoch_end()
    return rows


def column(rows, name):
    return [value for row in rows for value in row[name]]


# --- What a part takes, and what networks receive


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(3), r"one whole number.*astype\('int32'\).*float64"),
        (np.eye(3), r"one-hot rows use `labels\.argmax\(axis=-1\)`"),
        (np.array(["cat", "dog"]), r"np\.unique\(labels, return_inverse=True\)\[1\]"),
        (np.array([0, 3]), r"must lie in 0 to 2.*num_classes=.*from 0 to 3"),
        (np.array([-1, 0]), r"from -1 to 0"),
        (np.array([True, False]), "one whole number"),
    ],
)
def test_labels_that_are_none_are_refused_with_the_fix(values, message):
    with pytest.raises(ValueError, match=message):
        Labels(3).check(values, "labels")


def test_labels_of_keras_and_lists_are_taken():
    for values in ([0, 2, 1], np.array([[0], [2], [1]], "uint8"), np.array([0, 2, 1], "int64")):
        packed = Labels(3).check(values, "labels")
        assert packed.dtype == np.int32 and packed.tolist() == [0, 2, 1]


def test_images_of_any_size_keep_their_channels():
    part = Images((None, None, 3))
    assert part.check(np.zeros((2, 5, 9, 3), "uint8"), "source").shape == (2, 5, 9, 3)
    with pytest.raises(ValueError, match="grey channel"):
        part.check(np.zeros((2, 5, 9, 1), "uint8"), "source")
    with pytest.raises(ValueError, match=r"Images have the shape \(height, width, channels\)"):
        Images((28, 28))
    with pytest.raises(ValueError, match="`channels` must be a positive integer"):
        Images((28, 28, 0))
    assert Images((8, 8, 7)).check(np.zeros((1, 8, 8, 7), "uint8"), "x").shape == (1, 8, 8, 7)


def test_images_are_scaled_on_the_device():
    part = Images((1, 3, 1))
    packed = part.check(np.array([[[[0], [51], [255]]]], "uint8"), "x")
    assert packed.dtype == np.uint8
    seen = ops.convert_to_numpy(part.to_device(ops.convert_to_tensor(packed)))
    np.testing.assert_allclose(seen.ravel(), [-1, -0.6, 1], atol=1e-6)


def test_sentences_become_numbers_and_unknown_words_are_named_once():
    captions = ["A red heart", "a blue heart!"]
    part = Text(vocabulary_of(captions), length=4)
    assert part.vocabulary == ["a", "heart", "blue", "red"] and part.num_words == 6
    assert part.check(captions, "captions").tolist() == [[2, 5, 3, 0], [2, 4, 3, 0]]
    assert part.check(np.array([b"blue"]), "captions").tolist() == [[4, 0, 0, 0]]
    with pytest.warns(UserWarning, match=r"2 words of `captions` are not in the model's vocabulary.*'green' \(2\)"):
        assert part.check(["green heart", "green"], "captions").tolist() == [[1, 3, 0, 0], [1, 0, 0, 0]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        part.check(["a green heart"], "captions")
    with pytest.warns(UserWarning, match="1 of 1 `captions` have more than 4 words"):
        part.check(["a red red red heart"], "captions")
    numbers = np.array([[2, 3, 0, 0]])
    assert part.check(numbers, "captions").tolist() == numbers.tolist()
    for wrong, message in ((np.array([[9, 0, 0, 0]]), "numbers below 6"), (np.zeros((2, 2)), "one sentence for each")):
        with pytest.raises(ValueError, match=message):
            part.check(wrong, "captions")
    for sentences, received in (([None, "a"], "None at index 0"), (["a", float("nan")], "nan at index 1")):
        with pytest.raises(ValueError, match=rf"leave out what has none.*{received}"):
            part.check(np.array(sentences, object), "captions")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a", "a"], "each once. Received: 2 words, 'a' twice"),
        ([], "holds some words.*0 words"),
        ("abc", r"a list of words.*'abc'"),
        (["Red", "heart"], r"in lower case.*vocabulary_of.*'Red'"),
        (["red heart"], r"in lower case.*'red heart'"),
        ([1], "in lower case"),
    ],
)
def test_a_vocabulary_that_no_sentence_could_use_is_refused(words, message):
    with pytest.raises(ValueError, match=message):
        Text(words, 3)


def test_a_vocabulary_is_made_of_strings_alone():
    assert vocabulary_of(np.array([b"a red", b"red"])) == ["red", "a"]
    assert vocabulary_of(sentence for sentence in ["b", "a b"]) == ["b", "a"]
    for wrong in ("a red", [None, "a"], ["a", float("nan")], [1]):
        with pytest.raises(ValueError, match="list of sentences, each a string"):
            vocabulary_of(wrong)


def test_sentences_may_be_a_list_in_any_place():
    data = {"captions": Text(["red", "blue"], 2), "images": Images((4, 4, 1))}
    images, captions = np.zeros((6, 4, 4, 1), "uint8"), ["red", "blue"] * 3
    for x, y in ((captions, images), ((captions, images), None), ({"captions": captions, "images": images}, None)):
        feed = make_feed(x, y, data=data, batch_size=2)
        assert len(feed) == 3 and feed[0][0][0]["captions"].shape == (2, 2)


@pytest.mark.parametrize(
    "part", [Images((8, 8, 3), "g"), Labels(4), Text(["a", "b"], 5), Vectors((3, 2), derived=True)]
)
def test_a_part_makes_examples_of_itself_and_comes_back_from_its_config(part):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(part))
    assert type(again) is type(part) and again.get_config() == part.get_config()
    assert (again.group, again.derived, again.shape) == (part.group, part.derived, part.shape)
    examples = part.check(part.examples(5, seed=1), "x")
    np.testing.assert_array_equal(examples, again.check(again.examples(5, seed=1), "x"))
    seen = ops.convert_to_numpy(part.to_device(ops.convert_to_tensor(examples)))
    assert seen.shape == (5, *part.shape) and seen.dtype == part.dtype


def test_what_a_command_line_says_is_read_by_the_part(tmp_path):
    assert Labels(5).read("3", "labels") == 3 and Labels(5).read("0,2", "labels") == [0, 2]
    with pytest.raises(ValueError, match="Received: labels=three"):
        Labels(5).read("three", "labels")
    ganzoo.plot.save_png(tmp_path / "one.png", np.full((10, 12, 3), 9, "uint8"))
    assert Images((8, 8, 3)).read(str(tmp_path / "one.png"), "source").shape == (1, 8, 8, 3)
    assert Images((None, None, 1)).read(str(tmp_path), "source").shape == (1, 10, 12, 1)
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(ValueError, match=r"text\.png cannot be read as an image"):
        Images((8, 8, 3)).read(str(tmp_path / "text.png"), "source")
    with pytest.raises(ValueError, match=r"cannot be read|no image file"):
        Images((8, 8, 3)).read(str(tmp_path / "none.png"), "source")
    assert Text(["a"], 3).read("a red heart", "captions") == "a red heart"


# --- Naming


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (NUMBERED, CLASSES),
        ((NUMBERED, CLASSES), None),
        ([NUMBERED, CLASSES], None),
        (NUMBERED, CLASSES.tolist()),
        ({"images": NUMBERED, "labels": CLASSES}, None),
        ({"image": NUMBERED, "label": CLASSES.tolist()}, None),
        ({"images": NUMBERED}, CLASSES),
    ],
    ids=["x, y", "tuple", "list", "y a list", "dictionary", "names of data sets", "dictionary and y"],
)
def test_the_same_parts_in_whatever_form(x, y):
    feed = make_feed(x, y, data=DATA, batch_size=8, order=lambda: (0, 0))
    rows = epoch(feed)
    assert len(rows) == 3 and sorted(column(rows, "images")) == list(range(24))
    assert all(np.array_equal(row["labels"], CLASSES[row["images"]]) for row in rows)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (NUMBERED, None, r"`labels` is missing\. Give fit\(images, labels\) or fit\(\{'images': \.\.\., 'labels': "),
        ({"image": NUMBERED, "lable": CLASSES}, None, "Did you mean 'labels' by 'lable'"),
        ((NUMBERED, CLASSES, CLASSES), None, "another part would go unused"),
        (NUMBERED, CLASSES[:5], r"belong together row by row.*`images` of 24 rows, `labels` of 5"),
        (NUMBERED, NUMBERED, "one whole number for each image"),
        ({"images": NUMBERED, "labels": CLASSES}, CLASSES, "y is the one part that it lacks"),
    ],
)
def test_a_part_forgotten_too_many_or_wrong_is_told(x, y, message):
    with pytest.raises(ValueError, match=message):
        make_feed(x, y, data=DATA, batch_size=8)


def test_a7_a_second_part_of_a_model_of_one_is_no_silent_loss():
    alone = {"images": Images((4, 4, 1))}
    for x, y in ((NUMBERED, CLASSES), ((NUMBERED, CLASSES), None), (NUMBERED, np.eye(3)[CLASSES])):
        assert len(make_feed(x, y, data=alone, batch_size=8)) == 3  # labels beside images are passed over
    for x, y in (((NUMBERED, NUMBERED[:3]), None), (NUMBERED, NUMBERED), (NUMBERED, ["a"]), (NUMBERED, CLASSES[:3])):
        with pytest.raises(ValueError, match="another part would go unused"):
            make_feed(x, y, data=alone, batch_size=8)


def test_unused_keys_of_a_dictionary_are_named():
    with pytest.warns(UserWarning, match="left out: file, id"):
        make_feed({"image": NUMBERED, "label": CLASSES, "id": CLASSES, "file": CLASSES}, data=DATA, batch_size=8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_feed({"image": NUMBERED, "label": CLASSES}, data={"images": Images((4, 4, 1))}, batch_size=8)


def test_batches_of_dictionaries_and_of_tuples():
    batches = [{"image": NUMBERED[i : i + 8], "label": CLASSES[i : i + 8], "id": 0} for i in range(0, 24, 8)]
    with pytest.warns(UserWarning, match="left out: id"):
        assert [row["labels"] for row in epoch(make_feed(batches, data=DATA))] == CLASSES.reshape(3, 8).tolist()
    assert len(epoch(make_feed([(b["image"], b["label"]) for b in batches], data=DATA))) == 3
    with pytest.raises(ValueError, match="`labels` is missing"):
        epoch(make_feed([{"image": NUMBERED[:8]}] * 2, data=DATA))


# --- Order


def test_k29_each_group_has_an_order_of_its_own_and_begins_again():
    feed = make_feed((NUMBERED, NUMBERED[:10]), data=DOMAINS, batch_size=4, order=lambda: (7, 0))
    rows = epoch(feed)
    assert len(rows) == 6  # a pass over the longest
    a, b = (column(rows, name) for name in "ab")
    assert sorted(a) == list(range(24)) and len(set(b[:8])) == len(set(b[8:16])) == 8 and b[:8] != b[8:16]
    assert rows == epoch(make_feed((NUMBERED, NUMBERED[:10]), data=DOMAINS, batch_size=4, order=lambda: (7, 0)))
    first = np.random.default_rng([7, 0]).permutation(24).tolist()
    alone = epoch(make_feed((NUMBERED, CLASSES), data=DATA, batch_size=24, order=lambda: (7, 0)))
    assert alone[0]["images"] == first and a != first  # the nameless group has the order of data without groups
    again = make_feed((NUMBERED, NUMBERED[:10]), data=DOMAINS, batch_size=4, order=lambda: (7, 2)).rest(2)
    assert epoch(again) == rows[2:]


def test_groups_of_too_few_examples_are_told():
    with pytest.raises(ValueError, match=r"Not enough images.*Received: 3 images"):
        make_feed((NUMBERED[:3], NUMBERED[:3]), data=DOMAINS, batch_size=4)
    with pytest.raises(ValueError, match=r"holds no pixels|Not enough images"):
        make_feed((NUMBERED, NUMBERED[:0]), data=DOMAINS, batch_size=4)
    assert len(make_feed((NUMBERED, NUMBERED[:3]), data=DOMAINS, batch_size=4)) > 0  # the shorter begins again


def test_two_streams_of_different_length_go_side_by_side():
    def stream(images, size):
        return [images[i : i + size] for i in range(0, len(images), size)]

    class Unsized:
        def __iter__(self):
            return iter(stream(NUMBERED[:8], 4))

    feed = make_feed({"a": Unsized(), "b": Sized(stream(NUMBERED, 4))}, data=DOMAINS)
    rows = epoch(feed)
    assert [row["b"][0] for row in rows] == [0, 4, 8, 12, 16, 20]
    assert [row["a"][0] for row in rows] == [0, 4] * 3
    assert epoch(feed) == rows
    assert len(make_feed(Unsized(), Sized(stream(NUMBERED, 4)), data=DOMAINS)) == 6
    together = {"images": Images((4, 4, 1)), "labels": Labels(3)}
    with pytest.raises(ValueError, match=r"belong together batch by batch.*images of 2 batches, labels of 1 batches"):
        make_feed({"images": Unsized(), "labels": Sized([CLASSES[:4]])}, data=together)


class Sized(keras.utils.PyDataset):
    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, i):
        return self.batches[i]


# --- Names of networks' inputs


def networks(given="labels", asked="labels"):
    latents, labels = keras.Input((4,), name="latents"), keras.Input((), dtype="int32", name=given)
    x = keras.layers.Concatenate()([latents, keras.layers.Embedding(3, 2)(labels)])
    drawn = keras.layers.Reshape((4, 4, 1))(keras.layers.Dense(16)(x))
    images, classes = keras.Input((4, 4, 1), name="images"), keras.Input((), dtype="int32", name=asked)
    seen = keras.layers.Concatenate()([keras.layers.Flatten()(images), keras.layers.Embedding(3, 2)(classes)])
    logit = keras.layers.Dense(1)(seen)
    return keras.Model([latents, labels], drawn, name="g"), keras.Model([images, classes], logit, name="d")


@pytest.mark.parametrize(("given", "asked", "wrong"), [("label", "labels", "g"), ("labels", "lables", "d")])
def test_an_input_that_misses_a_part_by_a_letter_is_told_before_the_first_step(given, asked, wrong):
    generator, discriminator = networks(given, asked)
    model = ganzoo.DCGAN(generator=generator, discriminator=discriminator, data=DATA)
    with pytest.raises(ValueError, match=f"An input of the {wrong} is named '(label|lables)'.*Did you mean 'labels'"):
        model.fit(NUMBERED, CLASSES, batch_size=8)


def test_networks_that_do_not_fit_the_data_are_told():
    generator, discriminator = networks()
    with pytest.raises(ValueError, match="must draw `images`"):
        ganzoo.DCGAN(generator=generator, discriminator=discriminator, data={**DATA, "images": Images((8, 8, 1))})
    with pytest.raises(ValueError, match="takes every part of the data"):
        ganzoo.DCGAN(generator=generator, discriminator=discriminator, data={"labels": Labels(3)})


def test_k43_a_network_is_given_what_its_inputs_are_named_after():
    x = keras.Input((2,), name="wanted")
    network = keras.Model({"wanted": x}, keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")(x))
    from ganzoo.engine.parts import pick

    batch = {"another": np.zeros((1, 2), "float32"), "wanted": np.ones((1, 2), "float32")}
    assert float(ops.convert_to_numpy(network(pick(network, batch, "x")))[0, 0]) == 2
    with pytest.raises(ValueError, match="takes 'wanted', and there is no such part"):
        two = keras.Model([x, y := keras.Input((2,), name="other")], keras.layers.Add()([x, y]))
        pick(two, {"other": 0}, "x")


# --- What `generate` is told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 4}, r"draws from `latents` and `labels`: say generate\(\.\.\., labels=\.\.\.\)"),
        ({"n": 4, "label": 1}, "knows no `label`. Did you mean 'labels'"),
        ({"n": 4, "labels": 3}, "must lie in 0 to 2"),
        ({"n": 4, "labels": 1.5}, "one whole number"),
        ({"n": 4, "labels": [0, 1]}, "one for all 4 images, or one for each. Received: 2"),
        ({"n": 4, "labels": 0, "latents": np.zeros((4, 3))}, r"`latents` are finite numbers \(n, 4\)"),
        ({"labels": 0, "n": 0}, "`n` must be a positive integer"),
        ({"labels": 0, "n": 2**70}, r"`n` must be a positive integer, less than 2\*\*31"),
        ({"labels": []}, "holds nothing to draw from"),
        ({"labels": "a.png"}, r"`labels` is Labels, given as numbers: read files.*'a.png'"),
    ],
)
def test_what_generate_cannot_draw_is_told(arguments, message):
    generator, discriminator = networks()
    model = ganzoo.DCGAN(generator=generator, discriminator=discriminator, data=DATA)
    with pytest.raises(ValueError, match=message):
        model.generate(**arguments)


def test_generate_takes_one_value_for_all_or_one_for_each():
    generator, discriminator = networks()
    model = ganzoo.DCGAN(generator=generator, discriminator=discriminator, data=DATA)
    same = model.generate(3, labels=2, seed=0)
    np.testing.assert_array_equal(same, model.generate(labels=[2, 2, 2], seed=0))
    np.testing.assert_array_equal(same, model.generate(3, labels=np.array([2]), seed=0))
    np.testing.assert_array_equal(same[:1], model.generate(labels=2, seed=0))
    latents = model.seeded_latents(3, seed=0)
    np.testing.assert_array_equal(same, model.generate(labels=2, latents=latents))
    drawn = model.predict({"latents": latents, "labels": np.full(3, 2, "int64")}, verbose=0)
    assert np.abs(ganzoo.data.to_uint8(np.clip(drawn, -1, 1)).astype(int) - same).max() <= 1


def test_a_model_without_classes_says_so():
    with pytest.raises(ValueError, match=r"knows no `labels`\. Leave it out"):
        ganzoo.DCGAN((16, 16, 1), 4, 4).generate(2, labels=1)
    with pytest.raises(ValueError, match=r"Say how many images to draw: generate\(16\)"):
        ganzoo.DCGAN((16, 16, 1), 4, 4).generate()


def test_a8_layers_that_draw_in_inference_follow_the_seed_and_move_nothing():
    latents = keras.Input((4,), name="latents")
    noisy = keras.layers.Dropout(0.5, name="noise")(latents, training=True)
    generator = keras.Model(latents, keras.layers.Reshape((4, 4, 1))(keras.layers.Dense(16)(noisy)))
    images = keras.Input((4, 4, 1))
    discriminator = keras.Model(images, keras.layers.Dense(1)(keras.layers.Flatten()(images)))
    model = ganzoo.DCGAN(generator=generator, discriminator=discriminator, seed=0)
    before = [ops.convert_to_numpy(v).copy() for v in model.variables]
    first = model.generate(8, seed=0)
    np.testing.assert_array_equal(first, model.generate(8, seed=0))
    assert not np.array_equal(first, model.generate(8, seed=1))
    for a, b in zip(before, model.variables):
        np.testing.assert_array_equal(a, ops.convert_to_numpy(b))


# --- Found by others


def test_batches_of_a_stream_belong_together_row_by_row():
    with pytest.raises(ValueError, match=r"belong together row by row.*`images` of 8 rows, `labels` of 5"):
        epoch(make_feed([(NUMBERED[:8], CLASSES[:5])] * 2, data=DATA))
    generator, discriminator = networks()
    model = ganzoo.DCGAN(generator=generator, discriminator=discriminator, data=DATA)
    with pytest.raises(ValueError, match="belong together row by row"):
        model.as_batch(NUMBERED, CLASSES[:5])


@pytest.mark.parametrize(
    "columns",
    [
        {"images": NUMBERED, "labels": list(CLASSES)},
        {"image": list(NUMBERED), "label": CLASSES},
        ({"image": NUMBERED}, CLASSES),
        ({"image": NUMBERED, "label": CLASSES},),
    ],
    ids=["a list of numbers", "a list of images", "Keras' pair", "Keras' one"],
)
def test_columns_of_lists_and_keras_own_forms(columns):
    rows = epoch(
        make_feed(
            [columns] if isinstance(columns, tuple) else columns,
            data=DATA,
            **({} if isinstance(columns, tuple) else {"batch_size": 24}),
        )
    )
    assert column(rows, "labels") == CLASSES.tolist()


@pytest.mark.parametrize("name", ["sorce", "input_layer"])
def test_a_single_input_named_after_nothing_is_told(name):
    given = keras.Input((4, 4, 1), name=name)
    drawn = keras.layers.Conv2D(1, 3, padding="same", activation="tanh")(given)
    target = keras.Input((4, 4, 1), name="target")
    judged = keras.Model(target, keras.layers.Dense(1)(keras.layers.Flatten()(target)), name="d")
    data = {"source": Images((4, 4, 1)), "target": Images((4, 4, 1))}
    with pytest.raises(ValueError, match=f"input of the g is named '{name}', which is no part of the data"):
        ganzoo.DCGAN(generator=keras.Model(given, drawn, name="g"), discriminator=judged, data=data)


def test_a_part_that_no_network_takes_is_said():
    model = ganzoo.DCGAN((16, 16, 1), 4, 4, data={"images": Images((16, 16, 1)), "labels": Labels(3)})
    with pytest.warns(UserWarning, match="No network of this DCGAN takes `labels`"):
        model.compile()


def test_a_part_called_as_an_argument_of_generate_is_refused():
    generator, discriminator = networks()
    with pytest.raises(ValueError, match="cannot be called as an argument"):
        ganzoo.DCGAN(generator=generator, discriminator=discriminator, data={**DATA, "seed": Labels(2)})


def test_arguments_belong_to_each_model():
    class Own(ganzoo.GAN):
        def __init__(self, k):
            base = ganzoo.DCGAN((16, 16, 1), 4, 4)
            super().__init__(base.generator, base.discriminator)
            self.arguments["k"] = k

    first, second = Own(1), Own(2)
    assert (first.arguments["k"], second.arguments["k"]) == (1, 2) and ganzoo.GAN.arguments == {}


def test_predict_checks_what_it_is_given():
    generator, discriminator = networks()
    model = ganzoo.DCGAN(generator=generator, discriminator=discriminator, data=DATA)
    latents = model.seeded_latents(2, seed=0)
    with pytest.raises(ValueError, match="must lie in 0 to 2"):
        model.predict({"latents": latents, "labels": np.array([0, -1])}, verbose=0)
    with pytest.raises(ValueError, match=r"draws from `latents` and `labels`: give them all.*no labels"):
        model.predict({"latents": latents}, verbose=0)


def test_old_overrides_of_generate_and_losses():
    class Own(ganzoo.DCGAN):
        def generate(self, n, labels=None, seed=None, batch_size=256, averaged=True):
            return super().generate(n, labels, seed, batch_size, averaged)

    model = Own((16, 16, 1), 4, 4)
    with pytest.warns(DeprecationWarning, match="all but n by name"):
        drawn = model.generate(3, seed=1)
    np.testing.assert_array_equal(drawn, ganzoo.DCGAN.generate(model, 3, labels=None, seed=1))
    with pytest.raises(TypeError, match=r"change its line to `def generator_loss\(self, real, fake, training\):`, and"):

        class Handed(ganzoo.DCGAN):
            def generator_loss(self, fake, training):
                return super().generator_loss(fake, training)
