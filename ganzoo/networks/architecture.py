"""What a network is made of, to be compared with another's."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

__all__ = ["architecture"]


def architecture(network: keras.Model) -> dict[str, dict[str, Any]]:
    """The settings of each layer, without the names, which Keras numbers anew whenever a network is built.

    Args:
        network: Built; how its layers are wired is not looked at.

    Returns:
        {"0 Dense": {"units": 8, ...}, ...}, in the order of the layers: of the public attributes (filters, rate,
        activation, ...) the numbers, strings, functions' names and lists of them, as JSON has them. Not by
        `get_config`, which imports TensorFlow on every backend.

    Example:
        >>> architecture(network)["3 LeakyReLU"]
        {'trainable': True, 'dtype': 'float32', 'negative_slope': 0.2}
    """
    of_any_layer = set(vars(keras.layers.Layer()))  # the name, whether it is built, and the like
    settings: dict[str, dict[str, Any]] = {}
    for layer in network._flatten_layers():
        if not isinstance(layer, keras.Model):  # its layers follow
            values = {name: _plain(value) for name, value in vars(layer).items() if name[0] != "_"}
            settings[f"{len(settings)} {type(layer).__name__}"] = {
                "trainable": layer.trainable,
                "dtype": layer.dtype_policy.name,
                **{name: each for name, each in values.items() if name not in of_any_layer and each is not _NOT_PLAIN},
            }
    return settings


_NOT_PLAIN = object()


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        values = [_plain(each) for each in value]
        return _NOT_PLAIN if any(each is _NOT_PLAIN for each in values) else values
    return getattr(value, "__name__", _NOT_PLAIN)
