"""Data: what is refused before the first step, how images are converted, and every source they come from."""

from __future__ import annotations

import functools
import gzip
import hashlib
import http.server
import io
import os
import socket
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganzoo import data
from ganzoo.data import checks, idx, prepared
from ganzoo.data.preprocessing import check_images

pytestmark = pytest.mark.backend_free

REAL = Path(__file__).parents[2] / "shared" / "data"


def uniform(low, high, shape=(6, 8, 8, 1), dtype="float32"):
    values = np.random.default_rng(0).uniform(low, high, shape).astype(dtype)
    values.flat[:2] = low, high
    return values


# --- check_images ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 8, 8, 1), "uint8"),
        np.full((2, 8, 8, 1), 255, "uint8"),
        uniform(-1, 1),
        uniform(-1, 1, dtype="float64"),
        uniform(-1, 1, dtype="float16"),
        uniform(-1.0009, 1.0009),
        np.full((2, 8, 8, 1), -1, "float32"),
        uniform(-1, 1)[:, ::2, ::-1],
    ],
)
def test_good_images_pass(images):
    before = images.copy()
    for shape in (None, images.shape[1:], list(images.shape[1:])):
        assert check_images(images, shape) is None  # raises where they are not
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize(
    "images, message",
    [
        (uniform(0, 1), r"\[0, 1\].*`x \* 2 - 1`.*allow_nonnegative=True"),
        (np.zeros((2, 8, 8, 1), "float32"), "never negative"),
        (uniform(0, 255), r"`x / 127.5 - 1`"),
        (uniform(-1, 1.002), r"must lie in \[-1, 1\].*np.clip"),
        (uniform(-1.002, 1), r"must lie in \[-1, 1\]"),
        (uniform(-3, 3), r"must lie in \[-1, 1\]"),
        (uniform(0, 1000), r"must lie in \[-1, 1\]"),
        (np.where(uniform(0, 1) < 0.01, np.nan, uniform(-1, 1)), "NaN"),
        (np.where(uniform(0, 1) < 0.01, np.inf, uniform(-1, 1)), "infinity"),
        (np.where(uniform(0, 1) < 0.01, -np.inf, uniform(-1, 1)), "infinity"),
        (np.zeros((2, 8, 8, 1), "int64"), r"`x.astype\('uint8'\)`"),
        (np.zeros((2, 8, 8, 1), "int8"), r"`x.astype\('uint8'\)`"),
        (np.zeros((2, 8, 8, 1), bool), r"bool.*\* 255"),
        (np.zeros((2, 8, 8, 1), complex), "astype"),
        (np.full((2, 8, 8, 1), "a"), "astype"),
        (np.array([np.zeros((4, 4, 1)), np.zeros((5, 4, 1)), None], dtype=object), "one size"),
        (np.zeros((2, 8, 8), "uint8"), r"`x\[\.\.\., None\]`"),
        (np.zeros((8, 8, 3), "uint8"), r"`x\[None\]`"),
        (np.zeros((2, 3, 8, 8), "uint8"), r"channels first.*transpose\(0, 2, 3, 1\)"),
        (np.zeros((0, 8, 8, 1), "uint8"), "no pixels"),
        (np.zeros((2, 0, 8, 1), "uint8"), "no pixels"),
        (np.zeros((), "uint8"), r"\(batch, height, width, channels\)"),
        (np.zeros((2, 64), "uint8"), r"\(batch, height, width, channels\)"),
    ],
)
def test_bad_images_are_refused_with_the_fix(images, message):
    with pytest.raises(ValueError, match=message) as error:
        check_images(images)
    assert f"Received: x of shape {images.shape} and dtype {images.dtype}" in str(error.value)


@pytest.mark.parametrize(
    "shape, image_shape, message",
    [
        ((2, 28, 28, 1), (32, 32, 1), r"ganzoo\.data\.resize\(x, \(32, 32\)\)"),
        ((2, 32, 32, 1), (32, 32, 3), r"x\.repeat\(3, axis=-1\)"),
        ((2, 32, 32, 3), (32, 32, 1), r"image_shape=\(32, 32, 1\)"),
        ((2, 28, 28, 1), (32, 32, 3), r"resize.*, and repeat"),
        ((2, 3, 32, 32), (32, 32, 3), "channels first"),
        ((2, 2, 32, 32), (32, 32, 2), "channels first"),
        ((2, 784), (28, 28, 1), r"x\.reshape\(\(-1, 28, 28, 1\)\)"),
        ((28, 28, 1), (28, 28, 1), r"x\[None\]"),
        ((60, 28, 28), (28, 28, 1), r"x\[\.\.\., None\]"),
    ],
)
def test_shapes_other_than_the_models_are_refused(shape, image_shape, message):
    with pytest.raises(ValueError, match=message):
        check_images(np.zeros(shape, "uint8"), image_shape)


def test_fixes_in_the_messages_work():
    for images, image_shape, fix in [
        (uniform(0, 1), None, lambda x: x * 2 - 1),
        (uniform(0, 255), None, lambda x: x / 127.5 - 1),
        (np.zeros((2, 3, 8, 9), "uint8"), (8, 9, 3), lambda x: x.transpose(0, 2, 3, 1)),
        (np.zeros((2, 8, 8), "uint8"), (8, 8, 1), lambda x: x[..., None]),
        (np.zeros((2, 8, 8, 1), bool), None, lambda x: x.astype("uint8") * 255),
        (np.zeros((2, 28, 28, 1), "uint8"), (32, 32, 1), lambda x: data.resize(x, (32, 32))),
    ]:
        with pytest.raises(ValueError):
            check_images(images, image_shape)
        check_images(fix(images), image_shape)


def test_the_switch_overrides_only_the_guess():
    check_images(uniform(0, 1), allow_nonnegative=True)
    for images in (uniform(0, 255), np.full((2, 8, 8, 1), np.nan, "float32")):
        with pytest.raises(ValueError):
            check_images(images, allow_nonnegative=True)


def test_errors_name_the_bad_images_and_the_argument():
    images = uniform(-1, 1)
    images[[2, 5], 3, 3] = np.nan
    with pytest.raises(ValueError, match=r"`real` holds NaN, in 2 of 6 images \(the first at index 2\)"):
        check_images(images, name="real")
    with pytest.raises(TypeError, match=r"np\.asarray\(x\)"):
        check_images([[0.0]])


