"""Spectral normalisation of a layer's kernel."""

from __future__ import annotations

import keras
from keras import ops

from ganzoo.engine.backend import kernels

EPSILON = 1e-12


@keras.saving.register_keras_serializable(package="ganzoo")
class SpectralNormalization(keras.layers.Wrapper):
    """Divides the kernel of a layer by its largest singular value, in training and in inference: W / sigma(W).

    The matrix W has the kernel's output axis as its columns. Every call with `training=True` makes `power_iterations`
    steps from the kept vector `u` and stores the new one; a call in inference makes them from `u` and stores nothing:

        v <- W u / |W u|,   u <- W^T v / |W^T v|,   sigma = v^T W u

    No gradient runs through u and v, but it does through W in sigma (eq. 9 of the paper). The layer's kernel variable
    itself stays as the optimizer left it; `u` is the only state.

    Args:
        layer: `ganzoo.layers.Conv2D`, `ganzoo.layers.Conv2DTranspose`, `keras.layers.Dense`, or any layer with a
            `kernel` and a method `call_with_kernel(inputs, kernel)`. It keeps its own dtype policy.
        power_iterations: int, at least 1.
        **kwargs: those of `keras.layers.Layer`. `name` defaults to the layer's name and `_sn`.

    Reference: Miyato et al. 2018, arXiv:1802.05957, Algorithm 1.

    Differs from the paper: the networks of the paper update `u` once per update of the discriminator; here once per
    call with `training=True`, so that real and fake images make two steps. A kernel of zeros is left as it is.

    Example:

    >>> conv = ganzoo.layers.Conv2D(64, 4, strides=2, padding="same", name="conv")
    >>> layer = ganzoo.layers.SpectralNormalization(conv)
    >>> layer(np.zeros((1, 28, 28, 1), "float32"), training=True).shape
    (1, 14, 14, 64)
    """

    def __init__(self, layer, power_iterations: int = 1, **kwargs):
        if not hasattr(layer, "call_with_kernel") and not isinstance(layer, keras.layers.Dense):
            raise ValueError(
                "SpectralNormalization needs a layer that can compute with another kernel than its own: "
                "ganzoo.layers.Conv2D, ganzoo.layers.Conv2DTranspose or keras.layers.Dense, or one with a method "
                f"`call_with_kernel(inputs, kernel)`. Received: layer={layer}"
            )
        if power_iterations < 1:
            raise ValueError(f"`power_iterations` must be at least 1. Received: power_iterations={power_iterations}")
        kwargs["name"] = kwargs.get("name") or f"{layer.name}_sn"
        # A float32 policy without casting: sigma is computed of the float32 kernel, while the inputs, and what is
        # computed of them, stay in the dtype of the wrapped layer.
        super().__init__(layer, **{**kwargs, "dtype": "float32", "autocast": False})
        self.power_iterations = power_iterations

    def build(self, input_shape):
        super().build(input_shape)
        kernels.settle(self.layer.kernel, turned=False)  # read as a matrix here, in the same order on every backend
        self.u = self.add_weight(
            name="u",
            shape=(self._matrix(self.layer.kernel).shape[1],),
            initializer=keras.initializers.RandomNormal(stddev=1.0),
            trainable=False,
            autocast=False,
        )

    def call(self, inputs, training=None):
        kernel, u = self.normalized_kernel()
        if training:
            self.u.assign(u)
        if hasattr(self.layer, "call_with_kernel"):
            return self.layer.call_with_kernel(inputs, kernel)
        return _dense(self.layer, inputs, kernel)

    def normalized_kernel(self):
        """Returns W / sigma(W) and the next `u`. Updates nothing."""
        kernel = ops.convert_to_tensor(self.layer.kernel)
        matrix = self._matrix(kernel)
        constant, u = ops.stop_gradient(matrix), ops.convert_to_tensor(self.u)
        for _ in range(self.power_iterations):
            v = _unit(ops.matmul(constant, u), 0.0)
            u = _unit(ops.matmul(v, constant), u)
        sigma = ops.sum(ops.matmul(v, matrix) * u)
        return kernel / ops.where(sigma > EPSILON, sigma, 1.0), u

    def _matrix(self, kernel):
        if isinstance(self.layer, keras.layers.Conv2DTranspose):  # (height, width, OUT, in)
            kernel = ops.swapaxes(kernel, -1, -2)
        return ops.reshape(kernel, (-1, kernel.shape[-1]))

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape)

    def compute_output_spec(self, inputs, training=None):
        return self.layer.compute_output_spec(inputs)

    def get_config(self):
        return {**super().get_config(), "power_iterations": self.power_iterations}


def _unit(vector, otherwise):
    norm = ops.sqrt(ops.sum(ops.square(vector)))
    return ops.where(norm > EPSILON, vector / ops.maximum(norm, EPSILON), otherwise)


def _dense(layer, inputs, kernel):
    dtype = layer.compute_dtype
    outputs = ops.matmul(ops.cast(inputs, dtype), ops.cast(kernel, dtype))
    outputs = outputs + ops.cast(layer.bias, dtype) if layer.use_bias else outputs
    return outputs if layer.activation is None else layer.activation(outputs)
