"""StyleGAN2's networks: latents to styles, styles to images by a sum of colours, and a residual discriminator."""

from __future__ import annotations

from typing import Any

import keras
from keras.layers import Activation, Add, Concatenate, Dot, Flatten, Rescaling, Reshape

from ganzoo.data.preprocessing import check_positive
from ganzoo.layers import (
    Clip,
    EqualizedConv2D,
    EqualizedDense,
    Grow,
    LearnedConstant,
    MinibatchStdDev,
    MixedStyles,
    ModulatedConv2D,
    NoiseInput,
    PixelNorm,
    Split,
    scaled_leaky_relu,
)
from ganzoo.networks.dcgan import embedding, smallest_size

__all__ = ["num_styles", "stylegan2_discriminator", "stylegan2_generator", "styles_of"]

FIR = (1, 3, 3, 1)


def num_styles(image_shape: tuple[int, ...]) -> int:
    """How many styles a generator of these images takes: two for each size, the last of the finest for its colours."""
    *_, doublings = smallest_size(image_shape)
    return 2 * doublings + 2


def styles_of(model: Any) -> int:
    """How many styles the generator of a model takes, which is made of two networks, as path lengths need it.

    Raises:
        ValueError: it is another.
    """
    names = [layer.name for layer in model.generator.layers]
    if missing := [name for name in ("styles", "synthesis") if name not in names]:
        raise ValueError(
            "The generator of StyleGAN2 is made of two networks, `styles` from all inputs and `synthesis` from styles, "
            f"as ganzoo.networks.stylegan2 makes it. Received: a generator without {' and '.join(missing)}"
        )
    return model.generator.get_layer("synthesis").input_shape[1]


def stylegan2_generator(
    image_shape: tuple[int, ...],
    latent_dim: int,
    width: int,
    widest: int = 512,
    mapping_layers: int = 8,
    num_classes: int | None = None,
    tanh: bool = False,
) -> keras.Model:
    """Latents to images, in two networks of its own: `styles`, from all inputs, and `synthesis`, from styles.

    A style for each layer sets the scales of its convolution's inputs. Images are the sum of what each size adds to the
    enlarged image of the size before (figure 7 b, "output skips").

    Args:
        image_shape: (height, width, channels).
        latent_dim: int, length of latents and of styles.
        width: int, channels of the finest size; twice as many at each below, at most `widest`.
        mapping_layers: int, dense layers from latents to styles; they learn a hundredth as fast.
        num_classes: int, for images of a class: a further input `labels`, int32 (batch,), whose learned vector stands
            beside the latents.
        tanh: bool, whether images end with tanh, for those with flat black or white (`ganzoo.networks.r3gan`).

    Returns:
        A `keras.Model` from `latents` and `mixed`, float32 (batch, latent_dim), `crossover` and `truncation`, float32
        (batch,) (`ganzoo.layers.MixedStyles`), to float32 (batch, height, width, channels); without `tanh` cut off to
        [-1, 1], but in training.

    Reference:
        Karras et al. 2019, arXiv:1912.04958, section 2 and 4.1, appendix B.

    Differs from the paper:
        the enlarged image's filter is renormalised at the border.
    """
    check_positive(latent_dim=latent_dim, width=width, widest=widest, mapping_layers=mapping_layers)
    inputs = [keras.Input((latent_dim,), name=name) for name in ("latents", "mixed")]
    inputs += [keras.Input((), name=name) for name in ("crossover", "truncation")]
    inputs += [] if num_classes is None else [keras.Input((), dtype="int32", name="labels")]
    mapping = _mapping(latent_dim, mapping_layers, num_classes)
    first, second = (mapping([each, *inputs[4:]] if num_classes else each) for each in inputs[:2])
    mixed = MixedStyles(num_styles(image_shape), name="mix")([first, second, *inputs[2:4]])
    styles = keras.Model(inputs, mixed, name="styles")
    return keras.Model(
        inputs, _synthesis(image_shape, latent_dim, width, widest, tanh)(styles(inputs)), name="generator"
    )


def _mapping(latent_dim: int, num_layers: int, num_classes: int | None) -> keras.Model:
    """Latents, and a class, to a style. In float32, which costs nothing."""
    inputs = [keras.Input((latent_dim,), name="latents")]
    x = PixelNorm(dtype="float32", name="normalize")(inputs[0])
    if num_classes is not None:
        inputs.append(keras.Input((), dtype="int32", name="labels"))
        vector = embedding(num_classes, latent_dim, "class_vector")(inputs[1])
        vector = PixelNorm(dtype="float32", name="normalize_class")(vector)
        x = Concatenate(dtype="float32", name="latents_and_class")([x, vector])
    for i in range(1, num_layers + 1):
        dense = EqualizedDense(latent_dim, 0.01, activation=scaled_leaky_relu, dtype="float32", name=f"dense{i}")
        x = dense(x)
    return keras.Model(inputs if num_classes else inputs[0], x, name="mapping")


