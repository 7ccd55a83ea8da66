"""Faces with ages: from their names, from a table, as classes; what is refused; what a training makes of them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import ganzoo
from ganzoo import data

UTK = ["1_0_0_20161219.jpg", "18_1_2_20161219.jpg.chip.jpg", "19_1_0_2017.png", "45_0_2017.png", "101_1_4_2017.png"]
LABELS = dict(zip(UTK, [0, 0, 1, 3, 5]))
SIX = ["0-18", "19-29", "30-39", "40-49", "50-59", "60+"]


def save(folder, *names):
    """Images whose grey is 30 times their place."""
    for i, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((20, 16, 3), 30 * i, "uint8")).save(folder / name)
    return folder


def table(path, *lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    return path


@pytest.mark.backend_free
def test_ages_are_the_classes_of_the_paper():
    ages = np.arange(131)
    labels = data.age_labels(ages)
    assert labels.dtype == np.int64 and data.age_class_names() == SIX
    bounds = [(0, 18), (19, 29), (30, 39), (40, 49), (50, 59), (60, 130)]
    for label, (youngest, oldest) in enumerate(bounds):
        assert ages[labels == label].tolist() == list(range(youngest, oldest + 1))
    assert data.age_labels([18.99, 19.0]).tolist() == [0, 1]
    assert data.age_labels([0, 9, 10, 99], (0, 10)).tolist() == [0, 0, 1, 1]
    assert data.age_class_names((0, 10, 20)) == ["0-9", "10-19", "20+"]
    for wrong in ((1, 10), (0, 10, 10), (0,), (0, 0.5)):
        with pytest.raises(ValueError, match=r"rising from 0\. Received: classes="):
            data.age_labels([1], wrong)
    with pytest.raises(ValueError, match="at least 0"):
        data.age_labels([3, -1])


@pytest.mark.backend_free
def test_names_begin_with_the_age(tmp_path):
    save(tmp_path, *UTK)
    save(tmp_path, "part2/30_1_2017.png")
    images, labels, names = data.load_ages(tmp_path, 8)
    assert images.shape == (6, 8, 8, 3) and images.dtype == np.uint8 and names == SIX
    ordered = sorted([*UTK, "part2/30_1_2017.png"])
    assert labels.dtype == np.int64 and labels.tolist() == [{**LABELS, ordered[-1]: 2}[name] for name in ordered]
    np.testing.assert_allclose(images[:5, 4, 4, 0], [30 * UTK.index(name) for name in ordered[:5]], atol=2)
    images, labels, names = data.load_ages(tmp_path, (10, 8), "L", classes=(0, 45), limit=4)
    assert images.shape == (4, 10, 8, 1) and names == ["0-44", "45+"]
    assert labels.tolist() == [int(int(name.split("_")[0]) >= 45) for name in ordered[:4]]


@pytest.mark.backend_free
@pytest.mark.parametrize("header", ["file,age", "Age,Filename,sex", " image , AGE "])
def test_a_table_gives_the_ages(tmp_path, header):
    save(tmp_path, "b.png", "deep/a.png", "deep/c.png")
    of_file = next(i for i, name in enumerate(header.split(",")) if name.strip().lower() != "age")
    rows = [("deep/a.png", "61"), ("b.png", "29.9"), ("c.png", "30")]  # by the path, or the name alone
    lines = [",".join([*row[:: -1 if of_file else 1], "x"][: header.count(",") + 1]) for row in rows]
    beside = table(tmp_path / "list.csv", header, *lines)
    table(tmp_path / "other.csv", "a,b", "1,2")  # no table of ages
    images, labels, _ = data.load_ages(tmp_path, 8)
    assert labels.tolist() == [1, 5, 2]
    np.testing.assert_array_equal(images[:, 4, 4, 0], [0, 30, 60])
    elsewhere = beside.rename(tmp_path.parent / f"{tmp_path.name}.csv")
    assert data.load_ages(tmp_path, 8, table=elsewhere)[1].tolist() == [1, 5, 2]


@pytest.mark.backend_free
@pytest.mark.parametrize("name", ["AGES.CSV", "Ages.Csv"])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_table_of_another_spelling_or_mark_is_read(tmp_path, name, mark):
    save(tmp_path, "3_a.png", "4_b.png")
    lines = [mark.join(line) for line in (("file", "age", "who"), ("3_a.png", "61", "x"), ("4_b.png", "29", "y"))]
    table(tmp_path / name, *lines)
    assert data.load_ages(tmp_path, 8)[1].tolist() == [5, 1]


@pytest.mark.backend_free
def test_a_table_that_is_not_utf8_is_refused(tmp_path):
    save(tmp_path, "3_a.png")
    text = "file,age,who\n3_a.png,61,J\u00fcrgen\n"
    for encoding in ("latin-1", "utf-16"):
        (tmp_path / "ages.csv").write_bytes(text.encode(encoding))
        with pytest.raises(ValueError, match=r"ages\.csv is no UTF-8 text: save it as UTF-8"):
            data.load_ages(tmp_path, 8)
    (tmp_path / "ages.csv").write_text(text, encoding="utf-8")
    assert data.load_ages(tmp_path, 8)[1].tolist() == [5]


@pytest.mark.backend_free
def test_labels_stay_with_their_images_where_files_are_left_out(tmp_path):
    save(tmp_path, *UTK)
    (tmp_path / UTK[1]).write_bytes(b"damaged")
    with pytest.raises(ValueError, match=r"18_1_2.*skip_unreadable=True"):
        data.load_ages(tmp_path, 8)
    with pytest.warns(UserWarning, match=r"Left out.*18_1_2") as told:
        _, labels, _ = data.load_ages(tmp_path, 8, skip_unreadable=True)
    assert told[0].filename == __file__
    assert labels.tolist() == [LABELS[name] for name in sorted(UTK) if name != UTK[1]]


@pytest.mark.backend_free
def test_images_without_an_age_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="No such folder"):
        data.load_ages(tmp_path / "none", 8)
    with pytest.raises(FileNotFoundError, match="No images"):
        data.load_ages(tmp_path, 8)
    save(tmp_path, "25_1.png", "anna.png", "131_1.png")
    with pytest.raises(ValueError, match=r"2 images without an age.*131_1.png, anna.png.*25_anna.jpg.*Received: path="):
        data.load_ages(tmp_path, 8)
    with pytest.raises(FileNotFoundError, match="No such table"):
        data.load_ages(tmp_path, 8, table=tmp_path / "none.csv")
    with pytest.raises(ValueError, match=r"rising from 0"):
        data.load_ages(tmp_path, 8, classes=(5, 6))


@pytest.mark.backend_free
def test_faults_of_a_table_are_named_with_their_lines(tmp_path):
    save(tmp_path, "a.png", "b.png", "c.png", "d/c.png")
    lines = ["file,age", "a.png,old", "a.png,20", "a.png,21", "z.png,3", "b.png,-1", "c.png,4", ",", "d/c.png,7"]
    found = table(tmp_path / "ages.csv", *lines)
    with pytest.raises(ValueError, match=r"faults in the table.*Received: .*ages.csv") as told:
        data.load_ages(tmp_path, 8)
    for fault in (
        "line 2: no age from 0 to 130: 'old'",
        "line 4: another age of 'a.png' than above",
        "line 5: no images of the name 'z.png'",
        "line 6: no age from 0 to 130: '-1'",
        "line 7: 2 images of the name 'c.png'",
        "no row of the image b.png",
    ):
        assert fault in str(told.value)
    with pytest.raises(ValueError, match=r"columns age and file .*Received: .*with the columns name, years"):
        data.load_ages(tmp_path, 8, table=table(tmp_path / "years.csv", "name,years", "a.png,3"))
    found.rename(tmp_path / "one.csv")
    table(tmp_path / "two.csv", "file,age")
    with pytest.raises(ValueError, match=r"Several tables.*one.csv.*two.csv"):
        data.load_ages(tmp_path, 8)


@pytest.mark.backend_free
def test_a_check_counts_the_ages(tmp_path):
    save(tmp_path, *UTK)
    report = data.check(tmp_path, layout="classes", image_shape=(16, 16, 3), batch_size=2)
    assert report.problems == []
    assert report.classes == {"0-18": 2, "19-29": 1, "30-39": 0, "40-49": 1, "50-59": 0, "60+": 1}
    table(tmp_path / "ages.csv", "file,age", f"{UTK[0]},1")
    assert "no row of the image" in " ".join(data.check(tmp_path, layout="classes").problems)


def test_a_folder_of_faces_is_trained_on(tmp_path, capsys):
    save(tmp_path / "faces", *UTK, "50_1.png", "31_0.png", "35_1.png")
    recipe = tmp_path / "faces.yaml"
    recipe.write_text(
        "model: age_cgan\ndescription: faces\npaper: none\narguments: {image_shape: [16, 16, 3], num_classes: 6, "
        "latent_dim: 4, width: 4}\ndataset: {name: faces}\ntraining: {epochs: 1, batch_size: 4}\n"
    )
    options = {"data": tmp_path / "faces", "image_shape": (16, 16, 3), "verbose": 2}
    model = ganzoo.train(recipe, tmp_path / "run", **options)
    assert "Labels: 0 0-18, 1 19-29, 2 30-39, 3 40-49, 4 50-59, 5 60+" in capsys.readouterr().out
    faces, labels, _ = data.load_ages(tmp_path / "faces", 16)
    older = model.change_age(faces, labels, 5, steps=2)
    assert older.shape == faces.shape and older.dtype == np.uint8
