"""A small encoder of sentences, trained with the network that it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import ops
from keras.layers import Activation, Add, Conv1D, Dense, Embedding, Flatten, LeakyReLU

from ganzoo.data.preprocessing import check_positive

if TYPE_CHECKING:
    from ganzoo.engine.parts import Part

__all__ = ["sentence_encoder"]


def sentence_encoder(captions: Part, units: int, name: str = "captions"):
    """An input for sentences, or for vectors that stand for them, and what is read from it.

    A word is its own learned vector, and what a convolution over it and its two neighbours adds; a sentence is the mean
    of its words, then a layer of LeakyReLU of slope .2. A sentence without words has the mean 0. Vectors go into that
    layer as they are.

    Args:
        captions: a `ganzoo.Text`, or `ganzoo.Vectors`.
        units: int, length of a word's vector and of a sentence's.
        name: of the input, and of the layers.

    Returns:
        The `keras.Input`, int32 (batch, length) or float32 (batch, *shape), and a tensor (batch, units).

    Example:

    >>> told, sentence = sentence_encoder(ganzoo.Text(["red", "heart"], 4), units=8)
    >>> keras.Model(told, sentence)(np.array([[2, 3, 0, 0]])).shape
    (1, 8)
    """
    check_positive(units=units)
    told = keras.Input(captions.shape, dtype=captions.dtype, name=name)
    x = _mean_word(told, captions.num_words, units, name) if hasattr(captions, "num_words") else Flatten()(told)
    x = Dense(units, kernel_initializer="he_normal", name=f"{name}_dense")(x)
    return told, LeakyReLU(0.2, name=f"{name}_sentence")(x)


def _mean_word(told, num_words: int, units: int, name: str):
    """The mean over the words that there are, float32 (batch, units)."""
    words = Embedding(num_words, units, keras.initializers.RandomNormal(stddev=0.5), name=f"{name}_words")(told)
    beside = Conv1D(units, 3, padding="same", activation="relu", name=f"{name}_neighbours")(words)
    words = Activation("linear", dtype="float32")(Add()([words, beside]))
    there = ops.expand_dims(ops.cast(ops.not_equal(told, 0), "float32"), -1)
    return ops.sum(words * there, axis=1) / ops.maximum(ops.sum(there, axis=1), 1.0)
