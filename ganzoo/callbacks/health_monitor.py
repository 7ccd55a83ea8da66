"""Tells, in words, when a training goes wrong."""

from __future__ import annotations

import logging
import math
from collections import deque

import keras
import numpy as np
from keras import ops

from ganzoo.callbacks.backup import keep
from ganzoo.callbacks.probing import bounds_of_scores, never_dark, scores_of
from ganzoo.data.preprocessing import check_images, check_positive, to_float
from ganzoo.engine import backend
from ganzoo.engine.evaluating import logit_of
from ganzoo.engine.gan import GAN

__all__ = ["HealthMonitor"]

LEAST_IMAGES = 16
PIXELS = 256 * 32 * 32 * 3  # numbers in the images of a look
REMEDIES = {
    "not a number": "Lower the learning rates, or clip gradients with the optimizer's clipnorm.",
    "vanishing gradients": (
        "The discriminator is too good for the generator's loss: take the non-saturating loss, lower the "
        "discriminator's learning rate, take fewer discriminator steps, or regularise it."
    ),
    "mode collapse": (
        "Lower the learning rates, the generator's first; or regularise the discriminator (spectral_norm, WGANGP)."
    ),
    "discriminator at chance": (
        "If the images are not good yet, the discriminator learns too slowly: raise its learning rate or its width, or "
        "take more discriminator steps."
    ),
    "oscillation": "Lower the learning rates; beta_1 of .5 or 0; or regularise the discriminator.",
    "bounded scores": (
        "Leave out the sigmoid or tanh that the discriminator ends in, also in a Lambda or inside a layer of your own: "
        "the loss takes logits."
    ),
    "half of the range": "End the generator in tanh, not in a sigmoid: images lie in [-1, 1].",
}
DARK = -0.5  # what the darkest hundredth of a real image is below, in a set whose images use both halves of the range


