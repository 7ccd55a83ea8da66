"""The convolutional generator and discriminator of DCGAN, for any size that halves at least twice."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import keras
from keras import ops
from keras.layers import (
    Activation,
    Add,
    Concatenate,
    Dense,
    Embedding,
    Flatten,
    LeakyReLU,
    ReLU,
    RepeatVector,
    Reshape,
)

from ganzoo.data.preprocessing import as_image_shape, check_positive
from ganzoo.layers import (
    BatchNormalization,
    ClassProjection,
    Conv2D,
    Conv2DTranspose,
    GlobalSumPooling2D,
    Modulation,
    SpectralNormalization,
)
from ganzoo.networks.attention import self_attention

__all__ = ["dcgan_discriminator", "dcgan_generator"]

KERNEL = 4


def dcgan_generator(
    image_shape: tuple[int, ...],
    latent_dim: int,
    width: int,
    num_classes: int | None = None,
    class_norm: bool = False,
    spectral: bool = False,
    attention: int | None = None,
    one_hot: bool = False,
) -> keras.Model:
    """Latents to images: a dense projection, then transposed convolutions that double the size each.

    Args:
        image_shape: (height, width, channels).
        latent_dim: int, length of a latent vector.
        width: int, channels before the last layer; twice as many at each size below.
        num_classes: int, for images of a class: a second input `labels`, int32 (batch,), whose learned vector, a
            quarter as long as the latents, stands beside them.
        class_norm: bool, the class sets scale and shift of every BatchNorm instead.
        spectral: bool, all layers are spectrally normalised too (Zhang et al. 2018, arXiv:1805.08318, section 3.1).
        attention: int, height of the feature maps that `self_attention` follows.
        one_hot: bool, beside the latents the class stands one-hot, not as a learned vector.

    Returns:
        A `keras.Model` from `latents`, float32 (batch, latent_dim), to float32 (batch, height, width, channels) in
        (-1, 1).

    Raises:
        ValueError: a size that does not halve at least twice.

    Reference:
        Radford et al. 2015, arXiv:1511.06434, figure 1 and section 3.

    Differs from the paper:
        kernels of 4 instead of 5, a multiple of the stride, so that every output pixel sees as many inputs.
    """
    check_positive(latent_dim=latent_dim, width=width)
    height, breadth, num_halvings = smallest_size(image_shape)
    channels = width * 2 ** (num_halvings - 1)
    inputs = [keras.Input((latent_dim,), name="latents")]
    x = inputs[0]
    if num_classes is not None:
        inputs.append(keras.Input((), dtype="int32", name="labels"))
    if num_classes is not None and not class_norm:
        labels = inputs[1]
        beside = ops.one_hot(labels, num_classes) if one_hot else embedding(num_classes, -(-latent_dim // 4))(labels)
        x = Concatenate(name="latents_and_labels")([x, beside])
    check_attention(attention, [height * 2**i for i in range(1, num_halvings)])
    constrained = constraint(spectral)
    x = constrained(Dense(height * breadth * channels, use_bias=False, kernel_initializer=normal(), name="project"))(x)
    x = Reshape((height, breadth, channels), name="reshape")(x)

    def normalized(x, name: str):
        if class_norm and num_classes is not None:
            return class_normalization(x, inputs[1], num_classes, name)
        return batch_normalization(name)(x)

    x = normalized(x, "project_bn")
    x = ReLU(name="project_relu")(x)
    for i in range(1, num_halvings):
        channels //= 2
        up = Conv2DTranspose(channels, KERNEL, 2, "same", use_bias=False, kernel_initializer=normal(), name=f"up{i}")
        x = normalized(constrained(up)(x), f"up{i}_bn")
        x = ReLU(name=f"up{i}_relu")(x)
        x = self_attention(x, constrained, f"up{i}") if x.shape[1] == attention else x
    to_image = Conv2DTranspose(image_shape[-1], KERNEL, 2, "same", kernel_initializer=normal(), name="to_image")
    x = constrained(to_image)(x)
    x = Activation("tanh", dtype="float32", name="tanh")(x)
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], x, name="generator")


def dcgan_discriminator(
    image_shape: tuple[int, ...],
    width: int,
    normalization: str | None = "batch",
    final_size: int | None = None,
    num_classes: int | None = None,
    heads: Mapping[str, int] = {},
    projection: bool = False,
    attention: int | None = None,
    one_hot: bool = False,
) -> keras.Model:
    """Images to logits: convolutions that halve the size each, LeakyReLU of slope .2, then one dense unit.

    Args:
        image_shape: (height, width, channels).
        width: int, channels after the first layer; twice as many at each size below.
        normalization: ``"batch"`` (BatchNorm on all layers but the first, as in the paper), ``"spectral"`` (spectral
            normalisation of all layers, Miyato et al. 2018, arXiv:1802.05957) or None.
        final_size: int, convolutions follow until height and width are at most that; odd sizes are rounded up. By
            default, as long as both are even and at least 8: 28x28 ends with 7x7, and with 4x4 where this is 4.
        num_classes: int, for images of a class: a second input `labels`, int32 (batch,), for which a plane of the
            images' size is learned that stands beside their channels.
        heads: what else the features are asked for: how many numbers by name, after the logit in this order.
        projection: bool, the class enters at the end instead: features are summed over the image, and the logit is
            ``psi(h) + <e(y), h>`` (Miyato and Koyama 2018, arXiv:1802.05637, eq. 3).
        attention: int, height of the feature maps that `self_attention` follows.
        one_hot: bool, the class enters one-hot, as planes of 0 and 1 beside the first convolution's features.

    Returns:
        A `keras.Model` from `images`, float32 (batch, height, width, channels), to float32 logits (batch, 1); with
        `heads` to a list: the logits, then (batch, count) for each head.

    Raises:
        ValueError: a size that does not halve at least twice, an unknown normalization, an impossible final_size.

    Reference:
        Radford et al. 2015, arXiv:1511.06434, section 3.
    """
    if normalization not in ("batch", "spectral", None):
        raise ValueError(f"`normalization` is 'batch', 'spectral' or None. Received: normalization={normalization!r}")
    check_positive(width=width)
    *_, num_halvings = smallest_size(image_shape)
    if final_size is not None:
        if not isinstance(final_size, int) or not 1 <= final_size < max(image_shape[:2]):
            raise ValueError(
                f"The final size is at least 1, and less than that of the images, {tuple(image_shape)}. "
                f"Received: {final_size=}"
            )
        num_halvings = math.ceil(math.log2(max(image_shape[:2]) / final_size))
    batch = normalization == "batch"
    constrained = constraint(normalization == "spectral")
    check_attention(attention, [-(-image_shape[0] // 2**i) for i in range(1, num_halvings + 1)])
    inputs = [keras.Input(image_shape, name="images")]
    x = inputs[0]
    if num_classes is not None:
        inputs.append(keras.Input((), dtype="int32", name="labels"))
    if num_classes is not None and not projection and not one_hot:
        plane = embedding(num_classes, math.prod(image_shape[:2]))(inputs[1])
        plane = Reshape((*image_shape[:2], 1), name="label_plane")(plane)
        x = Concatenate(name="images_and_labels")([x, plane])
    for i in range(num_halvings):
        with_batch_norm = batch and i > 0
        convolution = Conv2D(
            width * 2**i,
            KERNEL,
            2,
            "same",
            use_bias=not with_batch_norm,
            kernel_initializer=normal(),
            name=f"down{i + 1}",
        )
        x = constrained(convolution)(x)
        if with_batch_norm:
            x = batch_normalization(f"down{i + 1}_bn")(x)
        x = LeakyReLU(0.2, name=f"down{i + 1}_relu")(x)
        if num_classes is not None and one_hot and i == 0:
            x = Concatenate(name="features_and_labels")([x, _planes(inputs[1], num_classes, x.shape[1:3])])
        x = self_attention(x, constrained, f"down{i + 1}") if x.shape[1] == attention else x
    x = GlobalSumPooling2D(name="sum")(x) if projection else Flatten(name="flatten")(x)
    logit = constrained(Dense(1, kernel_initializer=normal(), name="to_logit"))(x)
    if projection and num_classes is not None:
        of_class = constrained(ClassProjection(num_classes, normal(), name="class_vector"))([x, inputs[1]])
        logit = Add(name="with_class")([logit, of_class])
    outputs = [_numbers(logit, "logit")]
    for name, count in heads.items():
        outputs.append(_numbers(constrained(Dense(count, kernel_initializer=normal(), name=f"to_{name}"))(x), name))
    return keras.Model(inputs if num_classes else inputs[0], outputs if heads else outputs[0], name="discriminator")


def constraint(spectral: bool) -> Callable[[keras.layers.Layer], keras.layers.Layer]:
    """What layers are wrapped in: spectral normalisation, or nothing."""
    return lambda layer: SpectralNormalization(layer, name=f"{layer.name}_sn") if spectral else layer


def check_attention(attention: int | None, heights: list[int]) -> None:
    """Refuses a size of feature maps that the network does not have."""
    if attention is not None and attention not in heights:
        shown = " and ".join(map(str, heights))
        raise ValueError(f"`attention` is a height of feature maps, here {shown}. Received: {attention=}")


def smallest_size(image_shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Height and width after halving as often as both stay whole and at least 4, and how often that was."""
    image_shape = as_image_shape(image_shape)
    if len(image_shape) != 3:
        raise ValueError(
            f"Convolutions take images: `image_shape` is (height, width, channels). Received: {image_shape=}"
        )
    height, width, _ = image_shape
    num_halvings = 0
    while height % 2 == 0 and width % 2 == 0 and min(height, width) >= 8:
        height, width, num_halvings = height // 2, width // 2, num_halvings + 1
    if num_halvings < 2:
        raise ValueError(
            "Height and width must be multiples of 4 and at least 16, so that two strides of 2 divide them: resize or "
            f"pad the images (ganzoo.data.load_folder resizes). Received: image_shape={tuple(image_shape)}"
        )
    return height, width, num_halvings


