"""Augmentations as gathers and matrix products, which give the same on every backend for the same random numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from ganzoo.layers.minibatch import check_positive


def jitter(images: Any, uniform: Callable, enlarge: float = 143 / 128, flip: bool = True) -> Any:
    """Enlarges images, cuts a random window of the old size from each and mirrors half of them: random jitter.

    The images of one example (a source and its target) get the same window and the same mirroring, and different
    examples of a batch different ones. Enlarging is bilinear, pixels being squares whose centres lie at 1/2, 3/2, ...,
    and what lies beyond the outermost centres continues them: every value is a mean of at most four old ones, with
    weights that sum to one (to 1e-3 on a GPU that multiplies in TF32). Labels given as colours or as one-hot maps are
    mixed at their borders.

    Args:
        images: dict, list or tuple of float32 tensors (batch, height, width, channels) of one batch size and one
            height and width, which must be known; or one such tensor. The channels may differ.
        uniform: function of a shape that returns float32 numbers from U[0, 1); called once, with (batch, 3). The
            columns choose row, column and mirroring. In a model: ``functools.partial(self.noise, "uniform")``.
        enlarge: float, at least 1; height and width are multiplied by it and rounded.
        flip: bool, whether an example is mirrored, left to right, with probability 1/2.

    Returns:
        The same structure of float32 tensors of the same shapes. With nothing to do, the images as they are; then
        nothing is drawn.

    Raises:
        ValueError: `enlarge` below 1, or images of unknown or different height and width.

    Reference:
        Isola et al. 2017, arXiv:1611.07004, section 6.2: 256x256 enlarged to 286x286, a factor of 143/128.

    Example:

    >>> pair = {"source": np.zeros((1, 64, 64, 1), "float32"), "target": np.zeros((1, 64, 64, 3), "float32")}
    >>> jittered = ganzoo.layers.jitter(pair, keras.random.uniform)
    >>> jittered["target"].shape
    (1, 64, 64, 3)
    """
    height, width = _common_size(keras.tree.flatten(images))
    if not enlarge >= 1:
        raise ValueError(f"`enlarge` must be at least 1: a window of the old size is cut out. Received: {enlarge=}")
    enlarged = round(height * enlarge), round(width * enlarge)
    if enlarged == (height, width) and not flip:
        return images
    draws = uniform((ops.shape(keras.tree.flatten(images)[0])[0], 3))
    mirrored = ops.reshape(draws[:, 2] < 0.5, (-1, 1, 1, 1))
    rows, columns = _windows(height, enlarged[0], draws[:, 0]), _windows(width, enlarged[1], draws[:, 1])

    def jittered(x):
        if enlarged != (height, width):
            x = transform(columns, transform(rows, ops.cast(x, "float32")))
        return ops.where(mirrored, ops.flip(x, 2), x) if flip else x

    return keras.tree.map_structure(jittered, images)


def turned(images, uniform):
    """Images turned and mirrored at random, one of the eight ways for each; of images that are not square, one of four.

    Args:
        images: tensor (batch, height, width, channels), or a dictionary of such, whose images are turned alike.
        uniform: function from a shape to numbers from U[0, 1): a model's ``partial(self.noise, "uniform")``.

    Returns:
        As `images`.
    """
    all_of = keras.tree.flatten(images)
    choices = uniform((ops.shape(all_of[0])[0], 3)) < 0.5
    down, across, over = (ops.reshape(choices[:, i], (-1, 1, 1, 1)) for i in range(3))
    square = all(x.shape[1] == x.shape[2] for x in all_of)

    def turn(x):
        x = ops.where(down, ops.flip(x, 1), x)
        x = ops.where(across, ops.flip(x, 2), x)
        return ops.where(over, ops.swapaxes(x, 1, 2), x) if square else x

    return keras.tree.map_structure(turn, images)


def random_crop(images: Any, side: int, uniform: Callable, num: int = 1) -> Any:
    """Cuts square windows out of images, each at a place of its own: `num` of each image.

    The images of one example (a source and its target) are cut at the same places. No value is changed.

    Args:
        images: dict, list or tuple of tensors (batch, height, width, channels) of one batch size and one height and
            width, which must be known; or one such tensor. The channels may differ.
        side: int, of a window, at most the height and the width.
        uniform: function of a shape that returns float32 numbers from U[0, 1); called once, with (batch * num, 2). The
            columns choose row and column. In a model: ``functools.partial(self.noise, "uniform")``.
        num: int, windows of an image; they stand one behind the other.

    Returns:
        The same structure of tensors (batch * num, side, side, channels).

    Raises:
        ValueError: images that are smaller than a window, or of unknown or different height and width.

    Example:

    >>> pair = {"source": np.zeros((2, 64, 48, 1), "float32"), "target": np.zeros((2, 64, 48, 3), "float32")}
    >>> ganzoo.layers.random_crop(pair, 32, keras.random.uniform, num=3)["target"].shape
    (6, 32, 32, 3)
    """
    height, width = _common_size(keras.tree.flatten(images))
    check_positive(side=side, num=num)
    if side > min(height, width):
        raise ValueError(f"A window is no larger than the images, {height}x{width}. Received: side={side}")
    count = ops.shape(keras.tree.flatten(images)[0])[0] * num
    draws = uniform((count, 2))
    rows, columns = (
        ops.cast(ops.floor(draws[:, i] * (size - side + 1)), "int32")[:, None] + ops.arange(side, dtype="int32")
        for i, size in enumerate((height, width))
    )
    rows += ops.arange(count, dtype="int32")[:, None] // num * height  # of all images, one below the other
    places = rows[:, :, None] * width + columns[:, None, :]
    return keras.tree.map_structure(lambda x: ops.take(ops.reshape(x, (-1, x.shape[-1])), places, axis=0), images)


def _common_size(images: list) -> tuple[int, int]:
    shapes = [tuple(image.shape) for image in images]
    sizes = {shape[1:3] for shape in shapes}
    if len(sizes) != 1 or any(len(shape) != 4 or None in shape[1:] for shape in shapes):
        raise ValueError(
            "Images are moved together when all are (batch, height, width, channels) of one height and width, known "
            f"beforehand: resize them, or move each alone. Received: shapes={shapes}"
        )
    return sizes.pop()  # type: ignore[return-value]


def _windows(size: int, enlarged: int, draws):
    """(batch, size, size): for each of the draws (batch,) from U[0, 1), `size` neighbouring rows of `_bilinear`."""
    offset = ops.cast(ops.floor(draws * (enlarged - size + 1)), "int32")  # below 1 in float32, below the number here
    indices = offset[:, None] + ops.arange(size, dtype="int32")
    return ops.take(ops.convert_to_tensor(_bilinear(size, enlarged)), indices, axis=0)


def _bilinear(size: int, enlarged: int) -> np.ndarray:
    """float32 (enlarged, size): the matrix that enlarges a line of `size` pixels linearly."""
    place = np.clip((np.arange(enlarged) + 0.5) * size / enlarged - 0.5, 0, size - 1)
    left = np.minimum(place.astype(int), max(size - 2, 0))
    matrix, lines = np.zeros((enlarged, size)), np.arange(enlarged)
    np.add.at(matrix, (lines, left), 1 - (place - left))
    np.add.at(matrix, (lines, np.minimum(left + 1, size - 1)), place - left)
    return matrix.astype("float32")


def transform(matrices, x):
    """`matrices` (n, height), or (batch, n, height), times x (batch, height, width, channels): (batch, width, n, ...).

    Axes 1 and 2 come out exchanged, so that twice transforms both and puts them back.
    """
    _, height, width, channels = x.shape
    x = ops.matmul(matrices, ops.reshape(x, (-1, height, width * channels)))
    return ops.swapaxes(ops.reshape(x, (-1, matrices.shape[-2], width, channels)), 1, 2)
