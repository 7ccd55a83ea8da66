"""Films: read from folders, animations and archives, and cut into what a model of prediction learns from."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ganzoo.data.archives import open_archive
from ganzoo.data.folders import (
    Reading,
    existing_folder,
    find_images,
    load_folder,
    named_together,
    no_images,
    opened,
    pages_in,
    read_images,
)
from ganzoo.data.part_folders import image_folders
from ganzoo.data.preprocessing import Size, channels_of, check_positive, parse_size, resize

__all__ = ["as_channels", "feed_back", "film_examples", "load_films"]


def load_films(
    path: str | os.PathLike,
    image_size: Size | None = None,
    mode: str | None = None,
    *,
    fit: str = "crop",
    max_value: float | None = None,
) -> list[np.ndarray]:
    """Films from a folder, an animation, or an archive of stacked frames.

    In a folder, each subfolder of images is a film, its frames in the order of their names; so is each file of several
    pages (GIF, WebP, TIFF). Other images that lie in the folder itself are the frames of one film together.

    Args:
        path: of the folder; of a file of several pages; or of an .npz or .npy of one array, uint8 (n, frames, height,
            width) or (n, frames, height, width, channels), which may be called ``films``.
        image_size: (height, width), or one number for both, that frames are brought to; needed but for an archive.
        mode: "L" for grey, "RGB" for colour, "RGBA"; by default "RGB", of an archive as it is.
        fit, max_value: as for `load_folder`.

    Returns:
        A list of films, uint8 (frames, height, width, channels) each, of as many frames as there are.

    Raises:
        FileNotFoundError: no such path, or no images in it.
        ValueError: frames that cannot be read, no `image_size`, an archive of something else.

    Example:
        >>> films = load_films("clips", image_size=64, mode="L")     # doctest: +SKIP
        >>> history, following = film_examples(films, num_frames=4)     # doctest: +SKIP
        >>> ganzoo.FramePrediction(image_shape=(64, 64, 1)).fit(history, following)     # doctest: +SKIP
    """
    path = Path(path).expanduser()
    if path.suffix in (".npz", ".npy"):
        return _of_archive(path, image_size, mode)
    if image_size is None:
        raise ValueError(f"Frames need a size to be brought to: say image_size=. Received: path={str(path)!r}")
    size, mode = parse_size(image_size), mode or "RGB"
    reading: dict[str, Any] = {"fit": fit, "max_value": max_value}
    if path.is_file():
        return [_of_pages(path, size, mode, reading)]
    existing_folder(path)
    loose = find_images(path, recursive=False)
    animated = [file for file in loose if _is_animated(file)]
    single = [file for file in loose if file not in animated]
    films = {folder: load_folder(folder, size, mode, pages="all", **reading) for folder in image_folders(path)}
    films |= {file: _of_pages(file, size, mode, reading) for file in animated}
    if single:
        films[path] = read_images(single, (*size, channels_of(mode)), Reading(size, mode, **reading), path)[0]
    if not films:
        raise no_images(path, recursive=True)
    return [films[key] for key in sorted(films)]


def film_examples(films: Iterable[np.ndarray], num_frames: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Every run of `num_frames` frames, and the frame that follows it.

    Args:
        films: arrays (frames, height, width, channels) of one size and dtype; or one array of films.
        num_frames: int, of a history.

    Returns:
        Histories (m, height, width, num_frames * channels), the oldest frame first; and the frames that follow,
        (m, height, width, channels), of the films' dtype.

    Raises:
        ValueError: no film of more than `num_frames` frames, or films of several sizes.

    Warns:
        UserWarning: films that are too short, which are left out.

    Example:
        >>> history, following = film_examples(np.zeros((2, 6, 8, 8, 1), "uint8"), num_frames=4)
        >>> history.shape, following.shape
        ((4, 8, 8, 4), (4, 8, 8, 1))
    """
    check_positive(num_frames=num_frames)
    films = [np.asarray(film) for film in films]
    shapes = sorted({film.shape[1:] for film in films})
    if len(shapes) != 1 or len(shapes[0]) != 3:
        raise ValueError(
            "Films are (frames, height, width, channels) of one size: load_films(..., image_size=). "
            f"Received: frames of {named_together(shapes, ', ') or 'no film'}"
        )
    long = [film for film in films if len(film) > num_frames]
    if not long:
        raise ValueError(
            f"A film has at least {num_frames + 1} frames, {num_frames} and the one that follows. "
            f"Received: {len(films)} films of at most {max(map(len, films))}"
        )
    if len(long) < len(films):
        warnings.warn(f"{len(films) - len(long)} films of {num_frames} frames or fewer are left out.", stacklevel=2)
    windows = [film[begin : begin + num_frames] for film in long for begin in range(len(film) - num_frames)]
    return as_channels(np.stack(windows)), np.concatenate([film[num_frames:] for film in long])


