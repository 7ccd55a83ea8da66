"""Networks that predict the next frame of a film from coarse to fine, and that judge it at each of these sizes."""

from __future__ import annotations

import keras
from keras import ops
from keras.layers import Activation, Add, Concatenate, Dense, Flatten, LeakyReLU, ReLU

from ganzoo.data.preprocessing import check_positive
from ganzoo.layers import Clip, Conv2D, Grow, Shrink, SpectralNormalization
from ganzoo.layers.pyramid import enlarged, pyramid
from ganzoo.networks.dcgan import normal
from ganzoo.networks.lapgan import sizes_of

__all__ = ["judged", "predicted", "prediction_discriminator", "prediction_generator"]

WIDTHS, KERNELS = (1, 2, 1), (5, 3, 3)  # of the convolutions of a level, before the one to the frame
LAST_KERNEL = 5


def prediction_generator(image_shape: tuple[int, ...], num_frames: int, levels: int, width: int) -> keras.Model:
    """The last frames of a film to the next one, predicted at a small size and refined at each size twice as large.

    Level k has three convolutions of `width`, twice and once as many channels, with ReLU between, and one to what is to
    be added to the enlarged frame of the level before. Nothing is normalised, and nothing is of half a size within a
    level.

    Args:
        image_shape: (height, width, channels) of a frame; height and width halve `levels` - 1 times.
        num_frames: int, frames that are seen.
        levels: int, sizes, at least 2.
        width: int, channels.

    Returns:
        A `keras.Model` from `source`, float32 (batch, height, width, num_frames * channels), to float32 (batch, height,
        width, channels) in [-1, 1]. The levels are its layers `level0` (of the frames at the smallest size), `level1`
        (of the frames and the enlarged prediction) and so on.

    Reference:
        Mathieu, Couprie and LeCun 2015, arXiv:1511.05440, section 3.1.
    """
    check_positive(num_frames=num_frames, width=width)
    sizes, channels = sizes_of(image_shape, levels), image_shape[-1]
    source = keras.Input((*sizes[-1], num_frames * channels), name="source")
    x = None
    for i, (size, frames) in enumerate(zip(sizes, _pyramid(source, levels))):
        larger = None if x is None else Grow(dtype="float32", name=f"grow{i}")(x)
        level = _level(i, size, num_frames * channels, channels, width)
        x = level(frames if larger is None else [frames, larger])
        x = Activation("linear", dtype="float32", name=f"residual{i}")(x)
        x = x if larger is None else Add(dtype="float32", name=f"add{i}")([larger, x])
    return keras.Model(source, Clip(-1.0, 1.0, dtype="float32", name="frame")(x), name="generator")


def prediction_discriminator(image_shape: tuple[int, ...], num_frames: int, levels: int, width: int) -> keras.Model:
    """The last frames of a film and the next one, true or predicted, to a logit at each size.

    Args:
        image_shape, num_frames, levels: as for `prediction_generator`.
        width: int, channels of the first convolution at each size; twice as many at each half of it, at most four
            times.

    Returns:
        A `keras.Model` from `source`, float32 (batch, height, width, num_frames * channels), and `target`, float32
        (batch, height, width, channels), to a list of float32 logits (batch, 1), the finest level's first. The levels
        are its layers `level0` (of the smallest size), `level1` and so on, each of frames and the next frame.

    Reference:
        Mathieu, Couprie and LeCun 2015, arXiv:1511.05440, section 3.2.

    Differs from the paper: strided convolutions, LeakyReLU and spectral normalisation instead of pooling, ReLU and
    three large dense layers.
    """
    check_positive(num_frames=num_frames, width=width)
    sizes, channels = sizes_of(image_shape, levels), image_shape[-1]
    source = keras.Input((*sizes[-1], num_frames * channels), name="source")
    target = keras.Input((*sizes[-1], channels), name="target")
    logits: list = []
    pairs = zip(sizes, _pyramid(source, levels), _pyramid(target, levels, "target"))
    for i, (size, frames, following) in enumerate(pairs):
        logits.insert(0, _judge(i, size, num_frames * channels, channels, width)([frames, following]))
    return keras.Model([source, target], logits, name="discriminator")


def predicted(generator: keras.Model, source, levels: int, training: bool) -> list:
    """What a `prediction_generator` predicts at each size, the smallest first: float32, of the largest not clipped.

    Args:
        generator: with layers `level0` ...
        source: float32 (batch, height, width, num_frames * channels).
        levels: int.
        training: bool.
    """
    frames: list = []
    for i, seen in enumerate(pyramid(source, levels)):
        larger = enlarged(frames[-1]) if i else None
        x = generator.get_layer(f"level{i}")([seen, larger] if i else seen, training=training)
        frames.append(ops.cast(x, "float32") + larger if i else ops.cast(x, "float32"))
    return frames


def judged(discriminator: keras.Model, source, frames: list, training: bool) -> list:
    """Logits of a `prediction_discriminator` for a frame at each size, the smallest first, beside what precedes it."""
    pairs = enumerate(zip(pyramid(source, len(frames)), frames))
    return [discriminator.get_layer(f"level{i}")(list(pair), training=training) for i, pair in pairs]


def _pyramid(images, levels: int, name: str = "source") -> list:
    """The images at each size, the smallest first."""
    found = [images]
    for i in reversed(range(1, levels)):
        found.insert(0, Shrink(dtype="float32", name=f"shrink_{name}{i}")(found[0]))
    return found


def _level(level: int, size: tuple[int, int], seen: int, channels: int, width: int) -> keras.Model:
    inputs = [keras.Input((*size, seen), name="frames")]
    if level:
        inputs.append(keras.Input((*size, channels), name="larger"))
    x = Concatenate(name="planes")(inputs) if level else inputs[0]
    for i, (times, kernel) in enumerate(zip(WIDTHS, KERNELS), 1):
        x = Conv2D(times * width, kernel, padding="same", kernel_initializer="he_normal", name=f"conv{i}")(x)
        x = ReLU(name=f"relu{i}")(x)
    x = Conv2D(channels, LAST_KERNEL, padding="same", kernel_initializer=normal(), name="to_frame")(x)
    return keras.Model(inputs if level else inputs[0], x, name=f"level{level}")


def _judge(level: int, size: tuple[int, int], seen: int, channels: int, width: int) -> keras.Model:
    inputs = [keras.Input((*size, seen), name="frames"), keras.Input((*size, channels), name="following")]
    x = Concatenate(name="planes")(inputs)
    number = max(min(size).bit_length() - 3, 0)  # so many halve the smaller side to 4 to 7
    for i in range(number + 1):
        kernel, strides, name = (4, 2, f"conv{i + 1}") if i < number else (3, 1, "conv_last")
        layer = Conv2D(min(2**i, 4) * width, kernel, strides, "same", kernel_initializer=normal(), name=name)
        x = LeakyReLU(0.2, name=f"{name}_relu")(SpectralNormalization(layer, name=f"{name}_sn")(x))
    logit = SpectralNormalization(Dense(1, kernel_initializer=normal(), name="to_logit"), name="to_logit_sn")
    logit = Activation("linear", dtype="float32", name="logit")(logit(Flatten(name="flatten")(x)))
    return keras.Model(inputs, logit, name=f"level{level}")