def test_vectors_need_only_be_finite():
    check_images(uniform(0, 100, (5, 2)), image_shape=(2,))
    for bad in (np.zeros((5, 3), "float32"), np.zeros((0, 2), "float32"), np.full((5, 2), np.inf, "float32")):
        with pytest.raises(ValueError):
            check_images(bad, image_shape=(2,))
    for bad in (np.zeros((5, 2), int), np.zeros((5, 2), "uint8")):
        with pytest.raises(ValueError, match="floats"):
            check_images(bad, image_shape=(2,))


def test_checking_copies_nothing():
    import tracemalloc

    images = uniform(-1, 1, (20_000, 28, 28, 1))
    tracemalloc.start()
    start = time.perf_counter()
    check_images(images)
    seconds, peak = time.perf_counter() - start, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000 and seconds < 2


# --- conversion -----------------------------------------------------------------------------------------------------


def test_to_float_and_to_uint8_invert_each_other():
    values = np.arange(256, dtype="uint8")
    floats = data.to_float(values)
    assert floats.dtype == np.float32 and floats[0] == -1 and floats[255] == 1
    np.testing.assert_allclose(floats, values / 127.5 - 1, atol=1e-7)
    np.testing.assert_array_equal(data.to_uint8(floats), values)
    np.testing.assert_array_equal(data.to_uint8(floats.astype("float64")), values)
    np.testing.assert_array_equal(data.to_uint8(floats.astype("float16")), values)


def test_to_uint8_rounds_and_clips():
    step = 2 / 255
    np.testing.assert_array_equal(
        data.to_uint8(np.array([-1 + 0.49 * step, -1 + 0.51 * step, 1 - 0.51 * step, 1 - 0.49 * step])),
        [0, 1, 254, 255],
    )
    np.testing.assert_array_equal(data.to_uint8(np.array([-np.inf, -7, 7, np.inf], "float32")), [0, 0, 255, 255])
    floats = uniform(-1, 1)
    before = floats.copy()
    data.to_uint8(floats)
    np.testing.assert_array_equal(floats, before)  # computes in place, in its own copy


def test_conversion_of_what_is_no_image():
    with pytest.warns(RuntimeWarning, match="diverged"):
        assert data.to_uint8(np.array([np.nan, 1.0])).tolist() == [128, 255]
    for convert in (data.to_uint8, data.to_float):
        with pytest.raises(ValueError, match="int64"):
            convert(np.zeros(3, "int64"))
    same = np.zeros(3, "uint8")
    assert data.to_uint8(same) is same


# --- resizing -------------------------------------------------------------------------------------------------------


def test_resizing_takes_the_middle_in_the_targets_proportions():
    image = np.random.default_rng(0).integers(0, 256, (20, 60, 3)).astype("uint8")
    cropped = data.resize_and_crop(image, 10)
    whole = np.asarray(Image.fromarray(image).resize((30, 10), Image.Resampling.LANCZOS))
    assert cropped.shape == (10, 10, 3)
    assert np.abs(cropped.astype(int) - whole[:, 10:20]).max() <= 1
    tall = data.resize_and_crop(image.transpose(1, 0, 2), (10, 10)).transpose(1, 0, 2)
    assert np.abs(cropped.astype(int) - tall).max() <= 1
    np.testing.assert_array_equal(data.resize_and_crop(image, (20, 30)), image[:, 15:45])


def test_shrinking_does_not_alias():
    stripes = np.zeros((64, 64, 1), "uint8")
    stripes[:, ::2] = 255
    shrunk = data.resize_and_crop(stripes, 16)[2:-2, 2:-2]  # every fourth column alone would be all 255 or all 0
    assert np.abs(shrunk.astype(int) - 128).max() <= 3


def test_resizing_keeps_what_has_the_size():
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 9, 3)).astype("uint8")
    assert data.resize(images, (8, 9)) is images
    np.testing.assert_array_equal(data.resize_and_crop(images[0], (8, 9)), images[0])
    assert data.resize(images, (8, 9), "L").shape == (3, 8, 9, 1)
    assert data.resize(images[..., :2], 4).shape == (3, 4, 4, 2)
    np.testing.assert_array_equal(data.resize(images[..., :2], 4)[..., :1], data.resize(images[..., :1], 4))


@pytest.mark.parametrize("size", [0, -1, 2.5, (8,), (8, 8, 3), (8, 0), "8"])
def test_bad_sizes_are_refused(size):
    with pytest.raises(ValueError, match="image_size"):
        data.resize(np.zeros((1, 4, 4, 1), "uint8"), size)


def test_resizing_refuses_other_images():
    with pytest.raises(ValueError, match="to_uint8"):
        data.resize(uniform(-1, 1), 4)
    with pytest.raises(ValueError, match="'CMYK'"):
        data.resize(np.zeros((1, 4, 4, 1), "uint8"), 4, "CMYK")
    with pytest.raises(ValueError, match="uint8"):
        data.resize_and_crop(uniform(-1, 1)[0], 4)


@pytest.mark.parametrize(
    "picture, mode, expected",
    [
        (Image.new("RGBA", (4, 4), (255, 0, 0, 0)), "RGB", (255, 255, 255)),
        (Image.new("RGBA", (4, 4), (255, 0, 0, 255)), "RGB", (255, 0, 0)),
        (Image.new("LA", (4, 4), (0, 0)), "L", (255,)),
        (Image.new("LA", (4, 4), (0, 255)), None, (0,)),
        (Image.new("1", (4, 4), 1), None, (255,)),
        (Image.new("RGB", (4, 4), (10, 10, 10)), "L", (10,)),
        (Image.new("L", (4, 4), 10), "RGB", (10, 10, 10)),
        (Image.new("CMYK", (4, 4), (0, 0, 0, 255)), "RGB", (0, 0, 0)),
        (Image.new("P", (4, 4), 0), None, (0, 0, 0)),
        (Image.fromarray(np.full((4, 4), 128 * 257, "uint16")), None, (128,)),
        (Image.fromarray(np.full((4, 4), 65535, "uint16")), "RGB", (255, 255, 255)),
        (Image.fromarray(np.full((4, 4), 65535, "int32")), "L", (255,)),
    ],
)
def test_pixels_of_all_sorts_become_grey_or_colour(picture, mode, expected):
    for size in (None, 4, 2):
        pixels = data.resize_and_crop(picture, size, mode)
        assert pixels.dtype == np.uint8 and pixels.shape[2] == len(expected)
        np.testing.assert_array_equal(pixels, np.broadcast_to(np.uint8(expected), pixels.shape))


