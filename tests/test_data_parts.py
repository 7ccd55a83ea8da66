"""Data of several parts: classes, pairs, domains, captions, transparency."""

from __future__ import annotations

import csv
import hashlib
import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganzoo import data

pytestmark = pytest.mark.backend_free


def write(path: Path, colour, size=(12, 10), mode="RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path)


def grey(value: int) -> tuple[int, int, int]:
    return (value, value, value)


# --- transparency and label maps -------------------------------------------------------------------------------------


def test_rgba_keeps_transparency_and_stored_colours(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 5, 4)).astype("uint8")
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.testing.assert_array_equal(data.load_folder(tmp_path, (6, 5), "RGBA"), pixels[None])
    np.testing.assert_array_equal(data.load(tmp_path, image_shape=(6, 5, 4)), pixels[None])
    assert data.load(tmp_path, image_shape=(6, 5)).shape == (1, 6, 5, 3)


@pytest.mark.parametrize(
    "picture, expected",
    [
        (Image.new("RGB", (4, 4), (1, 2, 3)), (1, 2, 3, 255)),
        (Image.new("L", (4, 4), 9), (9, 9, 9, 255)),
        (Image.new("LA", (4, 4), (9, 100)), (9, 9, 9, 100)),
        (Image.new("1", (4, 4), 1), (255, 255, 255, 255)),
        (Image.fromarray(np.full((4, 4), 128 * 257, "uint16")), (128, 128, 128, 255)),
        (np.full((4, 4, 3), 7, "uint8"), (7, 7, 7, 255)),
        (np.full((4, 4, 1), 7, "uint8"), (7, 7, 7, 255)),
        (np.full((4, 4, 4), 255, "uint8"), (255, 255, 255, 255)),
    ],
)
def test_everything_has_an_rgba_form(picture, expected):
    for size in (None, 4, 2):
        pixels = data.resize_and_crop(picture, size, "RGBA")
        assert pixels.dtype == np.uint8 and pixels.shape[2] == 4
        exact = size != 2 or expected[3] == 255  # resized, colours are weighted by their opacity in 8 bits
        np.testing.assert_allclose(pixels.astype(int), np.broadcast_to(expected, pixels.shape), atol=0 if exact else 1)


def test_a_palettes_transparent_colour_is_kept(tmp_path):
    picture = Image.new("P", (4, 4), 0)
    picture.putpalette([255, 0, 0, 0, 255, 0])
    picture.putpixel((0, 0), 1)
    picture.save(tmp_path / "a.png", transparency=0)
    (image,) = data.load_folder(tmp_path, 4, "RGBA")
    assert image[0, 0].tolist() == [0, 255, 0, 255] and image[1, 1, 3] == 0
    np.testing.assert_array_equal(data.load_folder(tmp_path, 4)[0, 1, 1], [255, 255, 255])


def test_unseen_colours_do_not_bleed_when_resized():
    """The mean of red that is seen and green that is not is red, half seen."""
    pixels = np.zeros((8, 8, 4), "uint8")
    pixels[:, ::2] = (255, 0, 0, 255)
    pixels[:, 1::2] = (0, 255, 0, 0)
    image = data.resize_and_crop(pixels, 2, "RGBA")
    assert (image[..., 0] >= 254).all() and (image[..., 1] <= 1).all()
    assert (np.abs(image[..., 3].astype(int) - 128) <= 16).all()


def test_arrays_of_four_channels_are_rgba_where_a_mode_is_given():
    pixels = np.zeros((2, 4, 4, 4), "uint8")
    np.testing.assert_array_equal(data.resize(pixels, 4, "RGB"), np.full((2, 4, 4, 3), 255))  # seen through, on white
    assert data.resize(pixels, 2).shape == (2, 2, 2, 4)
    with pytest.raises(ValueError, match="1, 3 or 4 channels can be converted"):
        data.resize(pixels[..., :2], 2, "RGB")


