"""The numeric kernels under `ganzoo.layers`, by the fastest right route of the Keras backend in use.

All take and return channels-last tensors of that backend, and every one can be differentiated twice.
"""

from __future__ import annotations

import keras

if keras.backend.backend() == "tensorflow":
    from ganzoo.engine.backend.kernels.composite import settle
    from ganzoo.engine.backend.kernels.tensorflow import (
        batch_norm,
        conv2d,
        conv2d_transpose,
        group_norm,
        layer_norm,
        reflect,
    )
elif keras.backend.backend() == "jax":
    from ganzoo.engine.backend.kernels.composite import settle
    from ganzoo.engine.backend.kernels.jax import batch_norm, conv2d, conv2d_transpose, group_norm, layer_norm, reflect
elif keras.backend.backend() == "torch":
    from ganzoo.engine.backend.kernels.torch import (
        batch_norm,
        conv2d,
        conv2d_transpose,
        group_norm,
        layer_norm,
        reflect,
        settle,
    )
else:
    raise ImportError(
        "ganzoo runs on the Keras backends tensorflow, jax and torch. Set KERAS_BACKEND to one of them. "
        f"Received: KERAS_BACKEND={keras.backend.backend()}"
    )

__all__ = ["batch_norm", "conv2d", "conv2d_transpose", "group_norm", "layer_norm", "reflect", "settle"]