class HealthMonitor(keras.callbacks.Callback):
    """Looks at a training every so many steps, and says in one line what goes wrong and what helps.

    Each look takes the same real images and the same latents, and measures, on the generator in training:

    - *not a number*: an image or a logit is not finite, or at the end of an epoch a weight. Training stops, and the
      model is put back to the state of the last look at which everything was finite, or of the begin.
    - *vanishing gradients*: the generator's loss moves by less than `least_gradient` (.02) where the discriminator's
      logit moves by 1, while the discriminator tells real from fake more than 95 % of the time. With the
      non-saturating loss and with a critic that number stays near 1.
    - *mode collapse*: two generated images differ, on average, by less than `least_diversity` (.3) times what two real
      images differ by (Euclidean distance of pixels).
    - *discriminator at chance*: the logit of a real image exceeds that of a fake one less than half of the time, or
      hardly more (`chance`, .02). That is also how a training ends that has reached everything.
    - *oscillation*: from look to look the images move by more than `most_movement` (.7) times what two real images
      differ by, and yet, over all looks in the window, not even twice as far as in one.
    - *bounded scores*: the discriminator's scores never leave [0, 1], or [-1, 1], and crowd at the ends for images ten
      thousand times as bright, while its loss would be lower beyond: a sigmoid, or a tanh, before a loss that takes
      logits. The non-saturating loss of such a discriminator does not come below softplus(-1) + softplus(0) = 1.006.
      Losses of probabilities and least squares do not ask for scores beyond.
    - *half of the range*: no pixel of a generated image is below 0, the middle of the range, nor for latents (or
      conditions) ten thousand times as large, and many are just there, while most real images go below -.5.

    An alarm is raised when its condition holds at `patience` looks in a row (*not a number* at once; *at chance* after
    twice as many), and again only after the condition was gone; the last two, which do not go away, once. Alarms go to
    the logger "ganzoo" as warnings. Put the monitor first in the list of callbacks: those before it see a state that is
    not finite before it is put back. `Backup` saves what the monitor has seen, so that a resumed training raises the
    alarms that it would have raised without the interruption.

    Args:
        images: real data as for `fit`, in arrays: images, or of models of several parts a tuple or a dictionary; at
            least 16 examples. Up to 256, evenly spaced, are used, fewer where the images are large.
        every: int, training steps from one look to the next.
        allow_nonnegative: as in `fit`.
        patience: int, looks.
        least_gradient, least_diversity, chance, most_movement: thresholds, see above.

    Attributes:
        alarms: list of (training step, kind, message).
        looks: list of dicts of what was measured: ``step``, ``gradient``, ``diversity``, ``told_apart``, ``movement``.

    Raises:
        ValueError: unsuitable images, or fewer than 16, or all the same; in `fit`, of another size than the model's, or
            a model without `generator_loss`, or whose discriminator does not give one logit or one map of an image.

    Example:

        >>> monitor = ganzoo.callbacks.HealthMonitor(images[:256])
        >>> model.fit(images, epochs=20, callbacks=[monitor, keras.callbacks.ModelCheckpoint("last.keras")])
        >>> monitor.alarms
        []
    """

    def __init__(
        self,
        images,
        every: int = 100,
        patience: int = 5,
        *,
        allow_nonnegative: bool = False,
        least_gradient: float = 0.02,
        least_diversity: float = 0.3,
        chance: float = 0.02,
        most_movement: float = 0.7,
    ):
        super().__init__()
        check_positive(every=every, patience=patience)
        self._given, self._allow_nonnegative = _some(images), allow_nonnegative
        self.every, self.patience = int(every), int(patience)
        self.images = np.zeros(0, "float32")  # until the data are known to fit the model
        if isinstance(self._given, np.ndarray):  # what is wrong with images is told at once
            if self._given.ndim == 4:
                check_images(self._given, allow_nonnegative=allow_nonnegative, name="images")
                self._given, self._allow_nonnegative = to_float(self._given), True
            self._look_at(self._given)
        self.least_gradient, self.least_diversity = least_gradient, least_diversity
        self.chance, self.most_movement = chance, most_movement
        self.alarms: list[tuple[int, str, str]] = []
        self.looks: list[dict[str, float]] = []
        self._in_a_row = dict.fromkeys(REMEDIES, 0)
        self._drawn: deque = deque(maxlen=patience + 1)
        self._good: list[np.ndarray] = []
        self._watched: keras.Model | None = None
        self._begin = self._step = 0

    def _look_at(self, images: np.ndarray) -> None:
        self.images = images.astype("float32")
        self._spread = _mean_distance(self.images, np.roll(self.images, 1, axis=0))
        self._darkest = float(np.median(np.quantile(self.images.reshape(len(images), -1), 0.01, axis=1)))
        if not (np.isfinite(self._spread) and self._spread > 0):
            raise ValueError(f"Real images are finite and differ. Received: a mean distance of {self._spread}")

    @staticmethod
    def cannot_watch(model: keras.Model) -> str | None:
        """Why not, in words; None for a `ganzoo.GAN` of a `generator_loss` whose discriminator begins with a logit."""
        if not isinstance(model, GAN):
            return "it is no ganzoo.GAN"
        if "discriminator" not in model.players():
            return "its discriminator is not trained"
        if getattr(model, "adversarial_weight", 1.0) == 0:
            return "its losses have no adversary"
        names = [x.name for x in model.discriminator.inputs]
        if len(names) > 1 and (others := [name for name in names if name not in model.data]):
            return f"its discriminator takes more than the data, {' and '.join(others)}"
        if tuple(model.discriminator.outputs[0].shape[1:]) == model.image_shape:
            return f"its discriminator gives more than a logit, {model.discriminator.output_shape}"
        if type(model).generator_loss is GAN.generator_loss:
            return "it does not define generator_loss"
        return None

    def on_train_begin(self, logs=None):
        if reason := self.cannot_watch(self.model):
            raise ValueError(f"HealthMonitor cannot watch this model: {reason}. Received: {self.model!r}")
        given = self._given
        if isinstance(given, np.ndarray) and self.model.plain and given.shape[1:] != self.model.image_shape:
            raise ValueError(
                "HealthMonitor needs images as the model makes them. "
                f"Received: {given.shape[1:]} for {self.model.image_shape}"
            )
        most = max(LEAST_IMAGES, PIXELS // math.prod(n or 64 for n in self.model.image_shape))
        with self.model._noise_of(np.random.default_rng(0)):  # parts that the model makes move no state of it
            self._batch = self.model.as_batch(_some(given, most), allow_nonnegative=self._allow_nonnegative)
        self._look_at(ops.convert_to_numpy(self.model.images_of(self._batch)))
        if self.model is not self._watched:
            self._watched, self._in_a_row = self.model, dict.fromkeys(REMEDIES, 0)
            self._drawn.clear()
        self._good = self._state()
        keep(self)

    def on_epoch_begin(self, epoch, logs=None):
        self._begin = self._step = int(ops.convert_to_numpy(self.model.optimizer.iterations))

    def on_train_batch_end(self, batch, logs=None):
        before, self._step = self._step, self._begin + batch + 1
        if self._step // self.every > before // self.every and not self.model.stop_training:
            self._look()

    def on_epoch_end(self, epoch, logs=None):
        finite = all(np.isfinite(ops.convert_to_numpy(weight)).all() for weight in self.model.weights)
        if not finite and not self.model.stop_training:
            self._diverged("a weight")

    def _diverged(self, what: str) -> None:
        self._alarm("not a number", f"{what} is not finite; training stops, the last good state is back")
        self._restore()
        self.model.stop_training = True

    def _look(self) -> None:
        self._step = int(ops.convert_to_numpy(self.model.optimizer.iterations))  # `batch` rounds up to whole executions
        fake = self.model.seeded_fake(self._batch, seed=0)
        drawn = ops.convert_to_numpy(ops.cast(self.model.images_of(fake), "float32"))
        scores = np.stack([scores_of(self.model, x) for x in (self._batch, fake)])
        if not (np.isfinite(drawn).all() and np.isfinite(scores).all()):
            return self._diverged("an image or a logit")
        measured, state = self._measured(fake, drawn, *scores.mean(axis=2)), self._state()
        if not all(np.isfinite(array).all() for array in state):
            return self._diverged("a weight or an optimizer's average")
        self.looks.append({"step": self._step, **measured})
        self._good = state
        apart, gradient, diversity = (measured[name] for name in ("told_apart", "gradient", "diversity"))
        self._judge(
            "vanishing gradients",
            gradient < self.least_gradient and apart > 0.95,
            f"the generator's loss moves by {gradient:.2g} where the logit moves by 1, and real images are told from "
            f"fake ones {apart:.0%} of the time",
        )
        self._judge(
            "mode collapse",
            diversity < self.least_diversity,
            f"generated images differ by {diversity:.2g} times what real images differ by",
        )
        self._judge(
            "discriminator at chance",
            apart < 0.5 + self.chance,
            f"real images are told from fake ones {apart:.0%} of the time",
            patience=2 * self.patience,
        )
        self._judge(
            "oscillation",
            self._oscillates(),
            f"between two looks the images move by {measured['movement']:.2g} times what real images differ by, and "
            "get nowhere",
            patience=1,  # the condition spans as many looks
        )
        self._judge_networks(fake, drawn, scores)

    def _judge_networks(self, fake, drawn: np.ndarray, scores: np.ndarray) -> None:
        """What is built into a network is told once, and no longer looked for then."""
        if self._in_a_row["bounded scores"] < self.patience:
            bounds = bounds_of_scores(self.model, self._batch, fake, scores.ravel()) or ()
            self._judge(
                "bounded scores",
                bool(bounds),
                f"the discriminator's scores never leave {[*map(round, bounds)]}, and its loss would be lower beyond",
            )
        if self._in_a_row["half of the range"] < self.patience:
            self._judge(
                "half of the range",
                self._darkest < DARK and never_dark(self.model, self._batch, drawn),
                f"generated images are never below 0, and real ones go down to {self._darkest:.2g}",
            )

    def _measured(self, fake, drawn: np.ndarray, real_logits: np.ndarray, fake_logits: np.ndarray) -> dict[str, float]:
        model, real, num = self.model, self._batch, len(self.images)
        images = ops.cast(model.images_of(fake), "float32")

        def with_images(x):
            return model.with_images(fake, x)

        slope = _norms(backend.input_gradient(lambda x: logit_of(model.discriminate(with_images(x), False)), images))
        loss = _norms(backend.input_gradient(lambda x: num * model.generator_loss(real, with_images(x), False), images))
        movement = _mean_distance(drawn, self._drawn[-1]) / self._spread if self._drawn else 0.0
        self._drawn.append(drawn)
        return {
            "gradient": float(np.mean(loss / np.maximum(slope, 1e-12))),
            "diversity": _mean_distance(drawn, np.roll(drawn, 1, axis=0)) / self._spread,
            "told_apart": float((real_logits[:, None] > fake_logits).mean()),
            "movement": movement,
        }

    def _oscillates(self) -> bool:
        if len(self._drawn) <= self.patience:
            return False
        steps = [look["movement"] for look in self.looks[-self.patience :]]
        whole = _mean_distance(self._drawn[0], self._drawn[-1]) / self._spread
        return min(steps) > self.most_movement and whole < 2 * float(np.mean(steps))

    def _judge(self, kind: str, condition: bool, message: str, patience: int | None = None) -> None:
        self._in_a_row[kind] = self._in_a_row[kind] + 1 if condition else 0
        if self._in_a_row[kind] == (patience or self.patience):
            self._alarm(kind, message)

    def _alarm(self, kind: str, message: str) -> None:
        message = f"Step {self._step}: {kind}: {message}. {REMEDIES[kind]}"
        self.alarms.append((self._step, kind, message))
        logging.getLogger("ganzoo").warning(message)

    def state(self) -> tuple[dict, dict[str, np.ndarray]]:
        """What the next looks depend on, for a `Backup`: as JSON takes it, and in arrays."""
        seen = {"in_a_row": self._in_a_row, "alarms": self.alarms, "looks": self.looks, "settings": self._settings()}
        return seen, {"drawn": np.stack(self._drawn)} if self._drawn else {}

    def set_state(self, seen: dict, arrays: dict[str, np.ndarray]) -> None:
        """Goes on from a `state`, unless that is of other settings or images."""
        if seen["settings"] == self._settings():
            self._in_a_row = dict.fromkeys(REMEDIES, 0) | seen["in_a_row"]
            self.alarms = [(step, kind, message) for step, kind, message in seen["alarms"]]
            self.looks = seen["looks"]
            self._drawn = deque(arrays.get("drawn", ()), maxlen=self.patience + 1)

    def _settings(self) -> dict:
        thresholds = map(float, (self.least_gradient, self.least_diversity, self.chance, self.most_movement))
        images = [*self.images.shape, round(self._spread, 3)]
        return {"every": self.every, "patience": self.patience, "thresholds": [*thresholds], "images": images}

    def _variables(self) -> list:
        return [*self.model.variables, *self.model.optimizer.variables]

    def _state(self) -> list[np.ndarray]:
        return [ops.convert_to_numpy(v).copy() for v in self._variables()]

    def _restore(self) -> None:
        for variable, value in zip(self._variables(), self._good):
            variable.assign(value)


def _some(data, most: int = 256):
    """Up to so many examples of it, evenly spaced, for they may be in order of class; as many of each part."""
    if isinstance(data, dict):
        return dict(zip(data, _some(tuple(data.values()), most)))
    if isinstance(data, tuple):
        return tuple(_some(part, min([most, *map(len, data)])) for part in data)
    array = np.asarray(data)
    if len(array) < LEAST_IMAGES:
        raise ValueError(f"Give at least {LEAST_IMAGES} real images. Received: {len(array)}")
    return array[np.linspace(0, len(array) - 1, min(len(array), most)).astype(int)]


def _mean_distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm((a - b).reshape(len(a), -1), axis=1).mean())


def _norms(gradient) -> np.ndarray:
    gradient = ops.convert_to_numpy(gradient)
    return np.linalg.norm(gradient.reshape(len(gradient), -1), axis=1)