@pytest.mark.parametrize("size", [5, (3, 9), 40])
def test_nearest_makes_no_new_colours(size):
    rng = np.random.default_rng(0)
    palette = rng.integers(0, 256, (5, 3)).astype("uint8")
    maps = palette[rng.integers(0, 5, (3, 16, 16))]
    seen = set(map(tuple, palette.tolist()))
    assert set(map(tuple, data.resize(maps, size, nearest=True).reshape(-1, 3).tolist())) <= seen
    assert not set(map(tuple, data.resize(maps, size).reshape(-1, 3).tolist())) <= seen
    planes = np.concatenate([maps, maps], axis=-1)
    np.testing.assert_array_equal(
        data.resize(planes, size, nearest=True)[..., :3], data.resize(maps, size, nearest=True)
    )


# --- folders of classes -----------------------------------------------------------------------------------------------


def test_folders_are_classes_by_their_sorted_names(tmp_path):
    for i, name in enumerate(["dogs/b.png", "dogs/deep/a.png", "cats/1.png", "Birds/x.png", "cats/2.jpg"]):
        write(tmp_path / name, grey(10 * i))
    write(tmp_path / ".hidden" / "x.png", grey(0))
    (tmp_path / "notes.txt").write_text("no image")
    images, labels, names = data.load_class_folders(tmp_path, (6, 5))
    assert names == ["Birds", "cats", "dogs"]
    assert labels.dtype == np.int64 and labels.tolist() == [0, 1, 1, 2, 2]
    assert images.shape == (5, 6, 5, 3) and images.dtype == np.uint8
    np.testing.assert_allclose(images[:, 3, 3, 0], [30, 20, 40, 0, 10], atol=2)  # birds, cats, dogs/b, dogs/deep/a
    images, labels, _ = data.load_class_folders(str(tmp_path), 6, "L", limit=1)
    assert images.shape == (3, 6, 6, 1) and labels.tolist() == [0, 1, 2]
    assert data.load_class_folders(tmp_path, 6, "RGBA")[0].shape == (5, 6, 6, 4)


def test_labels_stay_with_their_images_where_files_are_left_out(tmp_path):
    for i, name in enumerate(["a/1.png", "a/2.png", "b/1.png"]):
        write(tmp_path / name, grey(100 * i))
    (tmp_path / "a" / "1.png").write_bytes(b"damaged")
    with pytest.raises(ValueError, match=r"1\.png .*skip_unreadable=True.*Received: path="):
        data.load_class_folders(tmp_path, 6)
    with pytest.warns(UserWarning, match=r"Left out.*1\.png") as told:
        images, labels, names = data.load_class_folders(tmp_path, 6, skip_unreadable=True)
    assert told[0].filename == __file__
    assert images[:, 0, 0, 0].tolist() == [100, 200] and labels.tolist() == [0, 1] and names == ["a", "b"]


def test_folders_that_are_no_classes_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="No such folder"):
        data.load_class_folders(tmp_path / "nowhere", 6)
    with pytest.raises(FileNotFoundError, match="no folders, one per class"):
        data.load_class_folders(tmp_path, 6)
    write(tmp_path / "train" / "cats" / "a.png", grey(0))
    write(tmp_path / "test" / "cats" / "a.png", grey(0))
    with pytest.raises(ValueError, match=r"test, train look like splits.*Received: path="):
        data.load_class_folders(tmp_path, 6)
    assert data.load_class_folders(tmp_path / "train", 6)[2] == ["cats"]
    (tmp_path / "train" / "dogs").mkdir()
    with pytest.raises(ValueError, match=r"Classes without images: dogs\..*Received: path="):
        data.load_class_folders(tmp_path / "train", 6)
    write(tmp_path / "train" / "stray.png", grey(0))
    with pytest.raises(ValueError, match=r"no class's folder: stray\.png.*Received: path="):
        data.load_class_folders(tmp_path / "train", 6)
    for options in ({"image_size": 0}, {"image_size": 6, "limit": 0}, {"image_size": 6, "mode": "CMYK"}):
        (tmp_path / "train" / "stray.png").unlink(missing_ok=True)
        write(tmp_path / "train" / "dogs" / "a.png", grey(0))
        with pytest.raises(ValueError, match=r"image_size|limit|mode"):
            data.load_class_folders(tmp_path / "train", **options)


# --- two domains ------------------------------------------------------------------------------------------------------


