"""`jitter` (CORRECTNESS V04, K42, K44) against a reference that computes pixel by pixel; `random_crop` to the bit."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from keras import ops

from ganzoo.layers import jitter, random_crop

BACKEND = keras.backend.backend()
RNG = np.random.default_rng(0)
SOURCE = RNG.uniform(-1, 1, (3, 12, 16, 2)).astype("float32")
TARGET = RNG.uniform(-1, 1, (3, 12, 16, 3)).astype("float32")
DRAWS = np.array([[0.0, 0.5, 0.9], [0.3, 0.999, 0.1], [0.7, 0.2, 0.5]], "float32")
JUST_BELOW_ONE = np.nextafter(np.float32(1), np.float32(0))


def fixed(draws=DRAWS):
    def uniform(shape):
        assert tuple(int(n) for n in shape) == draws.shape
        return ops.convert_to_tensor(draws)

    return uniform


def pixel(image, row, column):
    """The value at a real position, in units of pixels from the first one's centre; the border is continued."""
    height, width, _ = image.shape
    row, column = min(max(row, 0), height - 1), min(max(column, 0), width - 1)
    top, left = math.floor(row), math.floor(column)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    a, b = row - top, column - left
    above = (1 - b) * image[top, left] + b * image[top, right]
    below = (1 - b) * image[bottom, left] + b * image[bottom, right]
    return (1 - a) * above + a * below


def reference(image, draws, enlarge, flip):
    image = image.astype("float64")
    height, width, _ = image.shape
    high, wide = round(height * enlarge), round(width * enlarge)
    top = min(math.floor(draws[0] * (high - height + 1)), high - height)
    left = min(math.floor(draws[1] * (wide - width + 1)), wide - width)
    out = np.empty_like(image)
    for i in range(height):
        for j in range(width):
            row, column = (top + i + 0.5) * height / high - 0.5, (left + j + 0.5) * width / wide - 0.5
            out[i, j] = pixel(image, row, column)
    return out[:, ::-1] if flip and draws[2] < 0.5 else out


@pytest.mark.parametrize("flip", [True, False])
@pytest.mark.parametrize("enlarge", [1.0, 143 / 128, 1.3, 2.0])
def test_v04_both_images_are_cut_and_mirrored_as_the_reference(enlarge, flip):
    nothing = enlarge == 1 and not flip
    got = jitter({"source": SOURCE, "target": TARGET}, None if nothing else fixed(), enlarge, flip)
    for name, images in (("source", SOURCE), ("target", TARGET)):
        expected = [reference(image, draws, enlarge, flip) for image, draws in zip(images, DRAWS)]
        result = ops.convert_to_numpy(got[name])
        assert result.shape == images.shape and result.dtype == "float32"
        np.testing.assert_allclose(result, expected, atol=1e-6)


def test_v04_the_default_cuts_128_from_143():
    ramp = np.broadcast_to(np.arange(128, dtype="float32")[:, None, None], (1, 128, 128, 1))
    for draw, offset in ((0.0, 0), (0.5, 8), (JUST_BELOW_ONE, 15)):
        got = ops.convert_to_numpy(jitter([ramp], fixed(np.array([[draw, 0.0, 0.9]], "float32")), flip=True)[0])
        line = np.clip((offset + np.arange(128) + 0.5) * 128 / 143 - 0.5, 0, 127)  # a ramp stays one
        np.testing.assert_allclose(got[0, :, 0, 0], line, atol=1e-4)
        np.testing.assert_allclose(got, np.broadcast_to(line[:, None, None], got.shape), atol=1e-4)


def test_values_stay_in_their_range_and_a_constant_stays_one():
    images = np.where(RNG.random((3, 12, 16, 3)) < 0.5, -1, 1).astype("float32")
    got, constant = jitter([images, np.ones_like(images)], fixed(), 1.3)
    assert np.abs(ops.convert_to_numpy(got)).max() <= 1 + 1e-6
    np.testing.assert_allclose(ops.convert_to_numpy(constant), 1, atol=1e-6)


def test_mirroring_alone_moves_pixels_and_changes_none():
    got = ops.convert_to_numpy(jitter(SOURCE, fixed(), enlarge=1.0))
    np.testing.assert_array_equal(got, np.stack([SOURCE[0], SOURCE[1, :, ::-1], SOURCE[2]]))


