"""What a network is made of, to be compared with another's."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

__all__ = ["architecture", "is_described"]


def architecture(network: keras.Model) -> dict[str, dict[str, Any]]:
    """The settings of each layer and their wiring, without the names, which Keras numbers anew for every network.

    Args:
        network: Built. Of a subclass the layers are told, and not what its `call` does with them.

    Returns:
        {"0 Dense": {"units": 8, ...}, ...}, in the order of the layers: of the public attributes (filters, rate,
        activation, ...) the numbers, strings, functions' names and lists of them, as JSON has them. Not by
        `get_config`, which imports TensorFlow on every backend. Then {"call 0 Dense": {"inputs": [...]}, ...}: what
        each operation is called with, the results of others as "operation.output".

    Example:
        >>> architecture(network)["4 LeakyReLU"]
        {'trainable': True, 'dtype': 'float32', 'negative_slope': 0.2}
    """
    # The name, whether it is built, and the like; and the names of outputs.
    of_any = {*vars(keras.Model()), *vars(keras.layers.Layer()), "output_names"}
    settings: dict[str, dict[str, Any]] = {}
    for layer in network._flatten_layers():
        settings[f"{len(settings)} {type(layer).__name__}"] = {
            "trainable": layer.trainable,
            "dtype": layer.dtype_policy.name,
            **_attributes(layer, of_any),
        }
    for model in network._flatten_layers():
        if hasattr(model, "_nodes_by_depth"):
            settings |= _wiring(model, len(settings), of_any)
    return settings


def is_described(network: keras.Model) -> bool:
    """Whether `architecture` and the weights say all that a network computes: where it is no subclass's own code."""
    kind = type(network)
    return kind.__module__.startswith("keras.") and kind.__name__ in ("Functional", "Sequential")


def _wiring(functional: Any, begin: int, of_any: set[str]) -> dict[str, dict[str, Any]]:
    places = {id(operation): i for i, operation in enumerate(functional.operations)}
    calls: dict[str, dict[str, Any]] = {}
    for node in (node for depth in sorted(functional._nodes_by_depth) for node in functional._nodes_by_depth[depth]):
        operation = node.operation
        inputs = [
            f"{places[id(value._keras_history.operation)]}.{value._keras_history.tensor_index}"
            if isinstance(value, keras.KerasTensor)
            else _plain(value)
            for value in keras.tree.flatten((node.arguments.args, node.arguments.kwargs))
        ]
        own = {} if isinstance(operation, keras.Layer) else _attributes(operation, of_any)
        inputs = [value for value in inputs if value is not _NOT_PLAIN]
        calls[f"call {begin + len(calls)} {type(operation).__name__}"] = {"inputs": inputs, **own}
    return calls


def _attributes(operation: Any, of_any: set[str]) -> dict[str, Any]:
    values = {name: _plain(value) for name, value in vars(operation).items() if name[0] != "_" and name not in of_any}
    return {name: value for name, value in values.items() if value is not _NOT_PLAIN}


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
