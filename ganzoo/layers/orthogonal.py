"""A penalty that keeps a kernel's columns at right angles, whatever their lengths."""

from __future__ import annotations

import keras
from keras import ops

__all__ = ["OffDiagonal"]


@keras.saving.register_keras_serializable(package="ganzoo")
class OffDiagonal(keras.regularizers.Regularizer):
    """``factor * |W^T W o (1 - I)|_F^2``, W with the kernel's output axis as its columns.

    Unlike the plain orthogonal penalty it does not ask for columns of length 1: only that they do not resemble.

    Args:
        factor: float, at least 0.

    Reference:
        Brock et al. 2018, arXiv:1809.11096, eq. 3.

    Example:

    >>> float(ganzoo.layers.OffDiagonal(0.5)(np.array([[1.0, 2.0], [0.0, 1.0]], "float32")))   # 0.5 * 2 * (1 * 2)^2
    4.0
    """

    def __init__(self, factor: float = 1e-4):
        if not factor >= 0:
            raise ValueError(f"`factor` must be at least 0. Received: factor={factor!r}")
        self.factor = float(factor)

    def __call__(self, kernel):
        matrix = ops.reshape(kernel, (-1, kernel.shape[-1]))
        products = ops.matmul(ops.transpose(matrix), matrix)
        return self.factor * (ops.sum(ops.square(products)) - ops.sum(ops.square(ops.diagonal(products))))

    def get_config(self):
        return {"factor": self.factor}
