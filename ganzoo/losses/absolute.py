"""Absolute differences of images."""

import keras
from keras import ops

from ganzoo.losses.numbers import float32


def absolute_error(drawn, wanted):
    """``E[|x - x'|]``, the mean over all numbers; of several images by name, the sum of their means.

    Args:
        drawn, wanted: float tensors of one shape, or dictionaries of such by the same names.

    Returns:
        A float32 scalar, at least 0.

    Example:

    >>> float(absolute_error({"a": ops.zeros(4), "b": ops.ones(2)}, {"a": ops.ones(4), "b": 3 * ops.ones(2)}))
    3.0

    Reference:
        Zhu et al. 2017, arXiv:1703.10593, eq. 2, over two domains; Isola et al. 2017, arXiv:1611.07004, eq. 3.
    """
    means = keras.tree.map_structure(lambda x, y: ops.mean(ops.abs(float32(x) - float32(y))), drawn, wanted)
    return sum(keras.tree.flatten(means))
