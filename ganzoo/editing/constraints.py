"""What a user draws, as functions of images: the smaller, the better an image follows."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from ganzoo.data.preprocessing import check_positive
from ganzoo.editing.checks import check_not_negative

__all__ = ["moved", "sketch", "stroke"]

ORIENTATIONS, FLAT = 8, 0.002  # bins of half a turn; the length of a histogram below which a cell has no edges


def stroke(mask: Any, colour: Any, weight: float = 1.0) -> Callable[[Any], Any]:
    """A brush of colour: ``weight * sum_p m_p |x_p - c_p|^2 / sum_p m_p``, with ``|.|^2`` the mean over channels.

    Args:
        mask: bool, or float from 0 to 1, (height, width): where the brush was, and how much each pixel counts.
        colour: Steps of 255: a number, one for each channel, or an image uint8 (height, width, channels) whose pixels
            under the brush are wanted, to hold what is there for example.
        weight: Of this constraint among others.

    Returns:
        A function of float32 images in [-1, 1], (n, height, width, channels), to (n,), 0 to 4 of weight 1.

    Raises:
        ValueError: A mask that is no plane or is empty; a colour that is none; when called, another size.

    Reference:
        Zhu et al. 2016, arXiv:1609.03552, eq. 7 and section 5.2, colouring brush.

    Example:
        >>> mask = np.zeros((28, 28), bool); mask[10:18, 4:9] = True
        >>> found = ganzoo.editing.edit(model, [ganzoo.editing.stroke(mask, 255)])
    """
    mask, wanted = _mask(mask), np.asarray(colour, "float32")
    check_not_negative(weight=weight)
    is_image = wanted.ndim == 3 and np.asarray(colour).dtype == np.uint8
    if not is_image and (wanted.ndim > 1 or not wanted.size or not (0 <= wanted.min() <= wanted.max() <= 255)):
        raise ValueError(
            "A colour is a number from 0 to 255, one for each channel, or an image, uint8 (height, width, channels). "
            f"Received: {np.asarray(colour).dtype} {wanted.shape}, from {wanted.min(initial=np.inf):g}"
        )
    if wanted.ndim == 3 and wanted.shape[:2] != mask.shape:
        raise ValueError(f"Image and mask are of one size. Received: {wanted.shape[:2]} and {mask.shape}")
    wanted = wanted / 127.5 - 1
    share = (mask / mask.sum())[..., None]

    def error(images):
        _require_size(images, mask)
        if wanted.ndim and wanted.shape[-1] != images.shape[-1]:
            raise ValueError(f"The images have {images.shape[-1]} channels. Received: a colour of {wanted.shape[-1]}")
        difference = ops.square(ops.subtract(images, wanted))
        return weight / images.shape[-1] * ops.sum(ops.multiply(difference, share), axis=(1, 2, 3))

    return error


def sketch(lines: Any, cell: int = 4, weight: float = 1.0) -> Callable[[Any], Any]:
    """A pencil: edges of the same direction, in the cells through which lines were drawn.

    ``weight * mean_c |H_c(x) - H_c(lines)|^2``, H_c the histogram of the directions of the gradient in a cell, of unit
    length where there are edges: how strong they are, and which side is bright, is left to the image.

    Args:
        lines: bool, or float from 0 to 1, (height, width): what was drawn.
        cell: Pixels, the side of a cell.
        weight: Of this constraint among others.

    Returns:
        A function of float32 images in [-1, 1], (n, height, width, channels), to (n,), 0 to about 2 of weight 1.

    Raises:
        ValueError: Lines that are no plane or are empty; when called, another size.

    Reference:
        Zhu et al. 2016, arXiv:1609.03552, eq. 7 and section 5.2, sketching brush, which compares histograms of oriented
        gradients (Dalal and Triggs 2005).

    Differs from the paper:
        Directions are weighted by a smooth function, ``(g . d)^4 / |g|^2`` for gradient g and direction d, not by their
        bins, so that there is a derivative everywhere; no normalisation over blocks of cells.

    Example:
        >>> lines = np.zeros((28, 28), bool); lines[6:22, 14] = True
        >>> found = ganzoo.editing.edit(model, [ganzoo.editing.sketch(lines)])
    """
    lines = _mask(lines)
    check_positive(cell=cell)
    check_not_negative(weight=weight)
    if cell > min(lines.shape) - 2:
        raise ValueError(
            f"A cell is at least one pixel, and lies within the image without its border. Received: cell={cell}"
        )
    wanted = ops.convert_to_numpy(_directions(ops.convert_to_tensor(2 * lines[None, ..., None] - 1), cell))
    drawn = np.linalg.norm(wanted, axis=-1) > 0.5
    if not drawn.any():
        raise ValueError("The lines have no edges: they are too faint, fill the image or are at its border alone.")
    share = (drawn / drawn.sum()).astype("float32")[..., None]

    def error(images):
        _require_size(images, lines)
        difference = ops.square(ops.subtract(_directions(images, cell), wanted))
        return weight * ops.sum(ops.multiply(difference, share), axis=(1, 2, 3))

    return error


def moved(image: Any, mask: Any, by: tuple[int, int], weight: float = 1.0) -> Callable[[Any], Any]:
    """A part of the image at another place: the `stroke` of its pixels there.

    Args:
        image: uint8 (height, width, channels).
        mask: bool, or float from 0 to 1, (height, width): the part.
        by: Pixels down and to the right.
        weight: Of this constraint among others.

    Returns:
        As `stroke`.

    Raises:
        ValueError: As `stroke`; a part that is moved out of the image.

    Reference:
        Zhu et al. 2016, arXiv:1609.03552, section 5.2, warping brush, which asks for the pixels alone here.

    Example:
        >>> found = ganzoo.editing.edit(model, [ganzoo.editing.moved(image, mask, (0, 6))], latents)
    """
    mask, image = _mask(mask), np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[:2] != mask.shape:
        raise ValueError(
            f"The image is uint8, of the mask's size, {mask.shape}, and has channels. "
            f"Received: {image.dtype} {image.shape}"
        )
    if np.shape(by) != (2,) or not all(isinstance(step, (int, np.integer)) for step in by):
        raise ValueError(f"Say how many pixels down and how many to the right: (0, 6). Received: by={by!r}")
    there, elsewhere = np.zeros_like(mask), np.zeros_like(image)
    here, place = zip(*(_overlap(size, step) for size, step in zip(mask.shape, by)))
    there[place], elsewhere[place] = mask[here], image[here]
    if not there.any():
        raise ValueError(f"The part is moved out of the image. Received: by={by!r}")
    return stroke(there, elsewhere, weight)


def _overlap(size: int, step: int) -> tuple[slice, slice]:
    """Of an axis what stays in the image, before and after."""
    length = max(size - abs(step), 0)
    return slice(max(-step, 0), max(-step, 0) + length), slice(max(step, 0), max(step, 0) + length)


def _mask(mask: Any) -> np.ndarray:
    mask = np.asarray(mask, "float32")
    if mask.ndim != 2 or not np.isfinite(mask).all() or mask.min(initial=0) < 0 or mask.max(initial=0) > 1:
        raise ValueError(
            "A mask is (height, width), bool or from 0 to 1: of another make one with `mask > 0`. "
            f"Received: shape {mask.shape}, from {mask.min(initial=0):g} to {mask.max(initial=0):g}"
        )
    if not mask.any():
        raise ValueError("Nothing was drawn: the mask is empty. Received: a mask of zeros")
    return mask


def _require_size(images: Any, mask: np.ndarray) -> None:
    if tuple(images.shape[1:3]) != mask.shape:
        size = " x ".join(map(str, images.shape[1:3]))
        raise ValueError(f"The model's images are {size} pixels: draw at that size. Received: a mask {mask.shape}")


def _directions(images: Any, cell: int) -> Any:
    """Histograms (n, rows, columns, ORIENTATIONS) of about unit length, about 0 where nothing changes."""
    grey = ops.mean(images, axis=-1, keepdims=True)
    down = (grey[:, 2:, 1:-1] - grey[:, :-2, 1:-1]) / 2
    right = (grey[:, 1:-1, 2:] - grey[:, 1:-1, :-2]) / 2
    angles = math.pi * np.arange(ORIENTATIONS, dtype="float32") / ORIENTATIONS
    along = ops.square(ops.multiply(right, np.cos(angles)) + ops.multiply(down, np.sin(angles)))
    strength = ops.square(right) + ops.square(down)
    pooled = ops.average_pool(ops.square(along) / (strength + 1e-4), cell, cell, "same")
    return pooled / ops.sqrt(ops.sum(ops.square(pooled), axis=-1, keepdims=True) + FLAT**2)
