"""A discriminator's filters, and what in images excites its features."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from ganzoo.engine import backend
from ganzoo.features.reading import check_rows, feature_tensors, is_nonlinear
from ganzoo.networks.making import kernel_of

__all__ = ["Excitations", "excitations", "filters"]


def filters(model: Any) -> np.ndarray:
    """The kernels of the discriminator's first convolution, grey where they are zero, each at its own full contrast.

    Args:
        model: A `ganzoo.GAN` of images.

    Returns:
        uint8 (filters, height, width, channels); of images of neither one nor three channels (filters * channels,
        height, width, 1).

    Raises:
        ValueError: A discriminator that does not begin with a convolution.

    Example:
        >>> ganzoo.plot.save_png("filters.png", ganzoo.features.filters(model), scale=8)
    """
    for layer in model.discriminator.layers:
        kernel = kernel_of(layer)
        if kernel is None:
            continue
        if len(kernel.shape) != 4:
            break
        values = np.moveaxis(ops.convert_to_numpy(kernel).astype("float32"), -1, 0)
        if values.shape[-1] not in (1, 3):
            values = np.moveaxis(values, -1, 1).reshape(-1, *values.shape[1:3], 1)
        return _signed(values)
    raise ValueError(f"The discriminator does not begin with a convolution. Received: {model.discriminator.name!r}")


class Excitations(NamedTuple):
    """For each feature the images that excite it most, and what in them does: uint8 (features, k, h, w, c) both."""

    images: np.ndarray
    causes: np.ndarray
    features: np.ndarray  # int (features,): which of the layer's features


def excitations(model: Any, images: Any, num_features: int = 6, num_images: int = 6) -> Excitations:
    """What the last hidden feature maps of the discriminator respond to, by guided back-propagation.

    Of the features that respond most strongly to any of the images, those images that excite each most are taken, and
    the response at its strongest place is differentiated by the pixels. On the way back through an activation only
    what is positive, and was positive on the way forth, passes.

    Args:
        model: A `ganzoo.GAN` of images.
        images: uint8, or float in [-1, 1], (n, height, width, channels): where to look for them.
        num_features, num_images: How many, at most.

    Returns:
        `Excitations`; of the causes grey is zero, each at its own full contrast.

    Raises:
        ValueError: Images of another shape, a discriminator without feature maps.

    Reference:
        Radford et al. 2015, arXiv:1511.06434, section 5.2 and figure 5; Springenberg et al. 2014, arXiv:1412.6806.

    Example:
        >>> found = ganzoo.features.excitations(model, images[:200])
        >>> found.images.shape == found.causes.shape
        True
    """
    images = model.data[model.target].check(images, "images", True)
    source, tensors = feature_tensors(model, model.discriminator)
    maps = [tensor for tensor in tensors if len(tensor.shape) == 4]
    if not maps:
        raise ValueError(f"The discriminator has no feature maps. Received: {model.discriminator.name!r}")
    reader = keras.Model(source, maps[-1])
    strongest = np.concatenate([_strongest(reader, batch) for batch in _batches(model, images)])
    check_rows([strongest], len(images))
    chosen = np.argsort(-strongest.max(axis=0), kind="stable")[:num_features]
    best = np.argsort(-strongest[:, chosen], axis=0, kind="stable")[:num_images]
    causes = []
    with guided(reader):
        for feature, rows in zip(chosen, best.T):
            batch = model.data[model.target].to_device(ops.convert_to_tensor(images[rows]))

            def response(x, feature=int(feature)):
                return ops.max(ops.cast(reader(x, training=False), "float32")[..., feature], axis=(1, 2))

            causes.append(_signed(ops.convert_to_numpy(backend.input_gradient(response, batch))))
    shown = images if images.dtype == np.uint8 else np.clip(images * 127.5 + 127.5, 0, 255).round().astype("uint8")
    return Excitations(shown[best.T], np.stack(causes), chosen)


@contextlib.contextmanager
def guided(network: keras.Model) -> Iterator[None]:
    """Inside, activations let back only what is positive and was positive on the way forth."""
    changed = [layer for layer in network.layers if is_nonlinear(layer)]
    for layer in changed:
        layer.call = _guided(layer.call)
    try:
        yield
    finally:
        for layer in changed:
            del layer.call


def _guided(call):
    """A layer that is called as before, and differentiated in its input by the rule of guided back-propagation."""

    def guided_call(x, *arguments, **options):
        @ops.custom_gradient
        def identity(y):
            def gradient(*given, upstream=None):
                upstream = given[-1] if upstream is None else upstream
                return ops.where(ops.logical_and(y > 0, upstream > 0), upstream, ops.zeros_like(upstream))

            return y, gradient

        # The slope of the activation is left in place where it is positive: 1 for rectifiers.
        return identity(call(x, *arguments, **options))

    return guided_call


def _batches(model: Any, images: np.ndarray) -> Iterator[Any]:
    for begin in range(0, len(images), 256):
        yield model.data[model.target].to_device(ops.convert_to_tensor(images[begin : begin + 256]))


def _strongest(reader: keras.Model, batch: Any) -> np.ndarray:
    """(batch, features): each feature's largest response anywhere in an image."""
    with backend.no_gradient():
        return ops.convert_to_numpy(ops.max(ops.cast(reader(batch, training=False), "float32"), axis=(1, 2)))


def _signed(values: np.ndarray) -> np.ndarray:
    """uint8 with 128 for zero, each of the first axis at its own full contrast."""
    most = np.abs(values).reshape(len(values), -1).max(axis=1).reshape(-1, *[1] * (values.ndim - 1))
    return np.round(127.5 + 127.5 * values / np.where(most > 0, most, 1)).astype("uint8")
