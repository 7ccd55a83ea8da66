"""Films whose truth is known to the pixel: digits that move over a black canvas and bounce off its rim."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ganzoo.data.preprocessing import Size, check_images, check_positive, parse_size

__all__ = ["MOVING", "MovingDigits", "crops", "moving_digits"]

MOVING = {"moving_mnist": "mnist", "moving_fashion_mnist": "fashion_mnist"}  # and of what they are made


class MovingDigits(NamedTuple):
    """Films, and all that is known of them.

    Attributes:
        films: uint8 (n, frames, height, width, channels).
        positions: int64 (n, frames, number, 2), row and column of the first pixel of each digit's image. They may lie
            beyond the rim, where the image has a dark one itself.
        velocities: float64 (n, number, 2), rows and columns per frame before the first bounce.
        labels: int64 (n, number), of the digits.
    """

    films: np.ndarray
    positions: np.ndarray
    velocities: np.ndarray
    labels: np.ndarray


def moving_digits(
    images: np.ndarray,
    labels: np.ndarray,
    n: int,
    *,
    frames: int = 20,
    size: Size = 32,
    number: int = 1,
    speed: tuple[float, float] = (1.0, 3.0),
    seed: int = 0,
) -> MovingDigits:
    """Films of digits, or of other small images, that move at a constant speed and bounce.

    Along either axis a digit of velocity v that begins at p is, after t frames, at the triangle wave
    ``span - |(p + v t) mod (2 span) - span|``, rounded to whole pixels: what bounces is the box around all that is
    not black, so that no pixel is ever cut off. Where digits overlap, the brighter pixel is seen.

    Args:
        images: uint8 (m, height, width, channels), bright on black. Films to test on are made of other images than
            those to train on: of MNIST's test digits.
        labels: int (m,), what the images show.
        n: int, how many films.
        frames: int, of each film.
        size: (height, width) of the films, or one number for both.
        number: int, how many digits move in each film.
        speed: (least, most), pixels per frame; directions are uniform.
        seed: of NumPy's default generator: one seed gives the same films everywhere.

    Returns:
        `MovingDigits`.

    Raises:
        ValueError: other images or labels, one that is larger than the films, or numbers that are not positive.

    Example:
        >>> images, labels = ganzoo.data.load("mnist", "test", return_labels=True)     # doctest: +SKIP
        >>> moving = moving_digits(images, labels, 100, frames=8)     # doctest: +SKIP
        >>> moving.films.shape, moving.labels.shape     # doctest: +SKIP
        ((100, 8, 32, 32, 1), (100, 1))

    Reference:
        Srivastava, Mansimov and Salakhutdinov 2015, arXiv:1502.04681, section 4.2.

    Differs from the paper: there two digits of 28x28 move in 64x64 at one speed, and bounce with the border that MNIST
    has around its ink.
    """
    check_positive(n=n, frames=frames, number=number)
    labels = _checked(images, labels, speed)
    height, width = parse_size(size)
    rng = np.random.default_rng(seed)
    chosen = rng.integers(len(images), size=(n, number))
    boxes = _boxes(images)
    sides = boxes[..., 1] - boxes[..., 0]
    if (sides > (height, width)).any():
        most = sides.max(axis=0)
        raise ValueError(
            f"What moves must fit into the films: say size={tuple(int(m) for m in most)} or more. "
            f"Received: size={size!r}"
        )
    boxes, spans = boxes[chosen], (height, width) - sides[chosen]
    angles, speeds = rng.uniform(0, 2 * np.pi, (n, number)), rng.uniform(*speed, (n, number))
    velocities = speeds[..., None] * np.stack([np.sin(angles), np.cos(angles)], axis=-1)
    start = rng.uniform(0, 1, (n, number, 2)) * spans
    places = _bounced(start, velocities, spans, frames)  # of the boxes
    films = np.zeros((n, frames, height, width, images.shape[-1]), "uint8")
    for film, film_boxes, which, film_places in zip(films, boxes, chosen, places):
        for (rows, columns), index, where in zip(film_boxes, which, film_places.swapaxes(0, 1)):
            _draw(film, images[index, slice(*rows), slice(*columns)], where)
    return MovingDigits(films, places - boxes[:, None, :, :, 0], velocities, labels[chosen])


def crops(frames: np.ndarray, positions: np.ndarray, size: Size) -> np.ndarray:
    """The part of each frame at a known place, black where it lies beyond the rim.

    Args:
        frames: (n, height, width, channels).
        positions: int (n, 2), row and column of the first pixel, as in `MovingDigits`.
        size: (height, width) of the parts, or one number for both.

    Returns:
        (n, *size, channels).

    Example:
        >>> crops(np.ones((1, 4, 4, 1), "uint8"), np.array([[-1, 2]]), 3)[0, :, :, 0]
        array([[0, 0, 0],
               [1, 1, 0],
               [1, 1, 0]], dtype=uint8)
    """
    height, width = parse_size(size)
    padded = np.pad(frames, [(0, 0), (height, height), (width, width), (0, 0)])
    top, left = np.asarray(positions).T + np.array([[height], [width]])
    rows, columns = top[:, None] + np.arange(height), left[:, None] + np.arange(width)
    return padded[np.arange(len(frames))[:, None, None], rows[:, :, None], columns[:, None, :]]


def _checked(images: np.ndarray, labels: np.ndarray, speed: tuple[float, float]) -> np.ndarray:
    """The labels as int64."""
    if getattr(images, "dtype", np.uint8) != np.uint8:
        raise ValueError(f"Give uint8 images, ganzoo.data.to_uint8(x). Received: images of dtype {images.dtype}")
    check_images(images, name="images")
    if len(speed) != 2 or not 0 <= speed[0] <= speed[1]:
        raise ValueError(f"`speed` is the least and the most, in pixels per frame. Received: {speed=}")
    labels = np.asarray(labels)
    if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
        raise ValueError(
            f"`labels` is a whole number for each of {len(images)} images. "
            f"Received: labels of shape {labels.shape} and dtype {labels.dtype}"
        )
    return labels.astype("int64")


def _boxes(images: np.ndarray) -> np.ndarray:
    """int64 (m, 2, 2): first row and the one after the last, first column and the one after the last, not black."""
    seen: Any = images.any(axis=-1)
    return np.stack([_ends(seen.any(axis=2)), _ends(seen.any(axis=1))], axis=1)


def _ends(lines: np.ndarray) -> np.ndarray:
    """int64 (m, 2) of bool (m, length): where True begins and ends; all of it where there is none."""
    lines = lines | ~lines.any(axis=1, keepdims=True)
    return np.stack([lines.argmax(axis=1), lines.shape[1] - lines[:, ::-1].argmax(axis=1)], axis=1)


def _bounced(start: np.ndarray, velocities: np.ndarray, spans: np.ndarray, frames: int) -> np.ndarray:
    """int64 (n, frames, number, 2): whole places from 0 to the span."""
    straight = start[:, None] + velocities[:, None] * np.arange(frames)[None, :, None, None]
    span = np.maximum(spans, 1e-9)[:, None]  # nothing moves where there is no room
    return np.rint(span - np.abs(straight % (2 * span) - span)).astype("int64")


def _draw(film: np.ndarray, image: np.ndarray, places: np.ndarray) -> None:
    height, width = image.shape[:2]
    for frame, (top, left) in zip(film, places):
        window = frame[top : top + height, left : left + width]
        np.maximum(window, image, out=window)
