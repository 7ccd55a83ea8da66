"""The padding and the image pool of networks that redraw images: against loops in NumPy, in value and derivatives."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops
from layer_reference import Derivatives, assert_close, derivatives

from ganzoo import layers


def values(x):
    return ops.convert_to_numpy(x)


# -------------------------------------------------------------------------------------------------- reflection padding
def folded(y, padding):
    """The adjoint of padding: what lies beyond the border, added to where it came from."""
    (rows, columns), (height, width) = padding, (y.shape[1] - 2 * padding[0], y.shape[2] - 2 * padding[1])
    places = [np.pad(np.arange(n), p, "reflect") for n, p in ((height, rows), (width, columns))]
    x = np.zeros((y.shape[0], height, width, y.shape[3]))
    np.add.at(x, (slice(None), places[0][:, None], places[1][None]), y)
    return x


@pytest.mark.parametrize("padding", [(1, 1), (3, 3), (2, 1)])
@pytest.mark.parametrize("policy,tolerance", [("float32", 1e-5), ("mixed_bfloat16", 4e-2)])
def test_k02_reflection_padding_value_first_and_second_derivative(padding, policy, tolerance):
    rng = np.random.default_rng(0)
    layer = layers.ReflectionPadding2D(padding, dtype=policy, name="pad")
    whole = lambda shape: rng.integers(-3, 4, shape).astype("float64")  # noqa: E731  # what bfloat16 holds exactly
    x = whole((2, 5, 4, 3))
    pad = lambda x: np.pad(x, [(0, 0), (padding[0],) * 2, (padding[1],) * 2, (0, 0)], "reflect")  # noqa: E731
    y = pad(x)
    c, q = whole(y.shape), whole(x.shape)
    first = folded(c * y, padding)  # of sum(c * y^2) / 2
    second = folded(c * pad(q * first), padding)  # of sum(q * first^2) / 2
    assert tuple(layer.compute_output_shape(x.shape)) == y.shape
    layer.build(x.shape)
    assert_close(derivatives(layer, x, c, q), Derivatives(y, [first], [second]), tolerance)


def test_reflection_padding_of_any_size_is_kept_in_a_file(tmp_path):
    inputs = keras.Input((None, None, 2), name="images")
    network = keras.Model(inputs, layers.ReflectionPadding2D((1, 2), name="pad")(inputs))
    assert network.output_shape == (None, None, None, 2)
    network.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras")
    for size in ((3, 4), (7, 5)):
        assert tuple(again(np.zeros((1, *size, 2), "float32")).shape) == (1, size[0] + 2, size[1] + 4, 2)


def test_what_cannot_be_mirrored_is_refused():
    with pytest.raises(ValueError, match="more than 3 rows"):
        layers.ReflectionPadding2D(3)(np.zeros((1, 3, 8, 1), "float32"))
    with pytest.raises(ValueError, match="rows=0"):
        layers.ReflectionPadding2D(0)


# ------------------------------------------------------------------------------------------------------------ the pool
class Numbers:
    """The noise of a step, and what it gave."""

    def __init__(self, seed=0):
        self.rng, self.given = np.random.default_rng(seed), []

    def __call__(self, kind, shape):
        assert kind == "uniform"
        self.given.append(self.rng.random(tuple(int(n) for n in shape), "float32"))
        return ops.convert_to_tensor(self.given[-1])


def numbered(first, num):
    """Images (num, 1, 1, 1), each of one number of its own."""
    return np.arange(first, first + num, dtype="float32").reshape(-1, 1, 1, 1)


class Loop:
    """The pool of the papers, an image at a time, given the places and the decisions."""

    def __init__(self, size):
        self.size, self.kept = size, []

    def exchange(self, images, places, chances):
        seen = []
        for image, place, chance in zip(images.ravel(), places, chances):
            if len(self.kept) < self.size:
                self.kept.append(image)
                seen.append(image)
            elif chance < 0.5:
                seen.append(self.kept[place])
                self.kept[place] = image
            else:
                seen.append(image)
        return seen


@pytest.mark.parametrize("batch", [1, 3])
def test_v05_the_pool_is_that_of_the_paper(batch):
    pool, noise, reference = layers.ImagePool(6, (1, 1, 1)), Numbers(), Loop(6)
    old = 0
    for step in range(30):
        images = numbered(100 + step * batch, batch)
        seen = values(pool.exchange(ops.convert_to_tensor(images), noise)).ravel().tolist()
        keys, chances = noise.given[-2:]
        expected = reference.exchange(images, np.argsort(keys), chances)
        assert seen == expected
        old += sum(a != b for a, b in zip(seen, images.ravel().tolist()))
        assert int(values(pool.count)) == len(reference.kept) == min(6, batch * (step + 1))
        np.testing.assert_array_equal(values(pool.images).ravel()[: len(reference.kept)], reference.kept)
    assert 0.3 < old / (30 * batch) < 0.6  # one time in two, once it is full


def test_v05_a_batch_that_is_larger_than_the_pool_fills_it_and_passes_by():
    pool, noise = layers.ImagePool(2, (1, 1, 1)), Numbers()
    for first in (0, 5):
        seen = values(pool.exchange(ops.convert_to_tensor(numbered(first, 5)), noise)).ravel()
        assert seen[2:].tolist() == [first + 2, first + 3, first + 4]
    assert int(values(pool.count)) == 2


def test_v08_half_of_a_batch_comes_from_the_pool_and_half_enters_it():
    pool, noise = layers.ImagePool(8, (1, 1, 1)), Numbers()
    for step in range(40):
        before, count = values(pool.images).ravel().copy(), int(values(pool.count))
        images = numbered(10 * (step + 1), 4)
        seen = values(pool.mix(ops.convert_to_tensor(images), noise)).ravel()
        after = values(pool.images).ravel()
        assert seen[:2].tolist() == images.ravel()[:2].tolist()
        if count < 2:
            assert seen[2:].tolist() == images.ravel()[2:].tolist()
        else:
            assert len({*seen[2:]}) == 2 and {*seen[2:]} <= {*before[:count]}
        new = after != before
        assert sorted(after[new]) == images.ravel()[:2].tolist()
        if count < 8:
            assert np.flatnonzero(new).tolist() == [count, count + 1]
        assert int(values(pool.count)) == min(8, count + 2)


def test_v08_the_odd_image_of_a_batch_is_a_new_one():
    pool, noise = layers.ImagePool(4, (1, 1, 1)), Numbers()
    for first in (0, 5, 10):
        seen = values(pool.mix(ops.convert_to_tensor(numbered(first, 5)), noise)).ravel()
        assert seen[:3].tolist() == [first, first + 1, first + 2]
    assert {*seen[3:]} <= {0, 1, 5, 6}
    alone = ops.convert_to_tensor(numbered(77, 1))  # of a single image no half is drawn
    assert values(pool.mix(alone, noise)).ravel().tolist() == [77]


def test_a_pool_of_none_keeps_nothing_and_draws_nothing():
    pool, noise = layers.ImagePool(0, (2, 2, 1)), Numbers()
    images = ops.ones((3, 2, 2, 1))
    assert pool.exchange(images, noise) is images and pool.mix(images, noise) is images
    assert not noise.given and not pool.variables


def test_a_pool_is_not_trained_and_is_made_again_from_its_config():
    pool = layers.ImagePool(3, (2, 2, 1), chance=0.25, name="pool")
    assert not pool.trainable_variables and [v.shape for v in pool.variables] == [(3, 2, 2, 1), ()]
    again = layers.ImagePool.from_config(pool.get_config())
    assert again.get_config() == pool.get_config()


@pytest.mark.parametrize(
    "arguments,reason",
    [((-1, (2, 2, 1)), "0 for none"), ((3, (None, 2, 1)), "height and width"), ((3, (2, 2, 1), 1.5), "chance")],
)
def test_a_pool_that_cannot_be_is_refused(arguments, reason):
    with pytest.raises(ValueError, match=f"{reason}.*Received"):
        layers.ImagePool(*arguments)