def test_two_subfolders_are_domains(tmp_path):
    for name, value in [("zebras/1.png", 1), ("horses/1.png", 2), ("horses/2.png", 3)]:
        write(tmp_path / name, grey(value))
    (tmp_path / "empty").mkdir()
    horses, zebras = data.load_domains(tmp_path, (6, 5))
    assert horses.shape == (2, 6, 5, 3) and zebras.shape == (1, 6, 5, 3)
    assert horses[:, 0, 0, 0].tolist() == [2, 3] and zebras[0, 0, 0, 0] == 1
    assert [len(images) for images in data.load_domains(tmp_path, 6, "L", limit=1)] == [1, 1]
    (tmp_path / "horses" / "1.png").write_bytes(b"")
    with pytest.raises(ValueError, match="skip_unreadable=True"):
        data.load_domains(tmp_path, 6)
    with pytest.warns(UserWarning, match="Left out") as told:
        assert len(data.load_domains(tmp_path, 6, skip_unreadable=True)[0]) == 1
    assert told[0].filename == __file__


def test_other_numbers_of_domains_are_refused(tmp_path):
    write(tmp_path / "a" / "1.png", grey(0))
    with pytest.raises(ValueError, match=r"load_folder for each.*1 subfolders of images \(a\)"):
        data.load_domains(tmp_path, 6)
    write(tmp_path / "b" / "1.png", grey(0))
    write(tmp_path / "c" / "1.png", grey(0))
    with pytest.raises(ValueError, match=r"3 subfolders of images \(a, b, c\) and 0 images"):
        data.load_domains(tmp_path, 6)
    with pytest.raises(FileNotFoundError, match="No such folder"):
        data.load_domains(tmp_path / "nowhere", 6)


# --- pairs ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def pair_folders(tmp_path):
    for i in (1, 2, 10):
        write(tmp_path / "maps" / f"{i}.png", grey(i))
        write(tmp_path / "photos" / f"{i}.bmp", grey(100 + i))
    return tmp_path


def test_pairs_of_two_folders_go_by_their_names(pair_folders):
    maps, photos = data.load_pairs(pair_folders, (6, 5))
    assert maps.shape == photos.shape == (3, 6, 5, 3)
    assert maps[:, 0, 0, 0].tolist() == [1, 10, 2] and photos[:, 0, 0, 0].tolist() == [101, 110, 102]
    photos_first = data.load_pairs(pair_folders / "photos", (6, 5), other=pair_folders / "maps")
    np.testing.assert_array_equal(photos_first[0], photos)
    np.testing.assert_array_equal(photos_first[1], maps)
    assert [len(side) for side in data.load_pairs(pair_folders, 6, "L", limit=2)] == [2, 2]


def test_images_without_a_partner_are_listed(pair_folders):
    write(pair_folders / "maps" / "7.png", grey(0))
    write(pair_folders / "photos" / "deep" / "8.png", grey(0))
    with pytest.raises(ValueError, match=r"2 images have no partner.*maps/7\.png.*deep/8\.png.*Received: folders"):
        data.load_pairs(pair_folders, 6)
    (pair_folders / "photos" / "deep" / "8.png").unlink()
    (pair_folders / "maps" / "7.png").rename(pair_folders / "maps" / "1.jpg")
    with pytest.raises(ValueError, match=r"Two images of one name.*1\.jpg.*1\.png"):
        data.load_pairs(pair_folders, 6)


def test_a_pair_is_left_out_as_a_whole(pair_folders):
    (pair_folders / "maps" / "1.png").write_bytes(b"")
    (pair_folders / "photos" / "2.bmp").write_bytes(b"")
    with pytest.raises(ValueError, match=r"1\.png"):
        data.load_pairs(pair_folders, 6)
    with pytest.warns(UserWarning) as told:
        maps, photos = data.load_pairs(pair_folders, 6, skip_unreadable=True)
    assert len(told) == 2 and all(warning.filename == __file__ for warning in told)
    assert maps[:, 0, 0, 0].tolist() == [10] and photos[:, 0, 0, 0].tolist() == [110]


