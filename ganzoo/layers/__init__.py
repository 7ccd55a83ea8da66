"""Layers of the zoo's networks: Keras' own by faster and twice differentiable routes, and what GANs need besides."""

from __future__ import annotations

from ganzoo.layers.ada import AdaptiveAugment
from ganzoo.layers.attention import GatedAdd, SpatialAttention
from ganzoo.layers.augmentation import jitter, random_crop, turned
from ganzoo.layers.augmenting import Augmentation
from ganzoo.layers.basis import Gather, Spread
from ganzoo.layers.conditional import ClassPlanes, ClassProjection, GlobalSumPooling2D, LogSumExp, Modulation, Split
from ganzoo.layers.consistency import Consistency
from ganzoo.layers.convolution import Conv2D, Conv2DTranspose
from ganzoo.layers.diff_augment import DiffAugment
from ganzoo.layers.dropout import SwitchedDropout
from ganzoo.layers.enlargement import ICNR, BicubicEnlargement, PixelShuffle
from ganzoo.layers.equalized import EqualizedConv2D, EqualizedDense, PixelNorm, scaled_leaky_relu
from ganzoo.layers.invariance import Invariance
from ganzoo.layers.minibatch import MinibatchDiscrimination, MinibatchStdDev, Pack
from ganzoo.layers.normalization import BatchNormalization, GroupNormalization, LayerNormalization
from ganzoo.layers.orthogonal import OffDiagonal
from ganzoo.layers.padding import ReflectionPadding2D
from ganzoo.layers.pool import ImagePool
from ganzoo.layers.pyramid import Clip, Grow, Shrink
from ganzoo.layers.spectral import SpectralNormalization
from ganzoo.layers.style import LearnedConstant, MixedStyles, ModulatedConv2D, NoiseInput
from ganzoo.layers.weight_norm import WeightNormDense

__all__ = [
    "ICNR",
    "AdaptiveAugment",
    "Augmentation",
    "BatchNormalization",
    "BicubicEnlargement",
    "ClassPlanes",
    "ClassProjection",
    "Clip",
    "Consistency",
    "Conv2D",
    "Conv2DTranspose",
    "DiffAugment",
    "EqualizedConv2D",
    "EqualizedDense",
    "GatedAdd",
    "Gather",
    "GlobalSumPooling2D",
    "GroupNormalization",
    "Grow",
    "ImagePool",
    "Invariance",
    "LayerNormalization",
    "LearnedConstant",
    "LogSumExp",
    "MinibatchDiscrimination",
    "MinibatchStdDev",
    "MixedStyles",
    "ModulatedConv2D",
    "Modulation",
    "NoiseInput",
    "OffDiagonal",
    "Pack",
    "PixelNorm",
    "PixelShuffle",
    "ReflectionPadding2D",
    "Shrink",
    "SpatialAttention",
    "SpectralNormalization",
    "Split",
    "Spread",
    "SwitchedDropout",
    "WeightNormDense",
    "jitter",
    "random_crop",
    "scaled_leaky_relu",
    "turned",
]
