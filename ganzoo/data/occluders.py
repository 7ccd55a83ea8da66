"""Images with something before them, and where it is: what a model that removes occluders learns from and is judged by.

One formula serves the host and the device: `occlude` computes with NumPy or with `keras.ops`, whose names are equal.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ganzoo.data.preprocessing import check_images, to_float, to_uint8

__all__ = ["COVERAGE", "SHAPES", "num_draws", "occlude", "occluded"]

COVERAGE = (0.1, 0.35)  # of an image's pixels
SHAPES = {"training": ("rectangle", "ellipse", "bar"), "testing": ("star", "cross", "blob")}

_FIXED = 12  # numbers that an occluder takes, besides two colours
_LEAST = 8  # pixels of a side


def occluded(images: np.ndarray, seed: int = 0, shapes: str = "training") -> tuple[np.ndarray, np.ndarray]:
    """Puts an occluder before each image: a random shape, flat, striped or cut from another of the images.

    The two families of shapes have none in common, and differ in kind: "training" draws convex ones (rectangles,
    ellipses, bars from rim to rim), "testing" ones that are not (stars of three to seven points, crosses, blobs). Each
    has any place, angle and proportions, and covers 10 to 35 % of the image, to the pixel.

    Args:
        images: uint8 (n, height, width, channels), at least 8 pixels high and wide.
        seed: int; the same occluders on every backend and machine.
        shapes: "training" or "testing".

    Returns:
        The occluded images, uint8 of the same shape, and the masks, bool (n, height, width, 1), True where the occluder
        is. Outside of it images are as they were.

    Raises:
        ValueError: other images, or an unknown family.

    Example:
        >>> hidden, masks = occluded(np.zeros((4, 28, 28, 1), "uint8"), seed=1, shapes="testing")
        >>> bool((hidden[~masks] == 0).all()), bool(0.1 <= masks.mean() <= 0.35)
        (True, True)
    """
    if getattr(images, "dtype", np.uint8) != np.uint8:
        raise ValueError(f"Give uint8 images, as ganzoo.data.to_uint8 makes them. Received: dtype {images.dtype}")
    check_images(images, name="images")
    draws = np.random.default_rng(seed).random((len(images), num_draws(images.shape[-1])), "float32")
    hidden, masks = occlude(to_float(images), draws, shapes, np)
    masks = masks > 0.5
    return np.where(masks, to_uint8(hidden), images), masks


def num_draws(channels: int) -> int:
    """How many random numbers `occlude` takes for an image of so many channels."""
    return _FIXED + 2 * channels


def occlude(images: Any, draws: Any, shapes: str, xp: Any) -> tuple[Any, Any]:
    """What `occluded` does, on floats and with given random numbers, in NumPy or inside of a training step.

    Args:
        images: float32 (batch, height, width, channels) in [-1, 1]; height and width are known.
        draws: float32 (batch, num_draws(channels)) from U[0, 1).
        shapes: "training" or "testing".
        xp: `numpy` or `keras.ops`.

    Returns:
        Occluded images, and masks, float32 (batch, height, width, 1), 0 or 1.

    Raises:
        ValueError: an unknown family, or images that are too small.
    """
    height, width = images.shape[1:3]
    if shapes not in SHAPES or min(height, width) < _LEAST:
        raise ValueError(
            f"Occluders are of the shapes 'training' or 'testing', on images of at least {_LEAST} pixels on a side. "
            f"Received: shapes={shapes!r}, images of {height}x{width}"
        )
    reaches, places = zip(*((float(at.max()), xp.array(at)) for at in _places(height, width)))
    given = [xp.reshape(draws[:, i], (-1, 1, 1)) for i in range(_FIXED)]
    kind, coverage, right, down, angle, *form = given[:8]
    dx, dy = (at - 0.6 * far * (2 * to - 1) for at, far, to in zip(places, reaches, (right, down)))
    c, s = xp.cos(2 * math.pi * angle), xp.sin(2 * math.pi * angle)
    sizes = (_convex if shapes == "training" else _others)(c * dx + s * dy, c * dy - s * dx, form, xp)
    size = _one_of_three(kind, sizes, xp)
    mask = _smallest(size, coverage, height * width, xp)
    return xp.where(mask > 0.5, _filling(images, draws, given[8:], places, xp), images), mask


def _places(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns and rows from the middle of the image, float32 (1, height, width), in units of its mean side."""
    unit = math.sqrt(height * width)
    rows, columns = ((np.arange(n, dtype="float32") - (n - 1) / 2) / np.float32(unit) for n in (height, width))
    y, x = np.meshgrid(rows, columns, indexing="ij")
    return x[None], y[None]