def test_pairs_of_unequal_proportions_are_refused(pair_folders):
    write(pair_folders / "photos" / "2.bmp", grey(0), size=(24, 20))  # twice as large, of equal proportions
    assert len(data.load_pairs(pair_folders, 6)[0]) == 3
    write(pair_folders / "photos" / "2.bmp", grey(0), size=(20, 24))
    with pytest.raises(ValueError, match=r"1 pairs have unequal proportions.*2\.png \(12x10\).*2\.bmp \(20x24\)"):
        data.load_pairs(pair_folders, 6)
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    (pair_folders / "photos" / "2.bmp").unlink()
    Image.new("RGB", (20, 24)).save(pair_folders / "photos" / "2.jpg", exif=exif)
    assert len(data.load_pairs(pair_folders, 6)[0]) == 3


def side_by_side(folder: Path, num=3, width=32) -> np.ndarray:
    images = np.random.default_rng(0).integers(0, 256, (num, 16, width, 3)).astype("uint8")
    folder.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{i}.png")
    return images


def test_images_side_by_side_are_cut_before_they_are_resized(tmp_path):
    images = side_by_side(tmp_path)
    left, right = data.load_pairs(tmp_path, 16)
    np.testing.assert_array_equal(left, images[:, :, :16])
    np.testing.assert_array_equal(right, images[:, :, 16:])
    left, right = data.load_pairs(tmp_path, 8, nearest=(False, True))
    np.testing.assert_array_equal(left, data.resize(images[:, :, :16], 8))
    np.testing.assert_array_equal(right, data.resize(images[:, :, 16:], 8, nearest=True))
    assert data.load_pairs(tmp_path, 8, "RGBA", limit=2)[1].shape == (2, 8, 8, 4)
    (tmp_path / "0.png").write_bytes(b"")
    with pytest.warns(UserWarning, match=r"0\.png"):
        assert len(data.load_pairs(tmp_path, 16, skip_unreadable=True)[0]) == 2
    side_by_side(tmp_path, 1, 31)
    with pytest.raises(ValueError, match="width is odd, 31"):
        data.load_pairs(tmp_path, 16)


def test_other_layouts_are_no_pairs(pair_folders):
    with pytest.raises(FileNotFoundError, match="No such folder"):
        data.load_pairs(pair_folders / "maps", 6, other=pair_folders / "nowhere")
    (pair_folders / "empty").mkdir()
    for options in ({"path": pair_folders / "empty"}, {"path": pair_folders / "maps", "other": pair_folders / "empty"}):
        with pytest.raises(FileNotFoundError, match=r"No images in .*empty"):
            data.load_pairs(image_size=6, **options)
    write(pair_folders / "stray.png", grey(0))
    with pytest.raises(ValueError, match=r"2 subfolders of images \(maps, photos\) and 1 images of its own"):
        data.load_pairs(pair_folders, 6)


# --- the parts of a data set ------------------------------------------------------------------------------------------

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 6, 5, 3)).astype("uint8")


def test_archives_and_folders_give_images_and_labels(tmp_path):
    np.savez(tmp_path / "both.npz", x_train=IMAGES, y_train=np.arange(7, dtype="uint8"), x_test=IMAGES[:2])
    np.savez(tmp_path / "images.npz", images=IMAGES)
    np.savez(tmp_path / "wrong.npz", images=IMAGES, labels=np.arange(6))
    parts = data.load_parts(tmp_path / "both.npz", image_shape=(4, 4, 1))
    assert list(parts) == ["images", "labels"] and parts["images"].shape == (7, 4, 4, 1)
    assert parts["labels"].dtype == np.int64 and parts["labels"].tolist() == list(range(7))
    for path, split in [("both.npz", "test"), ("images.npz", "train")]:
        assert list(data.load_parts(tmp_path / path, split)) == ["images"]
    assert list(data.load_parts("both", data_dir=tmp_path)) == ["images", "labels"]  # an archive in place of a name
    with pytest.raises(ValueError, match="for each of 7 images"):
        data.load_parts(tmp_path / "wrong.npz")
    side_by_side(tmp_path / "photos")
    assert list(data.load_parts(tmp_path / "photos", image_shape=8)) == ["images"]


