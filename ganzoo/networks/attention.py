"""Self-attention between convolutions."""

from __future__ import annotations

from collections.abc import Callable

import keras

from ganzoo.layers import Conv2D, GatedAdd, SpatialAttention

__all__ = ["self_attention"]


def self_attention(x, constrained: Callable[[keras.layers.Layer], keras.layers.Layer], name: str):
    """``x + gamma v(attention(f(x), g(x), h(x)))``: every position sees every other; gamma is 0 at first.

    Args:
        x: feature maps (batch, height, width, channels); f, g and h have an eighth of the channels.
        constrained: what each of the four convolutions of one pixel is wrapped in, spectral normalisation or nothing.
        name: str, of the layers.

    Reference:
        Zhang et al. 2018, arXiv:1805.08318, eq. 1 to 3.
    """
    channels = x.shape[-1]

    def pixelwise(tensor, count: int, what: str):
        return constrained(Conv2D(count, 1, use_bias=False, name=f"{name}_{what}"))(tensor)

    few = max(channels // 8, 1)
    seen = SpatialAttention(name=f"{name}_attention")([pixelwise(x, few, what) for what in ("query", "key", "value")])
    return GatedAdd(name=f"{name}_add")([x, pixelwise(seen, channels, "out")])
