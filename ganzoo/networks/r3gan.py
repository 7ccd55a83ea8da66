"""R3GAN's networks: residual blocks without normalisation, which begin as nothing."""

from __future__ import annotations

import keras
from keras.layers import Activation, Add, Concatenate, Dense, LeakyReLU

from ganzoo.data.preprocessing import check_positive
from ganzoo.layers import Clip, Conv2D, Gather, Grow, Shrink, Spread
from ganzoo.networks.dcgan import embedding, smallest_size

__all__ = ["r3gan_discriminator", "r3gan_generator"]

SLOPE = 0.2
GAIN = (2 / (1 + SLOPE**2)) ** 0.5  # of LeakyReLU: what keeps the variance of features
FILTER = (1, 2, 1)


def r3gan_generator(
    image_shape: tuple[int, ...],
    latent_dim: int,
    width: int,
    blocks: int = 2,
    num_classes: int | None = None,
    tanh: bool = False,
) -> keras.Model:
    """Latents to images: a learned pattern per channel, then stages of residual blocks, twice the size from each.

    Args:
        image_shape: (height, width, channels).
        latent_dim: int.
        width: int, channels of the finest stage; twice as many in the others.
        blocks: int, residual blocks of a stage.
        num_classes: int, for images of a class: a second input `labels`, int32 (batch,), whose learned vector stands
            beside the latents.
        tanh: bool, whether images end with tanh, for those with flat black or white: without it a generator draws only
            nearly black, which a discriminator learns to tell from black instead of seeing what is drawn.

    Returns:
        A `keras.Model` from `latents`, float32 (batch, latent_dim), to float32 (batch, height, width, channels);
        without `tanh` cut off to [-1, 1], but in training.

    Reference:
        Huang et al. 2024, arXiv:2501.05441, section 4 and figure 2.

    Differs from the paper:
        convolutions of one group, as wide inside a block as outside, instead of inverted bottlenecks of 96 groups.
    """
    check_positive(latent_dim=latent_dim, width=width, blocks=blocks)
    height, breadth, doublings = smallest_size(image_shape)
    inputs = [keras.Input((latent_dim,), name="latents")]
    x = _with_class(inputs, inputs[0], num_classes, -(-latent_dim // 4))
    make = _Maker(blocks * (doublings + 1))
    x = make.dense(2 * width, "mix")(x)
    x = Spread(height, breadth, name="pattern")(x)
    for stage in range(doublings + 1):
        channels = width if stage == doublings else 2 * width
        if stage:
            x = make.convolution(channels, "narrow", 1)(x) if x.shape[-1] != channels else x
            x = Grow(FILTER, name=f"grow{stage}")(x)
        for block in range(blocks):
            x = make.block(x, f"stage{stage}_block{block}")
    x = make.convolution(image_shape[-1], "to_image", 1, bias=True)(x)
    end = Activation("tanh", dtype="float32", name="image") if tanh else Clip(-1.0, 1.0, dtype="float32", name="image")
    x = end(x)
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], x, name="generator")


def r3gan_discriminator(
    image_shape: tuple[int, ...], width: int, blocks: int = 2, num_classes: int | None = None
) -> keras.Model:
    """Images to logits, the generator turned round.

    Args:
        image_shape: (height, width, channels).
        width, blocks: as for `r3gan_generator`.
        num_classes: int: a second input `labels`; the logit is the features' product with the vector of their class.

    Returns:
        A `keras.Model` from `images`, float32 (batch, height, width, channels), to float32 logits (batch, 1).

    Reference:
        Huang et al. 2024, arXiv:2501.05441, section 4 and figure 2.
    """
    check_positive(width=width, blocks=blocks)
    *_, halvings = smallest_size(image_shape)
    inputs = [keras.Input(image_shape, name="images")]
    make = _Maker(blocks * (halvings + 1))
    x = make.convolution(width, "from_image", 1, bias=True)(inputs[0])
    for stage in range(halvings + 1):
        channels = width if stage == 0 else 2 * width
        if stage:
            x = Shrink(FILTER, name=f"shrink{stage}")(x)
            x = make.convolution(channels, f"widen{stage}", 1)(x) if x.shape[-1] != channels else x
        for block in range(blocks):
            x = make.block(x, f"stage{stage}_block{block}")
    x = Gather(name="pattern")(x)
    if num_classes is None:
        x = make.dense(1, "to_logit")(x)
    else:
        inputs.append(keras.Input((), dtype="int32", name="labels"))
        vector = embedding(num_classes, x.shape[-1], "class_vector")(inputs[1])
        x = keras.layers.Dot(1, name="to_logit")([x, vector])
    x = Activation("linear", dtype="float32", name="logit")(x)
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], x, name="discriminator")


def _with_class(inputs: list, x, num_classes: int | None, length: int):
    if num_classes is None:
        return x
    inputs.append(keras.Input((), dtype="int32", name="labels"))
    return Concatenate(name="latents_and_class")([x, embedding(num_classes, length, "class_vector")(inputs[1])])


class _Maker:
    """Layers whose weights begin so that features keep their size through any number of blocks (fix-up)."""

    def __init__(self, num_blocks: int):
        self._gain = GAIN * num_blocks**-0.25  # three convolutions to a block

    def convolution(self, channels: int, name: str, size: int, gain: float = 1.0, bias: bool = False):
        initial = keras.initializers.Zeros() if gain == 0 else _scaled(gain)
        return Conv2D(channels, size, padding="same", use_bias=bias, kernel_initializer=initial, name=name)

    def dense(self, units: int, name: str):
        return Dense(units, use_bias=False, kernel_initializer=_scaled(1.0), name=name)

    def block(self, x, name: str):
        """``x + c3(lrelu(c2(lrelu(c1(x)))))``: 1, 3 and 1 pixels wide, the last of weights that are 0 at first."""
        channels, y = x.shape[-1], x
        for i, size in ((1, 1), (2, 3)):
            y = self.convolution(channels, f"{name}_conv{i}", size, self._gain, bias=True)(y)
            y = LeakyReLU(SLOPE, name=f"{name}_relu{i}")(y)
        return Add(name=f"{name}_add")([x, self.convolution(channels, f"{name}_conv3", 1, gain=0.0)(y)])


def _scaled(gain: float) -> keras.initializers.Initializer:
    """N(0, gain^2 / inputs)."""
    return keras.initializers.VarianceScaling(gain**2, "fan_in", "untruncated_normal")
