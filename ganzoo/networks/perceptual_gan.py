"""The networks of Perceptual GAN: features of images, what small objects lack of them, and two judges of features."""

from __future__ import annotations

import keras
from keras.layers import Activation, Add, Dense, Dropout, Flatten, LeakyReLU, MaxPooling2D, ReLU

from ganzoo.data.preprocessing import as_image_shape, check_positive
from ganzoo.layers import BatchNormalization, Conv2D, GroupNormalization
from ganzoo.networks.dcgan import normal

__all__ = ["EXTRACTOR", "feature_shape", "perceptual_discriminator", "perceptual_generator", "train_only"]

EXTRACTOR = "extractor"  # a layer of the generator
PHASES = ("large", "small")
HALVINGS, SMALLEST = 3, 16


def feature_shape(image_shape: tuple[int, ...], width: int) -> tuple[int, int, int]:
    """(height, width, channels) of the high-level features of images.

    Raises:
        ValueError: images with fewer than 16 pixels on a side.

    Example:
        >>> feature_shape((32, 32, 3), width=32)
        (4, 4, 128)
    """
    height, breadth, _ = _checked(image_shape)
    return height // 2**HALVINGS, breadth // 2**HALVINGS, 2 ** (HALVINGS - 1) * width


def perceptual_generator(image_shape: tuple[int, ...], width: int = 32, num_blocks: int = 2) -> keras.Model:
    """Images of small objects to features as large ones have them: ``F_s + G(f)``.

    The layer "extractor" is a network that brings each image to mean 0 and variance 1 and has three convolutions, of
    `width`, 2 and 4 times as many channels, each with batch normalisation, ReLU and max-pooling. After the first are
    the low-level features f, after the last the high-level ones, F. The residual comes from f by a 3x3 and a 1x1
    convolution, each pooled, and residual blocks of the size of F. It is nearly zero at first.

    Args:
        image_shape: (height, width, channels), at least 16 pixels on a side.
        width: int, channels of the first convolution.
        num_blocks: int, residual blocks of two convolutions.

    Returns:
        A `keras.Model` from "images", float32 (batch, height, width, channels) in [-1, 1], to features, float32 (batch,
        height // 8, width // 8, 4 * width).

    Raises:
        ValueError: a size that is not allowed, or a width or number that is not positive.

    Reference:
        Li et al. 2017, arXiv:1706.05274, figure 3 (a).

    Example:

    >>> network = perceptual_generator((32, 32, 3), width=8)
    >>> network(np.zeros((2, 32, 32, 3), "float32")).shape
    (2, 4, 4, 32)
    """
    check_positive(width=width, num_blocks=num_blocks)
    channels = feature_shape(image_shape, width)[-1]
    images = keras.Input(_checked(image_shape), name="images")
    low, high = _extractor(image_shape, width)(images)
    x = _pooled(_normal(low, 2 * width, "align3x3"), "align3x3")
    x = _pooled(_normal(x, channels, "align1x1", kernel=1), "align1x1")
    for i in range(1, num_blocks + 1):
        inner = _normal(_normal(x, channels, f"block{i}_first"), channels, f"block{i}_second", relu=False)
        x = ReLU(name=f"block{i}_relu")(Add(name=f"block{i}")([x, inner]))
    little = keras.initializers.RandomNormal(stddev=1e-3)
    residual = Conv2D(channels, 1, kernel_initializer=little, name="to_residual")(x)
    return keras.Model(images, Add(dtype="float32", name="features")([high, residual]), name="generator")


def perceptual_discriminator(
    features: tuple[int, ...], num_classes: int, width: int = 256, dropout: float = 0.2
) -> keras.Model:
    """Features to a logit of being those of a large object, and to class logits: two branches that share nothing.

    The adversarial branch has three fully connected layers, of `width`, a quarter as many units and one; the perception
    branch two, of `width` and `num_classes` units.

    Args:
        features: (height, width, channels).
        num_classes, width: ints.
        dropout: float, how many of the perception branch's hidden units are left out in training.

    Returns:
        A `keras.Model` from "features", float32 (batch, height, width, channels), to a list: float32 logits (batch, 1)
        and class logits (batch, num_classes).

    Reference:
        Li et al. 2017, arXiv:1706.05274, figure 3 (b), without the branch of boxes.
    """
    check_positive(num_classes=num_classes, width=width)
    given = keras.Input(tuple(features), name="features")
    flat = Flatten(name="flatten")(given)
    x = flat
    for i, units in enumerate((width, max(width // 4, 1)), 1):
        x = LeakyReLU(0.2, name=f"adversarial{i}_relu")(_dense(units, f"adversarial{i}")(x))
    logit = Activation("linear", dtype="float32", name="logit")(_dense(1, "to_logit", normal())(x))
    x = _dense(width, "perception")(flat)
    x = Dropout(dropout, name="drop")(ReLU(name="perception_relu")(x))
    classes = Activation("linear", dtype="float32", name="classes")(_dense(num_classes, "to_classes", normal())(x))
    return keras.Model(given, [logit, classes], name="discriminator")


def train_only(generator: keras.Model, phase: str) -> None:
    """Leaves of a generator's layers trainable what a phase trains: of "large" its extractor, of "small" all others.

    Raises:
        ValueError: another phase, or a generator without an extractor.
    """
    if phase not in PHASES:
        raise ValueError(f"`phase` is one of {PHASES}, which come in this order. Received: {phase=}")
    extractor = next((layer for layer in generator.layers if layer.name == EXTRACTOR), None)
    if not isinstance(extractor, keras.Model) or len(extractor.outputs) != 2:
        raise ValueError(
            f"A generator of one's own has a layer {EXTRACTOR!r}, a keras.Model from images to two outputs, low-level "
            "features and those that the generator draws. "
            f"Received: a network of {', '.join(layer.name for layer in generator.layers)}"
        )
    for layer in generator.layers:
        layer.trainable = (layer is extractor) == (phase == "large")


def _extractor(image_shape: tuple[int, ...], width: int) -> keras.Model:
    images = keras.Input(image_shape, name="images")
    x = GroupNormalization(1, center=False, scale=False, dtype="float32", name="standardise")(images)
    levels = []
    for i in range(HALVINGS):
        x = _pooled(_normal(x, 2**i * width, f"conv{i + 1}"), f"conv{i + 1}")
        levels.append(x)
    high = Activation("linear", dtype="float32", name="high")(x)
    return keras.Model(images, [levels[0], high], name=EXTRACTOR)


def _normal(x, channels: int, name: str, kernel: int = 3, relu: bool = True):
    layer = Conv2D(channels, kernel, padding="same", use_bias=False, kernel_initializer="he_normal", name=name)
    x = BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_bn")(layer(x))
    return ReLU(name=f"{name}_relu")(x) if relu else x


def _pooled(x, name: str):
    return MaxPooling2D(2, name=f"{name}_pool")(x)


def _dense(units: int, name: str, initializer="he_normal") -> Dense:
    return Dense(units, kernel_initializer=initializer, name=name)


def _checked(image_shape: tuple[int, ...]) -> tuple[int, ...]:
    shape = as_image_shape(image_shape)
    if len(shape) != 3 or min(shape[:2]) < SMALLEST:
        raise ValueError(
            f"Images are at least {SMALLEST} pixels high and wide: enlarge them. Received: image_shape={shape}"
        )
    return shape
