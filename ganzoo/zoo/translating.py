"""Images to images of any size, by tiles; a file, or a folder that is gone on with where it was."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from ganzoo.data.folders import DARK, find_images, header, named_together, no_images
from ganzoo.data.pictures import Picture, read_picture
from ganzoo.data.preprocessing import MODES, check_positive, to_uint8
from ganzoo.data.progress import progress
from ganzoo.data.tiles import Side, drawn_by_tiles, num_tiles
from ganzoo.engine.parts import Images
from ganzoo.models import get_model
from ganzoo.networks.making import seed_states
from ganzoo.plot.images import remove_leftovers, write_beside
from ganzoo.plot.png import write_png
from ganzoo.zoo import presets
from ganzoo.zoo.opening import open_model

if TYPE_CHECKING:
    from ganzoo.engine.gan import GAN

__all__ = ["Translated", "Translator", "sources", "translate", "translate_files"]

TILE = 256  # pixels of a side, where a network takes any
LARGEST = 512  # of what is drawn of one
LEAST = 16  # of a side that a network takes
MARK = "ganzoo"  # under which a picture says what it was drawn from


def translate(
    model: GAN | str | Path,
    images: Any,
    /,
    *,
    of: str | None = None,
    tile: int | None = None,
    overlap: int | None = None,
    seed: int = 0,
    **inputs: Any,
) -> Any:
    """What an image-to-image model draws of images of any size.

    An image that is larger than a tile is drawn by tiles that overlap, and these are blended. Away from borders that is
    what would be drawn of the whole image, where a pixel depends on none that is farther from it than a quarter of the
    overlap; a network that normalises by the statistics of an image (CycleGAN) takes those of each tile. A network of
    one size gets tiles of that size. Where an image is smaller than what a network takes, or no multiple, it is
    mirrored at its right and lower border, and what is drawn beyond them cut off.

    Args:
        model: the model; or a preset's name, a `.keras` file, the folder of a training.
        images: (height, width, channels), (n, height, width, channels), or a list of images of different sizes; uint8,
            uint16 or float in [-1, 1].
        of: where a model has several generators, the part that the images are: ``"target"`` for the way back. By
            default the first generator's.
        tile: int, height and width of a tile, where the network takes any. By default 256, or less of networks that
            enlarge much.
        overlap: int, pixels that neighbouring tiles share at least; by default a quarter of a tile, at most half of it.
        seed: int, of what a generator takes or draws by chance, the same for all tiles.
        **inputs: what else the generator takes, as for `generate`, one for all (``labels=3``).

    Returns:
        As `images`, an image, an array or a list; of their dtype (float32 for floats), and as many times as large as
        the network draws them.

    Raises:
        ValueError: a model that does not draw images of images; an image, a tile or an overlap that it cannot take.

    Example:
        >>> painted = ganzoo.translate("pix2pix-facades", label_map)      # uint8 (600, 400, 3), as label_map
        >>> summer = ganzoo.translate("cyclegan-summer2winter", winter, of="target")
    """
    translator = Translator(model, of, tile, overlap, seed, inputs)
    if isinstance(images, (list, tuple)):
        return [translator.array(np.asarray(image)) for image in images]
    images = np.asarray(images)
    if images.ndim == 4 and len(images):
        return np.stack([translator.array(image) for image in images])
    return translator.array(images)


@dataclasses.dataclass
class Translated:
    """What became of picture files.

    Attributes:
        written, skipped: the files that were drawn, and those that had been before.
        failed: what is wrong, by the file that could not be read or drawn.
    """

    written: list[Path] = dataclasses.field(default_factory=list)
    skipped: list[Path] = dataclasses.field(default_factory=list)
    failed: dict[Path, str] = dataclasses.field(default_factory=dict)


def translate_files(
    model: GAN | str | Path,
    source: str | os.PathLike,
    output: str | os.PathLike,
    /,
    *,
    of: str | None = None,
    tile: int | None = None,
    overlap: int | None = None,
    seed: int = 0,
    max_value: float | None = None,
    overwrite: bool = False,
    **inputs: Any,
) -> Translated:
    """`translate` for a picture file, or for all in a folder and its subfolders; writes PNG files.

    Each is the right way up, and has the transparency and the bits, 8 or 16, of its source. It is written beside and
    renamed, and says in a line of its own (``ganzoo``) by what it was drawn, and of which file, as hashes. Made again,
    the call therefore passes over what is there already, and draws what is missing or whose source has changed.

    Args:
        model, of, tile, overlap, seed, **inputs: see `translate`.
        source: a picture file, or a folder.
        output: the PNG file, or a folder: of a folder, with the same subfolders and names.
        max_value: the value of white in files of more than 8 bits; by default 65535.
        overwrite: whether files that something else has written, another model, or of another source, are replaced.

    Returns:
        What was written, what was there already, and what could not be read or drawn, which does not keep others from
        being drawn.

    Raises:
        ValueError: see `translate`; files that would get one name; an output that is there already.
        OSError: no such file or folder, or a full disk.

    Example:
        >>> done = ganzoo.translate_files("pix2pix-facades", "maps", "photos")      # doctest: +SKIP
        >>> done.failed
        {}
    """
    jobs = _jobs(Path(source).expanduser(), Path(output).expanduser())
    translator = Translator(model, of, tile, overlap, seed, inputs)
    translator.check_files()
    by = translator.hash(max_value)
    if not overwrite:
        _refuse_others(jobs, by)
    for folder in {goal.parent for goal in jobs.values()}:
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder, r".+\.png")
    done, several, deep = Translated(), 0, []
    for file, goal in progress(jobs.items(), len(jobs), "Translating"):
        picture = None
        try:
            mark = (by, _content_of(file), _place_of(file))
            if _mark_of(goal)[:2] == mark[:2]:
                done.skipped.append(goal)
                continue
            picture = read_picture(file, translator.channels, max_value)
            translator.write(picture, goal, " ".join(mark))
        except Exception as error:  # Pillow's readers raise all sorts on damaged files
            if picture is not None and isinstance(error, OSError):  # a full disk, full for all others too
                raise
            done.failed[file] = str(error) or type(error).__name__
            continue
        done.written.append(goal)
        several += picture.several
        deep += [picture.highest] if picture.highest else []
    _warn(several, deep)
    return done


class Translator:
    """A model, what it is told, and the tiles that suit it.

    Args:
        model, of, tile, overlap, seed, inputs: see `translate`.
    """

    def __init__(self, model, of, tile, overlap, seed, inputs: dict[str, Any]):
        self.model = model if isinstance(model, keras.Model) else open_model(model)
        self.name, self.generator = _source_of(self.model, of)
        if self.name in inputs:
            raise ValueError(f"`{self.name}` is what is translated: give it as the images, or as IN.")
        part: Any = self.model.data[self.name]
        shape = next(x.shape for x in self.generator.inputs if x.name == self.name or len(self.generator.inputs) == 1)
        self.fixed, self.channels = tuple(shape[1:3]), int(shape[3])
        self.multiple, self.factor = _measures(self.generator, self.name, self.fixed, part.multiple)
        self.tile, self.overlap = self._tiles(tile, overlap)
        self.seed = seed
        self.batch = max(1, TILE**2 // (math.prod(self.tile) * self.factor**2))
        if seed_states(self.model.average_of(self.generator)):  # which would draw for each tile of a batch anew
            self.batch = 1
        example = part.of_shape((*self.tile, self.channels)).examples(1)
        self.given = self.model.inputs_for(1, seed, **{self.name: example}, **inputs)  # and latents, one for all tiles
        del self.given[self.name]

    def _tiles(self, tile: int | None, overlap: int | None) -> tuple[tuple[int, int], int]:
        if tile is not None:
            check_positive(tile=tile)
            if None not in self.fixed:
                raise ValueError(f"This model draws tiles of {_by(self.fixed)}: leave `tile` out. Received: {tile=}")
            if tile % self.multiple or tile < LEAST:
                raise ValueError(
                    f"Tiles of this model are multiples of {self.multiple} and at least {LEAST}. Received: {tile=}"
                )
        chosen = tile or max(min(TILE, LARGEST // self.factor) // self.multiple, 1) * self.multiple
        height, width = (chosen if side is None else side for side in self.fixed)
        if overlap is None:
            overlap = min(height, width) // 4
        if isinstance(overlap, bool) or not isinstance(overlap, (int, np.integer)) or overlap < 0:
            raise ValueError(f"`overlap` is a number of pixels, 0 or more. Received: {overlap=!r}")
        most = min(height, width) // 2
        if None in self.fixed:
            most = min(most, min(height, width) - self.multiple)
        if overlap > most:
            raise ValueError(f"Tiles of {_by((height, width))} share {most} pixels at most. Received: {overlap=}")
        return (height, width), int(overlap)

    def check_files(self) -> None:
        """Refuses a model whose images no picture file holds."""
        for channels in (self.channels, self.generator.outputs[0].shape[-1]):
            if channels not in MODES:
                raise ValueError(
                    f"Pictures have 1, 3 or 4 channels: translate arrays with ganzoo.translate. "
                    f"Received: a model of {self.channels} to {self.generator.outputs[0].shape[-1]}"
                )

    def hash(self, *options: Any) -> str:
        """Of all that decides what is drawn of a file."""
        found = hashlib.sha256(repr((type(self.model).__name__, self.name, self.tile, self.overlap)).encode())
        found.update(repr((self.seed, options)).encode())
        for weights in self.model.average_of(self.generator).get_weights():
            found.update(np.ascontiguousarray(weights, "float32").data)
        for name, values in sorted(self.given.items()):
            found.update(name.encode() + np.ascontiguousarray(values).data)
        return found.hexdigest()

    def array(self, image: np.ndarray) -> np.ndarray:
        """What is drawn of an image, in its dtype."""
        if deep := image.dtype == np.uint16:
            image = image.astype("float32") / 32767.5 - 1.0
        Images((None, None, self.channels)).check(image[None], "images", allow_nonnegative=True)
        drawn = np.concatenate(list(self.strips(image)))
        if deep:
            return np.rint(np.clip(np.nan_to_num(drawn) + 1.0, 0, 2) * np.float32(32767.5)).astype("uint16")
        return to_uint8(drawn) if image.dtype == np.uint8 else drawn

    def strips(self, image: np.ndarray) -> Iterator[np.ndarray]:
        """What is drawn of an image, in strips of rows: float32 (rows, width, channels)."""
        rows, columns = (
            Side(length, size, self.overlap, 1 if fixed else self.multiple, None if fixed else LEAST)
            for length, size, fixed in zip(image.shape, self.tile, self.fixed)
        )
        bar = progress(range(num_tiles(rows, columns)), num_tiles(rows, columns), "Tiles")
        steps = iter(bar)

        def draw(tiles: np.ndarray) -> np.ndarray:
            for _ in tiles:
                next(steps)
            told = {self.name: tiles, **self.given}
            return self.model.generate(seed=self.seed, batch_size=len(tiles), dtype="float32", **told)

        yield from drawn_by_tiles(image, draw, rows, columns, self.overlap, self.factor, self.batch)
        next(steps, None)

    def write(self, picture: Picture, goal: Path, mark: str) -> None:
        """Draws a picture and writes it, strip by strip."""
        height, width = (side * self.factor for side in picture.image.shape[:2])

        def strips() -> Iterator[np.ndarray]:
            top = 0
            for drawn in self.strips(picture.image):
                yield picture.restored(drawn, top, height)
                top += len(drawn)

        profile = picture.profile if self.generator.outputs[0].shape[-1] > 1 else None
        write_beside(goal, lambda file: write_png(file, (height, width), strips(), {MARK: mark}, profile))


# Models ---------------------------------------------------------------------------------------------------------------


def sources(model: GAN) -> dict[str, keras.Model]:
    """The generators that draw images of images, by the part that they take."""
    found: dict[str, keras.Model] = {}
    if not isinstance(model.data[model.target], Images):  # features, of whatever shape
        return found
    for generator in model.generators():
        images = [name for name in model.conditions(generator) if type(model.data[name]) is Images]
        others = [name for name in model.conditions(generator) if isinstance(model.data[name], Images)]
        if len(images) == len(others) == 1 and len(generator.outputs[0].shape) == 4:
            found[images[0]] = generator
    return found


def _source_of(model: GAN, of: str | None) -> tuple[str, keras.Model]:
    known = sources(model)
    if not known:
        raise ValueError(
            f"{type(model).__name__} does not draw images of images. Presets that do: {', '.join(_translating())}."
        )
    if of is not None and of not in known:
        raise ValueError(
            f"This model draws of {' or '.join(map(repr, known))}: say of={next(iter(known))!r} (--of "
            f"{next(iter(known))}). Received: {of=}"
        )
    name = of or next(iter(known))
    return name, known[name]


def _translating() -> list[str]:
    """The presets with weights that draw images of images."""
    names = presets.list_presets(pretrained=True)
    models = {presets.read_recipe(name).model for name in names}
    fit = {model for model in models if sources(get_model(model)(**get_model(model).tiny))}
    return [name for name in names if presets.read_recipe(name).model in fit]


def _measures(generator: keras.Model, name: str, fixed: tuple, multiple: int) -> tuple[int, int]:
    """Of what the sides of a network's images are multiples, and how many times as large its images are.

    Raises:
        ValueError: they are no whole number of times as large.
    """
    for power in range(7):
        each = multiple * 2**power
        odd = each * (64 // each | 1)  # no multiple of 2 * each: what halves oftener draws another size of it
        sides = tuple(odd if side is None else side for side in fixed)
        drawn = _drawn(generator, name, sides)
        factor = drawn[0] // sides[0] if drawn else 0
        if factor and drawn == tuple(side * factor for side in sides):
            return each, factor
        if None not in fixed:
            break
    raise ValueError(
        f"The model's images are not as large as `{name}`, nor a whole number of times as large: they cannot be put "
        f"together of tiles. Received: {_by(drawn)} of {_by(sides)}" if drawn else
        f"No size was found that the model draws images of. Received: `{name}` of {_by(sides)}"
    )  # fmt: skip


def _drawn(generator: keras.Model, name: str, sides: tuple[int, ...]) -> tuple[int, ...]:
    """(height, width) of what a network draws of an image of these sides; nothing where it does not take it."""
    if all(isinstance(n, int) for n in generator.outputs[0].shape[1:3]):
        return tuple(generator.outputs[0].shape[1:3])
    given = []
    for each in generator.inputs:
        is_source = each.name == name or len(generator.inputs) == 1
        shape = (1, *(sides if is_source else ()), *each.shape[3 if is_source else 1 :])
        given.append(keras.KerasTensor(shape, dtype=each.dtype, name=each.name))
    struct = getattr(generator, "_inputs_struct", None)
    packed: Any = {x.name: x for x in given} if isinstance(struct, dict) else given if len(given) > 1 else given[0]
    try:
        return tuple(generator.compute_output_spec(packed).shape[1:3])
    except Exception:  # layers raise all sorts where sizes do not fit
        return ()


def _by(sides: tuple) -> str:
    return "x".join(map(str, sides))


# Files ----------------------------------------------------------------------------------------------------------------


def _jobs(source: Path, output: Path) -> dict[Path, Path]:
    """What is written of each file."""
    if not source.exists():
        raise FileNotFoundError(f"There is no such file or folder. Received: {source}")
    if not source.is_dir():
        goal = output / f"{source.stem}.png" if output.is_dir() else output
        if goal.suffix.lower() != ".png":
            raise ValueError(f"Images are written as PNG: the output's name must end in .png. Received: {output}")
        if goal.resolve() == source.resolve():
            raise ValueError(f"The output would replace the source: choose another name. Received: {output}")
        return {source: goal}
    if output.exists() and not output.is_dir():
        raise ValueError(f"Of a folder a folder is made, and this is a file. Received: {output}")
    if output.resolve().is_relative_to(source.resolve()):
        raise ValueError(
            f"The output must not lie in the folder that is read: choose one beside it. Received: {source}, {output}"
        )
    files = find_images(source)
    if not files:
        raise no_images(source, True)
    jobs = {file: output / file.relative_to(source).with_suffix(".png") for file in files}
    read = {source.resolve(), *(file.parent.resolve() for file in files), *(file.resolve() for file in files)}
    for goal in jobs.values():
        if not read.isdisjoint({goal.resolve(), *goal.resolve().parents}):
            raise ValueError(
                f"An output would lie among the images that are read: choose a folder beside them. Received: {source}, "
                f"{output}, which makes {goal}"
            )
    by_goal: dict[Path, list[Path]] = {}
    for file, goal in jobs.items():
        by_goal.setdefault(goal, []).append(file)
    if alike := [" and ".join(map(str, files)) for files in by_goal.values() if len(files) > 1]:
        raise ValueError(f"Files that would get one name, ending in .png: {named_together(alike)}. Rename one of them.")
    return jobs


def _refuse_others(jobs: dict[Path, Path], by: str) -> None:
    """Refuses to replace what this translation has not written, or has of another source."""
    others = [goal for file, goal in jobs.items() if goal.exists() and not _is_ours(file, goal, by)]
    if others:
        raise ValueError(
            f"{len(others)} files are there already, by something else, another model or other options, or of other "
            f"sources: {named_together(others, ', ')}. Choose another output, or say overwrite=True (--overwrite)."
        )


def _is_ours(file: Path, goal: Path, by: str) -> bool:
    """Whether this translation drew `goal`, and of this file, be it changed or moved since."""
    mark = _mark_of(goal)
    return mark[0] == by and (mark[2] == _place_of(file) or mark[1] == _content_of(file))


def _content_of(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _place_of(file: Path) -> str:
    return hashlib.sha256(os.fsencode(file.resolve())).hexdigest()


def _mark_of(goal: Path) -> tuple[str, str, str]:
    """By what a file says that it was drawn, of what content and place; nothing where it says none."""
    try:
        with goal.open("rb") as stream, header(stream) as image:
            by, content, place = str(image.info[MARK]).split()
            return by, content, place
    except Exception:
        return "", "", ""


def _warn(several: int, deep: list[int]) -> None:
    if several:
        warnings.warn(f"{several} files have several pages: the first was translated.", stacklevel=3)
    if deep and max(deep) < DARK:
        bits = max(deep).bit_length()
        warnings.warn(
            f"{len(deep)} files of 16 bits hold no value above {max(deep)}, so that they are nearly black: if white is "
            f"{2**bits - 1} ({bits} bits), say max_value={2**bits - 1} (--max-value).",
            stacklevel=3,
        )