def test_pixels_of_unknown_range_are_refused():
    for pixels in (np.zeros((4, 4), "float32"), np.full((4, 4), 70_000, "int32"), np.full((4, 4), -1, "int32")):
        with pytest.raises(ValueError, match="pixels"):
            data.resize_and_crop(Image.fromarray(pixels), 4)


# --- folders --------------------------------------------------------------------------------------------------------


def write_images(folder: Path, names, size=(12, 10), **options) -> None:
    for i, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (20 * i, 0, 0)).save(folder / name, **options)


def test_a_folder_is_read_in_the_order_of_its_paths(tmp_path):
    write_images(tmp_path, ["b/1.PNG", "a.png", "c.webp", "b/10.bmp", "b/2.gif"])
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / ".hidden.png").write_bytes(b"no image")
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX" / "x.png").write_bytes(b"no image")
    images = data.load_folder(tmp_path, (6, 5))
    assert images.shape == (5, 6, 5, 3) and images.dtype == np.uint8
    # a.png, b/1.PNG, b/10.bmp, b/2.gif, c.webp, of which the last is lossy
    np.testing.assert_allclose(images[:, 3, 3, 0], [20, 0, 60, 80, 40], atol=2)
    np.testing.assert_array_equal(images, data.load_folder(str(tmp_path), (6, 5)))
    assert len(data.load_folder(tmp_path, 6, limit=3)) == 3
    assert len(data.load_folder(tmp_path, 6, recursive=False)) == 2
    assert data.load_folder(tmp_path, 6, "L").shape == (5, 6, 6, 1)


def test_exif_orientation_is_honoured(tmp_path):
    pixels = np.zeros((16, 32, 3), "uint8")
    pixels[:, 16:] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees clockwise
    Image.fromarray(pixels).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    (image,) = data.load_folder(tmp_path, (32, 16), "L")
    assert image[:14].max() < 20 and image[-14:].min() > 235


def test_unreadable_files_are_named_together(tmp_path):
    write_images(tmp_path, ["a.png", "b.png", "c.jpg"])
    (tmp_path / "b.png").write_bytes((tmp_path / "b.png").read_bytes()[:50])
    (tmp_path / "c.jpg").write_text("<html>404</html>")
    Image.fromarray(np.zeros((4, 4), "float32")).save(tmp_path / "d.tif")
    with pytest.raises(ValueError, match="3 of 4 files cannot be read") as error:
        data.load_folder(tmp_path, 8)
    assert all(name in str(error.value) for name in ("b.png", "c.jpg", "d.tif")) and "a.png" not in str(error.value)
    with pytest.warns(UserWarning, match=r"b\.png"):
        images = data.load_folder(tmp_path, 8, skip_unreadable=True)
    assert images.shape == (1, 8, 8, 3)
    (tmp_path / "a.png").unlink()
    with pytest.raises(ValueError, match="3 of 3"):
        data.load_folder(tmp_path, 8, skip_unreadable=True)


def test_many_unreadable_files_make_a_short_error(tmp_path):
    for i in range(30):
        (tmp_path / f"{i}.png").write_bytes(b"")
    with pytest.raises(ValueError, match="and 20 more") as error:
        data.load_folder(tmp_path, 8)
    assert len(str(error.value)) < 3000


def test_folders_without_images_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="No images in"):
        data.load_folder(tmp_path, 8)
    with pytest.raises(FileNotFoundError, match="No such folder"):
        data.load_folder(tmp_path / "nowhere", 8)
    write_images(tmp_path / "deep", ["a.png"])
    with pytest.raises(FileNotFoundError, match="recursive=True"):
        data.load_folder(tmp_path, 8, recursive=False)
    with pytest.raises(ValueError, match="limit"):
        data.load_folder(tmp_path, 8, limit=0)
    with pytest.raises(ValueError, match="'CMYK'"):
        data.load_folder(tmp_path, 8, "CMYK")


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_linked_folders_are_followed_once(tmp_path):
    write_images(tmp_path / "real", ["a.png"])
    (tmp_path / "top").mkdir()
    (tmp_path / "top" / "linked").symlink_to(tmp_path / "real", target_is_directory=True)
    (tmp_path / "real" / "loop").symlink_to(tmp_path / "top", target_is_directory=True)
    assert len(data.load_folder(tmp_path / "top", 8)) == 1


def test_load_reads_folders_and_their_splits(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_images(Path("photos"), ["a.png", "b.jpg"])
    assert data.load("photos", image_shape=(8, 6, 1)).shape == (2, 8, 6, 1)
    assert data.load("photos/", "test", image_shape=(8, 6)).shape == (2, 8, 6, 3)
    assert data.load(Path("photos"), image_shape=8).shape == (2, 8, 8, 3)
    write_images(Path("photos"), ["train/c.png", "train/d.png", "train/e.png"])
    assert len(data.load("photos", image_shape=8)) == 3
    with pytest.raises(ValueError, match=r"splits train\. Received: split='test'"):
        data.load("photos", "test", image_shape=8)
    with pytest.raises(ValueError, match="image_shape="):
        data.load("photos")
    with pytest.raises(ValueError, match="no labels"):
        data.load("photos", image_shape=8, return_labels=True)
    with pytest.raises(ValueError, match="1, 3 or 4 channels"):
        data.load("photos", image_shape=(8, 8, 2))
    Path("empty").mkdir()
    with pytest.raises(FileNotFoundError, match="no images"):
        data.load("empty/", image_shape=8)
    with pytest.raises(FileNotFoundError, match="No such file or folder"):
        data.load("./nowhere")


# --- archives -------------------------------------------------------------------------------------------------------

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 6, 5, 3)).astype("uint8")
LABELS = np.arange(7, dtype="uint8")


