"""Classes of label maps that are colour images, and how well they fit, against closed forms."""

from __future__ import annotations

import doctest
import io
import sys
import tracemalloc

import numpy as np
import pytest
import scipy.stats
from PIL import Image

from ganzoo import metrics
from ganzoo.metrics import segmentation

pytestmark = pytest.mark.backend_free

COLOURS = np.array(  # of CMP facades, as seen in their maps: the most frequent first
    [
        *([0, 48, 254], [0, 0, 222], [1, 127, 254], [254, 80, 1], [174, 0, 1], [192, 255, 63]),
        *([33, 254, 225], [1, 207, 255], [255, 159, 1], [252, 1, 1], [254, 240, 2], [112, 254, 143]),
    ],
    "uint8",
)


def blocks(num, seed=0, colours=COLOURS):
    """Maps of rectangles over a ground of the first colour, and their classes; later classes are rarer."""
    rng, classes = np.random.default_rng(seed), np.zeros((num, 64, 64), "int32")
    odds = 1.0 / np.arange(1, len(colours) + 1)
    for each in classes:
        for kind in rng.choice(len(colours), size=12, p=odds / odds.sum()):
            top, left, height, width = *rng.integers(0, 50, 2), *rng.integers(9, 20, 2)
            each[top : top + height, left : left + width] = kind
    return colours[classes], classes


def as_jpeg(maps, quality=75):
    def one(image):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=quality)
        return np.array(Image.open(file))

    return np.stack([one(image) for image in maps])


def in_order(found, colours):
    """For each colour the distance to the nearest that was found, and whether each is found once."""
    distances = np.sqrt(((found[None].astype(int) - colours[:, None]) ** 2).sum(-1))
    return distances.min(axis=1), sorted(distances.argmin(axis=1)) == list(range(len(found)))


# --- The palette


def test_the_palette_of_flat_maps_is_exact_and_by_frequency():
    maps, classes = blocks(40)
    found = metrics.palette(maps)
    assert found.dtype == "uint8" and in_order(found, COLOURS)[0].max() == 0
    shares = np.bincount(metrics.classes_of(maps, found).ravel()) / classes.size
    assert shares.argmax() == 0 and shares[:4].min() > shares[-3:].max()
    np.testing.assert_array_equal(metrics.classes_of(maps, COLOURS), classes)


def test_the_palette_of_jpeg_maps_has_every_class_and_no_mixture():
    maps, classes = blocks(60)
    blurred = as_jpeg(maps)
    assert len(np.unique(blurred.reshape(-1, 3), axis=0)) > 10_000  # not exactly flat at all
    found = metrics.palette(blurred)
    far, once = in_order(found, COLOURS)
    assert once and far.max() < 6, far
    rows = np.array([((found.astype(int) - colour) ** 2).sum(-1).argmin() for colour in COLOURS])
    assert metrics.pixel_accuracy(rows[classes], metrics.classes_of(blurred, found)).mean() > 0.93
    np.testing.assert_array_equal(metrics.palette(blurred), found)


def test_a_map_with_fewer_colours_is_refused():
    maps, _ = blocks(40)
    with pytest.raises(ValueError, match=r"have 12 colours.*give more maps.*Received: num_classes=13"):
        metrics.palette(maps, 13)
    near = np.zeros((1, 16, 16, 3), "uint8")
    near[:, 8:] = 20
    with pytest.raises(ValueError, match="have 1 colours that are 40 levels apart"):
        metrics.palette(near, 2)
    noise = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), "uint8")
    for maps in (noise, noise[:, :2], noise[:, :, :1]):
        with pytest.raises(ValueError, match="have 0 colours"):
            metrics.palette(maps, 2)


def test_a_speck_is_no_class():
    maps = np.zeros((4, 512, 512, 3), "uint8")
    maps[:, :256] = COLOURS[3]
    maps[0, 400:403, 400:403] = COLOURS[6]  # one flat place in a million
    assert len(metrics.palette(maps, 2)) == 2
    with pytest.raises(ValueError, match="have 2 colours"):
        metrics.palette(maps, 3)