def _synthesis(image_shape, latent_dim: int, width: int, widest: int, tanh: bool) -> keras.Model:
    height, breadth, doublings = smallest_size(image_shape)
    num = num_styles(image_shape)
    given = keras.Input((num, latent_dim), name="styles")
    each = Split(num, name="each")(Reshape((num * latent_dim,), name="flat")(given))

    def modulated(x, layer: int, filters: int, name: str, **options):
        scales = EqualizedDense(x.shape[-1], bias=1.0, name=f"{name}_scales")(each[layer])
        return ModulatedConv2D(filters, name=name, **options)([x, scales])

    def convolved(x, layer: int, filters: int, name: str, **options):
        x = NoiseInput(name=f"{name}_noise")(modulated(x, layer, filters, name, **options))
        return Activation(scaled_leaky_relu, name=f"{name}_relu")(x)

    image = None
    for i in range(doublings + 1):
        channels = min(widest, width * 2 ** (doublings - i))
        if i == 0:
            x = LearnedConstant((height, breadth, channels), name="constant")(each[0])
        else:
            x = convolved(x, 2 * i - 1, channels, f"size{i}_up", double=True)
        x = convolved(x, 2 * i, channels, f"size{i}_conv")
        colours = modulated(x, 2 * i + 1, image_shape[-1], f"size{i}_to_image", kernel_size=1, demodulate=False)
        if image is not None:
            colours = Add(dtype="float32", name=f"size{i}_sum")(
                [Grow(FIR, dtype="float32", name=f"size{i}_grow")(image), colours]
            )
        image = colours
    end = Activation("tanh", dtype="float32", name="image") if tanh else Clip(-1.0, 1.0, dtype="float32", name="image")
    return keras.Model(given, end(image), name="synthesis")


def stylegan2_discriminator(
    image_shape: tuple[int, ...], width: int, widest: int = 512, group: int = 4, num_classes: int | None = None
) -> keras.Model:
    """Images to logits: residual blocks that halve the size, told at the end how alike the images of a group are.

    Args:
        image_shape, width, widest: as for `stylegan2_generator`.
        group: int, images of `ganzoo.layers.MinibatchStdDev`.
        num_classes: int: a second input `labels`; the logit is the features' product with the vector of their class.

    Returns:
        A `keras.Model` from `images`, float32 (batch, height, width, channels), to float32 logits (batch, 1).

    Reference:
        Karras et al. 2019, arXiv:1912.04958, section 4.1, figure 7 (c); classes: Karras et al. 2020, arXiv:2006.06676,
        appendix D.

    Differs from the paper:
        the vector of a class is learned itself, where it is a mapping network's.
    """
    check_positive(width=width, widest=widest, group=group)
    *_, halvings = smallest_size(image_shape)
    inputs = [keras.Input(image_shape, name="images")]

    def convolution(x, channels: int, size: int, name: str, **options):
        return EqualizedConv2D(channels, size, activation=scaled_leaky_relu, name=name, **options)(x)

    x = convolution(inputs[0], min(widest, width), 1, "from_image")
    for i in range(halvings):
        channels = min(widest, width * 2 ** (i + 1))
        y = convolution(x, x.shape[-1], 3, f"block{i}_conv1")
        y = convolution(y, channels, 3, f"block{i}_conv2", halve=True)
        short = EqualizedConv2D(channels, 1, halve=True, use_bias=False, name=f"block{i}_short")(x)
        x = Rescaling(2**-0.5, name=f"block{i}_scaled")(Add(name=f"block{i}_add")([y, short]))
    channels = x.shape[-1]
    x = convolution(MinibatchStdDev(group, name="spread")(x), channels, 3, "last_conv")
    x = EqualizedDense(channels, activation=scaled_leaky_relu, name="last_dense")(Flatten(name="flatten")(x))
    if num_classes is None:
        x = EqualizedDense(1, name="to_logit")(x)
    else:
        inputs.append(keras.Input((), dtype="int32", name="labels"))
        vector = embedding(num_classes, channels, "class_vector")(inputs[1])
        x = Dot(1, name="to_logit")([EqualizedDense(channels, name="to_vector")(x), vector])
        x = Rescaling(channels**-0.5, name="scaled_logit")(x)
    x = Activation("linear", dtype="float32", name="logit")(x)
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], x, name="discriminator")