@pytest.mark.parametrize(
    "arrays, options",
    [
        ({"images": IMAGES, "labels": LABELS}, {}),
        ({"x": IMAGES, "y": LABELS}, {}),
        ({"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[:2], "y_test": LABELS[:2]}, {}),
        ({"x_train": IMAGES[:2], "y_train": LABELS[:2], "x_test": IMAGES, "y_test": LABELS}, {"split": "test"}),
        ({"train_images": IMAGES, "train_labels": LABELS, "test_images": IMAGES[:1]}, {}),
        ({"photos": IMAGES, "labels": LABELS}, {"key": "photos"}),
        ({"images_a": IMAGES, "labels_a": LABELS, "images_b": IMAGES[:1]}, {"key": "images_a"}),
    ],
)
def test_archives_of_all_layouts(tmp_path, arrays, options):
    np.savez(tmp_path / "a.npz", **arrays)
    np.testing.assert_array_equal(data.load_npz(tmp_path / "a.npz", **options), IMAGES)
    if options.get("key") != "photos":
        images, labels = data.load_npz(tmp_path / "a.npz", **options, return_labels=True)
        np.testing.assert_array_equal(images, IMAGES)
        np.testing.assert_array_equal(labels, LABELS)
        assert labels.dtype == np.int64


def test_arrays_as_they_are_stored(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("grey.npy", IMAGES[..., 0])
    np.savez("floats.npz", whatever=data.to_float(IMAGES))
    np.savez("points.npz", x=np.zeros((9, 2), "float32"))
    np.testing.assert_array_equal(data.load("grey.npy"), IMAGES[..., :1])
    np.testing.assert_array_equal(data.load("floats.npz"), data.to_float(IMAGES))
    assert data.load("points.npz").shape == (9, 2)
    assert data.load("grey.npy", image_shape=(8, 8, 3)).shape == (7, 8, 8, 3)
    images, labels = data.load(save("both.npz", images=IMAGES, labels=LABELS), image_shape=(4, 4), return_labels=True)
    assert images.shape == (7, 4, 4, 3) and labels.shape == (7,)


def save(path: str, **arrays) -> Path:
    np.savez(path, **arrays)
    return Path(path)


def test_bad_archives_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path, message in [
        (save("keys.npz", a=IMAGES, b=IMAGES), "a, b, with `key=`"),
        (save("empty.npz"), "it is empty"),
        (save("ints.npz", x=IMAGES.astype(int)), "int64"),
        (save("one.npz", x=IMAGES[0]), "one image"),
        (save("flat.npz", x=IMAGES.reshape(7, -1)), r"Received: shape \(7, 90\)"),
        (save("objects.npz", x=np.array([None, 1], dtype=object)), "plain arrays"),
        (save("split.npz", x_test=IMAGES), "splits test. Received: split='train'"),
    ]:
        with pytest.raises(ValueError, match=message):
            data.load(path)
    whole = save("good.npz", x=IMAGES).read_bytes()
    for i, content in enumerate([whole[:-400], whole[:200] + b"?" * 100 + whole[300:], b"", b"<html>", b"\x93NUMPY"]):
        Path(f"{i}.npz").write_bytes(content)
        with pytest.raises(ValueError, match=rf"{i}\.npz"):
            data.load(f"{i}.npz")
    with pytest.raises(ValueError, match="'nothing'"):
        data.load_npz("good.npz", key="nothing")
    for path in (Path("good.npz"), save("short.npz", x=IMAGES, y=LABELS[:3]), save("real.npz", x=IMAGES, y=LABELS / 2)):
        with pytest.raises(ValueError, match="integer 'y' for each of 7 images"):
            data.load(path, return_labels=True)
    with pytest.raises(FileNotFoundError):
        data.load("missing.npz")
    Path("images.zip").write_bytes(whole)
    with pytest.raises(ValueError, match=r"\.npz and \.npy"):
        data.load("images.zip")


def test_archives_stand_in_for_names(tmp_path, monkeypatch):
    monkeypatch.delenv("GANZOO_DATA", raising=False)
    split = {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[:2], "y_test": LABELS[:2]}
    np.savez(tmp_path / "cifar10.npz", **split)
    (tmp_path / "mine").mkdir()
    np.savez(tmp_path / "mine" / "whatever.npz", images=IMAGES)
    for data_dir in (tmp_path, tmp_path / "cifar10.npz"):
        images, labels = data.load("cifar10", "test", data_dir=data_dir, return_labels=True)
        assert len(images) == len(labels) == 2
    np.testing.assert_array_equal(data.load("mine", data_dir=tmp_path), IMAGES)
    with pytest.raises(ValueError, match="serves as train only"):
        data.load("mine", "test", data_dir=tmp_path)
    monkeypatch.setenv("GANZOO_DATA", str(tmp_path))
    assert data.load("cifar10", image_shape=(8, 8, 1)).shape == (7, 8, 8, 1)
    monkeypatch.setenv("GANZOO_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="GANZOO_DATA="):
        data.load("cifar10")
    with pytest.raises(FileNotFoundError, match="data_dir="):
        data.load("cifar10", data_dir=tmp_path / "nowhere")


# --- tensorflow-datasets --------------------------------------------------------------------------------------------


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No data prepared, no folder named, and a proxy that refuses every connection."""
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    for variable in ("GANZOO_DATA", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    return tmp_path


def test_without_data_or_network_two_lines_say_what_to_do(offline):
    start = time.perf_counter()
    with pytest.raises(FileNotFoundError) as error:
        data.load("mnist")
    assert time.perf_counter() - start < 30
    lines = str(error.value).splitlines()
    assert len(lines) == 2
    assert "storage.googleapis.com does not answer" in lines[0] and "train-images-idx3-ubyte.gz" in lines[0]
    assert "data_dir= or GANZOO_DATA" in lines[1] and "Received: source='mnist', data_dir=None" in lines[1]
    (offline / "mnist").mkdir()
    (offline / "mnist" / "train-images-idx3-ubyte.gz").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"mnist lacks t10k-\S+, t10k-\S+, train-labels\S+gz\.\n"):
        data.load("mnist", data_dir=offline)


def test_unfit_names_are_refused(offline):
    with pytest.raises(ValueError, match=r"called 'fashion_mnits'. Did you mean fashion_mnist"):
        data.load("fashion_mnits")
    with pytest.raises(ValueError, match=r"no 8-bit images.*description"):
        data.load("ag_news_subset")
    with pytest.raises(FileNotFoundError, match="fetched by hand"):
        data.load("imagenet2012", image_shape=64)


def test_damaged_originals_are_refused(offline):
    for part in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (offline / f"{part}-ubyte.gz").write_bytes(gzip.compress(b"no digits"))
    with pytest.raises(OSError, match="damaged or of another version"):
        data.load("mnist", data_dir=offline)


@pytest.mark.parametrize(
    "answer, expected", [(200, True), (404, True), (503, False), ("silence", False), ("nobody", False)]
)
def test_servers_are_asked_before_a_download(monkeypatch, answer, expected):
    for variable in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(prepared, "SERVER_TIMEOUT", 0.5)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(answer)
            self.end_headers()

        def log_message(self, *_):
            pass

    if isinstance(answer, int):
        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        port, close = server.server_port, lambda: (server.shutdown(), server.server_close())
    else:
        listener = socket.create_server(("127.0.0.1", 0))
        port, close = listener.getsockname()[1], listener.close
        if answer == "nobody":
            listener.close()
    try:
        assert prepared._any_server_answers({f"http://127.0.0.1:{port}/file": "file"}) is expected
    finally:
        close()


@pytest.fixture(scope="module")
def varied():
    """A data set of tensorflow-datasets with images of all sizes, made here."""
    tfds = pytest.importorskip("tensorflow_datasets")

    class GanzooVaried(tfds.core.GeneratorBasedBuilder):
        """Images of all sizes."""

        VERSION = tfds.core.Version("1.0.0")
        pkg_dir_path = Path(__file__).parent

        def _info(self):
            features = {
                "image": tfds.features.Image(shape=(None, None, 3)),
                "label": tfds.features.ClassLabel(names="ab"),
            }
            return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples(6), "test": self._generate_examples(3)}

        def _generate_examples(self, count):
            for i in range(count):
                buffer = io.BytesIO()
                Image.new("RGB", (10 + i, 12), (i, i, i)).save(buffer, "png")
                yield i, {"image": io.BytesIO(buffer.getvalue()), "label": i % 2}

    return "ganzoo_varied"


def test_data_sets_of_varying_size(varied, offline):
    with pytest.raises(ValueError, match="vary in size"):
        data.load(varied)
    images, labels = data.load(varied, image_shape=(8, 6, 1), return_labels=True)
    assert images.shape == (6, 8, 6, 1) and labels.dtype == np.int64
    assert sorted(images[:, 4, 3, 0].tolist()) == [0, 1, 2, 3, 4, 5]
    np.testing.assert_array_equal(labels, images[:, 4, 3, 0] % 2)
    assert data.load(varied, "test[:2]", image_shape=8).shape == (2, 8, 8, 3)
    with pytest.raises(ValueError, match="Unknown split 'val'"):
        data.load(varied, "val", image_shape=8)


def test_a_folder_of_prepared_data_serves(varied, offline, monkeypatch):
    expected = data.load(varied, image_shape=8)
    monkeypatch.setenv("TFDS_DATA_DIR", str(offline / "other"))
    monkeypatch.setattr(prepared, "_prepare", lambda *_: pytest.fail("prepared again"))
    np.testing.assert_array_equal(data.load(varied, image_shape=8, data_dir=offline / "tfds"), expected)


@pytest.mark.skipif(not (REAL / "mnist").is_dir(), reason="the original MNIST files are not at hand")
def test_mnist_from_its_original_files(offline, monkeypatch):
    """Through the real builder of tensorflow-datasets, the first 2000 images of each split to save time."""
    from tensorflow_datasets import download

    shortened = functools.partial(download.DownloadConfig, max_examples_per_split=2000)
    monkeypatch.setattr(download, "DownloadConfig", shortened)
    images, labels = data.load("mnist", "test", data_dir=REAL, return_labels=True)
    assert images.shape == (2000, 28, 28, 1) and images.dtype == np.uint8
    raw = gzip.decompress((REAL / "mnist" / "t10k-images-idx3-ubyte.gz").read_bytes())[16:]
    raw_labels = gzip.decompress((REAL / "mnist" / "t10k-labels-idx1-ubyte.gz").read_bytes())[8:]
    expected = [raw[784 * i : 784 * (i + 1)] + raw_labels[i : i + 1] for i in range(2000)]
    assert sorted(x.tobytes() + bytes([y]) for x, y in zip(images, labels)) == sorted(expected)
    # Prepared once, it needs neither the folder nor a server, and gives the same order again.
    np.testing.assert_array_equal(data.load("mnist", "test"), images)
    assert data.load("mnist", image_shape=(32, 32, 3), split="train[:5]").shape == (5, 32, 32, 3)


@pytest.mark.skipif(not (REAL / "gtsrb_subset").is_dir(), reason="the archive is not at hand")
def test_a_real_archive_and_real_photographs(tmp_path):
    images, labels = data.load("gtsrb_subset", "test", data_dir=REAL, return_labels=True)
    assert images.shape == (430, 32, 32, 3) and labels.max() == 42
    import zipfile

    with zipfile.ZipFile(REAL / "coco_captions_mini" / "coco128.zip") as archive:
        archive.extractall(tmp_path)
    photographs = data.load(tmp_path, image_shape=(32, 32, 3))
    assert len(photographs) == 104 and 80 < photographs.mean() < 160 and photographs.std() > 40


# --- sets whose files have the same names --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def namesakes():
    """Two data sets of tensorflow-datasets whose files are called like MNIST's: builders, by name."""
    tfds = pytest.importorskip("tensorflow_datasets")

    class Namesake(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        """Images from idx files."""

        VERSION = tfds.core.Version("1.0.0")
        pkg_dir_path = Path(__file__).parent

        def _info(self):
            features = {"image": tfds.features.Image(shape=(4, 5, 1)), "label": tfds.features.ClassLabel(num_classes=9)}
            return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

        def _split_generators(self, dl_manager):
            files = dl_manager.download_and_extract({Path(url).name: url for url in self.url_infos})
            return {split: self._generate_examples(files, prefix) for split, prefix in idx.PREFIXES.items()}

        def _generate_examples(self, files, prefix):
            labels = Path(files[f"{prefix}-labels-idx1-ubyte.gz"]).read_bytes()[8:]
            images = Path(files[f"{prefix}-images-idx3-ubyte.gz"]).read_bytes()[16:]
            for i, label in enumerate(labels):
                yield (
                    i,
                    {"image": np.frombuffer(images, "uint8")[20 * i : 20 * i + 20].reshape(4, 5, 1), "label": label},
                )

    class GanzooDigits(Namesake):
        """One of two."""

    class GanzooClothes(Namesake):
        """The other."""

    return {"ganzoo_digits": GanzooDigits, "ganzoo_clothes": GanzooClothes}


def write_namesake(builder, folder: Path, seed: int) -> None:
    """Writes the four files of a set, and registers their checksums."""
    from tensorflow_datasets.core.download.checksums import UrlInfo

    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    builder.url_infos = {}
    for split in idx.PREFIXES:
        images, labels = idx._files(folder, split)
        write_idx(images, rng.integers(0, 256, (7 if split == "train" else 3, 4, 5)).astype("uint8"))
        write_idx(labels, rng.integers(0, 9, 7 if split == "train" else 3).astype("uint8"))
        for file in (images, labels):
            info = UrlInfo(file.stat().st_size, hashlib.sha256(file.read_bytes()).hexdigest(), file.name)
            builder.url_infos[f"http://{folder.name}.example/{file.name}"] = info


@pytest.fixture
def originals(namesakes, offline, monkeypatch):
    """A folder of both sets' original files, and nothing prepared."""
    for seed, (name, builder) in enumerate(namesakes.items()):
        write_namesake(builder, offline / "files" / name, seed)
    monkeypatch.setattr(checks, "_looked_at", set())
    return offline / "files"


def prepare_as_before(builder, originals, tfds_dir):
    """As tensorflow-datasets does by itself: what has been unpacked is taken again by its file's name."""
    import tensorflow_datasets as tfds

    config = tfds.download.DownloadConfig(manual_dir=str(originals / builder.name), try_download_gcs=False)
    builder(data_dir=str(tfds_dir)).download_and_prepare(download_config=config)


def same(name: str, originals: Path, split: str, **options) -> bool:
    loaded = data.load(name, split, return_labels=True, **options)
    return idx.content_of(*loaded) == idx.content_of(*idx.read_files(originals / name, split))


def test_k48_sets_with_files_of_equal_names_are_not_mixed_up(originals):
    for name in ("ganzoo_digits", "ganzoo_clothes", "ganzoo_digits", "ganzoo_clothes"):
        for split in ("train", "test"):
            assert same(name, originals, split, data_dir=originals)


@pytest.mark.parametrize("first", ["ganzoo_digits", "ganzoo_clothes"])
def test_k48_what_was_mixed_up_before_is_prepared_anew(namesakes, originals, offline, first):
    second = "ganzoo_clothes" if first == "ganzoo_digits" else "ganzoo_digits"
    for name in (first, second):
        prepare_as_before(namesakes[name], originals, offline / "tfds")
    assert same(first, originals, "test", data_dir=originals)
    with pytest.warns(UserWarning, match=rf"'{second}' in .* is something else.*'train' holds other images.*anew"):
        assert same(second, originals, "test", data_dir=originals)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in (first, second):
            assert same(name, originals, "train", data_dir=originals) and same(name, originals, "train")
    assert sorted(path.name for path in (offline / "tfds" / second).iterdir()) == ["1.0.0"]


def test_k48_other_labels_are_noticed_too(namesakes, originals, offline):
    extracted = offline / "tfds" / "downloads" / "extracted"
    extracted.mkdir(parents=True)
    labels = gzip.decompress(idx._files(originals / "ganzoo_digits", "test")[1].read_bytes())
    (extracted / "GZIP.t10k-labels-idx1-ubyte.gz").write_bytes(labels)
    prepare_as_before(namesakes["ganzoo_clothes"], originals, offline / "tfds")
    with pytest.warns(UserWarning, match="'test' holds other labels"):
        assert same("ganzoo_clothes", originals, "test", data_dir=originals)


def test_k48_without_the_originals_known_content_is_noticed(namesakes, originals, offline, monkeypatch):
    known = {split: idx.content_of(*idx.read_files(originals / "ganzoo_digits", split)) for split in idx.PREFIXES}
    monkeypatch.setitem(idx.KNOWN, "ganzoo_digits", known)
    for builder in namesakes.values():
        prepare_as_before(builder, originals, offline / "tfds")
    before = data.load("ganzoo_digits")
    marker = offline / "tfds" / "{}" / "1.0.0" / checks.MARKER
    assert Path(str(marker).format("ganzoo_digits")).read_text() == "ganzoo_digits/1.0.0"
    with pytest.raises(FileNotFoundError, match="holds the images of 'ganzoo_digits'") as error:
        data.load("ganzoo_clothes")
    assert "ganzoo_clothes.example does not answer" in str(error.value)
    assert not Path(str(marker).format("ganzoo_clothes")).exists()
    np.testing.assert_array_equal(data.load("ganzoo_digits"), before)


def test_k48_what_cannot_be_told_is_looked_at_again_with_the_originals(namesakes, originals, offline, monkeypatch):
    for builder in namesakes.values():
        prepare_as_before(builder, originals, offline / "tfds")
    assert not same("ganzoo_clothes", originals, "test")  # nothing to compare with
    monkeypatch.setattr(checks, "_looked_at", set())
    monkeypatch.setattr(checks, "_read", lambda *_: pytest.fail("read again, to no use"))
    data.load("ganzoo_clothes")
    monkeypatch.undo()
    monkeypatch.setenv("TFDS_DATA_DIR", str(offline / "tfds"))
    monkeypatch.setattr(checks, "_looked_at", set())
    with pytest.warns(UserWarning, match="anew"):
        assert same("ganzoo_clothes", originals, "test", data_dir=originals)


def test_k48_wrong_data_stay_where_preparing_fails(namesakes, originals, offline, monkeypatch):
    for builder in namesakes.values():
        prepare_as_before(builder, originals, offline / "tfds")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(prepared, "_prepare", fail)
    for _ in range(2):
        with pytest.warns(UserWarning, match="anew"), pytest.raises(OSError, match="disk full"):
            data.load("ganzoo_clothes", data_dir=originals)
    assert [path.name for path in (offline / "tfds" / "ganzoo_clothes").iterdir()] == ["1.0.0"]


def test_k48_nothing_is_written_where_nothing_can_be(namesakes, originals, offline, monkeypatch):
    for builder in namesakes.values():
        prepare_as_before(builder, originals, offline / "tfds")
    monkeypatch.setattr(os, "access", lambda *_: False)

    def refuse(self, *_, **__):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "write_text", refuse)
    monkeypatch.setattr(Path, "rename", refuse)
    assert same("ganzoo_digits", originals, "test", data_dir=originals)
    with pytest.warns(UserWarning), pytest.raises(OSError, match=r"cannot be replaced.*remove"):
        data.load("ganzoo_clothes", data_dir=originals)


def test_k48_files_and_archives_of_another_set_are_refused(tmp_path, monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 1)).astype("uint8")
    monkeypatch.setitem(idx.KNOWN, "mnist", {"train": idx.content_of(images)})
    np.savez(tmp_path / "a.npz", images=images[::-1])
    assert data.load("mnist", data_dir=tmp_path / "a.npz").shape == (5, 4, 4, 1)
    with pytest.raises(OSError, match=r"are those of 'mnist'.*Received: source='fashion_mnist'"):
        data.load("fashion_mnist", data_dir=tmp_path / "a.npz")
    folder = tmp_path / "fashion_mnist"
    folder.mkdir()
    write_idx(folder / "train-images-idx3-ubyte.gz", images[..., 0])
    write_idx(folder / "train-labels-idx1-ubyte.gz", np.zeros(5, "uint8"))
    with pytest.raises(OSError, match="are those of 'mnist'"):
        idx.read_folder("fashion_mnist", "train", [folder])


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_k48_known_content_is_that_of_the_original_files(data_dir, name):
    for split in idx.PREFIXES:
        assert idx.content_of(*idx.read_files(data_dir / name, split)) == idx.KNOWN[name][split]


def test_content_does_not_depend_on_the_order():
    images = np.random.default_rng(0).integers(0, 256, (6, 3, 3, 1)).astype("uint8")
    labels = np.arange(6)
    content = idx.content_of(images, labels)
    assert idx.content_of(images[::-1], labels[::-1]) == content
    assert idx.content_of(images, labels[::-1]).images == content.images
    assert idx.content_of(images, labels[::-1]).pairs != content.pairs
    assert idx.content_of(images[:5], labels[:5]).images != content.images
    assert idx.content_of(np.concatenate([images, images[:1]])).images != content.images


# --- without TensorFlow ---------------------------------------------------------------------------------------------

WITHOUT_TENSORFLOW = """
import sys
sys.modules["tensorflow"] = None  # every import of it now fails
import numpy as np
from PIL import Image
import ganzoo.data
folder = sys.argv[1]
assert not {"keras", "tensorflow_datasets", "requests", "tqdm"} & set(sys.modules)
images = ganzoo.data.load(folder + "/photos", image_shape=(8, 8, 1))
assert images.shape == (2, 8, 8, 1), images.shape
assert ganzoo.data.load(folder + "/a.npz").shape == (7, 6, 5, 3)
ganzoo.data.check_images(ganzoo.data.to_float(images), (8, 8, 1))
assert ganzoo.data.gaussian_ring(10, seed=0).shape == (10, 2)
images, labels = ganzoo.data.load("mnist", "test", data_dir=folder, return_labels=True)
assert images.shape == (3, 4, 5, 1) and images[1, 1, 1, 0] == 26 and labels.tolist() == [7, 8, 9], (images, labels)
images[0] = 0  # one's own copy
for name, split, where in [
    ("mnist", "train", folder), ("fashion_mnist", "test", folder), ("fashion_mnist", "test", folder + "/mnist")
]:
    try:
        ganzoo.data.load(name, split, data_dir=where)
    except ImportError as error:
        assert "pip install tensorflow" in str(error)
    else:
        raise AssertionError("nothing to read, yet no error")
assert sys.modules["tensorflow"] is None
"""


def write_idx(path, array):
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
    path.write_bytes(gzip.compress(header + array.tobytes()))


def test_paths_need_no_tensorflow(tmp_path):
    write_images(tmp_path / "photos", ["a.png", "b.png"])
    np.savez(tmp_path / "a.npz", x=IMAGES)
    (tmp_path / "mnist").mkdir()
    for part, shape, content in [
        ("images-idx3", (3, 4, 5), np.arange(60, dtype="uint8")),
        ("labels-idx1", (3,), np.uint8([7, 8, 9])),
    ]:
        write_idx(tmp_path / "mnist" / f"t10k-{part}-ubyte.gz", content.reshape(shape))
    environment = {key: value for key, value in os.environ.items() if key != "GANZOO_DATA"}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW, str(tmp_path)],
        cwd=Path(__file__).parents[1],
        env={**environment, "KERAS_BACKEND": "torch"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_original_files_that_do_not_belong_together_are_refused(tmp_path, monkeypatch):
    class Blocked:  # as a user may keep TensorFlow out; another way than None in sys.modules
        def find_spec(self, name, path=None, target=None):
            if name.split(".")[0] == "tensorflow":
                raise ImportError(f"{name} is blocked")

    monkeypatch.setattr(sys, "meta_path", [Blocked(), *sys.meta_path])
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    folder = tmp_path / "mnist"
    folder.mkdir()
    for part, shape in [("images-idx3", (3, 4, 5)), ("labels-idx1", (3,))]:
        write_idx(folder / f"train-{part}-ubyte.gz", np.zeros(shape, "uint8"))
    assert data.load("mnist", data_dir=tmp_path).shape == (3, 4, 5, 1)
    with pytest.raises(ValueError, match="the splits 'train' and 'test'"):
        data.load("mnist", "tset", data_dir=tmp_path)
    write_idx(folder / "train-labels-idx1-ubyte.gz", np.zeros(2, "uint8"))
    with pytest.raises(OSError, match="do not belong together"):
        data.load("mnist", data_dir=tmp_path)


def test_damaged_original_files_are_named(tmp_path):
    for content in (b"", gzip.compress(b""), gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 9]) + b"12")):
        (tmp_path / "x.gz").write_bytes(content)
        with pytest.raises(OSError, match=r"x\.gz is damaged"):
            idx._read_file(tmp_path / "x.gz")


