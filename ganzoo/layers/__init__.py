"""Layers of the zoo's networks: Keras' own by faster and twice differentiable routes, and what GANs need besides."""

from __future__ import annotations

from ganzoo.layers.augmentation import jitter
from ganzoo.layers.convolution import Conv2D, Conv2DTranspose
from ganzoo.layers.dropout import SwitchedDropout
from ganzoo.layers.normalization import BatchNormalization, GroupNormalization, LayerNormalization
from ganzoo.layers.spectral import SpectralNormalization

__all__ = [
    "BatchNormalization",
    "Conv2D",
    "Conv2DTranspose",
    "GroupNormalization",
    "LayerNormalization",
    "SpectralNormalization",
    "SwitchedDropout",
    "jitter",
]
