"""What a network is made of, to be compared with another's."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import keras

__all__ = ["architecture"]


def architecture(network: keras.Model) -> dict[str, dict[str, Any]]:
    """The settings of each layer, without the names, which Keras numbers anew whenever a network is built.

    Args:
        network: Built; how its layers are wired is not looked at.

    Returns:
        {"0 Dense": {"units": 8, ...}, ...}, in the order of the layers; plain values, the same when read from JSON.
        A layer of one's own that does not tell its settings has none.

    Example:
        >>> architecture(network)["3 LeakyReLU"]["negative_slope"]
        0.2
    """
    settings: dict[str, dict[str, Any]] = {}
    for layer in network._flatten_layers():
        if isinstance(layer, keras.Model):  # its layers follow
            continue
        key, config = f"{len(settings)} {type(layer).__name__}", {}
        with contextlib.suppress(NotImplementedError):
            config = _without_names(layer.get_config())
        settings[key] = json.loads(json.dumps(config, default=lambda value: type(value).__name__, sort_keys=True))
    return settings


def _without_names(config: Any) -> Any:
    if isinstance(config, dict):
        return {str(key): _without_names(value) for key, value in config.items() if key != "name"}
    return [_without_names(value) for value in config] if isinstance(config, (list, tuple)) else config
