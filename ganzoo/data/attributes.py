"""Folders whose images have attributes: a table beside them, or a folder for each value of one attribute."""

from __future__ import annotations

import csv
import difflib
import os
import re
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from pathlib import Path

import numpy as np

from ganzoo.data.folders import Reading, check_limit, existing_folder, find_images, named_together, read_images
from ganzoo.data.part_folders import image_folders, load_class_folders
from ganzoo.data.preprocessing import Size, parse_size
from ganzoo.data.tables import decoded, mark_between

__all__ = ["TAKEN", "attribute_table", "attributes_of", "load_attributes"]

TAKEN = ("images", "source", "latents", "n", "seed", "batch_size", "averaged")  # by `generate`, and by other parts
TABLES = (".csv", ".tsv", ".txt")
DOMAIN = "domain"  # the attribute of class folders
MOST = 50  # values of one attribute
BINARY = ({"-1", "1"}, {"0", "1"}, {"no", "yes"}, {"false", "true"})

Table = tuple[list[Path], dict[str, np.ndarray]]


def load_attributes(
    path: str | os.PathLike,
    image_size: Size,
    mode: str = "RGB",
    *,
    table: str | os.PathLike | None = None,
    attributes: Iterable[str] | None = None,
    limit: int | None = None,
    skip_unreadable: bool = False,
    **reading,
) -> dict[str, np.ndarray]:
    """Images and their attributes, from a folder and a table, or from a folder of class folders.

    The table is a text with a line for each image: its file name, with or without the ending, and a value of each
    attribute. A line above names the columns. Between them are commas, semicolons, tabs or, as in CelebA's
    ``list_attr_celeba.txt``, spaces, and there the first column has no name, and a line with the number of images may
    come first. Where a column holds -1 and 1, 0 and 1, or false and true, its values become "no" and "yes".

    Without a table, the folders in `path` are the values of one attribute, called "domain".

    Args:
        path: of the folder. Images may lie in folders below it; the table then names their paths, or their names
            where no two are alike.
        image_size: (height, width), or one number for both; see `load_folder`.
        mode: "RGB" for colour, "L" for grey, "RGBA" for colour with transparency (see `resize_and_crop`).
        table: the file of the table. By default the only file in `path` that ends in .csv, .tsv or .txt, but beside
            class folders none that names no image (README.txt).
        attributes: the columns to read. By default all.
        limit: read only the first so many images (of each class folder).
        skip_unreadable: leave out, with a warning that names them, files that cannot be read.
        **reading: `fit`, `max_value` and `pages` ("first") of `load_folder`.

    Returns:
        ``images``, uint8 (n, height, width, channels), in the order of the table; by the name of each attribute an
        array of str (n,): what `ganzoo.StarGAN` is trained on. Of what is no letter or digit, names have _.

    Raises:
        FileNotFoundError: no such folder or table.
        ValueError: names in the table without an image, or images without a line (they are listed), lines for one image
            twice, missing values, an unknown attribute, one of a single value or of more than 50; files that cannot be
            read; or a wrong argument.

    Example:
        >>> parts = load_attributes("faces", 128, attributes=["Smiling", "Male"])     # doctest: +SKIP
        >>> parts["images"].shape, parts["Smiling"][:2]     # doctest: +SKIP
        ((2000, 128, 128, 3), array(['yes', 'no'], dtype='<U3'))
    """
    check_limit(limit)
    path = existing_folder(path)
    if reading.get("pages", "first") != "first":
        raise ValueError(f"Attributes belong to the first page of each file. Received: {reading=}")
    if (found := _table_of(path, table)) is None:
        _known(attributes, [DOMAIN], path)
        images, labels, names = load_class_folders(
            path, image_size, mode, limit=limit, skip_unreadable=skip_unreadable, **reading
        )
        return {"images": images, DOMAIN: np.array(names)[labels]}
    files, columns = attribute_table(path, found, attributes)
    files = files[:limit]
    convert = Reading(parse_size(image_size), mode, **reading)
    images, was_read = read_images(files, convert.shape(files), convert, path, skip_unreadable)
    convert.warn(path)
    return {"images": images, **{name: values[: len(files)][was_read] for name, values in columns.items()}}


