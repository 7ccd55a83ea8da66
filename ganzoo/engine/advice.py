"""What can be seen of networks before training, and would spoil it in silence: told in one line, with the fix."""

from __future__ import annotations

import warnings

import keras
from keras import layers

from ganzoo.engine.parts import Images

__all__ = ["advise", "last_activation"]

BOUNDED = ("sigmoid", "hard_sigmoid", "softmax", "log_softmax", "tanh", "hard_tanh", "softsign")
NEVER_NEGATIVE = ("sigmoid", "hard_sigmoid", "softmax", "relu", "relu6", "softplus", "exponential")
SHAPING = (  # what leaves the range of numbers as it is
    *(layers.Reshape, layers.Flatten, layers.Permute, layers.Cropping2D, layers.Identity, layers.Dropout),
    *(layers.GlobalAveragePooling2D, layers.AveragePooling2D),
)
MANY = 150_000_000  # weights of one network: with gradients, moments and average five times 600 MB


def advise(model) -> None:
    """Looks at a model's networks.

    Raises:
        ValueError: a variant of ganzoo whose discriminator's scores are bounded, or whose generator's images are never
            negative. Of models of one's own it warns, or says nothing, since their losses may take such networks.

    Warns:
        UserWarning: layers that a penalty cannot be taken through; very many weights.
    """
    _check_outputs(model)
    _warn_of_penalised(model)
    _warn_of_size(model)


def _check_outputs(model) -> None:
    ours = type(model).__module__.startswith("ganzoo.")
    score = last_activation(model.discriminator)
    losses = [getattr(type(model), name).__module__ for name in ("generator_loss", "discriminator_loss")]
    if score in BOUNDED and all(module.startswith("ganzoo.models") for module in losses):
        raise ValueError(
            f"The discriminator ends in {score!r}, and the loss of {type(model).__name__} takes scores without bounds "
            "(logits): leave the activation of the last layer out. "
            f"Received: discriminator={model.discriminator.name!r}"
        )
    for generator in model.generators():
        drawn = last_activation(generator)
        if drawn in NEVER_NEGATIVE and isinstance(model.data.get(model.target), Images):
            message = (
                f"The generator {generator.name!r} ends in {drawn!r}, which is never negative, and images lie in "
                "[-1, 1]: end it in tanh, and give fit uint8 images, or floats in [-1, 1]."
            )
            if ours:
                raise ValueError(message)
            warnings.warn(message, stacklevel=5)


def last_activation(network: keras.Model) -> str | None:
    """The name of the activation that a network ends in, if that can be seen: "linear", "tanh", ...; else None.

    Example:
        >>> last_activation(keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, activation="sigmoid")]))
        'sigmoid'
    """
    outputs = getattr(network, "outputs", None)
    if not outputs or len(outputs) != 1 or not hasattr(outputs[0], "_keras_history"):
        return None
    layer, index, _ = outputs[0]._keras_history
    while isinstance(layer, SHAPING):
        (given, *_) = keras.tree.flatten(layer._inbound_nodes[index].input_tensors)
        layer, index, _ = given._keras_history
    if isinstance(layer, keras.Model):
        return last_activation(layer)
    if isinstance(layer, layers.Wrapper):
        layer = layer.layer
    if hasattr(layer, "activation"):
        return getattr(layer.activation, "__name__", None)
    is_activation = isinstance(layer, (layers.Softmax, layers.ReLU)) or type(layer).__module__.endswith("ops.nn")
    return type(layer).__name__.lower() if is_activation else None


def _warn_of_penalised(model) -> None:
    on_tensorflow = keras.config.backend() == "tensorflow"
    for player in model.penalised:
        for network in model.players()[player]:
            for layer in network._flatten_layers(include_self=False):
                if (fault := _fault(layer, on_tensorflow)) is not None:
                    warnings.warn(f"Layer {layer.name!r} of the {network.name}: {fault}", stacklevel=5)
                    break


def _fault(layer, on_tensorflow: bool) -> str | None:
    if isinstance(layer, layers.BatchNormalization):
        return (
            "BatchNormalization ties the gradient of one image to the others of its batch, and the penalty is on each "
            "alone: take ganzoo.layers.LayerNormalization."
        )
    normalises = isinstance(layer, (layers.LayerNormalization, layers.GroupNormalization))
    if on_tensorflow and normalises and not type(layer).__module__.startswith("ganzoo."):
        kind = type(layer).__name__
        return f"the second derivative of Keras' {kind} is wrong on TensorFlow: take ganzoo.layers.{kind}."
    if on_tensorflow and isinstance(layer, layers.UpSampling2D) and layer.interpolation != "nearest":
        return "bilinear UpSampling2D has no second derivative on TensorFlow: take interpolation='nearest'."
    return None


def _warn_of_size(model) -> None:
    for network in model.networks.values():
        if network.built and (count := network.count_params()) > MANY:
            warnings.warn(
                f"The {network.name} has {count / 1e6:.0f} million weights, {count * 20 / 1e9:.0f} GB in training: "
                "take a smaller `width`, or smaller images.",
                stacklevel=5,
            )
