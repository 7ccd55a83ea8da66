"""The features of a discriminator, and of the same network untrained."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from ganzoo.data.preprocessing import check_positive
from ganzoo.engine import backend
from ganzoo.networks.making import operations_of

__all__ = ["feature_tensors", "features", "twin"]

GRID = 4
LINEAR = keras.activations.linear


def features(model: Any, images: Any, batch_size: int = 256, network: keras.Model | None = None) -> np.ndarray:
    """What every hidden layer of the discriminator says of images, as one vector each.

    Feature maps are reduced to at most 4x4 by the maximum of each cell, flattened and joined. Layers that are told more
    than the image are left out. (Layers that look at the whole batch, as `MinibatchStdDev`, make it depend on
    `batch_size`.)

    Args:
        model: A `ganzoo.GAN`.
        images: uint8, or float in [-1, 1], (n, height, width, channels).
        batch_size: Images at once.
        network: Another network that takes images, as `twin` makes one; by default the discriminator.

    Returns:
        float32 (n, features).

    Raises:
        ValueError: Images of another shape, or a network without hidden layers of the image alone.

    Reference:
        Radford et al. 2015, arXiv:1511.06434, section 5.1.

    Example:
        >>> ganzoo.features.features(model, images[:3]).shape[0]
        3
    """
    check_positive(batch_size=batch_size)
    images = model.data[model.target].check(images, "images", True)
    reader = keras.Model(*feature_tensors(model, network or model.discriminator))
    found = []
    for begin in range(0, len(images), batch_size):
        batch = model.data[model.target].to_device(ops.convert_to_tensor(images[begin : begin + batch_size]))
        with backend.no_gradient():
            made = keras.tree.flatten(reader(batch, training=False))
        maps = [ops.convert_to_numpy(ops.cast(each, "float32")) for each in made]
        check_rows(maps, len(batch))
        found.append(np.concatenate([_gridded(each).reshape(len(batch), -1) for each in maps], axis=1))
    return np.concatenate(found)


def check_rows(maps: list[np.ndarray], count: int) -> None:
    """Refuses features of several images at once."""
    if any(len(each) != count for each in maps):
        raise ValueError("The discriminator judges several images at once (Pack), and has no features of one.")


def twin(network: keras.Model, seed: int = 0) -> keras.Model:
    """The same network with new initial weights: what its architecture alone can see.

    Keras' global seeds are set to `seed`.
    """
    backend.keep_tensorflow_off_gpu()
    keras.utils.set_random_seed(seed)
    return keras.models.clone_model(network)


def feature_tensors(model: Any, network: keras.Model) -> tuple[Any, list]:
    """The network's input of images, and what its hidden layers make of that alone."""
    images = next((x for x in network.inputs if x.name == model.target), network.inputs[0])
    alone, found = {id(images)}, []
    for layer, taken, made in operations_of(network):
        if not taken <= alone:
            continue
        alone |= made
        first = keras.tree.flatten(layer.output)[0]
        if is_nonlinear(layer) and len(first.shape) in (2, 4):
            found.append(first)
    if not found:
        raise ValueError(
            "The network has no hidden layer that takes images alone: its features depend on what else it is told. "
            f"Received: {network.name!r}, of {', '.join(x.name for x in network.inputs)}"
        )
    return images, found


def is_nonlinear(layer: Any) -> bool:
    """Whether a layer is an activation, or ends in one."""
    kinds = (keras.layers.ReLU, keras.layers.LeakyReLU, keras.layers.PReLU, keras.layers.ELU)
    inner = getattr(layer, "layer", layer)
    return isinstance(layer, kinds) or getattr(inner, "activation", None) not in (None, LINEAR)


def _gridded(maps: np.ndarray) -> np.ndarray:
    """The maximum of each cell of a grid of 4x4, where maps are larger."""
    for axis in (1, 2) if maps.ndim == 4 else ():
        size = maps.shape[axis]
        if size > GRID:
            cells = [range(i * size // GRID, -(-(i + 1) * size // GRID)) for i in range(GRID)]
            maps = np.stack([maps.take(cell, axis).max(axis) for cell in cells], axis)
    return maps