def test_every_window_is_as_likely_and_half_of_the_examples_are_mirrored():
    images = np.broadcast_to(np.linspace(-1, 1, 8, dtype="float32")[None, None, :, None], (4000, 2, 8, 1))
    got = ops.convert_to_numpy(jitter(images, keras.random.uniform, 1.5))[:, 0, :, 0]
    mirrored = got[:, 0] > got[:, -1]
    assert abs(mirrored.mean() - 0.5) < 0.04
    _, counts = np.unique(np.where(mirrored, got[:, -1], got[:, 0]).round(4), return_counts=True)
    assert len(counts) == 5 and np.abs(counts / 4000 - 0.2).max() < 0.04


CROPS = np.array(
    [[0.0, 0.5], [JUST_BELOW_ONE, 0.3], [0.7, JUST_BELOW_ONE], [0.2, 0.0], [0.5, 0.5], [0.9, 0.1]], "float32"
)


def windows(images, draws, side, num):
    height, width = images.shape[1:3]
    cut = []
    for i, (row, column) in enumerate(draws):
        top, left = math.floor(row * (height - side + 1)), math.floor(column * (width - side + 1))
        cut.append(images[i // num, top : top + side, left : left + side])
    return np.stack(cut)


def test_windows_of_both_images_are_cut_at_the_same_places_to_the_bit():
    got = random_crop({"source": SOURCE, "target": TARGET}, 5, fixed(CROPS), num=2)
    for name, images in (("source", SOURCE), ("target", TARGET)):
        np.testing.assert_array_equal(ops.convert_to_numpy(got[name]), windows(images, CROPS, 5, 2))
    whole = random_crop(SOURCE[:, :, :12], 12, fixed(CROPS[:3]))
    np.testing.assert_array_equal(ops.convert_to_numpy(whole), SOURCE[:, :, :12])


def test_every_place_of_a_window_is_as_likely():
    line = np.broadcast_to(np.arange(8, dtype="float32")[:, None, None], (100, 8, 8, 1))
    tops = ops.convert_to_numpy(random_crop(line, 4, keras.random.uniform, num=40))[:, 0, 0, 0]
    np.testing.assert_allclose(np.bincount(tops.astype(int)) / 4000, 0.2, atol=0.04)


def test_windows_that_cannot_be_cut_are_refused():
    with pytest.raises(ValueError, match=r"no larger than the images, 12x16.*side=13"):
        random_crop(SOURCE, 13, fixed())
    with pytest.raises(ValueError, match="one height and width"):
        random_crop([SOURCE, TARGET[:, :8]], 4, fixed())
    with pytest.raises(ValueError, match="positive integer"):
        random_crop(SOURCE, 4, fixed(), num=0)


@keras.saving.register_keras_serializable(package="test_augmentation")
class Jitter(keras.layers.Layer):
    def call(self, x):
        return jitter(x, lambda shape: ops.ones(shape) * 0.3, 1.3)


@keras.saving.register_keras_serializable(package="test_augmentation")
class Crop(keras.layers.Layer):
    def call(self, x):
        return random_crop(x, 5, lambda shape: ops.ones(shape) * 0.3, num=2)


def compiled(layer):
    """For images (batch, 12, 16, 2) of a batch whose size is not known."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.function(layer, input_signature=[tf.TensorSpec((None, 12, 16, 2))])
    if BACKEND == "jax":
        import jax

        return jax.jit(layer)
    return layer


def test_k44_compiled_with_a_batch_of_unknown_size():
    function, cut = compiled(Jitter()), compiled(Crop())
    for images in (SOURCE, SOURCE[:1]):
        expected = [reference(image, [0.3, 0.3, 0.3], 1.3, True) for image in images]
        np.testing.assert_allclose(ops.convert_to_numpy(function(images)), expected, atol=1e-6)
        places = np.full((2 * len(images), 2), 0.3)
        np.testing.assert_array_equal(ops.convert_to_numpy(cut(images)), windows(images, places, 5, 2))


def test_what_cannot_be_jittered_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        jitter(SOURCE, fixed(), enlarge=0.9)
    with pytest.raises(ValueError, match="one height and width"):
        jitter([SOURCE, TARGET[:, :8]], fixed())
    with pytest.raises(ValueError, match="one height and width"):
        jitter([SOURCE[0]], fixed())
