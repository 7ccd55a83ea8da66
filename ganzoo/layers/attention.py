"""Attention over the positions of feature maps, of products that differentiate twice on every backend."""

from __future__ import annotations

import keras
from keras import ops

__all__ = ["GatedAdd", "SpatialAttention"]


@keras.saving.register_keras_serializable(package="ganzoo")
class SpatialAttention(keras.layers.Layer):
    """``o_j = sum_i softmax_i(q_j . k_i) v_i`` over all positions i of an image.

    Called with a list of three: queries (batch, height, width, c), keys (batch, h, w, c) and values (batch, h, w, d).
    The softmax is in float32.

    Args:
        **kwargs: those of `keras.layers.Layer`.

    Returns:
        (batch, height, width, d).

    Reference:
        Zhang et al. 2018, arXiv:1805.08318, eq. 1 and 2; no division by a root of c, as there.

    Example:

    >>> x = np.random.default_rng(0).normal(size=(2, 4, 4, 8)).astype("float32")
    >>> ganzoo.layers.SpatialAttention()([x, x[:, ::2, ::2], x[:, ::2, ::2, :3]]).shape
    (2, 4, 4, 3)
    """

    def call(self, inputs):
        queries, keys, values = inputs
        height, width = queries.shape[1:3]
        q, k, v = (ops.reshape(x, (-1, x.shape[1] * x.shape[2], x.shape[3])) for x in (queries, keys, values))
        scores = ops.cast(ops.matmul(q, ops.swapaxes(k, 1, 2)), "float32")
        weights = ops.cast(ops.softmax(scores, axis=-1), self.compute_dtype)
        return ops.reshape(ops.matmul(weights, v), (-1, height, width, values.shape[3]))

    def compute_output_shape(self, input_shape):
        queries, _, values = input_shape
        return (*queries[:3], values[3])


@keras.saving.register_keras_serializable(package="ganzoo")
class GatedAdd(keras.layers.Layer):
    """``x + gamma * y`` with one learned number gamma, at first 0: y is let in as training finds a use for it.

    Called with a list of two tensors of one shape.

    Args:
        **kwargs: those of `keras.layers.Layer`.

    Reference:
        Zhang et al. 2018, arXiv:1805.08318, eq. 3.

    Example:

    >>> x = np.ones((1, 2), "float32")
    >>> bool((ganzoo.layers.GatedAdd()([x, 5 * x]) == x).numpy().all())     # doctest: +SKIP
    True
    """

    def build(self, input_shape):
        self.gamma = self.add_weight(shape=(), initializer="zeros", name="gamma")
        self.built = True

    def call(self, inputs):
        x, y = inputs
        return x + ops.cast(self.gamma, x.dtype) * y

    def compute_output_shape(self, input_shape):
        return input_shape[0]
