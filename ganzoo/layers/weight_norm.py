"""A dense layer whose weight vectors have a direction and, apart from it, a length."""

from __future__ import annotations

import keras
from keras import ops

__all__ = ["WeightNormDense"]


@keras.saving.register_keras_serializable(package="ganzoo")
class WeightNormDense(keras.layers.Dense):
    """``y = g v / |v| . x + b``, unit by unit: the length g of a weight vector is learned apart from its direction v.

    At first g is |v|, so that the layer begins as the plain one.

    Args:
        units, **kwargs: those of `keras.layers.Dense`.

    Reference:
        Salimans and Kingma 2016, arXiv:1602.07868, eq. 2.

    Differs from the paper:
        g and b begin as they would in a plain layer, not from the statistics of a first batch (section 3).

    Example:

    >>> ganzoo.layers.WeightNormDense(4, name="dense")(np.ones((2, 8), "float32")).shape
    (2, 4)
    """

    def build(self, input_shape):
        super().build(input_shape)
        self.length = self.add_weight(shape=(self.units,), initializer="ones", name="length")
        self.length.assign(self._norm(self.kernel))

    def save_own_variables(self, store):
        keras.layers.Layer.save_own_variables(self, store)  # a Dense knows of its kernel and bias alone

    def load_own_variables(self, store):
        keras.layers.Layer.load_own_variables(self, store)

    def call(self, inputs, training=None):
        kernel = ops.convert_to_tensor(self.kernel)
        scaled = kernel * (ops.convert_to_tensor(self.length) / self._norm(kernel))
        y = ops.matmul(inputs, ops.cast(scaled, self.compute_dtype))
        y = y + ops.cast(self.bias, self.compute_dtype) if self.use_bias else y
        return y if self.activation is None else self.activation(y)

    def _norm(self, kernel):
        return ops.sqrt(ops.sum(ops.square(kernel), axis=0) + 1e-12)
