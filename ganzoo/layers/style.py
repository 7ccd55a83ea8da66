"""What StyleGAN2's generator is made of: modulated convolutions, noise, a constant, mixed and truncated styles."""

from __future__ import annotations

import keras
from keras import ops

from ganzoo.data.preprocessing import check_positive
from ganzoo.engine.backend import kernels
from ganzoo.layers.equalized import _odd, doubled, scale_of

__all__ = ["LearnedConstant", "MixedStyles", "ModulatedConv2D", "NoiseInput"]


@keras.saving.register_keras_serializable(package="ganzoo")
class ModulatedConv2D(keras.layers.Layer):
    """A convolution whose kernel is scaled for each image by its styles, and scaled back to unit variance.

    ``w'_ijk = s_i w_ijk``, ``w''_ijk = w'_ijk / sqrt(sum_ik w'_ijk^2 + 1e-8)`` for input channel i, output channel j,
    pixel k of the kernel (eq. 1 and 3). The same kernel serves all images: s scales what goes in, and the root of
    ``sum_i s_i^2 sum_k w_ijk^2`` what comes out, which is equal, and a plain convolution on every backend.

    Called with a list of two: x (batch, height, width, channels) and styles s (batch, channels).

    Args:
        filters, kernel_size: ints; the kernel is square and of odd size.
        double: bool, height and width are doubled: zeros between pixels, the convolution, then the filter (1, 3, 3, 1)
            / 4 along either axis, in one transposed convolution whose kernel is widened by the filter.
        demodulate: bool, whether w' is scaled back.
        **kwargs: those of `keras.layers.Layer`.

    Returns:
        (batch, height, width, filters), with a learned bias.

    Raises:
        ValueError: an even kernel; styles of another number than channels.

    Reference:
        Karras et al. 2019, arXiv:1912.04958, section 2.2, eq. 1 to 3; its learning rate is equalised
        (`EqualizedDense`).

    Example:

    >>> layer = ganzoo.layers.ModulatedConv2D(4, 3, name="conv")
    >>> layer([np.ones((2, 8, 8, 3), "float32"), np.ones((2, 3), "float32")]).shape
    (2, 8, 8, 4)
    """

    called_directly = True

    def __init__(self, filters: int, kernel_size: int = 3, double: bool = False, demodulate: bool = True, **kwargs):
        super().__init__(**kwargs)
        check_positive(filters=filters)
        self.filters, self.kernel_size = int(filters), _odd(kernel_size)
        self.double, self.demodulate = bool(double), bool(demodulate)

    def build(self, input_shape):
        images, styles = input_shape
        if images[-1] != styles[-1]:
            raise ValueError(
                f"There is a style for each channel. Received: {images[-1]} channels and {styles[-1]} styles"
            )
        shape, normal = (self.kernel_size, self.kernel_size, images[-1], self.filters), keras.initializers.RandomNormal
        self.kernel = self.add_weight(shape=shape, initializer=normal(stddev=1.0), name="kernel")
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")
        kernels.settle(self.kernel)
        self.built = True

    def call(self, inputs):
        x, styles = inputs
        dtype = self.compute_dtype
        kernel = ops.cast(self.kernel, "float32") * scale_of(self.kernel.shape)
        x = ops.cast(x, dtype) * ops.cast(styles, dtype)[:, None, None, :]
        if self.double:
            y = doubled(x, kernel, dtype)
        else:
            y = kernels.conv2d(x, ops.cast(kernel, dtype), None, (1, 1), "same")
        if self.demodulate:
            squares = ops.matmul(ops.square(ops.cast(styles, "float32")), ops.sum(ops.square(kernel), axis=(0, 1)))
            y = y * ops.cast(ops.rsqrt(squares + 1e-8), dtype)[:, None, None, :]
        return y + ops.cast(self.bias, dtype)

    def compute_output_shape(self, input_shape):
        (batch, height, width, _), _ = input_shape
        factor = 2 if self.double else 1
        return (batch, height and height * factor, width and width * factor, self.filters)

    def get_config(self):
        own = {"filters": self.filters, "kernel_size": self.kernel_size, "double": self.double}
        return {**super().get_config(), **own, "demodulate": self.demodulate}