def test_a_name_gives_images_and_labels(data_dir, tmp_path, monkeypatch):
    import functools

    from tensorflow_datasets import download

    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    shortened = functools.partial(download.DownloadConfig, max_examples_per_split=50)
    monkeypatch.setattr(download, "DownloadConfig", shortened)
    parts = data.load_parts("fashion_mnist", "test", data_dir=data_dir)
    images, labels = data.load("fashion_mnist", "test", return_labels=True)
    assert images.shape == (50, 28, 28, 1)
    np.testing.assert_array_equal(parts["images"], images)
    np.testing.assert_array_equal(parts["labels"], labels)


def png(colour, size, image_format="png") -> bytes:
    buffer = io.BytesIO()
    (colour if isinstance(colour, Image.Image) else Image.new("RGB", size, colour)).save(buffer, image_format)
    return buffer.getvalue()


def pack(path: Path, members: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def facade(value: int) -> bytes:
    """A photograph of one grey beside a map of two colours, in the columns of a comb."""
    pixels = np.full((256, 512, 3), value, "uint8")
    pixels[:, 256::2] = (0, 0, 255)
    pixels[:, 257::2] = (255, value, 0)
    return png(Image.fromarray(pixels), None)


def write_facades(root: Path, num=16) -> list[str]:
    """Writes that many pairs; returns their names in the order by which they are held out."""
    names = [str(i + 1) for i in range(num)]
    members = {f"train/{name}.png": facade(int(name)) for name in reversed(names)}
    pack(root / "facades" / "facades.zip", {"test/1.png": facade(200), **members})
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())


def unpack(archive: Path) -> None:
    shutil.unpack_archive(archive, archive.parent)
    archive.unlink()


@pytest.mark.parametrize("unpacked", [False, True])
def test_facades_hold_out_the_last_by_hash(tmp_path, unpacked):
    order = write_facades(tmp_path)
    if unpacked:
        unpack(tmp_path / "facades" / "facades.zip")
    train, test = (data.load_parts("facades", split, data_dir=tmp_path) for split in ("train", "test"))
    assert train["photo"].shape == train["label_map"].shape == (13, 256, 256, 3)  # 16 * 75 // 400 = 3 are held out
    assert train["photo"][:, 0, 0, 0].tolist() == [int(name) for name in sorted(order[:13])]
    assert test["photo"][:, 0, 0, 0].tolist() == [*(int(name) for name in sorted(order[13:])), 200]
    for part in (train, test):  # map and photograph belong together
        np.testing.assert_array_equal(part["label_map"][:, 0, 1, 1], part["photo"][:, 0, 0, 0])


def test_label_maps_keep_their_colours(tmp_path):
    write_facades(tmp_path, 3)
    parts = data.load_parts("facades", data_dir=tmp_path, image_shape=(60, 100, 3))
    assert parts["photo"].shape == parts["label_map"].shape == (3, 60, 100, 3)
    for value, photo, label_map in zip((1, 2, 3), parts["photo"], parts["label_map"]):
        assert (photo == value).all()
        assert set(map(tuple, label_map.reshape(-1, 3).tolist())) <= {(0, 0, 255), (255, value, 0)}


@pytest.mark.parametrize("unpacked", [False, True])
def test_summer_and_winter_may_differ_in_number(tmp_path, unpacked, monkeypatch):
    archive = tmp_path / "summer2winter" / "summer2winter128.zip"
    members = {"trainA/b.jpg": 2, "trainA/a.jpg": 1, "trainB/c.jpg": 3, "testA/d.jpg": 4, "testB/e.jpg": 5}
    pack(archive, {name: png(grey(value), (128, 128), "jpeg") for name, value in members.items()})
    if unpacked:
        unpack(archive)
    monkeypatch.setenv("GANZOO_DATA", str(tmp_path / "summer2winter"))  # the folder itself serves too
    parts = data.load_parts("summer2winter")
    assert {name: part.shape for name, part in parts.items()} == {
        "summer": (2, 128, 128, 3),
        "winter": (1, 128, 128, 3),
    }
    assert parts["summer"][:, 0, 0, 0].tolist() == [1, 2]
    test = data.load_parts("summer2winter", "test", image_shape=(8, 8, 1))
    assert test["winter"].shape == (1, 8, 8, 1) and test["winter"].max() == 5