def attributes_of(parts: Mapping[str, np.ndarray]) -> dict[str, list[str]]:
    """The values of each attribute among parts: of all arrays of str (n,) or (n, 1), sorted.

    Args:
        parts: as from `load_attributes`, or columns of a `pandas.DataFrame`.

    Returns:
        What `ganzoo.StarGAN` takes as its attributes.

    Raises:
        ValueError: names of which some are missing (None, NaN).

    Example:
        >>> attributes_of({"images": np.zeros((3, 8, 8, 3), "uint8"), "hair": np.array(["black", "brown", "black"])})
        {'hair': ['black', 'brown']}
    """
    arrays = {name: np.asarray(values) for name, values in parts.items()}
    return {name: sorted(set(each.ravel().tolist())) for name, each in arrays.items() if _is_text(name, each)}


def _is_text(name: str, values: np.ndarray) -> bool:
    """Whether values are names, one for each image."""
    if values.dtype.kind not in "UO" or not values.ndim or values.shape[1:] not in ((), (1,)):
        return False
    num_texts = sum(isinstance(value, str) for value in values.ravel())
    if 0 < num_texts < len(values):
        raise ValueError(
            f"{len(values) - num_texts} of {len(values)} values of {name!r} are missing, or no text: fill them in, or "
            f"leave these images out. Received: {name} of dtype {values.dtype}"
        )
    return num_texts > 0


def attribute_table(
    path: Path, table: str | os.PathLike | None = None, attributes: Iterable[str] | None = None
) -> Table:
    """The files of a folder in the order of its table, and the attributes, without reading an image.

    Args, Raises: as `load_attributes`, of a folder with a table or with class folders.
    """
    if (found := _table_of(path, table)) is None:
        classes = sorted(each for each in path.iterdir() if each.is_dir() and find_images(each, first=True))
        pairs = [(file, each.name) for each in classes for file in find_images(each)]
        return [file for file, _ in pairs], {DOMAIN: np.array([name for _, name in pairs])}
    names, rows = _read(found)
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"{found} has two columns of one name: {named_together(twice, ', ')}. Rename one of them.")
    wanted = _known(attributes, names[1:], found)
    if taken := [name for name in wanted if name in TAKEN]:
        raise ValueError(
            f"No attribute is called {', '.join(TAKEN)}: rename the column, or leave it out (attributes=). "
            f"Received: {str(found)!r} with {', '.join(taken)}"
        )
    files = _files_of(path, [row[0] for row in rows], found)
    columns = {name: [row[names.index(name)] for row in rows] for name in wanted}
    for name, values in columns.items():
        if missing := [row[0] for row, value in zip(rows, values) if not value]:
            raise ValueError(
                f"{len(missing)} values of {name!r} are missing, of {named_together(missing, ', ')}: fill them in, or "
                f"leave the lines or the column out (attributes=). Received: {str(found)!r}"
            )
    return files, {name: _values(name, values, found) for name, values in columns.items()}


def _table_of(path: Path, table: str | os.PathLike | None) -> Path | None:
    if table is not None:
        if not Path(table).expanduser().is_file():
            raise FileNotFoundError(f"No such table: {table}")
        return Path(table).expanduser()
    found = sorted(each for each in path.iterdir() if each.suffix.lower() in TABLES and not each.name.startswith("."))
    if found and len(image_folders(path)) > 1 and not find_images(path, recursive=False, first=True):
        known = _by_name(path, find_images(path))
        found = [each for each in found if _begins_with(decoded(each.read_bytes(), each), known)]  # no README.txt
    if len(found) > 1:
        names = ", ".join(each.name for each in found)
        raise ValueError(f"Say which table it is, table=. Received: path={str(path)!r} with {names}")
    if not found and find_images(path, recursive=False, first=True):
        raise FileNotFoundError(
            f"{path} has images and no table of their attributes: put a .csv file there, with a line 'file,hair,smile' "
            "and a line for each image, or the images into a folder for each value."
        )
    return found[0] if found else None