def _planes(labels, num_classes: int, size: tuple[int, int]):
    """Of each class a plane, of 1 where it is the image's and of 0 elsewhere: (batch, *size, num_classes)."""
    repeated = RepeatVector(math.prod(size), name="repeat_label")(ops.one_hot(labels, num_classes))
    return Reshape((*size, num_classes), name="label_planes")(repeated)


def _numbers(x, name: str):
    return Activation("linear", dtype="float32", name=name)(x)


def embedding(num_classes: int, length: int, name: str = "label_vector") -> keras.layers.Layer:
    """A learned vector for each class, at first of the size of latents: N(0, 1)."""
    check_positive(num_classes=num_classes)
    initial = keras.initializers.RandomNormal(stddev=1.0)
    return Embedding(num_classes, length, embeddings_initializer=initial, name=name)


def normal() -> keras.initializers.Initializer:
    """N(0, .02), a new object each time so that no two layers share a seed."""
    return keras.initializers.RandomNormal(stddev=0.02)


def batch_normalization(name: str) -> keras.layers.Layer:
    """BatchNorm with the constants of the paper's time: momentum .9, epsilon 1e-5, scale from N(1, .02)."""
    return BatchNormalization(
        momentum=0.9, epsilon=1e-5, gamma_initializer=keras.initializers.RandomNormal(1.0, 0.02), name=name
    )


def class_normalization(x, labels, num_classes: int, name: str):
    """BatchNorm whose scale and shift are learned for each class (de Vries et al. 2017, arXiv:1707.00683)."""
    channels = x.shape[-1]
    y = BatchNormalization(momentum=0.9, epsilon=1e-5, center=False, scale=False, name=name)(x)
    gain = Embedding(num_classes, channels, "zeros", name=f"{name}_gain")(labels)
    shift = Embedding(num_classes, channels, "zeros", name=f"{name}_shift")(labels)
    return Modulation(name=f"{name}_class")([y, gain, shift])
