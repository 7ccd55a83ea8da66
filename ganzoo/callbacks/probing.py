"""What a network cannot give, whatever it is shown: found out with inputs ten thousand times as large as images.

Scores that lie in [0, 1] may come to lie outside of it tomorrow. Those that do so for such inputs too, and crowd at its
ends, come out of a sigmoid, wherever that is hidden.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import keras
import numpy as np
from keras import ops

from ganzoo.engine import backend
from ganzoo.engine.evaluating import logit_of
from ganzoo.engine.gan import GAN
from ganzoo.engine.parts import Images

__all__ = ["bounds_of_scores", "never_dark", "scores_of"]

BOUNDS = ((0.0, 1.0), (-1.0, 1.0))  # a sigmoid's, a tanh's
LOUD, BEYOND = 10_000.0, 2.0
AT_END, CROWD, SPREAD = 0.05, 0.05, 0.1  # parts: of the width what is an end, of the scores, of the width


def bounds_of_scores(model: GAN, real, fake, scores: np.ndarray) -> tuple[float, float] | None:
    """The bounds of a discriminator's scores, if it has some and its loss would be lower beyond them.

    Args:
        model: whose loss comes to its scores through `discriminate`.
        real, fake: batches as losses take them.
        scores: what the discriminator gives for these two.
    """
    if _bounds_around(scores) is None:
        return None
    for probe in _loud_images(model, real, fake):
        scores = np.concatenate([scores, scores_of(model, probe).ravel()])
        if _bounds_around(scores) is None:  # also where it is not finite
            return None
    low, high = bounds = _bounds_around(scores) or BOUNDS[-1]
    width = high - low
    at_end = (scores < low + AT_END * width) | (scores > high - AT_END * width)
    crowded = np.ptp(scores) > SPREAD * width and at_end.mean() > CROWD
    return bounds if crowded and _is_lower_beyond(model, real, fake, low, high) else None


def never_dark(model: GAN, real, drawn: np.ndarray) -> bool:
    """Whether a generator's images are never below 0, the middle of their range, and many pixels just there.

    Args:
        model: a model; other data than images have no range.
        real: a batch as losses take it.
        drawn: what the generator draws for it.
    """
    if not isinstance(model.data[model.target], Images) or drawn.min() < 0:
        return False
    taken = {name: real[name] for name in model.conditions()}
    if len(model.generator.inputs) > len(taken):
        latents = model.seeded_latents(len(drawn), seed=0)
        taken |= latents if isinstance(latents, dict) else {"latents": latents}
    pixels = [drawn]
    for factor in (LOUD, -LOUD):
        inputs = {name: _times(factor, ops.convert_to_tensor(values)) for name, values in taken.items()}
        with backend.no_gradient():
            images, _ = backend.forward(lambda inputs=inputs: model(inputs))
        pixels.append(ops.convert_to_numpy(images))
        if not pixels[-1].min() >= 0:
            return False
    return bool(np.mean(np.concatenate(pixels) < AT_END) > CROWD)


def scores_of(model: GAN, batch) -> np.ndarray:
    """The discriminator's answer to a batch, one row for each image, float32; no state of the model is moved."""
    with backend.no_gradient():
        answer, _ = backend.forward(lambda: logit_of(model.discriminate(batch, training=False)))
    scores = ops.convert_to_numpy(answer).astype("float32")
    return scores.reshape(len(scores), -1)


def _bounds_around(scores: np.ndarray) -> tuple[float, float] | None:
    return next((b for b in BOUNDS if ((b[0] <= scores) & (scores <= b[1])).all()), None)


def _loud_images(model: GAN, real, fake) -> Iterator:
    images = model.images_of(real)
    noise = np.random.default_rng(0).uniform(-1, 1, tuple(ops.shape(images))).astype("float32")
    for batch, pixels in ((real, images), (fake, model.images_of(fake)), (real, ops.convert_to_tensor(noise))):
        for factor in (LOUD, -LOUD):
            yield model.with_images(batch, factor * ops.cast(pixels, "float32"))
    yield model.with_images(real, ops.convert_to_tensor(noise))


def _times(factor: float, values):
    return factor * values if keras.backend.is_float_dtype(keras.backend.standardize_dtype(values.dtype)) else values


def _is_lower_beyond(model: GAN, real, fake, low: float, high: float) -> bool:
    """Whether the discriminator's loss asks for scores outside of the bounds: one of probabilities does not."""
    if type(model).discriminator_loss is GAN.discriminator_loss:
        return False
    try:
        inspect.signature(model.discriminator_loss).bind(real, fake, False)
    except TypeError:  # one for an `update` of its own, which takes something else
        return False
    right, wrong = (
        [_loss_of_oracle(model, real, fake, *scores) for scores in ((a, b), (a + more, b - more))]
        for a, b, more in ((high, low, BEYOND), (low, high, -BEYOND))
    )
    return right[1] < right[0] - 0.01 * abs(right[0]) and wrong[1] > wrong[0]  # not where they are not finite


def _loss_of_oracle(model: GAN, real, fake, of_real: float, of_fake: float) -> float:
    """The discriminator's loss, if all real images had one score and all generated ones another."""
    discriminate = model.discriminate
    known = [(model.images_of(real), of_real), (model.images_of(fake), of_fake)]

    def oracle(batch, training):
        answer = discriminate(batch, training)
        score = next((score for images, score in known if model.images_of(batch) is images), (of_real + of_fake) / 2)
        scores = 0.0 * logit_of(answer) + score  # through the network, for penalties
        return [scores, *answer[1:]] if isinstance(answer, (list, tuple)) else scores

    model.__dict__["discriminate"] = oracle  # Keras need not know
    try:
        with backend.no_gradient(), model._noise_of(np.random.default_rng(0)):
            loss, _ = backend.forward(lambda: model.discriminator_loss(real, fake, False))
    finally:
        del model.__dict__["discriminate"]
    return float(ops.convert_to_numpy(loss))
