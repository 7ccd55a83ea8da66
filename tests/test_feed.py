"""What `fit` takes, made into baskets: order, grouping, refusals."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import ganzoo
from ganzoo.engine.feed import make_feed
from ganzoo.engine.parts import Images

pytestmark = pytest.mark.backend_free

NUMBERED = np.broadcast_to(np.arange(23, dtype="uint8").reshape(-1, 1, 1, 1), (23, 4, 4, 1))
SHAPE = (4, 4, 1)
DATA = {"images": Images(SHAPE)}


def numbers(item) -> list[list[int]]:
    return [batch[:, 0, 0, 0].tolist() for batch in item[0]]


def epoch(feed) -> list:
    feed.on_epoch_begin()
    return [numbers(feed[i]) for i in range(feed.num_batches)]


def stream(images, size=2):
    return [images[i : i + size] for i in range(0, len(images), size)]


def test_n03_baskets_of_new_images_and_the_rest_dropped():
    feed = make_feed(NUMBERED, data=DATA, batch_size=2, basket=3)
    assert epoch(feed) == [[[0, 1], [2, 3], [4, 5]], [[6, 7], [8, 9], [10, 11]], [[12, 13], [14, 15], [16, 17]]]


def test_evaluation_keeps_the_rest():
    feed = make_feed(NUMBERED, data=DATA, batch_size=10, keep_rest=True)
    assert [len(basket[0]) for basket in epoch(feed)] == [10, 10, 3]


def test_k29_order_is_a_function_of_seed_and_step():
    step = 0

    def make(seed):
        return make_feed(NUMBERED, data=DATA, batch_size=4, order=lambda: (seed, step))

    first = epoch(make(5))
    assert first == epoch(make(5)) and first != epoch(make(6))
    flat = [i for basket in first for batch in basket for i in batch]
    assert len(set(flat)) == 20 and flat == np.random.default_rng([5, 0]).permutation(23)[:20].tolist()
    step = 5
    assert epoch(make(5)) != first


def test_an_epoch_longer_than_a_pass_goes_on_with_another_order():
    feed = make_feed(NUMBERED, data=DATA, batch_size=10, order=lambda: (0, 0), steps=4)
    items = epoch(feed)
    assert len(items) == 4 and items[0] != items[2]


def test_the_rest_of_an_epoch_is_in_the_same_order():
    step = 0
    feed = make_feed(NUMBERED, data=DATA, batch_size=4, order=lambda: (0, step))
    whole = epoch(feed)
    step = 2  # the model's step count when the epoch is taken up again
    assert len(whole) == 5 and epoch(feed.rest(2)) == whole[2:] and len(feed.rest(2)) == 3
    step = 5
    assert epoch(feed) != whole


def test_ready_batches_are_grouped():
    feed = make_feed(stream(NUMBERED), data=DATA, basket=5)
    assert len(feed) == 2
    assert numbers(feed[0]) == numbers(feed[0]) == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]  # a look before any epoch
    assert epoch(feed) == epoch(feed)
    feed.on_epoch_begin()
    assert numbers(feed[1])[0] == [10, 11]


def test_the_rest_of_ready_batches():
    feed = make_feed(stream(NUMBERED), data=DATA, basket=2)
    rest = feed.rest(3)
    rest[0]
    assert epoch(rest) == [[[12, 13], [14, 15]], [[16, 17], [18, 19]], [[20, 21], [22]]]
    assert len(epoch(feed)) == 6


def test_steps_of_a_stream_go_on_over_epochs_and_passes():
    feed = make_feed(stream(NUMBERED, 4), data=DATA, steps=4)
    first, second = epoch(feed), epoch(feed)
    assert [b[0][0] for b in first] == [0, 4, 8, 12] and [b[0][0] for b in second] == [16, 20, 0, 4]


class Endless(keras.utils.PyDataset):
    num_batches = None

    def __getitem__(self, i):
        return {"image": NUMBERED[i % 20 : i % 20 + 2], "label": np.zeros(2)}


def test_endless_data_needs_steps_per_epoch():
    with pytest.raises(ValueError, match="steps_per_epoch"):
        make_feed(Endless(), data=DATA)
    assert len(epoch(make_feed(Endless(), data=DATA, basket=2, steps=3))) == 3


def test_streams_that_do_not_know_their_length():
    class Unknown:
        def __iter__(self):
            return iter(stream(NUMBERED, 5))

    assert len(epoch(make_feed(Unknown(), data=DATA))) == 5


def test_labels_beside_the_images_are_left_out():
    feed = make_feed((NUMBERED, np.zeros(23)), data=DATA, batch_size=4)
    assert epoch(feed)[0] == [[0, 1, 2, 3]]
    feed = make_feed([(batch, None) for batch in stream(NUMBERED)], data=DATA)
    assert epoch(feed)[0] == [[0, 1]]


@pytest.mark.parametrize(
    ("x", "kwargs", "message"),
    [
        (NUMBERED, {"batch_size": 24}, "Not enough images"),
        (NUMBERED, {"batch_size": 8, "basket": 3}, "24 images"),
        (NUMBERED, {"batch_size": 0}, "positive integer"),
        (NUMBERED, {"batch_size": 2.0}, "positive integer"),
        (stream(NUMBERED), {"batch_size": 2}, "batches of its own"),
        (stream(NUMBERED, 20), {"basket": 3}, "consecutive"),
        (3, {}, "tf.data"),
        ([{"picture": NUMBERED}], {}, "'image'"),
    ],
)
def test_refused(x, kwargs, message):
    with pytest.raises((ValueError, TypeError), match=message):
        feed = make_feed(x, data=DATA, **kwargs)
        epoch(feed)


@pytest.mark.parametrize("where", ["array", "stream"])
@pytest.mark.parametrize(
    "bad",
    [
        np.full((8, 16, 16, 1), np.nan, "float32"),
        np.full((8, 16, 16, 1), 3.0, "float32"),
        np.random.default_rng(0).random((8, 16, 16, 1), "float32"),
        np.zeros((8, 16, 16, 3), "uint8"),
        np.zeros((8, 12, 16, 1), "uint8"),
        np.zeros((8, 16, 16), "uint8"),
        np.zeros((8, 16, 16, 1), "int64"),
    ],
)
def test_bad_images_are_refused_before_the_first_step(where, bad):
    model = ganzoo.DCGAN(image_shape=(16, 16, 1), latent_dim=4, width=4)
    model.compile(run_eagerly=True)
    before = [keras.ops.convert_to_numpy(v).copy() for v in model.generator.weights]
    with pytest.raises((ValueError, TypeError)):
        model.fit(bad if where == "array" else [bad[:4], bad[4:]], verbose=0)
    with pytest.raises((ValueError, TypeError)):
        model.evaluate(bad if where == "array" else [bad[:4], bad[4:]], verbose=0)
    for a, b in zip(before, model.generator.weights):
        np.testing.assert_array_equal(a, keras.ops.convert_to_numpy(b))


def test_never_negative_floats_pass_with_the_switch():
    model = ganzoo.DCGAN(image_shape=(16, 16, 1), latent_dim=4, width=4)
    model.compile(run_eagerly=True)
    x = np.random.default_rng(0).random((8, 16, 16, 1), "float32")
    assert len(model.fit(x, batch_size=8, verbose=0, allow_nonnegative=True).history["loss"]) == 1


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="of TensorFlow's trainer")
def test_tensorflow_takes_batches_without_a_tuning_thread():
    from ganzoo.engine.backend.tensorflow_data import pipeline

    class Sizes(keras.utils.PyDataset):
        told = ()

        def __len__(self):
            return 3

        def __getitem__(self, index):
            images = np.zeros(((4, 4, 2)[index], 8 if index else 6, 8, 1), "float32")
            return (({"images": images, "labels": np.zeros(len(images), "int32")},),)

        def on_epoch_begin(self):
            self.told += ("begin",)

        def on_epoch_end(self):
            self.told += ("end",)

    for told in (False, True):
        source = Sizes()
        batches = pipeline(source, told=told)
        assert not batches.options().autotune.enabled and int(batches.cardinality()) == 3
        ((spec,),) = batches.element_spec
        assert spec["images"].shape.as_list() == [None, None, 8, 1] and spec["labels"].dtype.name == "int32"
        assert [len(batch["labels"]) for ((batch,),) in batches] == [4, 4, 2]
        assert source.told == (() if told else ("begin", "end"))
    assert pipeline(None) is None
