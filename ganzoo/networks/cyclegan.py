"""CycleGAN's four networks: a generator and a critic for each of two domains."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import keras

from ganzoo.data.preprocessing import as_image_shape
from ganzoo.networks.patchgan import patchgan_discriminator
from ganzoo.networks.resnet import resnet_generator

__all__ = ["cyclegan_networks", "domain_shapes"]


def cyclegan_networks(
    source_shape: tuple[int, ...],
    target_shape: tuple[int, ...],
    width: int = 64,
    blocks: int = 9,
    discriminator_width: int | None = None,
    discriminator_layers: int = 3,
    enlargement: str = "transposed",
) -> dict[str, Callable[[], keras.Model]]:
    """What makes each of the networks, by the names `generator`, `back`, `discriminator`, `source_discriminator`.

    Args:
        source_shape, target_shape: (height, width, channels), of one height and width.
        width: int, channels of the first layer of every network.
        blocks: int, residual blocks of a generator: 6 at 128x128, 9 at 256x256.
        discriminator_width: int, in place of `width` for the discriminators.
        discriminator_layers: int, their layers of stride 2: 3 for patches of 70 pixels.
        enlargement: ``"transposed"`` or ``"resize"``, see `ganzoo.networks.resnet.resnet_generator`.

    Returns:
        Functions without arguments that return a `keras.Model`. Generators take "source" and "target", and
        discriminators "target" and "source".

    Reference:
        Zhu et al. 2017, arXiv:1703.10593, appendix 7.2.
    """
    draw = partial(resnet_generator, width=width, blocks=blocks, enlargement=enlargement)
    judge = partial(patchgan_discriminator, width=discriminator_width or width, num_layers=discriminator_layers)
    return {
        "generator": partial(draw, source_shape[-1], target_shape[-1]),
        "back": partial(draw, target_shape[-1], source_shape[-1], source="target", name="back"),
        "discriminator": partial(judge, {"target": target_shape}),
        "source_discriminator": partial(judge, {"source": source_shape}, name="source_discriminator"),
    }


def domain_shapes(source_shape, target_shape, identity_weight: float) -> dict[str, Any]:
    """Both shapes by these names; a target_shape of None is the source's.

    Raises:
        ValueError: no shapes of images, of two sizes, or of different channels where images are to stay as they are.
    """
    source = as_image_shape(source_shape)
    target = as_image_shape(source_shape if target_shape is None else target_shape)
    if source[:-1] != target[:-1] or len(source) != 3:
        raise ValueError(
            "Images of both domains have one height and width, as what is drawn of an image has: resize them. "
            f"Received: source_shape={source}, target_shape={target}"
        )
    if identity_weight and source[-1] != target[-1]:
        raise ValueError(
            "Images of one channel cannot stay as they are with three: say identity_weight=0, or bring both to as many "
            f"channels. Received: source_shape={source}, target_shape={target}, identity_weight={identity_weight}"
        )
    return {"source_shape": source, "target_shape": target}