def _convex(u, v, form, xp) -> tuple:
    """The size at which a rectangle, an ellipse and a bar around the centre reach a place (u, v)."""
    long = 1 + 1.5 * form[0]
    a, b = xp.abs(u), xp.abs(v)
    return xp.maximum(a, long * b), xp.sqrt(a * a + long * long * b * b), b + 0 * a


def _others(u, v, form, xp) -> tuple:
    """The same of a star, a cross and a blob."""
    radius, turn = xp.sqrt(u * u + v * v), xp.arctan2(v, u)
    # A star: between two tips the outline is two straight lines, from a tip (1, 0) to a notch at the angle `half`.
    half = math.pi / (3 + xp.floor(5 * form[0]))
    notch = (0.35 + 0.35 * form[1]) * xp.cos(half)
    off = xp.abs(xp.mod(turn + half, 2 * half) - half)  # from the nearest tip
    slope = (1 - notch * xp.cos(half)) / (notch * xp.sin(half))
    star = radius * (xp.cos(off) + slope * xp.sin(off))
    # A cross: two bars whose ends are `thin` times as wide as they are long.
    thin, a, b = 0.2 + 0.2 * form[0], xp.abs(u), xp.abs(v)
    cross = xp.minimum(xp.maximum(a, b / thin), xp.maximum(a / thin, b))
    waves = [xp.cos(k * turn + 2 * math.pi * phase) for k, phase in zip((2, 3, 5), form)]
    return star, cross, radius / (1 + 0.25 * waves[0] + 0.3 * waves[1] + 0.25 * waves[2])


def _smallest(size, coverage, num_pixels: int, xp) -> Any:
    """1 at the places of least size, as many as the coverage asks for; float32 (batch, height, width, 1)."""
    least, most = (math.ceil(COVERAGE[0] * num_pixels), math.floor(COVERAGE[1] * num_pixels))
    last = xp.reshape(least + xp.floor((most - least + 1) * coverage), (-1, 1)) - 1
    ordered = xp.sort(xp.reshape(size, (-1, num_pixels)), axis=1)
    is_last = xp.arange(num_pixels, dtype="float32")[None] == last
    limit = xp.sum(xp.where(is_last, ordered, xp.zeros_like(ordered)), axis=1)
    inside = size <= xp.reshape(limit, (-1, 1, 1))
    return xp.where(inside, xp.ones_like(size), xp.zeros_like(size))[..., None]


def _filling(images, draws, given, places, xp) -> Any:
    """What an occluder looks like, (batch, height, width, channels): one colour, stripes of two, or another image."""
    height, width, channels = images.shape[1:]
    kind, number, angle, phase = given
    colours = [
        xp.reshape(1.5 * draws[:, i : i + channels] - 0.5, (-1, 1, 1, channels)) for i in (_FIXED, _FIXED + channels)
    ]
    along = xp.cos(2 * math.pi * angle) * places[0] + xp.sin(2 * math.pi * angle) * places[1]
    wave = xp.sin(2 * math.pi * ((3 + 6 * number) * along + phase))
    stripes = xp.where(wave[..., None] > 0, colours[0], colours[1])
    middle = [n // 4 + np.arange(n) // 2 for n in (height, width)]  # twice as large
    other = xp.take(xp.take(xp.roll(images, 1, axis=0), middle[0], axis=1), middle[1], axis=2)
    flat = colours[0] + xp.zeros_like(images)
    return _one_of_three(kind[..., None], (flat, stripes, other), xp)


def _one_of_three(kind, choices: tuple, xp) -> Any:
    return xp.where(kind < 1 / 3, choices[0], xp.where(kind < 2 / 3, choices[1], choices[2]))
