"""What images there are in folders and arrays as they are: sizes, kinds, ranges, copies, damage."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ganzoo.data.folders import IMAGE_SUFFIXES, find_images, opened, pages_in
from ganzoo.data.part_folders import ORIENTATION
from ganzoo.data.preprocessing import is_deep, is_deep_colour, resize_and_crop
from ganzoo.data.progress import progress

__all__ = ["LOOKED_AT", "Survey", "survey_array", "survey_files"]

LOOKED_AT = 5000  # images whose pixels are read
COMPARED = 100_000  # images of which each is compared with each: minutes
THUMBNAIL = 16
ALIKE = 0.995  # correlation of two thumbnails, of which one may be brighter or of more contrast
MANY = 4_000_000  # pixels: a larger JPEG file is decoded coarsely, which takes a fraction of the time
DRAFT = 256  # but no coarser
BLOCK = 1024

KINDS = {
    "1": "1-bit",
    "L": "8-bit grey",
    "LA": "8-bit grey with transparency",
    "La": "8-bit grey with transparency",
    "P": "palette of 8-bit colours",
    "PA": "palette of 8-bit colours",
    "RGB": "8-bit colour",
    "RGBA": "8-bit colour with transparency",
    "RGBa": "8-bit colour with transparency",
    "CMYK": "8-bit CMYK",
    "I": "32-bit integer grey",
    "F": "32-bit float grey",
}
ENDS = {".jpg": b"\xff\xd9", ".jpeg": b"\xff\xd9", ".png": b"IEND\xaeB`\x82"}  # of whole files


@dataclass
class Survey:
    """What was found. Images are called by their paths below the source, or by their indices."""

    source: str
    num: int = 0
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)  # (height, width), the right way up
    kinds: Counter[str] = field(default_factory=Counter)
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)  # lowest and highest value by kind
    looked_at: int = 0  # images whose pixels were read
    grey: int = 0  # of these: colour images in which all channels are equal
    blank: int = 0  # of these: images of one colour
    paged: int = 0  # files of several pages
    turned: int = 0  # files whose EXIF data turn them
    copies: list[list[str]] = field(default_factory=list)  # images that are equal, byte by byte
    alike: list[tuple[str, str]] = field(default_factory=list)  # nearly equal, among those looked at
    unreadable: dict[str, str] = field(default_factory=dict)
    passed: int = 0  # broken links, pipes and the like under the name of an image
    pages: Counter[int] = field(default_factory=Counter)  # of the files, where all are asked for
    others: Counter[str] = field(default_factory=Counter)  # files that are no images, by their endings
    misnamed: dict[str, str] = field(default_factory=dict)  # of these: images by their content


def survey_files(
    path: Path, full: bool = False, looked_at: int = LOOKED_AT, seed: int = 0, recursive: bool = True, pages="first"
) -> Survey:
    """Looks at the files of a folder: the headers of all, the pixels of some (`full`: of all).

    Of files with several pages the first is looked at; with `pages="all"` each counts as an image.
    """
    files = find_images(path, recursive)
    found = Survey(str(path), len(files))
    _other_files(path, found)
    name = dict(zip(files, (file.relative_to(path).as_posix() for file in files)))
    suspect = _headers(files, name, found, pages)
    readable = [file for file in files if name[file] not in found.unreadable]
    found.copies = [[name[file] for file in group] for group in _equal_files(readable)]
    chosen = _some(readable, len(readable) if full else looked_at, seed)
    chosen += [file for file in suspect if file not in set(chosen)]
    _pixels(chosen, _look_at_file, lambda file: name[file], found)
    return found


def survey_array(images: np.ndarray, source: str, full: bool = False, looked_at: int = LOOKED_AT, seed: int = 0):
    """Looks at (n, height, width, channels): the bytes of all, the pixels of some (`full`: of all)."""
    found = Survey(source, len(images))
    height, width, channels = images.shape[1:]
    found.sizes[(height, width)] = len(images)
    found.kinds[f"{images.dtype} of {channels} channel{'s' if channels > 1 else ''}"] = len(images)
    rows: dict[bytes, list[str]] = defaultdict(list)
    for index in progress(range(len(images)), len(images), "Comparing images"):
        rows[hashlib.blake2b(np.ascontiguousarray(images[index]).tobytes(), digest_size=16).digest()].append(str(index))
    found.copies = [group for group in rows.values() if len(group) > 1]
    chosen = _some(range(len(images)), len(images) if full else looked_at, seed)
    _pixels(chosen, lambda index: _look(images[index]), str, found)
    return found


def _some(items: Sequence, num: int, seed: int) -> list:
    chosen = np.random.default_rng(seed).permutation(len(items))[:num]
    return [items[index] for index in sorted(chosen)]


def _other_files(path: Path, found: Survey) -> None:
    """Files that are passed over, and which of them are images under another name."""
    from PIL import Image

    for root, folders, names in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith((".", "__MACOSX"))]
        for name in names:
            file = Path(root, name)
            if name.startswith("."):
                continue
            if name.lower().endswith(IMAGE_SUFFIXES):
                found.passed += not file.is_file()
                continue
            found.others[file.suffix.lower() or "no ending"] += 1
            if file.is_file() and found.others[file.suffix.lower() or "no ending"] <= 3:
                try:
                    with Image.open(file) as image:
                        found.misnamed[file.relative_to(path).as_posix()] = str(image.format)
                except Exception:  # no image, then
                    continue


def _headers(files: Sequence[Path], name: dict[Path, str], found: Survey, pages: str) -> list[Path]:
    """Reads the header of every file. Returns those that seem to be cut off."""
    suspect = []
    for file in progress(files, len(files), "Reading headers"):
        try:
            with opened(file) as image:
                turned = image.getexif().get(ORIENTATION, 1) if "exif" in image.info or image.format == "TIFF" else 1
                width, height = image.size[::-1] if turned >= 5 else image.size
                found.sizes[(height, width)] += 1
                found.kinds[_kind(image)] += 1
                found.turned += turned > 1
                found.paged += bool(getattr(image, "is_animated", False))
                if pages != "first":
                    found.pages[number := pages_in(image)] += 1
                    found.num += number - 1 if pages == "all" else 0
            if _is_cut(file):
                suspect.append(file)
        except Exception as error:  # Pillow's readers raise all sorts on damaged files
            found.unreadable[name[file]] = _reason(error)
    return suspect


def _kind(image) -> str:
    if image.mode.startswith("I;16"):
        return "16-bit grey"
    kind = KINDS.get(image.mode, image.mode)
    return kind.replace("8-bit", "16-bit") if is_deep_colour(image) else kind


def _is_cut(file: Path) -> bool:
    """Whether a file lacks the end that its format has; what follows that end is nobody's matter."""
    if (end := ENDS.get(file.suffix.lower())) is None:
        return False
    with open(file, "rb") as opened:
        opened.seek(max(file.stat().st_size - 64, 0))
        return end not in opened.read()