# --- toys -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "draw, centres, std",
    [
        (data.gaussian_ring, data.ring_centres(), 0.02),
        (data.gaussian_grid, data.grid_centres(), 0.05),
        (data.gaussian_1d, np.array([[4.0]]), 0.5),
    ],
)
def test_toys_are_even_mixtures_of_the_stated_gaussians(draw, centres, std):
    points = draw(40_000, seed=1)
    assert points.shape == (40_000, centres.shape[1]) and points.dtype == np.float32
    distances = np.linalg.norm(points[:, None] - centres[None], axis=2)
    nearest = distances.argmin(axis=1)
    expected = len(points) / len(centres)
    for mode, centre in enumerate(centres):
        members = points[nearest == mode]
        assert abs(len(members) - expected) < 5 * np.sqrt(expected) + 1e-9
        np.testing.assert_allclose(members.mean(axis=0), centre, atol=5 * std / np.sqrt(expected))
        np.testing.assert_allclose(members.std(axis=0), std, rtol=5 / np.sqrt(expected))
    np.testing.assert_array_equal(draw(100, seed=3), draw(100, seed=3))
    assert not np.array_equal(draw(100, seed=3), draw(100, seed=4))
    assert not np.array_equal(draw(100), draw(100))


def test_centres_of_the_toys():
    np.testing.assert_allclose(np.linalg.norm(data.ring_centres(), axis=1), 2, rtol=1e-6)
    np.testing.assert_allclose(data.ring_centres(4, 1), [[1, 0], [0, 1], [-1, 0], [0, -1]], atol=1e-7)
    grid = {tuple(centre) for centre in data.grid_centres().tolist()}
    assert grid == {(x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)}


