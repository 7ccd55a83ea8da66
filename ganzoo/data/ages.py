"""Faces with an age each, in a table beside them or in their names, as classes of age."""

from __future__ import annotations

import csv
import io
import itertools
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ganzoo.data.folders import (
    Reading,
    check_limit,
    existing_folder,
    find_images,
    named_together,
    no_images,
    read_images,
)
from ganzoo.data.preprocessing import Size, parse_size
from ganzoo.data.tables import decoded, mark_between

__all__ = ["AGE_CLASSES", "age_class_names", "age_labels", "ages_of", "holds_ages", "load_ages"]

AGE_CLASSES = (0, 19, 30, 40, 50, 60)  # the youngest of each class
OLDEST = 130
FILE_COLUMNS = ("file", "filename", "file_name", "image", "image_name", "path", "name")
IN_NAME = re.compile(r"(\d{1,3})_")


def load_ages(
    path: str | os.PathLike,
    image_size: Size,
    mode: str = "RGB",
    *,
    table: str | os.PathLike | None = None,
    classes: Sequence[int] = AGE_CLASSES,
    limit: int | None = None,
    skip_unreadable: bool = False,
    **reading,
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Images and their classes of age from a folder of faces.

    The age is read from a table (CSV with a header, and commas, semicolons or tabs between columns) that has a column
    `age` and one of the files' names, called `file`, `filename`, `image`, `path` or `name`; without a table from the
    files' names, which begin with it as in UTKFace: ``[age]_[gender]_[race]_[date].jpg``.

    Args:
        path: of the folder; images may lie in subfolders.
        image_size: (height, width), or one number for both; see `load_folder`.
        mode: "RGB" for colour, "L" for grey, "RGBA" for colour with transparency (see `resize_and_crop`).
        table: path of the table; by default the folder's own .csv file that has such columns, where there is one.
        classes: the youngest age of each class, rising from 0; by default the six of Antipov et al. 2017,
            arXiv:1702.01983: 0-18, 19-29, 30-39, 40-49, 50-59, 60+.
        limit: read only the first so many, in the order of their paths.
        skip_unreadable: leave out, with a warning that names them, files that cannot be read.
        **reading: `fit`, `max_value` and `pages` of `load_folder`.

    Returns:
        Images uint8 (n, height, width, channels), in the order of their paths; labels int64 (n,), classes from 0; and
        the names of the classes.

    Raises:
        FileNotFoundError: no such folder or table, or no images.
        ValueError: images without an age, rows without an image, ages that are no number from 0 to 130 (all are
            named), a table without the columns or not in UTF-8, classes that do not rise from 0, files that cannot be
            read.

    Example:
        >>> faces, labels, names = load_ages("UTKFace", 64)     # doctest: +SKIP
        >>> names[labels[0]]     # doctest: +SKIP
        '60+'
    """
    check_limit(limit)
    path, names = existing_folder(path), age_class_names(classes)
    ages = ages_of(path, table)
    files = list(ages)[:limit]
    convert = Reading(parse_size(image_size), mode, **reading)
    pages = [list(convert.pages_of([file])) for file in files]
    together = [page for each in pages for page in each]
    images, was_read = read_images(together, convert.shape(together), convert, path, skip_unreadable)
    convert.warn(path)
    labels = age_labels([ages[file] for file, each in zip(files, pages) for _ in each], classes)
    return images, labels[was_read], names


def age_labels(ages, classes: Sequence[int] = AGE_CLASSES) -> np.ndarray:
    """The class of each age, from 0: int64 (n,).

    Args:
        ages: numbers (n,), at least 0; 18.9 is 18 years.
        classes: the youngest age of each class, rising from 0.

    Raises:
        ValueError: negative ages, or classes that do not rise from 0.

    Example:
        >>> age_labels([0, 18, 19, 29, 30, 59, 60, 101]).tolist()
        [0, 0, 1, 1, 2, 4, 5, 5]
    """
    age_class_names(classes)
    ages = np.asarray(ages, "float64")
    if not (ages >= 0).all():
        raise ValueError(f"Ages are numbers, at least 0. Received: ages from {ages.min()}")
    return (np.searchsorted(np.asarray(classes), ages, side="right") - 1).astype(np.int64)


def age_class_names(classes: Sequence[int] = AGE_CLASSES) -> list[str]:
    """What classes of age are called: "0-18", ..., "60+"."""
    whole = [int(youngest) for youngest in classes]
    if len(whole) < 2 or whole != list(classes) or whole[0] != 0 or any(a >= b for a, b in itertools.pairwise(whole)):
        raise ValueError(f"Classes of age are the youngest age of each, rising from 0. Received: classes={classes!r}")
    return [f"{youngest}-{older - 1}" for youngest, older in itertools.pairwise(whole)] + [f"{whole[-1]}+"]


def holds_ages(path: Path) -> bool:
    """Whether a folder has a table of ages, or images of its own that are all named by an age."""
    if _own_table(path) is not None:
        return True
    own = find_images(path, recursive=False)
    return bool(own) and all(IN_NAME.match(file.name) for file in own)


def ages_of(path: Path, table: str | os.PathLike | None = None) -> dict[Path, float]:
    """The age of each image below a folder, in the order of the paths. Errors: see `load_ages`."""
    files = find_images(path)
    if not files:
        raise no_images(path, True)
    found = _own_table(path) if table is None else Path(table).expanduser()
    if found is None:
        return _of_names(files, path)
    if not found.is_file():
        raise FileNotFoundError(f"No such table: {found}")
    return _of_table(files, path, found)


def _of_names(files: list[Path], path: Path) -> dict[Path, float]:
    ages = {file: int(match[1]) for file in files if (match := IN_NAME.match(file.name))}
    wrong = [file.relative_to(path).as_posix() for file in files if not ages.get(file, OLDEST + 1) <= OLDEST]
    if wrong:
        raise ValueError(
            f"{len(wrong)} images without an age from 0 to {OLDEST} in their name: {named_together(wrong, ', ')}. Name "
            "them [age]_... (25_anna.jpg), put a table with the columns file and age beside them (.csv), or remove "
            f"them. Received: path={str(path)!r}"
        )
    return dict(ages)


def _own_table(path: Path) -> Path | None:
    """The folder's .csv file that has the columns."""
    files = (file for file in sorted(path.glob("*")) if file.suffix.lower() == ".csv" and file.is_file())
    tables = [file for file in files if not file.name.startswith(".") and None not in _columns(_header(file))]
    if len(tables) > 1:
        raise ValueError(
            f"Several tables of ages: name one, table=, or leave one. Received: {', '.join(map(str, tables))}"
        )
    return tables[0] if tables else None


def _header(table: Path) -> list[str]:
    with table.open("rb") as file:
        line = decoded(file.readline(), table)
    return next(csv.reader([line], delimiter=mark_between(line) or ","), [])


def _columns(header: Sequence[str]) -> tuple[str | None, str | None]:
    """What the columns of files and of ages are called in a table."""
    known = {name.strip().lower(): name for name in reversed(header)}
    return next((known[name] for name in FILE_COLUMNS if name in known), None), known.get("age")


def _of_table(files: list[Path], path: Path, table: Path) -> dict[Path, float]:
    header = _header(table)
    of_file, of_age = _columns(header)
    if of_file is None or of_age is None:
        raise ValueError(
            f"A table of ages has a header with the columns age and file (or {', '.join(FILE_COLUMNS[1:])}), with "
            f"commas, semicolons or tabs between them. Received: {table} with the columns {', '.join(header)}"
        )
    known: dict[str, list[Path]] = {}
    for file in files:
        for name in {file.relative_to(path).as_posix(), file.name}:
            known.setdefault(name, []).append(file)
    ages: dict[Path, float] = {}
    wrong: list[str] = []
    content = decoded(table.read_bytes(), table)
    reader = csv.DictReader(io.StringIO(content, newline=""), delimiter=mark_between(content.partition("\n")[0]) or ",")
    for row in reader:
        name, text = (row[of_file] or "").strip(), (row[of_age] or "").strip()
        meant, age = known.get(name, []), _number(text)
        if len(meant) != 1:
            wrong.append(f"line {reader.line_num}: {len(meant) or 'no'} images of the name {name!r}")
        elif age is None:
            wrong.append(f"line {reader.line_num}: no age from 0 to {OLDEST}: {text!r}")
        elif ages.setdefault(meant[0], age) != age:
            wrong.append(f"line {reader.line_num}: another age of {name!r} than above")
    wrong += [f"no row of the image {file.relative_to(path).as_posix()}" for file in files if file not in ages]
    if wrong:
        raise ValueError(
            f"{len(wrong)} faults in the table of ages: {named_together(wrong)}. Mend the table, or remove rows and "
            f"images without a partner. Received: {table}"
        )
    return {file: ages[file] for file in files}


def _number(text: str) -> float | None:
    try:
        age = float(text)
    except ValueError:
        return None
    return age if 0 <= age <= OLDEST else None
