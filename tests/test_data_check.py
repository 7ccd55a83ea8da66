"""`ganzoo.data.check`: what is found of data before a training, and what training would do with them."""

from __future__ import annotations

import io
import os
import shutil
import time
import warnings
import zipfile

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import ganzoo
import ganzoo.zoo.asked
from ganzoo.cli import app
from ganzoo.data import archives, check

pytestmark = pytest.mark.backend_free


def picture(seed=0, height=64, width=64):
    """A smooth picture, unlike that of another seed."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), "uint8")
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def fill(folder, count, start=0, **size):
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        picture(start + index, **size).save(folder / f"{start + index:03}.jpg")
    return folder


def one(lines, text):
    (found,) = [line for line in lines if text in line]
    return found


def test_a_good_folder(tmp_path):
    report = check(fill(tmp_path / "photos", 12, height=80, width=120), image_shape=(32, 32, 3), batch_size=1)
    assert report.problems == []
    assert report.found[0] == "12 images of 80x120, 8-bit colour"
    assert report.training[0] == (
        "resized to 32x32, cropping cuts off 33% of an image on average, 33% at most (fit='pad' keeps all), in colour"
    )
    assert report.training[1] == "12 steps of 1 images in an epoch"
    assert "few images" in report.training[2]
    assert report.short == f"{report.found[0]}; {'; '.join(report.training)}"
    assert str(report).splitlines()[:3] == [str(tmp_path / "photos"), "Found", f"  {report.found[0]}"]


@pytest.fixture
def odd(tmp_path):
    """A folder of all that is wrong with folders."""
    folder = fill(tmp_path / "odd", 12)
    shutil.copy(folder / "000.jpg", folder / "copy.jpg")
    Image.open(folder / "001.jpg").save(folder / "again.png")
    Image.open(folder / "002.jpg").resize((90, 90)).save(folder / "larger.jpg", quality=50)
    whole = (folder / "003.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "none.png").write_text("no picture")
    (folder / "notes.txt").write_text("mine")
    shutil.copy(folder / "004.jpg", folder / "unnamed")
    Image.new("RGB", (64, 64), "white").save(folder / "white.png")
    Image.fromarray(np.arange(4096, dtype="uint16").reshape(64, 64)).save(folder / "deep.png")
    frames = [picture(seed) for seed in (50, 51)]
    frames[0].save(folder / "moving.gif", save_all=True, append_images=frames[1:])
    turned = Image.Exif()
    turned[0x0112] = 6
    picture(60, height=32, width=64).save(folder / "turned.jpg", exif=turned)
    os.mkfifo(folder / "pipe.png")
    os.symlink(folder / "gone.jpg", folder / "link.jpg")
    return folder


def test_all_that_is_wrong_with_a_folder(odd):
    report = check(odd)
    survey = report.surveys["images"]
    assert survey.copies == [["000.jpg", "copy.jpg"]]
    assert survey.alike == [("001.jpg", "again.png"), ("002.jpg", "larger.jpg")]
    assert set(survey.unreadable) == {"cut.jpg", "none.png"} and survey.passed == 2
    assert "truncated" in survey.unreadable["cut.jpg"]
    assert survey.others == {".txt": 1, "no ending": 1} and survey.misnamed == {"unnamed": "JPEG"}
    assert (survey.blank, survey.paged, survey.turned) == (1, 1, 1)
    assert survey.sizes[(64, 32)] == 1, "the right way up"
    assert survey.ranges["uint16"] == (0, 4095)
    assert one(report.problems, "2 files cannot be read")
    assert one(report.problems, "max_value=4095")
    assert one(report.problems, "unnamed is JPEG: rename")
    assert (
        one(report.found, "pages='all'") and one(report.found, "EXIF") and one(report.found, "1 images of one colour")
    )
    assert "64x64x3 would suit" in report.training[0]
    mended = check(odd, max_value=4095, pages="all")
    assert len(mended.problems) == 2 and not any("pages" in line for line in mended.found)


def test_what_it_says_is_what_loading_does(odd):
    report = check(odd, image_shape=(32, 32, 1))
    with pytest.warns(UserWarning) as told:
        images = ganzoo.data.load_folder(odd, 32, "L", skip_unreadable=True)
    survey = report.surveys["images"]
    assert len(images) == survey.num - len(survey.unreadable)
    assert "several pages" in str([w.message for w in told]) and "max_value=4095" in str([w.message for w in told])


def test_a_cut_file_is_found_among_more_than_are_read(tmp_path):
    folder = fill(tmp_path / "many", 40)
    whole = (folder / "033.jpg").read_bytes()
    (folder / "033.jpg").write_bytes(whole[:-40])
    report = check(folder, looked_at=3)
    assert set(report.surveys["images"].unreadable) == {"033.jpg"}
    assert report.surveys["images"].looked_at <= 3 and "3 random ones" in str(report)
    assert check(folder, full=True).surveys["images"].looked_at == 39


def test_classes_pairs_and_domains(tmp_path):
    fill(tmp_path / "a", 24)
    fill(tmp_path / "b", 2, start=20)
    report = check(tmp_path)
    assert report.classes == {"a": 24, "b": 2}
    assert one(report.found, "2 classes: a 24, b 2") and one(report.found, "very different sizes")
    report = check(tmp_path, layout="pairs", image_shape=32)
    assert "22 images have no partner" in one(report.problems, "partner")
    assert not any("few images" in line for line in report.training), "pairs are jittered"
    report = check(tmp_path, layout="domains", batch_size=2)
    assert report.found[0].startswith("a: 24 images") and any(line.startswith("b: 2 images") for line in report.found)
    assert "12 steps of 2" in str(report), "as many as the longer domain has"
    assert "a/ is the source, b/ the target" in str(report) and one(report.found, "very different sizes: the 2 images")
    assert "a: 24 images" in report.short and "b: 2 images" in report.short
    fill(tmp_path / "c", 1)
    assert "there are 3 (a, b, c): put these two" in one(check(tmp_path, layout="domains").problems, "domains are two")
    shutil.rmtree(tmp_path / "c")
    picture(70).save(tmp_path / "stray.png")
    assert one(check(tmp_path, layout="classes").problems, "in no class's folder")
    with pytest.raises(ValueError, match="`layout` is one of"):
        check(tmp_path, layout="class")


def test_folders_of_equal_names_may_be_pairs(tmp_path):
    fill(tmp_path / "maps", 3)
    fill(tmp_path / "photos", 3)
    assert one(check(tmp_path).found, "pairs, for a model that takes pairs")
    assert check(tmp_path, layout="pairs").problems == []
    picture(0, height=64, width=96).save(tmp_path / "photos" / "000.jpg")
    assert one(check(tmp_path, layout="pairs").problems, "1 pairs have unequal proportions")
    picture(0).save(tmp_path / "photos" / "000.png")
    assert one(check(tmp_path, layout="pairs").problems, "Two images of one name")


def test_arrays():
    images = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 1), "uint8")
    images[7] = images[3]
    labels = np.arange(40) % 4
    report = check((images, labels), batch_size=64)
    assert report.classes == {"0": 10, "1": 10, "2": 10, "3": 10}
    assert report.surveys["array 1"].copies == [["3", "7"]]
    assert "no whole step of 64: a batch of 4 would make 10" in one(report.problems, "batch")
    assert one(check(images // 255).problems, "multiply by 255")
    assert one(check(images / 255.0).problems, "use `images * 2 - 1`")
    assert one(check(images.transpose(0, 3, 1, 2)).problems, "channels first")
    assert one(check({"images": images, "labels": labels[:9]}).found, "different lengths")
    assert one(check(images // 4).found, "no value above 63")
    assert check(np.zeros((3, 2), "float32")).problems == ["no array of images (n, height, width, channels)"]


def test_archives(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (640, 8, 8), "uint8")
    np.savez(tmp_path / "x.npz", images=images, labels=np.arange(640) % 2)
    report = check(tmp_path / "x.npz", batch_size=64)
    assert report.problems == [] and report.classes == {"0": 320, "1": 320}
    assert one(report.training, "10 steps of 64")


def test_what_is_stored_transparent_or_finer_than_a_thumbnail_is_told_as_training_sees_it(tmp_path):
    black = np.zeros((12, 16, 16, 4), "uint8")
    for i, icon in enumerate(black):
        icon[i : i + 4, :, 3] = 255
        Image.fromarray(icon).save(tmp_path / f"{i}.png")
    report = check(tmp_path)
    assert report.problems == [] and report.surveys["images"].ranges == {"uint8": (0, 255)}
    assert report.surveys["images"].blank == 0
    fine = (np.indices((1024, 1024)).sum(0) % 2 * 220).astype("uint8")
    Image.fromarray(fine).save(tmp_path / "fine.jpg", quality=95)
    low, high = check(tmp_path, full=True).surveys["images"].ranges["uint8"]
    assert low == 0 and high == 255


def test_large_photographs_are_decoded_coarsely_and_their_range_is_not_told(tmp_path):
    for seed in range(3):
        picture(seed, 2400, 2000).save(tmp_path / f"{seed}.jpg")
    survey = check(tmp_path).surveys["images"]
    assert survey.looked_at == 3 and survey.ranges == {} and survey.blank == 0


def test_pairs_are_counted_as_pairs(tmp_path):
    fill(tmp_path / "two" / "maps", 9)
    fill(tmp_path / "two" / "photos", 9)
    assert "9 steps of 1 images" in str(check(tmp_path / "two", layout="pairs", batch_size=1))
    fill(tmp_path / "beside", 9, width=128)
    report = check(tmp_path / "beside", layout="pairs", image_shape=64, batch_size=1)
    assert report.problems == [] and report.training[0] == "kept as they are"
    picture(0, width=127).save(tmp_path / "beside" / "odd.png")
    assert one(check(tmp_path / "beside", layout="pairs").problems, "1 images have an odd width")
    assert one(check(tmp_path / "two", layout="pairs", pages="all").problems, "first page of each file")


def test_a_stack_that_is_cut_off_loses_no_page_in_silence(tmp_path):
    first, *rest = [picture(page) for page in range(5)]
    first.save(tmp_path / "a.tif", save_all=True, append_images=rest)
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content[: len(content) * 7 // 10])  # in the middle of a page's header
    with pytest.raises(ValueError, match=r"1 of 1 files cannot be read: .*a.tif \(its pages cannot be counted"):
        ganzoo.data.load_folder(tmp_path, 8, "L", pages="all")
    assert "a.tif" in one(check(tmp_path, pages="all").problems, "cannot be read")


def test_complex_arrays_are_refused_without_a_word_of_numpys():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert one(check(np.zeros((4, 8, 8, 1), "complex64")).problems, "uint8 or float")


def test_pages_are_counted_as_they_are_read(tmp_path):
    for index in range(4):
        first, *rest = [picture(10 * index + page) for page in range(5)]
        first.save(tmp_path / f"{index}.tif", save_all=True, append_images=rest)
    assert "10 steps of 2 images" in str(check(tmp_path, pages="all", batch_size=2))
    assert check(tmp_path, pages="channels").problems == []
    picture(0).save(tmp_path / "single.tif")
    assert "4 of 5, 1 of 1" in one(check(tmp_path, pages="channels").problems, "different numbers of pages")


def test_steps_of_several_batches(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (70, 16, 16, 1), "uint8")
    assert "1 steps of 5 x 8 images in an epoch: a batch of 1 would make 14" in str(
        check(images, batch_size=8, batches=5)
    )
    assert one(check(images[:30], batch_size=8, batches=5).problems, "30 images are no whole step of 5 x 8")
    report = ganzoo.zoo.asked.check_data("wgan_gp-fashion_mnist", images, batch_size=8)
    assert "of 5 x 8 images" in str(report), "the recipe's number, not the class's"
    with pytest.raises(ValueError, match="`batch_size`"):
        check(images, batch_size=0)


def test_archives_hold_more_than_is_read(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 1), "uint8")
    np.savez_compressed(tmp_path / "x.npz", images=images, other=np.zeros(400_000_000, "uint8"), meta=np.array([{}]))
    assert check(tmp_path / "x.npz").problems == []
    assert len(ganzoo.data.load(tmp_path / "x.npz")) == 40


def test_names_of_control_characters_stay_in_their_line(tmp_path):
    folder = fill(tmp_path / "x", 3)
    (folder / "a\nProblems\n  none\x1b[31m.png").write_text("no picture")
    report = str(check(folder))
    assert report.count("\nProblems\n") == 1 and "\x1b" not in report
    (folder / os.fsdecode(b"caf\xe9.png")).write_text("no picture")
    check(folder).short.encode("utf-8")


def test_a_folder_that_may_not_be_read_is_told(tmp_path, monkeypatch):
    fill(tmp_path / "a", 3)
    monkeypatch.setattr(
        os, "scandir", lambda path: (_ for _ in ()).throw(PermissionError(13, "Permission denied", path))
    )
    with pytest.raises(OSError, match="give yourself access"):
        ganzoo.data.load_folder(tmp_path / "a", 8)


def test_a_folder_of_misnamed_images_is_told(tmp_path):
    folder = fill(tmp_path / "x", 3)
    for file in list(folder.iterdir()):
        file.rename(file.with_suffix(".dat"))
    assert one(check(folder).problems, "is JPEG: rename") and one(check(folder).problems, "no image to train on")


def test_a_pipe_does_not_hang_pairs(tmp_path):
    from ganzoo.zoo.reading import _check_halves

    for name, width in (("beside", 128), ("ordinary", 64)):
        os.mkfifo(fill(tmp_path / name, 3, width=width) / "0.fifo")
    _check_halves(tmp_path / "beside", (64, 64))
    with pytest.raises(ValueError, match="Pairs are two folders"):
        _check_halves(tmp_path / "ordinary", (64, 64))


def test_side_by_side_pairs_say_what_they_lose(tmp_path):
    deep = np.random.default_rng(0).integers(0, 4096, (16, 32)).astype("uint16")
    Image.fromarray(deep).save(tmp_path / "0.png")
    with pytest.warns(UserWarning, match="max_value=4095"):
        ganzoo.data.load_pairs(tmp_path, 16, "L")


def test_near_copies_of_many_are_found_soon():
    frames = np.repeat(np.asarray(picture())[None], 3000, 0)
    frames = np.clip(frames + np.arange(3000)[:, None, None, None] % 7, 0, 255).astype("uint8")
    began = time.monotonic()
    survey = check(frames).surveys["images"]
    assert len(survey.alike) + sum(len(group) - 1 for group in survey.copies) == 2999
    assert time.monotonic() - began < 60


def test_what_training_would_refuse_is_foreseen(tmp_path):
    foreseen = ganzoo.zoo.asked.check_data
    images = np.random.default_rng(0).integers(0, 256, (80, 28, 28, 1), "uint8")
    assert foreseen("cgan-mnist", (images, np.arange(80) % 10)).problems == []
    assert one(foreseen("cgan-mnist", images).problems, "`labels` is missing")
    assert one(foreseen("cgan-mnist", (images, np.arange(80) % 10 - 1)).problems, "must lie in 0")
    assert one(foreseen("cgan-mnist", (images, np.eye(10)[np.arange(80) % 10])).problems, "one whole number")
    folder = fill(tmp_path / "x", 40)
    assert one(foreseen("dcgan-mnist", folder, image_shape=(30, 30, 3)).problems, "multiples of 4")
    assert foreseen("dcgan-mnist", folder, image_shape=(32, 32, 3)).problems == []


def test_images_that_are_no_array_of_images():
    image = np.zeros((16, 16, 3), "uint8")
    assert one(check(image).problems, "a single image")
    assert one(check([picture(0), picture(1, 32, 32)]).problems, "of different sizes")
    assert check([picture(seed) for seed in range(9)]).surveys["images"].num == 9


def test_splits_are_known_in_capitals_too(tmp_path):
    fill(tmp_path / "Train", 3)
    fill(tmp_path / "Test", 2)
    assert len(ganzoo.data.load(tmp_path, "train", image_shape=8)) == 3
    assert check(tmp_path, split="test").surveys["images"].num == 2
    with pytest.raises(ValueError, match="has folders for the splits Train, Test"):
        ganzoo.data.load(tmp_path, "val", image_shape=8)
    with pytest.raises(ValueError, match="look like splits"):
        ganzoo.data.load_class_folders(tmp_path, 8)


def test_what_is_for_files_is_refused_for_arrays(tmp_path):
    np.savez(tmp_path / "x.npz", images=np.zeros((40, 16, 16, 1), "uint8"))
    from ganzoo.engine.parts import Images
    from ganzoo.zoo.reading import read_parts

    parts = {"images": Images((16, 16, 1))}
    with pytest.raises(ValueError, match="max_value and pages: these are for folders"):
        read_parts(parts, tmp_path / "x.npz", reading={"pages": "all", "max_value": 4095})
    assert len(read_parts(parts, tmp_path / "x.npz", reading={"skip_unreadable": True})["images"]) == 40


def test_the_command_of_a_full_disk(tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ganzoo.data.check", full)
    result = CliRunner().invoke(app, ["check", str(tmp_path)])
    assert result.exit_code == 2 and "The disk is full: make room" in result.stderr


def test_a_password_in_an_address_is_not_told(tmp_path):
    result = CliRunner().invoke(app, ["check", "http://me:sekret@host/x"])
    assert result.exit_code == 2 and "sekret" not in result.stderr and "http://host/x" in result.stderr


def test_an_input_that_is_no_file_is_told(tmp_path):
    from ganzoo.engine.parts import Images

    part = Images((16, 16, 3))
    with pytest.raises(ValueError, match="Name an image file"):
        part.read("", "source")
    folder = fill(tmp_path / "x", 2)
    (folder / "notes.txt").write_text("mine")
    assert part.read(str(folder), "source").shape == (2, 16, 16, 3)


def test_the_command(odd, tmp_path):
    result = CliRunner().invoke(app, ["check", str(odd), "--image-shape", "32x32x3", "--batch-size", "4"])
    assert result.exit_code == 1 and "Problems" in result.output and "2 files cannot be read" in result.output
    fill(tmp_path / "a", 60)
    result = CliRunner().invoke(app, ["check", str(tmp_path / "a"), "dcgan-mnist", "--batch-size", "4"])
    assert result.exit_code == 0 and "resized to 28x28, 0" not in result.output and "in grey" in result.output
    assert "15 steps of 4 images" in result.output


# --- Bounds


def test_d7_an_archive_that_unpacks_to_very_much_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "zeros.npz"
    np.savez_compressed(path, images=np.zeros((400, 1000, 1000, 1), "uint8"))
    with pytest.raises(ValueError, match=r"unpacks from 0.4 MB to 400 MB, .*GANZOO_MAX_UNPACKED=400000128"):
        ganzoo.data.load_npz(path)
    monkeypatch.setenv("GANZOO_MAX_UNPACKED", "400000128")
    assert ganzoo.data.load_npz(path).shape == (400, 1000, 1000, 1)


def test_d7_an_array_that_claims_more_than_its_file_holds_takes_no_memory(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (10**12, 8, 8, 1)})
    (tmp_path / "x.npy").write_bytes(header.getvalue() + b"0" * 64)
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.write(tmp_path / "x.npy", "images.npy")
    for name in ("x.npy", "x.npz"):
        with pytest.raises(ValueError, match="does not fit into"):
            ganzoo.data.load_npz(tmp_path / name)


def test_d7_an_image_of_very_many_pixels_is_refused(tmp_path, monkeypatch):
    fill(tmp_path / "a", 2)
    Image.new("1", (12_000, 11_000)).save(tmp_path / "a" / "large.png")
    with pytest.raises(ValueError, match=r"132 million pixels, more than 89: .*GANZOO_MAX_PIXELS=132000000"):
        ganzoo.data.load_folder(tmp_path / "a", 8)
    assert "132 million pixels" in check(tmp_path / "a").surveys["images"].unreadable["large.png"]
    monkeypatch.setenv("GANZOO_MAX_PIXELS", "132000000")
    assert len(ganzoo.data.load_folder(tmp_path / "a", 8)) == 3
    assert "large.png" not in check(tmp_path / "a").surveys["images"].unreadable
    monkeypatch.setenv("GANZOO_MAX_PIXELS", "1e9")
    with pytest.raises(ValueError, match="GANZOO_MAX_PIXELS is a number of pixels"):
        ganzoo.data.load_folder(tmp_path / "a", 8)


def test_d7_several_arrays_of_an_archive_count_together(tmp_path):
    path = tmp_path / "zeros.npz"
    np.savez_compressed(path, **{f"x{i}": np.zeros((100, 1000, 1000), "uint8") for i in range(4)})
    with archives.open_archive(path) as archive, pytest.raises(ValueError, match="300 MB in all"):
        for key in archive:
            archive[key]


def test_c8_encrypted_and_damaged_archives(tmp_path):
    np.savez(tmp_path / "x.npz", images=np.zeros((4, 8, 8, 1), "uint8"))
    content = bytearray((tmp_path / "x.npz").read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + flags] |= 1
    (tmp_path / "locked.npz").write_bytes(content)
    with pytest.raises(ValueError, match="damaged, or encrypted"):
        ganzoo.data.load_npz(tmp_path / "locked.npz")


# --- Pages as channels


def test_pages_of_a_stack_are_channels(tmp_path):
    planes = np.random.default_rng(0).integers(0, 256, (3, 5, 16, 16), "uint8")
    for index, stack in enumerate(planes):
        first, *rest = map(Image.fromarray, stack)
        first.save(tmp_path / f"{index}.tif", save_all=True, append_images=rest)
    images = ganzoo.data.load_folder(tmp_path, 16, pages="channels")
    np.testing.assert_array_equal(images, planes.transpose(0, 2, 3, 1))
    assert check(tmp_path, pages="channels", image_shape=(16, 16, 5)).problems == []
    Image.fromarray(planes[0, 0]).save(tmp_path / "3.tif")
    with pytest.raises(ValueError, match=r"3.tif .it has 1 pages, and the first file 5"):
        ganzoo.data.load_folder(tmp_path, 16, pages="channels")


def test_a5_16_bit_colour_that_holds_12_bits_is_told(tmp_path):
    import struct
    import zlib

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    pixels = np.random.default_rng(0).integers(0, 4096, (8, 8, 3)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    with pytest.warns(UserWarning, match="only 8 bits are read"):
        ganzoo.data.load_folder(tmp_path, 8)
    assert "16-bit colour" in str(check(tmp_path))