def _read(table: Path) -> tuple[list[str], list[list[str]]]:
    """Names of columns, in which all but letters and digits is _, and rows of values."""
    lines = [line for line in decoded(table.read_bytes(), table).splitlines() if line.strip()]
    lines = lines[1:] if lines and lines[0].strip().isdecimal() else lines  # CelebA's number of images
    mark = mark_between(lines[0]) if lines else None
    rows = [line.split() for line in lines] if mark is None else list(csv.reader(lines, delimiter=mark))
    rows = [[value.strip() for value in row] for row in rows]
    if len(rows) < 2:
        raise ValueError(f"{table} has a line of names and one for each image. Received: {len(rows)} lines")
    names = ["", *rows[0]] if mark is None and len(rows[1]) == len(rows[0]) + 1 else rows[0]
    if short := [row[0] for row in rows[1:] if len(row) != len(names)]:
        raise ValueError(
            f"{table} has {len(names)} columns, and these lines have more or fewer: {named_together(short, ', ')}."
        )
    return [re.sub(r"\W+", "_", name) for name in names], rows[1:]


def _known(attributes: Iterable[str] | None, names: list[str], source: Path) -> list[str]:
    wanted = names if attributes is None else list(attributes)
    for name in wanted:
        if name not in names:
            close = difflib.get_close_matches(name, names, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ValueError(
                f"{source} has the attributes {named_together(names, ', ')}.{hint} Received: attributes={wanted}"
            )
    if not wanted:
        raise ValueError(f"{source} names no attribute. Received: attributes={attributes}")
    return wanted


def _files_of(path: Path, names: list[str], table: Path) -> list[Path]:
    """The file of each name."""
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"{table} has several lines for {named_together(twice, ', ')}: leave one of each.")
    found = _by_name(path, files := find_images(path))
    if missing := [name for name in names if name not in found]:
        raise ValueError(
            f"{len(missing)} of {len(names)} names in the table are of no image in {path}: "
            f"{named_together(missing, ', ')}. Add the images, or remove the lines. Received: {str(table)!r}"
        )
    if several := [name for name in names if len(found[name]) > 1]:
        raise ValueError(
            f"Several images are meant by {named_together(several, ', ')}: give their paths below {path}. "
            f"Received: {str(table)!r}"
        )
    chosen = [found[name][0] for name in names]
    if alone := sorted(set(files) - set(chosen)):
        raise ValueError(
            f"{len(alone)} images have no line in the table: {named_together((f.name for f in alone), ', ')}. Add the "
            f"lines, or move the images away. Received: {str(table)!r}"
        )
    return chosen


def _by_name(path: Path, files: list[Path]) -> dict[str, list[Path]]:
    """Files by all that a table may call them."""
    found: dict[str, list[Path]] = {}
    for file in files:
        below = file.relative_to(path)
        for key in {below.as_posix(), below.with_suffix("").as_posix(), below.name, below.stem}:
            found.setdefault(key, []).append(file)
    return found


def _begins_with(text: str, names: Container[str]) -> bool:
    """Whether a line's first column is one of the names."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return any(re.split(mark, line)[0].strip() in names for line in lines for mark in (r"[,;\t]", r"\s"))


def _values(name: str, values: list[str], table: Path) -> np.ndarray:
    """An array of names of values."""
    different = sorted(set(values))
    for no, yes in (sorted(pair) for pair in BINARY):
        if {value.lower() for value in different} == {no, yes}:
            return np.where([value.lower() == yes for value in values], "yes", "no")
    if not 2 <= len(different) <= MOST:
        fix = "has one value, and nothing to change" if len(different) < 2 else f"has {len(different)} values"
        raise ValueError(
            f"The column {name!r} {fix}: an attribute has 2 to {MOST}. Leave the column out (attributes=), or put "
            f"numbers into groups. Received: {str(table)!r}"
        )
    return np.array(values)