def as_channels(frames: np.ndarray) -> np.ndarray:
    """(n, frames, height, width, channels) to (n, height, width, frames * channels), the oldest frame first."""
    n, num, height, width, channels = frames.shape
    return np.ascontiguousarray(np.moveaxis(frames, 1, 3)).reshape(n, height, width, num * channels)


def feed_back(
    following: Callable[[np.ndarray], np.ndarray], frames: np.ndarray, steps: int, num_frames: int
) -> np.ndarray:
    """Frames beyond a film's end: each is predicted from the last ones, those predicted before among them.

    Args:
        following: from histories (n, height, width, num_frames * channels) to the frames that follow.
        frames: (n, frames, height, width, channels), at least `num_frames` frames.
        steps: int, how many frames to predict.
        num_frames: int, of a history.

    Returns:
        (n, steps, height, width, channels).

    Raises:
        ValueError: too few frames, or another shape.

    Example:
        >>> film = np.arange(4, dtype="uint8").reshape(1, 4, 1, 1, 1)
        >>> feed_back(lambda history: history[..., -1:] + 1, film, steps=3, num_frames=2).ravel()
        array([4, 5, 6], dtype=uint8)
    """
    check_positive(steps=steps)
    if frames.ndim != 5 or frames.shape[1] < num_frames:
        raise ValueError(
            f"Films are (n, frames, height, width, channels) of at least {num_frames} frames. "
            f"Received: frames.shape={frames.shape}"
        )
    seen = frames[:, -num_frames:]
    predicted = []
    for _ in range(steps):
        predicted.append(following(as_channels(seen)))
        seen = np.concatenate([seen[:, 1:], predicted[-1][:, None]], axis=1)
    return np.stack(predicted, axis=1)


def _of_archive(path: Path, image_size: Size | None, mode: str | None) -> list[np.ndarray]:
    with open_archive(path) as archive:
        keys = list(archive)
        films = archive["films"] if "films" in keys else archive[keys[0]] if len(keys) == 1 else None
    films = films[..., None] if films is not None and films.ndim == 4 else films
    if films is None or films.ndim != 5 or films.dtype != np.uint8:
        what = f"the arrays {', '.join(keys)}" if films is None else f"{films.dtype} of shape {films.shape}"
        raise ValueError(
            f"{path} must hold one array, or one called 'films': uint8 (n, frames, height, width, channels). "
            f"Received: {what}"
        )
    size = films.shape[2:4] if image_size is None else parse_size(image_size)
    return list(films) if size == films.shape[2:4] and mode is None else [resize(film, size, mode) for film in films]


def _of_pages(file: Path, size: tuple[int, int], mode: str, reading: dict) -> np.ndarray:
    convert = Reading(size, mode, pages="all", **reading)
    return read_images(convert.pages_of([file]), (*size, channels_of(mode)), convert, file)[0]


def _is_animated(file: Path) -> bool:
    try:
        with opened(file) as image:
            return pages_in(image) > 1
    except Exception:  # reported where it is read
        return False
