"""Dropout that can stay on at test time."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="ganzoo")
class SwitchedDropout(keras.layers.Layer):
    """Dropout that acts in training, and in inference too while its switch `kept_on` is on.

    Each value is zero with probability `rate`, else divided by ``1 - rate``. Pix2Pix has no latents: this dropout,
    kept on at test time, is its only noise.

    The switch is a plain bool of the layer, part of its config and of no weights file:

    - With it off, nothing is drawn in inference and no seed moves. A file exported then holds no random operation, and
      computes what the layer computes here.
    - With it on, inference draws from `seed_generator`, which can be set, so that results can be repeated.
    - A function compiled by Keras (`predict`, `evaluate`, a step of `fit`) holds the value of the switch from when it
      was traced. After changing it, compile the model again, which discards them.

    The numbers always come from the layer's own generator, on torch too, where those of a Keras generator without a
    seed do not. They differ between the backends. The coin is tossed in float32 whatever the compute dtype, since
    bfloat16 cannot hold every rate.

    Args:
        rate: float in [0, 1), the probability of a zero.
        kept_on: bool, whether inference drops too. The attribute of that name can be set later.
        seed: int, at least 0. By default drawn by NumPy; the config of the layer has it, so that a copy made from it
            begins with the same numbers.
        **kwargs: those of `keras.layers.Layer`.

    Raises:
        ValueError: a rate outside [0, 1).

    Reference: Srivastava et al. 2014, JMLR 15; Isola et al. 2017, arXiv:1611.07004, sections 3.1 and 3.3.

    Example:

    >>> layer = ganzoo.layers.SwitchedDropout(0.5, name="dropout")
    >>> layer(np.ones((1, 4), "float32"), training=False)  # [[2, 0, 0, 2]], or other ones
    >>> layer.kept_on = False
    >>> layer(np.ones((1, 4), "float32"), training=False)  # [[1, 1, 1, 1]]
    """

    called_directly = True

    def __init__(self, rate: float, kept_on: bool = True, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 <= rate < 1:
            raise ValueError(f"`rate` must lie in [0, 1), which leaves something. Received: rate={rate!r}")
        self.rate, self.kept_on = float(rate), bool(kept_on)
        # Not public: a training resumed from a backup may begin with another seed, for the state is restored.
        self._seed = int(np.random.randint(2**31 - 1) if seed is None else seed)
        self.seed_generator = keras.random.SeedGenerator(self._seed)
        self.supports_masking = True
        self.built = True

    def call(self, inputs, training=None):
        if self.rate == 0 or not (training or self.kept_on):
            return inputs
        coin = keras.random.uniform(ops.shape(inputs), dtype="float32", seed=self.seed_generator)
        return ops.where(coin >= self.rate, inputs / (1.0 - self.rate), ops.zeros_like(inputs))

    def compute_output_shape(self, input_shape):
        return input_shape

    @staticmethod
    def switch(network: keras.Model, kept_on: bool) -> None:
        """Switches every such layer of a network on or off."""
        for layer in network._flatten_layers():
            if isinstance(layer, SwitchedDropout):
                layer.kept_on = bool(kept_on)

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "kept_on": self.kept_on, "seed": self._seed}