@keras.saving.register_keras_serializable(package="ganzoo")
class NoiseInput(keras.layers.Layer):
    """``x + strength * noise``, one number from N(0, 1) for each pixel, the same for all channels.

    In training it is drawn anew; in inference it is a weight that stays, so that equal latents give equal images.

    Args:
        seed: int.
        **kwargs: those of `keras.layers.Layer`.

    Reference:
        Karras et al. 2018, arXiv:1812.04948, section 3.2; one strength for all channels: Karras et al. 2019,
        arXiv:1912.04958, section 2.1.

    Example:

    >>> ganzoo.layers.NoiseInput(name="noise")(np.ones((2, 8, 8, 3), "float32")).shape
    (2, 8, 8, 3)
    """

    def __init__(self, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape):
        _, height, width, _ = input_shape
        normal = keras.initializers.RandomNormal(stddev=1.0)
        self.strength = self.add_weight(shape=(), initializer="zeros", name="strength")
        self.noise = self.add_weight(shape=(1, height, width, 1), initializer=normal, trainable=False, name="noise")
        self.built = True

    def call(self, inputs, training=None):
        noise = ops.convert_to_tensor(self.noise)
        if training:
            noise = keras.random.normal((ops.shape(inputs)[0], *noise.shape[1:]), seed=self.seed_generator)
        return inputs + ops.cast(noise, inputs.dtype) * ops.cast(self.strength, inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


@keras.saving.register_keras_serializable(package="ganzoo")
class LearnedConstant(keras.layers.Layer):
    """The same learned features (height, width, channels) for every example of what it is called with.

    Args:
        shape: (height, width, channels).
        **kwargs: those of `keras.layers.Layer`.

    Reference:
        Karras et al. 2018, arXiv:1812.04948, section 2 and table 1 (D).

    Example:

    >>> ganzoo.layers.LearnedConstant((4, 4, 8))(np.zeros((2, 5), "float32")).shape
    (2, 4, 4, 8)
    """

    def __init__(self, shape: tuple[int, ...], **kwargs):
        super().__init__(**kwargs)
        self.shape = tuple(shape)

    def build(self, input_shape):
        normal = keras.initializers.RandomNormal(stddev=1.0)
        self.constant = self.add_weight(shape=self.shape, initializer=normal, name="constant")
        self.built = True

    def call(self, inputs):
        constant = ops.cast(self.constant, self.compute_dtype)
        return ops.broadcast_to(constant[None], (ops.shape(inputs)[0], *self.shape))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *self.shape)

    def get_config(self):
        return {**super().get_config(), "shape": self.shape}


@keras.saving.register_keras_serializable(package="ganzoo")
class MixedStyles(keras.layers.Layer):
    """A style for each layer, ``a + psi (w - a)``: w is the first of two styles before some layer, then the second.

    a is the running mean of the first over the batches of training (momentum .995).

    Called with a list of four: two styles (batch, n); the layer, from 0, at which the second begins (batch,); psi, the
    truncation (batch,), 1 for none. In float32.

    Args:
        num_layers: int.
        **kwargs: those of `keras.layers.Layer`.

    Returns:
        (batch, num_layers, n).

    Reference:
        Karras et al. 2018, arXiv:1812.04948, section 3.1 (mixing), appendix B (truncation).

    Example:

    >>> a, b, one = np.zeros((1, 2)), np.ones((1, 2)), np.ones(1)
    >>> ganzoo.layers.MixedStyles(3)([a, b, 2 * one, one])[0, :, 0].tolist()
    [0.0, 0.0, 1.0]
    """

    def __init__(self, num_layers: int, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        check_positive(num_layers=num_layers)
        self.num_layers = int(num_layers)

    def build(self, input_shape):
        shape = input_shape[0][-1:]
        self.mean = self.add_weight(shape=shape, initializer="zeros", trainable=False, aggregation="mean", name="mean")
        self.built = True

    def call(self, inputs, training=None):
        first, second, crossover, truncation = inputs
        mean = ops.convert_to_tensor(self.mean)
        if training:
            mean = mean + 0.005 * (ops.stop_gradient(ops.mean(first, axis=0)) - mean)
            self.mean.assign(mean)
        before = ops.arange(self.num_layers, dtype="float32")[None, :] < crossover[:, None]
        mixed = ops.where(before[:, :, None], first[:, None, :], second[:, None, :])
        return mean + truncation[:, None, None] * (mixed - mean)

    def compute_output_shape(self, input_shape):
        batch, length = input_shape[0]
        return (batch, self.num_layers, length)

    def get_config(self):
        return {**super().get_config(), "num_layers": self.num_layers}
