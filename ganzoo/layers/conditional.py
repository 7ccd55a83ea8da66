"""What a class, or a vector, says to features: scale and shift of each channel, and a score for a class."""

from __future__ import annotations

import itertools

import keras
from keras import ops

__all__ = ["ClassPlanes", "ClassProjection", "GlobalSumPooling2D", "LogSumExp", "Modulation", "Split"]


@keras.saving.register_keras_serializable(package="ganzoo")
class Modulation(keras.layers.Layer):
    """``x * (1 + gain) + shift``, channel by channel: what conditional normalisations do after normalising.

    Called with a list of three: x (batch, height, width, channels), gain and shift (batch, channels).

    Args:
        **kwargs: those of `keras.layers.Layer`.

    Reference:
        de Vries et al. 2017, arXiv:1707.00683, section 3.2; Brock et al. 2018, arXiv:1809.11096, appendix C.

    Example:

    >>> x, gain, shift = np.ones((2, 4, 4, 3)), np.full((2, 3), 0.5), np.zeros((2, 3))
    >>> float(ganzoo.layers.Modulation()([x, gain, shift])[0, 0, 0, 0])
    1.5
    """

    called_directly = True

    def call(self, inputs):
        x, gain, shift = inputs
        return x * (1 + gain[:, None, None, :]) + shift[:, None, None, :]

    def compute_output_shape(self, input_shape):
        return input_shape[0]


@keras.saving.register_keras_serializable(package="ganzoo")
class GlobalSumPooling2D(keras.layers.Layer):
    """The sum over height and width, in float32: (batch, height, width, channels) to (batch, channels).

    Args:
        **kwargs: those of `keras.layers.Layer`.

    Reference:
        Miyato and Koyama 2018, arXiv:1802.05637, section 4 and appendix A ("global sum pooling").

    Example:

    >>> ganzoo.layers.GlobalSumPooling2D()(np.ones((2, 4, 4, 3), "float32")).shape
    (2, 3)
    """

    called_directly = True

    def call(self, inputs):
        return ops.cast(ops.sum(ops.cast(inputs, "float32"), axis=(1, 2)), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[3])


@keras.saving.register_keras_serializable(package="ganzoo")
class ClassProjection(keras.layers.Layer):
    """``<e(y), h>``: features multiplied by the learned vector of a class.

    Called with a list of two: h (batch, features) and labels, int (batch,). In `SpectralNormalization` its table of
    vectors is normalised like any kernel.

    Args:
        num_classes: int; labels run from 0 to num_classes - 1.
        kernel_initializer: of the vectors.
        **kwargs: those of `keras.layers.Layer`.

    Returns:
        (batch, 1).

    Reference:
        Miyato and Koyama 2018, arXiv:1802.05637, eq. 3, the first term.

    Example:

    >>> layer = ganzoo.layers.ClassProjection(10, name="class")
    >>> layer([np.ones((2, 8), "float32"), np.array([3, 9])]).shape
    (2, 1)
    """

    def __init__(self, num_classes: int, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        shape = (self.num_classes, input_shape[0][-1])
        self.kernel = self.add_weight(shape=shape, initializer=self.kernel_initializer, name="kernel")
        self.built = True

    def call(self, inputs):
        return self.call_with_kernel(inputs, self.kernel)

    def call_with_kernel(self, inputs, kernel):
        features, labels = inputs
        chosen = ops.one_hot(labels, self.num_classes, dtype=self.compute_dtype)
        vectors = ops.matmul(chosen, ops.cast(kernel, self.compute_dtype))  # a product: its gradient is dense anywhere
        return ops.sum(ops.cast(features, self.compute_dtype) * vectors, axis=-1, keepdims=True)

    def compute_output_shape(self, input_shape):
        return (input_shape[0][0], 1)

    def get_config(self):
        initializer = keras.initializers.serialize(self.kernel_initializer)
        return {**super().get_config(), "num_classes": self.num_classes, "kernel_initializer": initializer}


@keras.saving.register_keras_serializable(package="ganzoo")
class Split(keras.layers.Layer):
    """Vectors cut into parts as equal as can be: (batch, n) to a list of `parts` tensors (batch, n / parts).

    Args:
        parts: int, at most n.
        **kwargs: those of `keras.layers.Layer`.

    Reference:
        Brock et al. 2018, arXiv:1809.11096, section 3 ("skip-z").

    Example:

    >>> [part.shape for part in ganzoo.layers.Split(3)(np.ones((2, 8)))]
    [(2, 3), (2, 2), (2, 3)]
    """

    called_directly = True

    def __init__(self, parts: int, **kwargs):
        super().__init__(**kwargs)
        self.parts = parts

    def _ends(self, length: int) -> list[int]:
        return [round(length * i / self.parts) for i in range(self.parts + 1)]

    def call(self, inputs):
        ends = self._ends(inputs.shape[-1])
        return [inputs[:, begin:end] for begin, end in itertools.pairwise(ends)]

    def compute_output_shape(self, input_shape):
        ends = self._ends(input_shape[-1])
        return [(input_shape[0], end - begin) for begin, end in itertools.pairwise(ends)]

    def get_config(self):
        return {**super().get_config(), "parts": self.parts}


@keras.saving.register_keras_serializable(package="ganzoo")
class LogSumExp(keras.layers.Layer):
    """``log sum_k exp x_k``: of class logits the logit of being any of them, against one more of logit 0.

    (batch, classes) to (batch, 1).

    Args:
        **kwargs: those of `keras.layers.Layer`.

    Reference:
        Salimans et al. 2016, arXiv:1606.03498, section 5.

    Example:

    >>> float(ganzoo.layers.LogSumExp()(np.zeros((1, 4), "float32"))[0, 0])     # log 4
    1.3862943649291992
    """

    called_directly = True

    def call(self, inputs):
        return ops.logsumexp(inputs, axis=-1, keepdims=True)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 1)


@keras.saving.register_keras_serializable(package="ganzoo")
class ClassPlanes(keras.layers.Layer):
    """Classes as further channels, the same at every place: one-hot planes; of two classes one plane, 0 or 1.

    Called with a list of two: images (batch, height, width, channels) and labels, int (batch,).

    Args:
        num_classes: int; labels run from 0 to num_classes - 1.
        **kwargs: those of `keras.layers.Layer`.

    Returns:
        (batch, height, width, channels + num_classes), or channels + 1 for two classes.

    Reference:
        Choi et al. 2018, arXiv:1711.09020, section 3.1 ("spatially replicated").

    Example:

    >>> ganzoo.layers.ClassPlanes(3)([np.zeros((2, 4, 4, 1)), np.array([0, 2])])[:, 0, 0].shape
    (2, 4)
    """

    called_directly = True

    def __init__(self, num_classes: int, **kwargs):
        super().__init__(**kwargs)
        self.num_classes = num_classes

    def call(self, inputs):
        images, labels = inputs
        planes = ops.one_hot(labels, self.num_classes, dtype=images.dtype)[:, None, None, :]
        planes = planes[..., 1:] if self.num_classes == 2 else planes
        return ops.concatenate([images, planes + ops.zeros_like(images[..., :1])], axis=-1)

    def compute_output_shape(self, input_shape):
        *before, channels = input_shape[0]
        return (*before, channels + (1 if self.num_classes == 2 else self.num_classes))

    def get_config(self):
        return {**super().get_config(), "num_classes": self.num_classes}
