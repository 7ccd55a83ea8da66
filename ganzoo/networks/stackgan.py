"""StackGAN's networks: a generator that draws twice, small and then large, and judges of both sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import ops
from keras.layers import (
    Activation,
    Add,
    Concatenate,
    Dense,
    Flatten,
    LeakyReLU,
    ReLU,
    RepeatVector,
    Reshape,
    UpSampling2D,
)

from ganzoo.data.preprocessing import as_image_shape, check_positive
from ganzoo.layers import Conv2D
from ganzoo.networks.dcgan import batch_normalization, constraint
from ganzoo.networks.sentences import sentence_encoder

if TYPE_CHECKING:
    from ganzoo.engine.parts import Part

__all__ = ["MULTIPLE", "checked_shape", "stackgan_discriminator", "stackgan_generator", "stages_of"]

MULTIPLE = 16  # four doublings
MOST = 4  # times `width`: channels of a judge's coarsest level
STAGES = ("small", "condition_mean", "condition_log_variance")


def stackgan_generator(
    image_shape: tuple[int, ...],
    captions: Part,
    latent_dim: int = 32,
    condition_dim: int = 64,
    width: int = 32,
    blocks: int = 1,
    units: int = 64,
) -> keras.Model:
    """Latents and a sentence to images: stage I draws them at half the size, stage II goes on from its features.

    The sentence gives mean and log variance of a Gaussian; ``c = mean + exp(log_variance / 2) * condition_noise`` is
    drawn from it. Stage I: c and latents, a dense layer of `8 width` channels, three times doubled and convolved. Stage
    II: features beside c, residual blocks, doubled once more. To double is nearest neighbours and a 3x3 convolution.

    Args:
        image_shape: (height, width, channels), height and width multiples of 16.
        captions: a `ganzoo.Text`, or `ganzoo.Vectors`.
        latent_dim, condition_dim: ints, length of the latents and of c.
        width: int, channels at half the size.
        blocks: int, residual blocks of stage II.
        units: int, of `sentence_encoder`.

    Returns:
        A `keras.Model` from `latents`, `captions` and `condition_noise`, float32 (batch, condition_dim), to float32
        images. `stages_of` finds the small ones in it, and mean and log variance.

    Raises:
        ValueError: another size, numbers that are not positive.

    Reference:
        Zhang et al. 2016, arXiv:1612.03242, section 3 (c, residual blocks); Zhang et al. 2017, arXiv:1710.10916,
        section 4 (both stages in one network).
    """
    height, breadth, channels = checked_shape(image_shape)
    check_positive(latent_dim=latent_dim, condition_dim=condition_dim, width=width, blocks=blocks)
    latents, noise = keras.Input((latent_dim,), name="latents"), keras.Input((condition_dim,), name="condition_noise")
    told, sentence = sentence_encoder(captions, units)
    mean, log_variance = (_vector(sentence, condition_dim, name) for name in STAGES[1:])
    condition = mean + ops.exp(log_variance / 2) * noise
    x, size = Concatenate(name="begin")([condition, latents]), (height // MULTIPLE, breadth // MULTIPLE)
    x = Dense(size[0] * size[1] * 8 * width, use_bias=False, kernel_initializer="he_normal", name="project")(x)
    x = _normalized(Reshape((*size, 8 * width), name="reshape")(x), "project")
    for i in (1, 2, 3):
        x = _doubled(x, 8 * width // 2**i, f"up{i}")
    small = _image(x, channels, STAGES[0])
    x = Concatenate(name="beside")([x, small, _planes(condition, x.shape[1:3], "condition")])
    x = _normalized(_conv(x, width, "join"), "join")
    for i in range(1, blocks + 1):
        y = _normalized(_conv(x, width, f"block{i}a"), f"block{i}a")
        y = batch_normalization(f"block{i}b_bn")(_conv(y, width, f"block{i}b"))
        x = ReLU(name=f"block{i}_relu")(Add(name=f"block{i}")([x, y]))
    image = _image(_doubled(x, max(width // 2, 1), "up4"), channels, "image")
    return keras.Model([latents, told, noise], image, name="generator")


def stages_of(generator: keras.Model) -> keras.Model:
    """The same network with four outputs: the images, the small ones of stage I, mean and log variance of c.

    Raises:
        ValueError: it has no layers of these names.
    """
    names = {layer.name for layer in generator.layers}
    if missing := [name for name in STAGES if name not in names]:
        raise ValueError(
            "A generator of one's own has layers 'small', images of half the size in float32, 'condition_mean' and "
            f"'condition_log_variance', float32 (batch, length). Received: a network without {missing[0]!r}"
        )
    stages = [generator.get_layer(name).output for name in STAGES]
    return keras.Model(generator.inputs, [generator.outputs[0], *stages], name="stages")


def stackgan_discriminator(
    image_shape: tuple[int, ...], captions: Part, width: int = 32, units: int = 64, spectral: bool = True
) -> keras.Model:
    """Images of both sizes and a sentence to four logits: of each size, of image and sentence, and of the image alone.

    A judge for each size: 4x4 convolutions of stride 2 to about 4x4 features, LeakyReLU of slope .2; for the first
    logit the sentence stands beside these, and a 3x3 convolution follows. Both read the sentence alike.

    Args:
        image_shape: (height, width, channels), height and width multiples of 16.
        captions: a `ganzoo.Text`, or `ganzoo.Vectors`.
        width: int, channels of a judge's first layer, twice as many in each that follows, at most four times.
        units: int, of `sentence_encoder`.
        spectral: bool, the judges' layers are spectrally normalised.

    Returns:
        A `keras.Model` from `images`, `small` and `captions` to a list of float32 logits (batch, 1): with the sentence
        and without it of the images, then the same two of the small ones.

    Reference:
        Zhang et al. 2017, arXiv:1710.10916, section 4 (a judge for each size, with and without the sentence).
    """
    height, breadth, channels = checked_shape(image_shape)
    check_positive(width=width, units=units)
    images = keras.Input((height, breadth, channels), name="images")
    small = keras.Input((height // 2, breadth // 2, channels), name="small")
    told, sentence = sentence_encoder(captions, units)
    logits = [logit for x in (images, small) for logit in _judged(x, sentence, width, constraint(spectral))]
    return keras.Model([images, small, told], logits, name="discriminator")


def _judged(images, sentence, width: int, constrained):
    """Two logits of images of one size."""
    own, x = images.name, images
    for i in range(max(min(images.shape[1:3]).bit_length() - 3, 1)):
        x = constrained(_layer(width * min(2**i, MOST), f"{own}_down{i + 1}", 4, 2))(x)
        x = LeakyReLU(0.2, name=f"{own}_down{i + 1}_relu")(x)
    both = Concatenate(name=f"{own}_with_sentence")([x, _planes(sentence, x.shape[1:3], f"{own}_sentence")])
    both = constrained(_layer(x.shape[-1], f"{own}_join"))(both)
    both = LeakyReLU(0.2, name=f"{own}_join_relu")(both)
    for features, name in ((both, f"{own}_belongs"), (x, f"{own}_real")):
        logit = constrained(Dense(1, kernel_initializer="he_normal", name=f"to_{name}"))(
            Flatten(name=f"{name}_flatten")(features)
        )
        yield Activation("linear", dtype="float32", name=name)(logit)


def checked_shape(image_shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape, if the two stages can draw it."""
    shape = as_image_shape(image_shape)
    if len(shape) != 3 or any(side % MULTIPLE for side in shape[:2]):
        raise ValueError(
            f"Height and width are multiples of {MULTIPLE}: resize, crop or pad the images. "
            f"Received: image_shape={tuple(image_shape)}"
        )
    return shape