@pytest.mark.parametrize("options", [{"n": 0}, {"n": 5, "std": -1.0}, {"n": 5, "radius": np.nan}])
def test_toys_refuse_impossible_numbers(options):
    with pytest.raises(ValueError, match="must be positive"):
        data.gaussian_ring(**options)


@pytest.mark.parametrize("modes", [0, 2.5])
def test_toys_refuse_an_impossible_number_of_modes(modes):
    with pytest.raises(ValueError, match="`modes` must be a positive integer"):
        data.gaussian_ring(5, modes=modes)


# --- Bits, proportions, pages


def write_16_bits(path, values):
    Image.fromarray(np.asarray(values, "uint16")).save(path)


def test_a5_twelve_bits_in_sixteen_are_noticed_and_can_be_said(tmp_path):
    ramp = np.linspace(0, 4095, 64).reshape(8, 8)
    for i in range(3):
        write_16_bits(tmp_path / f"{i}.png", ramp)
    with pytest.warns(
        UserWarning, match=r"3 files of 16 bits hold no value above 4095.*max_value=4095 \(--max-value\)"
    ):
        dark = data.load_folder(tmp_path, 8, "L")
    assert dark.max() == 16
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images = data.load_folder(tmp_path, 8, "L", max_value=4095)
        write_16_bits(tmp_path / "0.png", ramp * 16)
        assert data.load_folder(tmp_path, 8, "L").max() == 255  # one of them reaches white: these are 16 bits
    np.testing.assert_array_equal(images[0, ..., 0], np.rint(np.floor(ramp) * 255 / 4095))