def test_the_palette_of_facades(data_dir, monkeypatch):
    monkeypatch.syspath_prepend(str(data_dir))
    import load

    maps = load.facades(data_dir, "train")[1][::4]
    found = metrics.palette(maps)
    far, once = in_order(found, COLOURS)
    assert once and far.max() < 4, found.tolist()
    assert 0.05 < metrics.ambiguous(maps, found) < 0.15  # between the classes, for the most part
    sys.modules.pop("load")


# --- Classes


def test_the_nearest_colour_decides_and_the_first_of_two():
    palette = np.array([[0, 0, 0], [100, 0, 0], [0, 100, 0]], "uint8")
    pixels = np.array([[49, 0, 0], [51, 0, 0], [50, 0, 0], [10, 60, 0], [255, 255, 255], [60, 60, 0]], "uint8")
    found = metrics.classes_of(pixels.reshape(1, 2, 3, 3), palette)
    assert found.dtype == "int32" and found.ravel().tolist() == [0, 1, 0, 2, 1, 1]


def test_ambiguous_are_pixels_between_two_colours():
    palette = np.array([[0, 0, 0], [90, 0, 0], [0, 255, 255]], "uint8")
    reds = np.arange(91, dtype="uint8")
    maps = np.zeros((1, 1, 91, 3), "uint8")
    maps[..., 0] = reds
    expected = [
        min(red, 90 - red) > 0.8 * max(red, 90 - red) for red in range(91)
    ]  # both at 40 and at 50: 40 = .8 * 50
    assert metrics.ambiguous(maps, palette) == sum(expected) / 91 == 9 / 91
    assert metrics.ambiguous(palette.reshape(1, 1, 3, 3), palette) == 0


def test_maps_and_palettes_that_are_none_are_refused():
    maps, _ = blocks(1)
    for call in (lambda m: metrics.palette(m), lambda m: metrics.classes_of(m, COLOURS)):
        with pytest.raises(ValueError, match=r"RGB images.*Received: maps.shape=\(1, 64, 64, 1\)"):
            call(maps[..., :1])
        with pytest.raises(ValueError, match=r"Received: maps\.dtype=float64"):
            call(maps / 255)
    for call in (metrics.classes_of, metrics.ambiguous):
        with pytest.raises(ValueError, match="what `palette` returns"):
            call(maps, COLOURS.astype("float64"))
        with pytest.raises(ValueError, match="all different"):
            call(maps, COLOURS[[0, 1, 0]])
        with pytest.raises(ValueError, match="two or more"):
            call(maps, COLOURS[:1])


def test_chunks_change_nothing_and_bound_the_memory(monkeypatch):
    maps, _ = blocks(40)
    maps = as_jpeg(maps)
    whole = metrics.palette(maps), metrics.classes_of(maps, COLOURS), metrics.ambiguous(maps, COLOURS)
    monkeypatch.setattr(segmentation, "_PIXELS", 3 * 64 * 64)
    for parts, one in zip((metrics.palette(maps), metrics.classes_of(maps, COLOURS)), whole):
        np.testing.assert_array_equal(parts, one)
    tracemalloc.start()
    try:
        assert metrics.ambiguous(maps, COLOURS) == whole[2]
        assert tracemalloc.get_traced_memory()[1] < 12 * 4 * 40 * 64 * 64 / 2  # half of all distances
    finally:
        tracemalloc.stop()


# --- Accuracy


