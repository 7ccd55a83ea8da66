"""Why training does not work on somebody's data, before it is begun: what was found, and what would be done with it."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ganzoo.data.ages import age_class_names, age_labels, ages_of, holds_ages
from ganzoo.data.archives import read_npz
from ganzoo.data.folders import DARK, existing_folder, find_images, named_together
from ganzoo.data.part_folders import image_folders, matched, names_alone, unequal_pairs
from ganzoo.data.parts import load_parts
from ganzoo.data.preprocessing import check_images, check_positive, check_reading, parse_shape
from ganzoo.data.sources import as_path, split_folder
from ganzoo.data.survey import LOOKED_AT, Survey, survey_array, survey_files
from ganzoo.engine.quiet import printable

__all__ = ["Report", "check"]

FEW = 5000  # images, below which a discriminator learns them by heart within a training
STEPS = 8  # in an epoch, which a smaller batch is advised for
LARGE = 16  # gigabytes of images in memory
LAYOUTS = ("images", "classes", "pairs", "domains")


@dataclasses.dataclass
class Report:
    """What `check` found; printed, it is the whole of it.

    Attributes:
        surveys: what was found of each array, folder or domain, by name.
        classes: how many images each class has.
        problems: what training refuses or would be spoilt by, each with its fix.
        found, training: lines of what there is, and of what training would do with it.
        short: a line of what there is and what would be done, and a line for each problem.
    """

    source: str
    surveys: dict[str, Survey]
    layout: str = "images"
    classes: dict[str, int] = dataclasses.field(default_factory=dict)
    problems: list[str] = dataclasses.field(default_factory=list)
    found: list[str] = dataclasses.field(default_factory=list)
    training: list[str] = dataclasses.field(default_factory=list)

    @property
    def short(self) -> str:
        domains = self.surveys if self.layout == "domains" and len(self.surveys) > 1 else ()
        each = [next(line for line in self.found if line.startswith(f"{name}: ")) for name in domains]
        first = "; ".join([*(each or self.found[:1]), *self.training])
        lines = [first, *(f"Problem: {problem}." for problem in self.problems)]
        return "\n".join(map(printable, lines))

    def __str__(self) -> str:
        parts = (("Found", self.found), ("Problems", self.problems or ["none"]), ("Training", self.training))
        told = [[title, *(f"  {printable(line)}" for line in lines)] for title, lines in parts if lines]
        return "\n".join([printable(self.source), *(line for each in told for line in each)])


def check(
    source: Any,
    *,
    layout: str | None = None,
    image_shape: int | tuple[int, ...] | None = None,
    batch_size: int | None = None,
    batches: int = 1,
    split: str = "train",
    data_dir: str | os.PathLike | None = None,
    full: bool = False,
    looked_at: int = LOOKED_AT,
    fit: str = "crop",
    max_value: float | None = None,
    pages: str = "first",
) -> Report:
    """Looks at data before a training: what they hold, what is wrong with them, what training would do with them.

    All headers of files are read, and files of equal length are compared; pixels are read of 5000 random images. Images
    that are nearly the same (but for size, compression, brightness and contrast) are found among these by their
    thumbnails of 16x16: correlation above .995.

    Args:
        source: a folder, an .npz or .npy file, a data set's name, an array (n, height, width, channels), or arrays by
            name or in a tuple.
        layout: what a folder holds: "images"; "classes", in folders of their own; "pairs", in two folders of equal
            names or side by side; "domains", two folders. By default what it looks like.
        image_shape: (height, width, channels) that training brings images to; (height, width), or one number.
        batch_size: images of a discriminator step.
        batches: discriminator steps of a training step, each on new images.
        split: of a data set, of a folder with splits or of an archive.
        data_dir: as for `load`.
        full: read the pixels of all images.
        looked_at: the number of random images whose pixels are read.
        fit, max_value, pages: how files are read; see `load_folder`.

    Returns:
        A `Report`; print it.

    Raises:
        FileNotFoundError: there is no such file or folder, or nothing in it.
        ValueError: a wrong argument, or a file that is no archive.

    Example:
        >>> report = check(np.random.default_rng(0).integers(0, 256, (640, 28, 28, 1), "uint8"), batch_size=64)
        >>> report.problems
        []
        >>> print(report.training[-1])
        few images: a discriminator learns fewer than 5000 by heart; augment them, or go on from a preset
    """
    check_reading(fit=fit, max_value=max_value, pages=pages)
    if layout is not None and layout not in LAYOUTS:
        raise ValueError(f"`layout` is one of {', '.join(LAYOUTS)}. Received: layout={layout!r}")
    check_positive(batches=batches, looked_at=looked_at, **({} if batch_size is None else {"batch_size": batch_size}))
    path = Path(source).expanduser() if isinstance(source, (str, os.PathLike)) and str(source) else None
    if path is None or not path.is_dir() or not any(path.iterdir()):
        path = as_path(source) if isinstance(source, (str, os.PathLike)) and str(source) else None
    if path is not None and path.is_dir():
        report = _of_folder(split_folder(existing_folder(path), split), layout, max_value, pages, full, looked_at)
    else:
        arrays, name = _arrays(source, path, split, data_dir)
        report = _of_arrays(arrays, name, full, looked_at)
    per_step = None if batch_size is None else (batch_size, batches)
    _what_training_does(report, image_shape, per_step, fit, pages, path is not None and path.is_dir())
    return report


# --- What there is


def _arrays(source: Any, path: Path | None, split: str, data_dir) -> tuple[dict[str, Any], str]:
    if path is not None:  # what training reads of an archive, and nothing else
        loaded = read_npz(path, None, split, None)
        return dict(zip(("images", "labels"), loaded)) if isinstance(loaded, tuple) else {"images": loaded}, str(path)
    if isinstance(source, str):
        return load_parts(source, split, data_dir=data_dir), source
    if isinstance(source, Mapping):
        return dict(source), "arrays"
    ranks = [len(getattr(each, "shape", ())) for each in source] if isinstance(source, (tuple, list)) else []
    if ranks and all(ranks) and set(ranks) != {3}:  # of three axes each, they are single images
        return {f"array {index + 1}": each for index, each in enumerate(source)}, "arrays"
    return {"images": source}, "array"


def _of_arrays(arrays: Mapping[str, Any], source: str, full: bool, looked_at: int) -> Report:
    report = Report(source, {})
    lengths = {}
    for name, values in arrays.items():
        try:
            values = np.asarray(values)
        except ValueError:
            report.problems.append(
                f"{name}: images of different sizes are no array: bring them to one (resize_and_crop)"
            )
            continue
        lengths[name] = values.shape[:1]
        if values.ndim == 3 and values.shape[-1] in (1, 3, 4) and min(values.shape[:2]) > 4:
            report.problems.append(f"{name}: this is a single image, of shape {values.shape}: several are needed")
            continue
        if values.ndim == 3 and values.dtype.kind in "uf":
            values = values[..., None]
        if values.ndim != 4:
            report.found.append(f"{name}: {values.dtype} {values.shape}")
            if values.ndim == 1 and values.dtype.kind in "iu" and len(values):
                _count_classes(report, Counter(map(int, values)))
            continue
        try:
            check_images(values, name=name)
        except ValueError as error:
            report.problems.append(str(error).partition(" Received:")[0].rstrip("."))
        if values.size:
            report.surveys[name] = survey = survey_array(values, name, full, looked_at)
            _tell(report, survey, "" if len(arrays) == 1 else f"{name}: ")
    if not report.surveys and not report.problems:
        report.problems.append("no array of images (n, height, width, channels)")
    if len(set(lengths.values())) > 1:
        rows = ", ".join(f"{name} {length[0] if length else 'none'}" for name, length in lengths.items())
        report.found.append(f"arrays of different lengths, which are no parts of one another: {rows}")
    return report


def _of_folder(path: Path, layout: str | None, max_value, pages: str, full: bool, looked_at: int) -> Report:
    folders = image_folders(path)
    own = bool(find_images(path, recursive=False, first=True))
    report = Report(str(path), {})
    alone: list[Path] | None = None
    if len(folders) == 2 and layout != "domains":
        try:
            alone = names_alone(*folders)
        except ValueError as error:  # two files of one name
            report.problems += [str(error).rstrip(".")] if layout == "pairs" else []
    could_be_pairs = alone is not None and len(alone) * 2 < len(find_images(path))
    guessed = layout is None
    report.layout = layout = layout or ("images" if own or not folders else "classes")
    apart = folders if layout in ("pairs", "domains") and len(folders) == 2 else [path]
    for folder in apart:
        name = folder.name if len(apart) > 1 else "images"
        report.surveys[name] = survey = survey_files(folder, full, looked_at, pages=pages)
        if layout == "pairs" and len(apart) == 1:
            _halve(report, survey)
        _tell(report, survey, f"{name}: " if len(apart) > 1 else "")
        _tell_of_files(report, survey, max_value, pages)
    if pages != "first" and layout == "pairs":
        report.problems.append("pairs are read from the first page of each file: leave pages= out")
    _judge_layout(report, path, folders, own, alone)
    if layout == "classes" and guessed and could_be_pairs:
        report.found.append("most files of the two folders have equal names: pairs, for a model that takes pairs")
    return report


def _halve(report: Report, survey: Survey) -> None:
    """The sizes of images side by side."""
    odd = sum(n for (_, width), n in survey.sizes.items() if width % 2)
    if odd:
        report.problems.append(f"{odd} images have an odd width, and no halves")
    survey.sizes = sum((Counter({(h, w // 2): n}) for (h, w), n in survey.sizes.items()), Counter())


def _judge_layout(report: Report, path: Path, folders: list[Path], own: bool, alone: list[Path] | None) -> None:
    layout = report.layout
    if (
        layout in ("pairs", "domains")
        and (len(folders) != 2 or own)
        and not (layout == "pairs" and own and not folders)
    ):
        beside = " and images beside them" if own else ""
        names = f" ({named_together((folder.name for folder in folders), ', ')})" if folders else ""
        report.problems.append(
            f"{layout} are two folders of images; there are {len(folders)}{names}{beside}: put these two, and nothing "
            "else, into one folder"
        )
    if layout == "pairs" and alone:
        report.problems.append(
            f"{len(alone)} images have no partner of the same name in the other folder: {named_together(alone, ', ')}: "
            "add or remove them"
        )
    elif layout == "pairs" and alone is not None and (unequal := unequal_pairs(*matched(*folders))):
        report.problems.append(
            f"{len(unequal)} pairs have unequal proportions: {named_together(unequal)}: crop one image of each"
        )
    if layout == "domains" and len(folders) == 2:
        counts = {folder.name: report.surveys[folder.name].num for folder in folders}
        report.found.append(f"two domains: {folders[0].name}/ is the source, {folders[1].name}/ the target")
        if (fewest := min(counts.values())) * 10 < max(counts.values()):
            report.found.append(f"domains of very different sizes: the {fewest} images are shown again and again")
    if layout == "classes" and holds_ages(path):
        _count_ages(report, path)
    elif layout == "classes":
        if own:
            report.problems.append("images that are in no class's folder: move them into one")
        classes = [folder for folder in sorted(path.iterdir()) if folder.is_dir() and not folder.name.startswith(".")]
        _count_classes(report, {folder.name: len(find_images(folder)) for folder in classes})
        if empty := [name for name, count in report.classes.items() if not count]:
            report.problems.append(
                f"classes without images: {named_together(empty, ', ')}: fill or remove their folders"
            )


def _count_ages(report: Report, path: Path) -> None:
    try:
        counts = Counter(age_labels(list(ages_of(path).values())).tolist())
    except ValueError as error:
        report.problems.append(str(error).partition(" Received:")[0].rstrip("."))
    else:
        _count_classes(report, {name: counts[label] for label, name in enumerate(age_class_names())})


def _count_classes(report: Report, classes: Mapping[Any, int]) -> None:
    report.classes = {str(name): count for name, count in sorted(classes.items())}
    if not report.classes:
        return
    fewest = min(report.classes, key=report.classes.__getitem__)
    most = max(report.classes, key=report.classes.__getitem__)
    shown = named_together((f"{name} {count}" for name, count in report.classes.items()), ", ")
    report.found.append(f"{len(report.classes)} classes: {shown}")
    if report.classes[most] > 10 * report.classes[fewest]:
        report.found.append(
            f"classes of very different sizes: {fewest} {report.classes[fewest]}, {most} "
            f"{report.classes[most]}; the small ones will be drawn worst"
        )


def _tell(report: Report, survey: Survey, prefix: str) -> None:
    """Adds what holds for files and arrays alike."""
    heights, widths = zip(*survey.sizes) if survey.sizes else ((0,), (0,))
    size = f"{min(heights)}x{min(widths)}"
    if len(survey.sizes) > 1:
        size += f" to {max(heights)}x{max(widths)} (height x width), {len(survey.sizes)} sizes"
    kinds = ", ".join(kind if len(survey.kinds) == 1 else f"{n} {kind}" for kind, n in survey.kinds.most_common())
    report.found.append(f"{prefix}{survey.num} images of {size}, {kinds}")
    of_all = "all" if survey.looked_at >= survey.num - len(survey.unreadable) else f"{survey.looked_at} random ones"
    for kind, (low, high) in survey.ranges.items():
        report.found.append(f"{prefix}pixels of {of_all} read, {kind}: values from {low:g} to {high:g}")
        if kind == "uint8" and high <= 1:
            report.problems.append(f"{prefix}no value above {high:g} of 255, so that all is black: multiply by 255")
        elif kind == "uint8" and high < 128:
            report.found.append(f"{prefix}no value above {high:g} of 255: generated images will be as dark")
    if survey.grey and survey.grey == survey.looked_at:
        report.found.append(f"{prefix}stored as colour, all of them grey: one channel is enough")
    if survey.blank:
        report.found.append(f"{prefix}{survey.blank} images of one colour only: leave them out if they are no examples")
    if survey.copies:
        extra = sum(len(group) - 1 for group in survey.copies)
        shown = named_together((" = ".join(group[:3]) for group in survey.copies), "; ")
        report.found.append(f"{prefix}{extra} images are exact copies of others: {shown}")
    if survey.alike:
        shown = named_together((f"{a} ~ {b}" for a, b in survey.alike), "; ")
        report.found.append(f"{prefix}{len(survey.alike)} images are nearly another, of {of_all}: {shown}")


def _tell_of_files(report: Report, survey: Survey, max_value: float | None, pages: str) -> None:
    if survey.unreadable:
        shown = named_together((f"{name} ({why})" for name, why in sorted(survey.unreadable.items())), "; ")
        report.problems.append(
            f"{len(survey.unreadable)} files cannot be read: {shown}: mend or remove them, or say "
            "skip_unreadable=True (--skip-unreadable)"
        )
    if survey.others:
        kinds = ", ".join(f"{count} {kind}" for kind, count in survey.others.most_common(8))
        report.found.append(f"{sum(survey.others.values())} files that are no images by their endings: {kinds}")
    if survey.misnamed:
        shown = named_together((f"{name} is {kind}" for name, kind in survey.misnamed.items()), ", ")
        report.problems.append(f"images under other endings are passed over: {shown}: rename them")
    if survey.paged and pages == "first":
        report.found.append(
            f"{survey.paged} files have several pages, of which the first is read: pages='all' (--pages)"
        )
    if survey.passed:
        report.found.append(f"{survey.passed} broken links or special files under names of images are passed over")
    if pages == "channels" and len(survey.pages) > 1:
        counts = named_together((f"{count} of {number}" for number, count in survey.pages.most_common()), ", ")
        report.problems.append(f"files have different numbers of pages, which are to be channels: {counts}")
    if survey.turned:
        report.found.append(f"{survey.turned} files are turned by their EXIF data, and are read upright")
    for kind, (low, high) in survey.ranges.items():
        if max_value is None and kind != "uint8":
            _tell_of_depth(report, kind, low, high)
    if max_value is None and any(kind.startswith("16-bit colour") for kind in survey.kinds):
        report.found.append("of 16-bit colour only the upper 8 bits are read: scale files of 12 bits yourself")


def _tell_of_depth(report: Report, kind: str, low: float, high: float) -> None:
    if kind.startswith("float") or low < 0 or high > 65535:
        report.problems.append(f"which value of {kind} is white is not known: say max_value= (--max-value)")
    elif high < DARK:
        bits = max(int(high), 1).bit_length()
        report.problems.append(
            f"{kind} files hold no value above {high:g}, so that all is nearly black: if white is {2**bits - 1}, "
            f"say max_value={2**bits - 1} (--max-value)"
        )


# --- What training would do with it


def _what_training_does(
    report: Report, image_shape, per_step: tuple[int, int] | None, fit: str, pages: str, is_folder: bool
) -> None:
    if not report.surveys:
        return
    given = image_shape[:2] if pages == "channels" and isinstance(image_shape, tuple) else image_shape
    size, mode = parse_shape(given)
    surveys = list(report.surveys.values())
    counts = [survey.num - len(survey.unreadable) for survey in surveys]
    count = min(counts) if report.layout == "pairs" else max(counts)
    sizes: Counter = sum((survey.sizes for survey in surveys), Counter())
    if not count:
        report.problems.append("there is no image to train on")
        return
    if size is None and is_folder:
        short = int(np.median([min(each) for each in sizes.elements()]))
        fitting = max(32, min(256, 2 ** (max(short, 1).bit_length() - 1)))
        channels = 1 if all("grey" in kind for survey in surveys for kind in survey.kinds) else 3
        report.training.append(f"needs a size: {fitting}x{fitting}x{channels} would suit (image_shape=, --image-shape)")
    elif size is not None:
        report.training.append(_resizing(sizes, size, mode, fit))
    else:
        report.training.append("images keep their size")
    height, width = size or max(sizes, default=(0, 0))
    memory = sum(survey.num for survey in surveys) * height * width * {"L": 1, "RGBA": 4}.get(mode or "", 3) / 1e9
    if memory > LARGE:
        report.problems.append(f"the images take {memory:.0f} GB of memory: take a smaller size, or give fit a stream")
    if per_step is not None:
        _batches(report, count, *per_step)
    fewest = min(counts) if report.layout == "domains" else count
    if fewest < FEW and report.layout != "pairs":
        report.training.append(
            f"few images: a discriminator learns fewer than {FEW} by heart; augment them, or go on from a preset"
        )


def _resizing(sizes: Counter, size: tuple[int, int], mode: str | None, fit: str) -> str:
    num = max(sum(sizes.values()), 1)
    height, width = size
    kept = {each: min(each[1] / each[0], width / height) / max(each[1] / each[0], width / height) for each in sizes}
    loss = 1 - sum(kept[each] * n for each, n in sizes.items()) / num
    said = "kept as they are" if set(sizes) == {size} else f"resized to {height}x{width}"
    if loss > 0.005:
        worst = 1 - min(kept.values())
        how = {"crop": "cropping cuts off", "pad": "padding adds", "stretch": "stretching distorts by"}[fit]
        said += f", {how} {loss:.0%} of an image on average, {worst:.0%} at most"
        said += " (fit='pad' keeps all)" if fit == "crop" and loss > 0.1 else ""
    small = sum(n for (high, wide), n in sizes.items() if high < height or wide < width)
    if small:
        said += f", {small} of {num} are smaller than that and will be blurred"
    return said + {"L": ", in grey", "RGB": ", in colour", "RGBA": ", in colour with transparency"}.get(mode or "", "")


def _batches(report: Report, count: int, batch_size: int, batches: int) -> None:
    steps = count // (batch_size * batches)
    smaller = max(1, 2 ** max((count // (STEPS * batches)).bit_length() - 1, 0))
    each = f"{batches} x {batch_size}" if batches > 1 else f"{batch_size}"
    advice = f"a batch of {smaller} would make {count // (smaller * batches)} (--batch-size {smaller})"
    if steps == 0:
        fix = advice if count >= batches else "more images are needed"
        report.problems.append(f"{count} images are no whole step of {each}: {fix}")
    elif steps < STEPS and smaller < batch_size:
        report.training.append(f"{steps} steps of {each} images in an epoch: {advice}")
    else:
        report.training.append(f"{steps} steps of {each} images in an epoch")