@pytest.mark.parametrize("unpacked", [False, True])
def test_rain100l_are_pairs_by_their_names(tmp_path, unpacked):
    archive = tmp_path / "rain100l" / "rain100l_256.zip"
    values = {"train/input/2.jpg": 12, "train/target/10.jpg": 1, "train/input/10.jpg": 11, "train/target/2.jpg": 2}
    values |= {"test/input/3.jpg": 13, "test/target/3.jpg": 3}
    members = {name: png(grey(value), (256, 256), "jpeg") for name, value in values.items()}
    pack(archive, members)
    if unpacked:
        unpack(archive)
    parts = data.load_parts("rain100l", data_dir=tmp_path)
    assert {name: part.shape for name, part in parts.items()} == dict.fromkeys(("rainy", "clean"), (2, 256, 256, 3))
    assert parts["rainy"][:, 0, 0, 0].tolist() == [11, 12] and parts["clean"][:, 9, 9, 1].tolist() == [1, 2]
    test = data.load_parts("rain100l", "test", data_dir=tmp_path, image_shape=(32, 32, 1))
    assert test["rainy"].shape == (1, 32, 32, 1) and test["rainy"].max() == 13 and test["clean"].max() == 3
    if not unpacked:
        del members["train/target/10.jpg"]
        pack(archive, members)
        with pytest.raises(FileNotFoundError, match=r"lacks train/target/10\. Fetch the data set anew"):
            data.load_parts("rain100l", data_dir=tmp_path)


