"""An edit of what the generator drew, done to the picture itself."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

from ganzoo.data.preprocessing import check_positive, to_float, to_uint8
from ganzoo.editing.checks import check_not_negative

__all__ = ["Transfer", "transfer"]

BLURS = (2.0, 1.0, 0.0)  # of the images that are compared, in pixels, from coarse to fine
GRIDS = (8, 4, 2, 1)  # pixels between the values of a plane
RATES = (0.1, 0.02, 0.02)  # of Adam: pixels of flow, colours


class Transfer(NamedTuple):
    """What `transfer` made.

    Attributes:
        image: uint8 (height, width, channels), the picture, edited.
        flow: float32 (h, w, 2), of the last frame: how many of its pixels down and to the right each pixel came from.
        gain, offset: float32 (h, w, channels): the change of colour, of values in [-1, 1].
        error: float, the root mean square difference of the last frame and the first one so changed, in steps of 255.
        change: float, that of the last frame and the first.
    """

    image: np.ndarray
    flow: np.ndarray
    gain: np.ndarray
    offset: np.ndarray
    error: float
    change: float


def transfer(
    image: Any,
    frames: Any,
    steps: int = 30,
    smoothness: float = 0.03,
    colour_smoothness: float = 1.0,
) -> Transfer:
    """Does to a picture what a film of drawn images does: the movement, and the change of colours.

    Of each frame in turn it finds from where in the first frame each of its pixels came and how its colour changed,
    beginning at what it found of the frame before: the ``u, g, b`` of least ``mean |g F(p + u) + b - F'(p)|^2 +
    smoothness * mean |grad u|^2 + colour_smoothness * mean |grad (g, b)|^2``. That of the last frame is done to the
    picture, which keeps what the generator cannot draw: its details, and its size.

    Where an edit makes something that the picture has nowhere, nothing can move there: `error` beside `change` says how
    much of the edit is left undone.

    Args:
        image: uint8 (height, width, channels), of the proportions of the frames.
        frames: uint8 (n, h, w, channels), from the picture's projection to its edit: `ganzoo.editing.morph`.
        steps: For each frame and each of three resolutions.
        smoothness, colour_smoothness: See above; flow in pixels, colours in [-1, 1].

    Returns:
        A `Transfer`.

    Raises:
        ValueError: One frame, or frames of other channels or proportions than the picture: by more than a pixel.

    Reference:
        Zhu et al. 2016, arXiv:1609.03552, section 5.3 and eq. 8, and Brox et al. 2004, which it builds on.

    Differs from the paper:
        A gain and an offset for each channel instead of an affine map of all three; squares instead of robust norms,
        descended by Adam.

    Example:
        >>> frames = ganzoo.editing.morph(model, found.latents[0], edited.latents[0])
        >>> ganzoo.plot.save_png("edited.png", ganzoo.editing.transfer(photo, frames).image[None])
    """
    image, frames = np.asarray(image), np.asarray(frames)
    check_positive(steps=steps)
    check_not_negative(smoothness=smoothness, colour_smoothness=colour_smoothness)
    if frames.ndim != 4 or min(frames.shape[:3]) < 2 or frames.dtype != np.uint8:
        raise ValueError(
            "Frames are uint8 (n, height, width, channels), two or more, of two pixels or more. "
            f"Received: {frames.dtype} {frames.shape}"
        )
    height, width, channels = frames.shape[1:]
    fits = image.ndim == 3 and image.shape[2] == channels and image.dtype == np.uint8
    if not fits or not image.size or abs(image.shape[0] * width - image.shape[1] * height) > max(height, width):
        raise ValueError(
            f"The picture is uint8, of the frames' proportions, {height} to {width}, with {channels} channels. "
            f"Received: {image.dtype} {image.shape}"
        )
    first, *others = to_float(frames)
    fields = [_Field(height, width, n) for n in (2, channels, channels)]  # flow, gain - 1, offset
    for frame in others:
        for blur in BLURS:
            a, b = (ndimage.gaussian_filter(each, (blur, blur, 0)) for each in (first, frame))
            _descend(fields, a, b, steps, smoothness, colour_smoothness)
    flow, gain, offset = fields[0].value(), 1 + fields[1].value(), fields[2].value()
    again = np.clip(gain * _warped(first, flow) + offset, -1, 1)
    error, change = (float(127.5 * np.sqrt(np.square(each - others[-1]).mean())) for each in (again, first))
    scale = np.array(image.shape[:2]) / (height, width)
    large = _enlarged(flow, image.shape[:2]) * scale.astype("float32")
    gains, offsets = (_enlarged(field, image.shape[:2]) for field in (gain, offset))
    done = gains * _warped(to_float(image), large) + offsets
    return Transfer(to_uint8(done), flow, gain, offset, error, change)


class _Field:
    """Values of pixels as a sum of planes of several sizes, so that what is far apart moves together at once."""

    def __init__(self, height: int, width: int, channels: int):
        sizes = [tuple(-(-n // k) for n in (height, width)) for k in GRIDS]
        self.planes = [np.zeros((*size, channels), "float32") for size in sizes]
        self.up = [[_line(m, n) for m, n in zip(size, (height, width))] for size in sizes]

    def value(self) -> np.ndarray:
        terms = [_product(rows, plane, columns) for plane, (rows, columns) in zip(self.planes, self.up)]
        return np.sum(terms, axis=0)

    def slopes(self, gradient: np.ndarray) -> list[np.ndarray]:
        """Of the planes, given that of the values."""
        return [
            _product(rows.T, gradient, columns.T) / (rows.sum(0)[0] * columns.sum(0)[0]) for rows, columns in self.up
        ]


def _line(few: int, many: int) -> np.ndarray:
    """(many, few), what interpolates linearly between the centres of `few` pixels."""
    places = np.clip((np.arange(many) + 0.5) * few / many - 0.5, 0, few - 1)
    return np.maximum(1 - np.abs(places[:, None] - np.arange(few)), 0).astype("float32")


def _descend(fields, first, wanted, steps: int, smoothness: float, colour_smoothness: float):
    """Adam on the planes of the three fields, in place."""
    means = [[np.zeros_like(plane) for plane in field.planes] for field in fields]
    squares = [[np.zeros_like(plane) for plane in field.planes] for field in fields]
    slopes_of_first = np.stack(np.gradient(first, axis=(0, 1)), axis=2)  # (h, w, 2, channels)
    for step in range(1, steps + 1):
        flow, gain, offset = (field.value() for field in fields)
        warped = _warped(first, flow)
        slope = _warped(slopes_of_first.reshape(*first.shape[:2], -1), flow).reshape(slopes_of_first.shape)
        rest = (1 + gain) * warped + offset - wanted
        gradients = [
            ((rest * (1 + gain))[:, :, None] * slope).sum(axis=3) + smoothness * _roughness(flow),
            rest * warped + colour_smoothness * _roughness(gain),
            rest + colour_smoothness * _roughness(offset),
        ]
        fall = 0.5 * (1 + np.cos(np.pi * (step - 1) / steps))
        for field, gradient, mean, square, rate in zip(fields, gradients, means, squares, RATES):
            for plane, each, m, v in zip(field.planes, field.slopes(gradient), mean, square):
                m += 0.1 * (each - m)
                v += 0.01 * (np.square(each) - v)
                plane -= rate * fall * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.99**step)) + 1e-4)


def _roughness(field: np.ndarray) -> np.ndarray:
    """Half of the gradient of the sum of squared differences of neighbours."""
    found = np.zeros_like(field)
    for axis in (0, 1):
        step = np.diff(field, axis=axis)
        before, after = [slice(None)] * 3, [slice(None)] * 3
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        found[tuple(before)] -= step
        found[tuple(after)] += step
    return found


def _warped(image: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """The image's values at p + u, linear between pixels, the border going on."""
    places = np.indices(flow.shape[:2], dtype="float32") + flow.transpose(2, 0, 1)
    planes = [ndimage.map_coordinates(image[..., i], places, order=1, mode="nearest") for i in range(image.shape[2])]
    return np.stack(planes, axis=-1).astype("float32")


def _enlarged(field: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """At another size, pixel centres on pixel centres."""
    rows, columns = (_line(few, many) for few, many in zip(field.shape, size))
    return _product(rows, field, columns)


def _product(rows: np.ndarray, field: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return np.einsum("ia,abc,jb->ijc", rows, field, columns, optimize=True)