def _reason(error: Exception) -> str:
    return " ".join(f"{error}".split())[:200] or type(error).__name__


def _equal_files(files: Sequence[Path]) -> list[list[Path]]:
    """Files of equal content, in groups: only those of equal length are read."""
    by_length: dict[int, list[Path]] = defaultdict(list)
    for file in files:
        by_length[file.stat().st_size].append(file)
    asked = [file for group in by_length.values() if len(group) > 1 for file in group]

    def digest(file: Path) -> bytes:
        with open(file, "rb") as opened:
            return hashlib.file_digest(opened, "sha256").digest()

    by_content: dict[bytes, list[Path]] = defaultdict(list)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for file, content in zip(asked, progress(pool.map(digest, asked), len(asked), "Comparing files")):
            by_content[content].append(file)
    return [group for group in by_content.values() if len(group) > 1]


def _look_at_file(file: Path) -> tuple:
    """What `_look` finds of a file as training reads it; of large JPEG files a coarse copy, whose range is not told."""
    with opened(file) as image:
        coarse = image.format == "JPEG" and image.width * image.height > MANY
        if coarse:
            image.draft(image.mode, (DRAFT, DRAFT))
        kind, low, high, grey, thumbnail = _look(np.asarray(image) if is_deep(image) else resize_and_crop(image, None))
        return ("", low, high, grey, thumbnail) if coarse else (kind, low, high, grey, thumbnail)


def _pixels(chosen: list, look_at: Callable, name: Callable[..., str], found: Survey) -> None:
    """Reads pixels: their range by kind, images of one colour, images nearly equal."""
    again = {name for group in found.copies for name in group[1:]}
    seen: list[tuple[str, np.ndarray]] = []

    def look(item) -> tuple | Exception:
        try:
            return look_at(item)
        except Exception as error:
            return error

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for item, result in zip(chosen, progress(pool.map(look, chosen), len(chosen), "Reading pixels")):
            if isinstance(result, Exception):
                found.unreadable[name(item)] = _reason(result)
                continue
            kind, low, high, grey, thumbnail = result
            if kind and np.isfinite(low):
                least, most = found.ranges.get(kind, (np.inf, -np.inf))
                found.ranges[kind] = (min(least, low), max(most, high))
            found.looked_at += 1
            found.grey += grey
            found.blank += thumbnail is None and bool(kind)
            if thumbnail is not None and name(item) not in again:
                seen.append((name(item), thumbnail))
    found.alike = _alike(seen[:COMPARED])


def _look(pixels: np.ndarray) -> tuple[str, float, float, bool, np.ndarray | None]:
    """Kind, lowest and highest value, whether a colour image is grey, and a thumbnail, None of images of one colour."""
    kind, pixels = str(pixels.dtype), pixels.real  # complex numbers are refused elsewhere
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    grey = pixels.shape[2] == 3 and bool((pixels == pixels[..., :1]).all())
    low, high = float(pixels.min()), float(pixels.max())  # NaN where one is in it
    blank = bool((pixels == pixels[:1, :1]).all())
    return kind, low, high, grey, None if blank else _thumbnail(pixels)


def _thumbnail(pixels: np.ndarray) -> np.ndarray:
    """float32 of length 1 and mean 0 over THUMBNAIL squares of grey."""
    from PIL import Image

    plane = np.nan_to_num(pixels.mean(axis=2, dtype=np.float32))
    small = np.asarray(Image.fromarray(plane).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX))
    flat = (small - small.mean()).ravel()
    length = float(np.linalg.norm(flat))
    return flat / length if length > 0 else flat


def _alike(seen: list[tuple[str, np.ndarray]]) -> list[tuple[str, str]]:
    """Images with an earlier one whose thumbnail is nearly the same but for brightness and contrast."""
    if len(seen) < 2:
        return []
    thumbnails = np.stack([thumbnail for _, thumbnail in seen])
    earlier: dict[int, int] = {}
    starts = range(0, len(seen), BLOCK)
    for start in progress(starts, len(starts), "Comparing pixels"):
        for other in range(start, len(seen), BLOCK):
            near = thumbnails[start : start + BLOCK] @ thumbnails[other : other + BLOCK].T
            alike = near > ALIKE
            if other == start:
                alike = np.triu(alike, 1)
            first = alike.argmax(axis=0)
            for j in np.flatnonzero(alike.any(axis=0)):
                earlier.setdefault(other + int(j), start + int(first[j]))
    return [(seen[first][0], seen[again][0]) for again, first in sorted(earlier.items())]