def test_accuracy_and_iou_in_closed_form():
    real = np.array([[[0, 0], [1, 1]], [[2, 2], [2, 2]]])
    drawn = np.array([[[0, 1], [1, 1]], [[2, 2], [0, 4]]])
    np.testing.assert_array_equal(metrics.pixel_accuracy(real, drawn), [0.75, 0.5])
    # 0: 1 of {2 + 1}, 1: 2 of {2 + 1}, 2: 2 of 4, 4: 0 of 1; 3 and 5 are in neither
    assert metrics.mean_iou(real, drawn, 6) == pytest.approx((1 / 3 + 2 / 3 + 1 / 2 + 0) / 4, rel=1e-12)
    assert metrics.mean_iou(drawn, real, 6) == metrics.mean_iou(real, drawn, 6)
    assert metrics.mean_iou(real, real, 3) == 1
    np.testing.assert_array_equal(metrics.pixel_accuracy(real, real), [1, 1])


@pytest.mark.parametrize("dtype", ["uint8", "int32", "uint64"])
def test_iou_of_random_classes_is_that_of_sets(dtype):
    rng = np.random.default_rng(0)
    real, drawn = rng.integers(0, 200, (2, 5, 30, 40))
    shares = [
        ((real == i) & (drawn == i)).sum() / ((real == i) | (drawn == i)).sum()
        for i in np.union1d(np.unique(real), np.unique(drawn))
    ]
    assert metrics.mean_iou(real.astype(dtype), drawn.astype(dtype), 200) == pytest.approx(np.mean(shares), rel=1e-12)


def test_classes_that_cannot_be_compared_are_refused():
    classes = np.zeros((2, 4, 4), "int64")
    for call in (metrics.pixel_accuracy, lambda real, drawn: metrics.mean_iou(real, drawn, 3)):
        with pytest.raises(
            ValueError, match=r"give arrays of one shape\. Received: real.shape=\(2, 4, 4\), drawn.shape=\(1"
        ):
            call(classes, classes[:1])
        with pytest.raises(ValueError, match=r"Received: drawn\.dtype=float64"):
            call(classes, classes / 2)
        with pytest.raises(ValueError, match=r"Received: real.dtype=int64, real.shape=\(4, 4\)"):
            call(classes[0], classes)
    with pytest.raises(ValueError, match=r"\[0, 3\).*Received: drawn from 3 to 3"):
        metrics.mean_iou(classes, classes + 3, 3)
    with pytest.raises(ValueError, match="Received: real from -1 to -1"):
        metrics.mean_iou(classes - 1, classes, 3)


# --- The interval


def test_the_interval_is_that_of_scipy_and_of_the_normal_limit():
    values = np.random.default_rng(0).normal(0.5, 0.1, 400)
    low, high = metrics.interval(values)
    theirs = scipy.stats.bootstrap((values,), np.mean, n_resamples=10_000, method="percentile", rng=1)
    assert (low, high) == pytest.approx(tuple(theirs.confidence_interval), abs=5e-4)
    half = 1.96 * values.std() / np.sqrt(400)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=5e-4)
    assert metrics.interval(values) == (low, high) != metrics.interval(values, seed=1)


def test_the_interval_of_two_values_is_exact():
    assert metrics.interval([0.0, 1.0]) == (0, 1)  # the mean of two draws is 0 or 1 a quarter of the times each
    assert metrics.interval([3]) == (3, 3)


def test_chunks_do_not_change_the_interval(monkeypatch):
    values = np.random.default_rng(0).random(50)
    whole = metrics.interval(values, num=1000)
    monkeypatch.setattr(segmentation, "_PIXELS", 7 * 50)
    assert metrics.interval(values, num=1000) == pytest.approx(whole, abs=0.01)


@pytest.mark.parametrize(
    "values, says",
    [([], r"shape=\(0,\)"), ([[1.0]], r"shape=\(1, 1\)"), ([1, np.inf, np.nan], "leave those images out.* 2 of 3")],
)
def test_values_without_an_interval_are_refused(values, says):
    with pytest.raises(ValueError, match=says):
        metrics.interval(values)
    with pytest.raises(ValueError, match="Received: num=0"):
        metrics.interval([1.0], num=0)


def test_examples_give_what_they_say():
    result = doctest.testmod(segmentation)
    assert result.attempted and not result.failed