@pytest.mark.parametrize(
    ("pixels", "max_value", "expected"),
    [
        (np.array([[0, 0.5], [1, 2]], "float32"), 1.0, [[0, 128], [255, 255]]),
        (np.array([[0, 100_000], [200_000, 50_000]], "int32"), 200_000, [[0, 128], [255, 64]]),
        (np.array([[-5, 0], [10, 20]], "int32"), 20, [[0, 0], [128, 255]]),
    ],
)
def test_floats_and_32_bits_need_the_value_of_white(tmp_path, pixels, max_value, expected):
    Image.fromarray(pixels).save(tmp_path / "a.tiff")
    with pytest.raises(ValueError, match=r"which of these is white is not known: say max_value="):
        data.load_folder(tmp_path, 2, "L")
    images = data.load_folder(tmp_path, 2, "L", max_value=max_value)
    assert images[0, ..., 0].tolist() == expected


def test_a6_pages_are_noticed_and_can_all_be_read(tmp_path):
    frames = [Image.fromarray(np.full((8, 8), value, "uint8")) for value in (10, 20, 30)]
    for folder, name in (("a", "stack.tiff"), ("b", "animation.gif")):
        (tmp_path / folder).mkdir()
        frames[0].save(tmp_path / folder / name, save_all=True, append_images=frames[1:])
    Image.fromarray(np.full((8, 8), 40, "uint8")).save(tmp_path / "b" / "single.png")
    with pytest.warns(UserWarning, match=r"2 files have several pages, of which the first was read: say pages='all'"):
        first = data.load_folder(tmp_path, 8, "L")
    assert first[:, 0, 0, 0].tolist() == [10, 10, 40]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images, labels, _ = data.load_class_folders(tmp_path, 8, "L", pages="all")
        assert data.load_folder(tmp_path, 8, "L", pages="all")[:, 0, 0, 0].tolist() == [10, 20, 30, 10, 20, 30, 40]
    assert images[:, 0, 0, 0].tolist() == [10, 20, 30, 10, 20, 30, 40] and labels.tolist() == [0, 0, 0, 1, 1, 1, 1]


