"""Rendered images, of which all is known, to be refined towards real ones: digits of fonts, eyes; and small warps."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import numpy as np

from ganzoo.data.archives import open_archive
from ganzoo.data.places import received, user_folders
from ganzoo.data.preprocessing import check_images, check_positive

__all__ = ["COPIES", "RENDERED", "font_digits", "rendered_eyes", "warped"]

RENDERED = {"simgan_digits": "digits_fonts28.npz", "simgan_eyes": "eyes_mpiigaze_syntheyes.npz"}  # in simgan/
# Of each digit of each font, and of each eye, warped.
COPIES: dict[str, dict[str, int | None]] = {
    "simgan_digits": {"train": 20, "test": 10},
    "simgan_eyes": {"train": 10, "test": None},
}
DIGITS, FONTS_APART, EYES_APART = 10, 8, 4  # of so many fonts, or eyes, the last is of the test set
TWINS = 1.0  # mean difference of the digits of two fonts, of 255, below which they are one; about 18 to the nearest

_CHUNK = 1024  # images that are warped at once


def warped(
    images: np.ndarray,
    seed: int = 0,
    *,
    angle: float = 10.0,
    stretch: float = 0.15,
    shear: float = 0.15,
    shift: float = 0.07,
    beyond: str = "black",
) -> np.ndarray:
    """Each image under a small affine map of its own: turned, stretched along either axis, slanted and shifted.

    Every number is drawn evenly from both sides of none: an angle from -`angle` to `angle`, a factor from
    ``1 / (1 + stretch)`` to ``1 + stretch`` (its logarithm evenly). The centre of the image stays where it is but for
    the shift. Pixels are interpolated bilinearly.

    Args:
        images: uint8 (n, height, width, channels).
        seed: int, of NumPy's default generator.
        angle: float, degrees.
        stretch: float, for height and width.
        shear: float, pixels that a row is moved for each row above or below the centre.
        shift: float, of the height and of the width.
        beyond: what comes from beyond the rim: ``"black"``, or ``"edge"``, the nearest pixel.

    Returns:
        uint8 of the same shape.

    Raises:
        ValueError: other images, a negative number, an unknown `beyond`.

    Example:
        >>> digits = np.zeros((4, 28, 28, 1), "uint8")
        >>> more = warped(np.concatenate([digits] * 20), seed=1)
        >>> more.shape
        (80, 28, 28, 1)
    """
    if getattr(images, "dtype", np.uint8) != np.uint8:
        raise ValueError(f"Give uint8 images, as ganzoo.data.to_uint8 makes them. Received: dtype {images.dtype}")
    check_images(images, name="images")
    for name, value in (("angle", angle), ("stretch", stretch), ("shear", shear), ("shift", shift)):
        if not 0 <= value < np.inf:
            raise ValueError(f"`{name}` is the most that is drawn, at least 0. Received: {name}={value!r}")
    if beyond not in ("black", "edge"):
        raise ValueError(f"`beyond` is 'black' or 'edge'. Received: {beyond=}")
    draws = np.random.default_rng(seed).uniform(-1, 1, (len(images), 6))
    inverses = np.linalg.inv(
        _maps(np.radians(angle) * draws[:, 0], np.log1p(stretch) * draws[:, 1:3], shear * draws[:, 3])
    )
    offsets = shift * draws[:, 4:] * images.shape[1:3]
    pieces = [slice(i, i + _CHUNK) for i in range(0, len(images), _CHUNK)]
    mode = {"black": "constant", "edge": "edge"}[beyond]
    return np.concatenate([_resampled(images[piece], inverses[piece], offsets[piece], mode) for piece in pieces])


def font_digits(split: str, data_dir: str | os.PathLike | None, copies: int | None = None) -> dict[str, np.ndarray]:
    """Digits drawn with fonts, and which they are; of every eighth font they are the test set.

    Test fonts that look as one of the training fonts, or nearly, are left out: those whose ten digits differ from its
    by less than 1 of 255 grey levels in the mean. Of the published archive they are 3 of 14.

    Args:
        split: "train" or "test".
        data_dir: as for `ganzoo.data.load`; the folder that holds ``simgan/digits_fonts28.npz``.
        copies: int, how often each digit of each font is there, `warped`; None for once, as it is.

    Returns:
        "rendered", uint8 (n, 28, 28, 1), and "labels", int64 (n,).
    """
    check_positive(**({} if copies is None else {"copies": copies}))
    found = _arrays("simgan_digits", split, data_dir, ("x", "y"))
    # Grouped by digit, and each digit in the order of the fonts.
    num = max(len(found["x"]) // DIGITS, 1)
    fonts, is_test = np.arange(len(found["x"])) % num, np.arange(num) % FONTS_APART == FONTS_APART - 1
    chosen = (is_test & ~_has_twin(found["x"], is_test) if split == "test" else ~is_test)[fonts]
    images, labels = found["x"][chosen, ..., None], found["y"][chosen].astype("int64")
    if copies is not None:
        images, labels = warped(images.repeat(copies, axis=0), seed=int(split == "test")), labels.repeat(copies)
    return {"rendered": images, "labels": labels}


def rendered_eyes(split: str, data_dir: str | os.PathLike | None, copies: int | None = None) -> dict[str, np.ndarray]:
    """Eyes, rendered with known angles of gaze, and real; every fourth of either is of the test set.

    Args:
        split: "train" or "test".
        data_dir: as for `ganzoo.data.load`; the folder that holds ``simgan/eyes_mpiigaze_syntheyes.npz``.
        copies: int, how often each is there, stretched and shifted a little, which leaves the angles as they are; None
            for once, as it is.

    Returns:
        "rendered" and "real", uint8 (n, 35, 55, 1), of different numbers; "gaze", float32 (n, 2), the two angles of the
        rendered ones, in radians.
    """
    check_positive(**({} if copies is None else {"copies": copies}))
    keys = {"rendered": "synthetic_gray55x35", "real": "real", "gaze": "synthetic_look"}
    found = _arrays("simgan_eyes", split, data_dir, tuple(keys.values()))
    parts = {name: found[key][..., None] if name != "gaze" else found[key] for name, key in keys.items()}
    is_test = {name: np.arange(len(part)) % EYES_APART == EYES_APART - 1 for name, part in parts.items()}
    parts = {name: part[is_test[name] == (split == "test")] for name, part in parts.items()}
    if copies is not None:
        move = functools.partial(warped, seed=0, angle=0, stretch=0.1, shear=0, shift=0.05, beyond="edge")
        parts = {name: part.repeat(copies, axis=0) for name, part in parts.items()}
        parts = {name: move(part) if part.ndim == 4 else part for name, part in parts.items()}
    return parts


def _has_twin(images: np.ndarray, is_test: np.ndarray) -> np.ndarray:
    """Which fonts (n,) look nearly as one that is not of the test set."""
    each = images[: DIGITS * len(is_test)].reshape(DIGITS, len(is_test), -1).swapaxes(0, 1).astype("float32")
    others = each[~is_test]
    return np.array([np.abs(others - own).mean(axis=(1, 2)).min(initial=np.inf) < TWINS for own in each])


def _maps(turns: np.ndarray, logarithms: np.ndarray, slants: np.ndarray) -> np.ndarray:
    """Of (row, column) from the centre to (row, column): stretched, slanted, then turned; (n, 2, 2)."""
    cos, sin, zero, one = np.cos(turns), np.sin(turns), np.zeros_like(turns), np.ones_like(turns)
    turn = np.stack([cos, -sin, sin, cos], axis=-1).reshape(-1, 2, 2)
    slant = np.stack([one, zero, slants, one], axis=-1).reshape(-1, 2, 2)
    return turn @ slant * np.exp(logarithms)[:, None]


def _resampled(images: np.ndarray, inverses: np.ndarray, offsets: np.ndarray, mode: str) -> np.ndarray:
    """Images whose pixel p is that at ``inverse (p - centre - offset) + centre`` of those given."""
    num, height, width, channels = images.shape
    centre = (np.array([height, width]) - 1) / 2
    grid = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"), axis=-1).reshape(-1, 2)
    places = (grid - centre - offsets[:, None]) @ inverses.swapaxes(1, 2) + centre
    places = np.clip(places + 1, 0, [height + 1, width + 1])  # of images with a rim
    padded = np.pad(images, [(0, 0), (1, 2), (1, 2), (0, 0)], mode).astype("float32")  # type: ignore[call-overload]
    (top, left), (down, right) = np.moveaxis(places.astype("int64"), -1, 0), np.moveaxis(places % 1, -1, 0)[..., None]
    which = np.arange(num)[:, None]
    upper = (1 - right) * padded[which, top, left] + right * padded[which, top, left + 1]
    lower = (1 - right) * padded[which, top + 1, left] + right * padded[which, top + 1, left + 1]
    return np.rint((1 - down) * upper + down * lower).astype("uint8").reshape(num, height, width, channels)


def _arrays(name: str, split: str, data_dir: str | os.PathLike | None, keys: tuple[str, ...]) -> dict[str, np.ndarray]:
    if split not in COPIES[name]:
        raise ValueError(f"{name!r} has the splits 'train' and 'test'. Received: split={split!r}")
    path = _find(name, data_dir)
    with open_archive(path) as archive:
        if missing := [key for key in keys if key not in archive]:
            raise ValueError(f"{path} has no array {missing[0]!r}: it is another archive, or damaged. Fetch it anew.")
        return {key: archive[key] for key in keys}


def _find(name: str, data_dir: str | os.PathLike | None) -> Path:
    folders = user_folders("simgan", data_dir)
    for folder in folders:
        if (path := folder / RENDERED[name]).is_file():
            return path
    where = f"{folders[-1]} has none" if folders else "no folder was named that has one"
    raise FileNotFoundError(
        f"The data set {name!r} is read from simgan/{RENDERED[name]}, and {where}: name it with data_dir= or "
        f"GANZOO_DATA. Received: source={name!r}, {received(folders)}"
    )
