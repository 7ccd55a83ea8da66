"""Networks as a model takes them: built, copied, in the model's precision, with random states that can be resumed."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import keras
import numpy as np
from keras import ops

from ganzoo.engine import backend

__all__ = [
    "Network",
    "build",
    "copy_of",
    "fix_seeds",
    "kernel_of",
    "operations_of",
    "policy",
    "refuse_activity_regularizers",
    "seed_states",
    "standing_statistics",
    "take_numpy_numbers",
]

Network: TypeAlias = keras.Model | Callable[[], keras.Model]


def build(network: Network, role: str) -> keras.Model:
    """A network, given as itself or by a function that returns one; its outputs are float32.

    Raises:
        ValueError: it is none, or does not know its shapes.
    """
    if not isinstance(network, keras.Model) and callable(network):
        network = network()
    if not isinstance(network, keras.Model):
        raise ValueError(f"`{role}` must be a keras.Model or a function that returns one. Received: {network!r}")
    try:
        network.input_shape, network.output_shape  # noqa: B018 (both raise where the shapes are not known yet)
    except (AttributeError, ValueError) as error:
        raise ValueError(
            f"The {role} must know its input and output shape: make it a functional or Sequential model that begins "
            f"with keras.Input. Received: {network!r}"
        ) from error
    fix_seeds(network)
    return _in_float32(network)


def copy_of(network: keras.Model, given: Network) -> keras.Model:
    """A second network of the same architecture and weights, not trained."""
    if isinstance(given, keras.Model):
        backend.keep_tensorflow_off_gpu()
        copy = keras.models.clone_model(network)
        fix_seeds(copy)
    else:
        copy = build(given, "generator")
    copy.name = f"{network.name}_ema"
    copy.trainable = False
    copy.set_weights(network.get_weights())
    return copy


@contextlib.contextmanager
def policy(chosen):
    """Layers made inside compute in this dtype policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(chosen)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def standing_statistics(network: keras.Model, num_classes: int, latents: Callable, num: int, batch_size: int) -> None:
    """Replaces a generator's BatchNorm statistics by their mean over batches that it draws, all classes in turn.

    Args:
        network: a generator of latents and labels.
        num_classes: int.
        latents: function of a number and the batch's index.
        num, batch_size: images in all and of a batch.
    """
    layers = [layer for layer in network._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    kept = [(layer.momentum, layer.trainable) for layer in layers]
    statistics = {id(v) for layer in layers for v in (layer.moving_mean, layer.moving_variance)}
    others = [(v, ops.convert_to_numpy(v)) for v in network.variables if id(v) not in statistics]  # u of kernels, seeds
    try:
        for index in range(max(1, num // batch_size)):
            for layer in layers:
                layer.momentum, layer.trainable = index / (index + 1), True
            labels = ops.convert_to_tensor(np.arange(batch_size, dtype="int32") % num_classes)
            with backend.no_gradient():
                drawn = ops.convert_to_tensor(latents(batch_size, index))
                network({"latents": drawn, "labels": labels}, training=True)
    finally:
        for layer, (momentum, trainable) in zip(layers, kept):
            layer.momentum, layer.trainable = momentum, trainable
        for variable, value in others:
            variable.assign(value)


def seed_states(network: keras.Model) -> list:
    """The states of the network's random generators, which are no weights."""
    weights = {id(v) for v in network.weights}
    return [v for v in network.variables if id(v) not in weights]


def refuse_activity_regularizers(network: keras.Model, name: str) -> None:
    """Raises a ValueError for a layer with an activity regularizer, which would be dropped without a word."""
    for layer in network._flatten_layers():
        if getattr(layer, "activity_regularizer", None) is not None:
            raise ValueError(
                "An activity regularizer has no place in the losses of two players: add the term to the loss that it "
                f"belongs to. Received: the layer {layer.name!r} of {name} with an activity_regularizer"
            )


def fix_seeds(network: keras.Model) -> None:
    """Makes layers without a seed draw from their own generator on torch too, so that their masks can be resumed."""
    for layer in network._flatten_layers():
        generator = getattr(layer, "seed_generator", None)
        if generator is not None and getattr(generator, "_initial_seed", 0) is None:
            generator._initial_seed = int(ops.convert_to_numpy(generator.state)[0])


def take_numpy_numbers(cls: type) -> None:
    """Lets a constructor be given NumPy's numbers, which Keras' layers and JSON refuse, for Python's."""
    construct = vars(cls).get("__init__")
    if construct is None:
        return

    @functools.wraps(construct)
    def __init__(self, *args, **kwargs):
        construct(self, *map(_plain, args), **{name: _plain(value) for name, value in kwargs.items()})

    __init__.__signature__ = inspect.signature(construct)  # type: ignore[attr-defined]  # which Keras asks for
    cls.__init__ = __init__  # type: ignore[misc]


def _plain(value):
    if isinstance(value, (np.integer, np.floating, np.bool_)):
        return value.item()
    return type(value)(map(_plain, value)) if type(value) in (tuple, list) else value


def _in_float32(network: keras.Model) -> keras.Model:
    """The network with outputs in float32, whatever it computes in: losses and images are in float32."""
    if all(keras.backend.standardize_dtype(output.dtype) == "float32" for output in network.outputs):
        return network
    cast = [keras.layers.Activation("linear", dtype="float32")(output) for output in network.outputs]
    return keras.Model(network.inputs, cast if len(cast) > 1 else cast[0], name=network.name)


def kernel_of(layer: Any) -> Any:
    """A layer's kernel, also of one that is spectrally normalised; None of layers without."""
    return getattr(getattr(layer, "layer", layer), "kernel", None)


def operations_of(network: keras.Model) -> Iterator[tuple[Any, set[int], set[int]]]:
    """The operations of a network in order, each with the identities of the tensors that it takes and makes."""
    for operation in getattr(network, "operations", None) or network.layers:
        if not isinstance(operation, keras.layers.InputLayer):
            taken, made = keras.tree.flatten(operation.input), keras.tree.flatten(operation.output)
            yield operation, set(map(id, taken)), set(map(id, made))