def test_images_keep_their_proportions_as_asked(tmp_path):
    wide = np.zeros((4, 8, 3), "uint8")
    wide[:, 2:6], wide[:, :2], wide[:, 6:] = 100, 50, 200
    Image.fromarray(wide).save(tmp_path / "wide.png")
    crop, pad, stretch = (
        data.load_folder(tmp_path, size, fit=fit)[0, ..., 0]
        for fit, size in (("crop", 4), ("pad", 8), ("stretch", (4, 8)))
    )
    assert (crop == 100).all() and (pad[2:6] == wide[..., 0]).all() and not pad[:2].any() and not pad[6:].any()
    assert (stretch == wide[..., 0]).all()
    (tmp_path / "pairs").mkdir()
    Image.fromarray(np.concatenate([wide, wide], axis=1)).save(tmp_path / "pairs" / "a.png")
    left, right = data.load_pairs(tmp_path / "pairs", 8, fit="pad")
    assert (left[0, 2:6, :, 0] == wide[..., 0]).all() and (right == left).all()
    for wrong in ({"fit": "zoom"}, {"max_value": 0}, {"max_value": "white"}, {"pages": 2}):
        with pytest.raises(ValueError, match=f"`{next(iter(wrong))}` is"):
            data.load_folder(tmp_path, 8, **wrong)
