"""Networks in a training step on PyTorch: their layers' own `call`, without what Keras asks of each layer each time.

`keras.Layer.__call__` binds arguments, looks for masks and walks through nested structures before a layer computes.
The other backends do so once, when a step is traced; on PyTorch it took as long as a tenth of a step. What is computed
stays the same. A layer that is not known here is called as ever, and so is all of a network where Keras keeps its
nodes in another way than it does today.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator

import keras
import torch
from keras import layers

__all__ = ["direct_calls"]

KNOWN = {
    layers.Activation,
    layers.Concatenate,
    layers.Dense,
    layers.Embedding,
    layers.Flatten,
    layers.LeakyReLU,
    layers.ReLU,
    layers.Reshape,
    layers.ZeroPadding2D,
}


@contextlib.contextmanager
def direct_calls(networks: Iterable[keras.Model]) -> Iterator[None]:
    """Within it, calling one of the networks calls its layers directly where that is known to be the same.

    Args:
        networks: of them the functional ones are meant.
    """
    try:
        chosen = [(network, _steps(network)) for network in networks if _is_plain(network)]
    except AttributeError:  # of Keras' private ones, which it may rename
        chosen = []
    try:
        for network, steps in chosen:
            vars(network)["call"] = functools.partial(_call, network, steps)
        yield
    finally:
        for network, _ in chosen:
            vars(network).pop("call", None)


def _is_plain(network) -> bool:
    """Whether nothing but the layers decides on what is computed: no masks, no hooks, no subclass's own code."""
    if type(network).__name__ != "Functional" or not type(network).__module__.startswith("keras."):
        return False
    return "call" not in vars(network) and not any(map(_makes_masks, network.layers)) and not _hooks_everywhere()


def _makes_masks(layer) -> bool:
    if type(layer) in KNOWN:
        return getattr(layer, "mask_zero", False)
    return type(layer).compute_mask is not keras.Layer.compute_mask


def _hooks_everywhere() -> bool:
    return torch.nn.modules.module._has_any_global_hook()


def _steps(network) -> list[tuple]:
    """(node, function of its arguments) for all nodes in the order of their computation."""
    depths = network._nodes_by_depth
    nodes = (node for depth in sorted(depths, reverse=True) for node in depths[depth] if not node.is_input)
    return [(node, _direct(node, network.dtype_policy)) for node in nodes]


def _direct(node, policy) -> Callable | None:
    """The layer's `call` with all that `keras.Layer.__call__` would do for it, or None where that is more."""
    layer, given = node.operation, node.arguments
    known = type(layer) in KNOWN or "called_directly" in vars(type(layer))
    more = len(given.args) != 1 or any(value is not None for value in given.kwargs.values())  # no mask is None
    if not known or more or not layer.autocast or layer._remat_mode:
        return None
    if layer.quantization_mode is not None or layer.activity_regularizer is not None or _has_hooks(layer):
        return None
    if layer.variables and layer.dtype_policy != policy:  # the network's decides how variables are read
        return None
    dtype, has_training = getattr(torch, layer.input_dtype), layer._call_has_training_arg

    def cast(x):
        return x.to(dtype) if x.dtype is not dtype and x.is_floating_point() and layer._convert_input_args else x

    def call(x, training):
        x = [cast(each) for each in x] if isinstance(x, list) else cast(x)
        return layer.call(x, training=training) if has_training else layer.call(x)

    return call


def _has_hooks(layer) -> bool:
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return any(vars(layer).get(kind) for kind in kinds)


def _call(network, steps, inputs, training=None, mask=None):
    """What the network's own `call` computes."""
    given = network._standardize_inputs(inputs)
    if mask is not None or any(x is None for x in given):
        return type(network).call(network, inputs, training=training, mask=mask)
    values = {id(own): x for own, x in zip(network.inputs, given)}
    for node, direct in steps:
        if direct is None:
            args, kwargs = node.arguments.fill_in(values)
            if "training" in getattr(node.operation, "_call_context_args", ()) and training is not None:
                kwargs["training"] = training
            results = keras.tree.flatten(node.operation(*args, **kwargs))
        else:
            taken = node.arguments.args[0]
            x = [values[id(each)] for each in taken] if isinstance(taken, list) else values[id(taken)]
            results = [direct(x, training)]
        values.update((id(own), result) for own, result in zip(node.outputs, results))
    outputs = [values[id(own)] for own in network.outputs]
    return outputs[0] if len(outputs) == 1 else keras.tree.pack_sequence_as(network._outputs_struct, outputs)