def _vector(x, length: int, name: str):
    x = Dense(length, kernel_initializer="glorot_normal", name=f"to_{name}")(x)
    return Activation("linear", dtype="float32", name=name)(x)


def _planes(vector, size: tuple[int, int], name: str):
    """(batch, n) to (batch, height, width, n): the same everywhere."""
    x = RepeatVector(size[0] * size[1], name=f"{name}_repeat")(vector)
    return Reshape((*size, vector.shape[-1]), name=f"{name}_planes")(x)


def _layer(channels: int, name: str, kernel: int = 3, stride: int = 1, bias: bool = True):
    return Conv2D(channels, kernel, stride, "same", use_bias=bias, kernel_initializer="he_normal", name=name)


def _conv(x, channels: int, name: str):
    return _layer(channels, name, bias=False)(x)


def _normalized(x, name: str):
    return ReLU(name=f"{name}_relu")(batch_normalization(f"{name}_bn")(x))


def _doubled(x, channels: int, name: str):
    return _normalized(_conv(UpSampling2D(name=f"{name}_nearest")(x), channels, name), name)


def _image(x, channels: int, name: str):
    x = Conv2D(channels, 3, padding="same", kernel_initializer="glorot_normal", name=f"to_{name}")(x)
    return Activation("tanh", dtype="float32", name=name)(x)
