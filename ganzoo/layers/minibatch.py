"""What tells a discriminator of the other images in its batch, so that it sees when all are alike."""

from __future__ import annotations

import keras
from keras import ops

from ganzoo.data.preprocessing import check_positive

__all__ = ["MinibatchDiscrimination", "MinibatchStdDev", "Pack"]


@keras.saving.register_keras_serializable(package="ganzoo")
class MinibatchStdDev(keras.layers.Layer):
    """One more feature map: the mean over features and positions of their standard deviation within a group of images.

    The batch is cut into groups as StyleGAN2's is, image i with i + n / group, i + 2 n / group and so on. Of a batch
    that the group does not divide, the first images fill the places that are missing; a batch smaller than the group
    is one group.

    Called with feature maps (batch, height, width, channels).

    Args:
        group: int, images in a group.
        **kwargs: those of `keras.layers.Layer`.

    Returns:
        (batch, height, width, channels + 1).

    Reference:
        Karras et al. 2017, arXiv:1710.10196, section 3 and appendix A; groups of 4.

    Differs from the paper:
        1e-8 is added to the variance, whose root has no derivative at 0.

    Example:

    >>> ganzoo.layers.MinibatchStdDev()(np.ones((6, 2, 2, 3), "float32")).shape
    (6, 2, 2, 4)
    """

    def __init__(self, group: int = 4, **kwargs):
        super().__init__(**kwargs)
        check_positive(group=group)
        self.group = int(group)

    def call(self, inputs):
        n = ops.shape(inputs)[0]
        x = ops.cast(inputs, "float32")
        if isinstance(n, int):  # known while the network is traced
            group = max(min(self.group, n), 1)
            apart = -(-n // group)
            rows = ops.arange(group * apart) % max(n, 1)
        else:
            group = ops.minimum(self.group, n)
            apart = (n + group - 1) // group
            rows = ops.arange(group * apart) % n
        grouped = ops.reshape(ops.take(x, rows, axis=0), (group, apart, *x.shape[1:]))
        spread = ops.sqrt(ops.mean(ops.square(grouped - ops.mean(grouped, axis=0, keepdims=True)), axis=0) + 1e-8)
        told = ops.mean(spread, axis=(1, 2, 3))  # one number for each group
        own = ops.take(ops.tile(told, (group,)), ops.arange(n), axis=0)
        plane = ops.ones_like(x[..., :1]) * ops.reshape(own, (-1, 1, 1, 1))
        return ops.concatenate([inputs, ops.cast(plane, inputs.dtype)], axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:3], input_shape[3] + 1)

    def get_config(self):
        return {**super().get_config(), "group": self.group}


@keras.saving.register_keras_serializable(package="ganzoo")
class MinibatchDiscrimination(keras.layers.Layer):
    """Further features: how close an image's features are to those of all others in the batch, by learned measures.

    ``M_i = f(x_i) T`` of shape (kernels, dimensions), ``o(x_i)_b = sum_j exp(-|M_ib - M_jb|_1)``, joined to f.

    Called with features (batch, n).

    Args:
        kernels: int, B: how many measures.
        dimensions: int, C: of the space in which distance is taken.
        **kwargs: those of `keras.layers.Layer`.

    Returns:
        (batch, n + kernels).

    Reference:
        Salimans et al. 2016, arXiv:1606.03498, section 3.2.

    Differs from the paper:
        an image's distance to itself, the constant 1, is left out of the sum, as in the authors' code.

    Example:

    >>> ganzoo.layers.MinibatchDiscrimination(5, 3)(np.ones((4, 8), "float32")).shape
    (4, 13)
    """

    def __init__(self, kernels: int = 50, dimensions: int = 5, **kwargs):
        super().__init__(**kwargs)
        check_positive(kernels=kernels, dimensions=dimensions)
        self.kernels, self.dimensions = int(kernels), int(dimensions)

    def build(self, input_shape):
        shape = (input_shape[-1], self.kernels * self.dimensions)
        self.kernel = self.add_weight(shape=shape, initializer="glorot_uniform", name="kernel")
        self.built = True

    def call(self, inputs):
        m = ops.matmul(inputs, ops.cast(self.kernel, inputs.dtype))
        m = ops.cast(ops.reshape(m, (-1, self.kernels, self.dimensions)), "float32")
        distance = ops.sum(ops.abs(m[:, None] - m[None]), axis=-1)  # (batch, batch, kernels)
        closeness = ops.sum(ops.exp(-distance), axis=1) - 1.0
        return ops.concatenate([inputs, ops.cast(closeness, inputs.dtype)], axis=-1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[1] + self.kernels)

    def get_config(self):
        return {**super().get_config(), "kernels": self.kernels, "dimensions": self.dimensions}


@keras.saving.register_keras_serializable(package="ganzoo")
class Pack(keras.layers.Layer):
    """Images joined along their channels, `number` to one: PacGAN's discriminator judges several at once.

    (batch, height, width, channels) to (batch / number, height, width, number * channels): the first layer of a
    discriminator, whose losses are means over its scores. Images that fill no whole pack are joined with the first.

    Args:
        number: int, images in a pack.
        **kwargs: those of `keras.layers.Layer`.

    Reference:
        Lin et al. 2017, arXiv:1712.04086, section 3.

    Example:

    >>> ganzoo.layers.Pack(2)(np.ones((6, 4, 4, 3), "float32")).shape
    (3, 4, 4, 6)
    """

    def __init__(self, number: int = 2, **kwargs):
        super().__init__(**kwargs)
        check_positive(number=number)
        self.number = int(number)

    def call(self, inputs):
        n = ops.shape(inputs)[0]
        packs = (n + self.number - 1) // self.number
        rows = ops.arange(packs * self.number) % n
        x = ops.reshape(ops.take(inputs, rows, axis=0), (-1, self.number, *inputs.shape[1:]))
        x = ops.transpose(x, (0, 2, 3, 1, 4))
        return ops.reshape(x, (-1, *inputs.shape[1:3], self.number * inputs.shape[3]))

    def compute_output_shape(self, input_shape):
        return (None, *input_shape[1:3], self.number * input_shape[3])

    def get_config(self):
        return {**super().get_config(), "number": self.number}
