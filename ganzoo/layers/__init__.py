"""Layers of the zoo's networks: Keras' own by faster and twice differentiable routes, and what GANs need besides."""

from __future__ import annotations

from ganzoo.layers.attention import GatedAdd, SpatialAttention
from ganzoo.layers.augmentation import jitter
from ganzoo.layers.conditional import ClassProjection, GlobalSumPooling2D, LogSumExp, Modulation, Split
from ganzoo.layers.convolution import Conv2D, Conv2DTranspose
from ganzoo.layers.dropout import SwitchedDropout
from ganzoo.layers.minibatch import MinibatchDiscrimination, MinibatchStdDev, Pack
from ganzoo.layers.normalization import BatchNormalization, GroupNormalization, LayerNormalization
from ganzoo.layers.orthogonal import OffDiagonal
from ganzoo.layers.spectral import SpectralNormalization
from ganzoo.layers.weight_norm import WeightNormDense

__all__ = [
    "BatchNormalization",
    "ClassProjection",
    "Conv2D",
    "Conv2DTranspose",
    "GatedAdd",
    "GlobalSumPooling2D",
    "GroupNormalization",
    "LayerNormalization",
    "LogSumExp",
    "MinibatchDiscrimination",
    "MinibatchStdDev",
    "Modulation",
    "OffDiagonal",
    "Pack",
    "SpatialAttention",
    "SpectralNormalization",
    "Split",
    "SwitchedDropout",
    "WeightNormDense",
    "jitter",
]