def write_emoji(root: Path, num=40) -> list[str]:
    names = [f"face_{i}" for i in range(num)]
    folder = root / "emoji_captions"
    images = {name: Image.new("RGBA", (72, 72), (i, 0, 0, 255 if i else 0)) for i, name in enumerate(names)}
    other = {name: Image.new("RGB", (72, 72), (0, i, 0)) for i, name in enumerate(names)}
    members = {f"twemoji/{name}.png": png(image, None) for name, image in images.items()}
    members |= {f"noto/{name}.png": png(other[name], None) for name in reversed(names)}
    pack(folder / "emoji72.zip", members)
    with open(folder / "captions.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("name", "caption"), *((name, f"a “face”, {name}") for name in names)])
    return names


@pytest.mark.parametrize("unpacked", [False, True])
def test_emoji_are_split_by_the_hash_of_their_names(tmp_path, unpacked):
    names = write_emoji(tmp_path)
    if unpacked:
        unpack(tmp_path / "emoji_captions" / "emoji72.zip")
    parts = {split: data.load_parts("emoji", split, data_dir=tmp_path) for split in ("train", "test")}
    held_out = [i for i, name in enumerate(names) if int(hashlib.sha256(name.encode()).hexdigest(), 16) % 10 == 0]
    assert 0 < len(held_out) < 10
    for split, expected in [("test", held_out), ("train", [i for i in range(40) if i not in held_out])]:
        part = parts[split]
        assert part["captions"].dtype.kind == "U"
        assert part["captions"].tolist() == [f"a “face”, face_{i}" for i in expected]
        assert part["noto"].shape == (len(expected), 72, 72, 3)
        np.testing.assert_array_equal(part["noto"][:, 0, 0, 1], expected)
        seen = [i or 255 for i in expected]  # the first is transparent, so white
        np.testing.assert_array_equal(part["twemoji"][:, 0, 0, 0], seen)
    transparent = data.load_parts("emoji", data_dir=tmp_path, image_shape=(8, 8, 4))["twemoji"]
    assert (
        transparent.shape[1:] == (8, 8, 4) and transparent[0, ..., 3].max() == 0 and transparent[1, ..., 3].min() == 255
    )


def test_missing_files_of_sets_are_named(tmp_path, monkeypatch):
    monkeypatch.delenv("GANZOO_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match=r"facades/facades\.zip.*data_dir= or GANZOO_DATA.*data_dir=None"):
        data.load_parts("facades")
    with pytest.raises(FileNotFoundError, match=r"emoji_captions/emoji72\.zip.*Received: source='emoji'"):
        data.load_parts("emoji", data_dir=tmp_path)
    with pytest.raises(ValueError, match=r"the splits 'train' and 'test'. Received: split='val'"):
        data.load_parts("facades", "val", data_dir=tmp_path)
    with pytest.raises(ValueError, match="load_parts"):
        data.load("facades", data_dir=tmp_path)
    (tmp_path / "train").mkdir()  # some other training set in the folder of all sets
    write(tmp_path / "train" / "1.png", grey(0), (512, 256))
    with pytest.raises(FileNotFoundError, match="has neither"):
        data.load_parts("facades", data_dir=tmp_path)
    write_emoji(tmp_path)
    captions = tmp_path / "emoji_captions" / "captions.csv"
    captions.write_text(captions.read_text("utf-8") + "another,more\n", "utf-8")
    for split in ("train", "test"):
        if (int(hashlib.sha256(b"another").hexdigest(), 16) % 10 == 0) == (split == "test"):
            with pytest.raises(FileNotFoundError, match=r"lacks twemoji/ of another"):
                data.load_parts("emoji", split, data_dir=tmp_path)
    captions.write_text("name,text\nface_0,a face\n")
    with pytest.raises(ValueError, match="columns 'name' and 'caption'"):
        data.load_parts("emoji", data_dir=tmp_path)
    captions.unlink()
    with pytest.raises(FileNotFoundError, match=r"captions\.csv"):
        data.load_parts("emoji", data_dir=tmp_path)


def test_damaged_files_of_sets_are_named(tmp_path):
    archive = tmp_path / "facades" / "facades.zip"
    archive.parent.mkdir()
    archive.write_bytes(b"PK no archive")
    with pytest.raises(OSError, match=r"facades\.zip is damaged.*anew"):
        data.load_parts("facades", data_dir=tmp_path)
    pack(archive, {"test/1.png": b""})
    with pytest.raises(FileNotFoundError, match=r"No images in .*facades\.zip/train"):
        data.load_parts("facades", data_dir=tmp_path)
    pack(archive, {"train/1.png": facade(1)[:200], "train/2.png": png(grey(0), (256, 256)), "train/3.png": facade(3)})
    with pytest.raises(ValueError, match=r"2 of 3 files cannot be read.*512x256 pixels are expected.*anew") as error:
        data.load_parts("facades", data_dir=tmp_path)
    assert "facades.zip/train/1.png" in str(error.value) and "skip_unreadable" not in str(error.value)


def test_the_real_sets(data_dir):
    facades = {split: data.load_parts("facades", split, data_dir=data_dir) for split in ("train", "test")}
    assert facades["train"]["photo"].shape == (325, 256, 256, 3)
    assert facades["test"]["label_map"].shape == (100, 256, 256, 3)
    held_out = {image.tobytes() for image in facades["test"]["photo"]}
    assert len(held_out) == 100 and not held_out & {image.tobytes() for image in facades["train"]["photo"]}
    small = data.load_parts("facades", "test", data_dir=data_dir, image_shape=64)["label_map"]
    for label_map, whole in zip(small[:5], facades["test"]["label_map"]):
        colours = set(map(tuple, whole.reshape(-1, 3).tolist()))
        assert set(map(tuple, label_map.reshape(-1, 3).tolist())) <= colours
    seasons = data.load_parts("summer2winter", "test", data_dir=data_dir)
    assert seasons["summer"].shape == seasons["winter"].shape == (50, 128, 128, 3)
    assert not np.array_equal(seasons["summer"], seasons["winter"])


def test_the_real_emoji(data_dir):
    train, test = (data.load_parts("emoji", split, data_dir=data_dir, image_shape=24) for split in ("train", "test"))
    assert len(train["captions"]) + len(test["captions"]) == 1891 and 150 < len(test["captions"]) < 230
    assert train["captions"][0] == "grinning face"
    for part in (train, test):
        assert part["twemoji"].shape == part["noto"].shape == (len(part["captions"]), 24, 24, 3)
    # The two styles of one emoji look more alike than those of two.
    first, second = (test[style].astype("float32") for style in ("twemoji", "noto"))
    assert np.abs(first - second).mean() < 0.8 * np.abs(first - second[::-1]).mean()
