"""`evaluate`, and the numbers that `fit` and `evaluate` log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras import ops

from ganzoo.data.preprocessing import to_float
from ganzoo.engine.backend.scope import StepScope
from ganzoo.engine.feed import Feed, make_feed
from ganzoo.engine.mixin import Mixin
from ganzoo.engine.naming import is_in_memory

__all__ = ["Evaluating", "logit_of"]


class Evaluating(Mixin):
    """What of `BaseGAN` is about evaluating and logging."""

    def evaluate(
        self,
        x=None,
        y=None,
        *,
        batch_size: int | None = None,
        return_dict: bool = True,
        allow_nonnegative: bool = False,
        **kwargs,
    ):
        """Losses on given images and fresh latents, and how often the discriminator is right. Updates nothing.

        The latents come from a seed of their own, the same at every call.

        Args:
            x, y: data as for `fit`.
            batch_size: int, for arrays (32 by default). A last smaller batch counts as a batch.
            return_dict: bool, as in Keras; here True by default.
            allow_nonnegative: as for `fit`.
            **kwargs: ``verbose``, ``steps``, ``callbacks`` as in Keras.

        Returns:
            dict with ``loss``, one loss per player, ``real_accuracy`` and ``fake_accuracy``: means over batches.
        """
        if not self.compiled:
            self.compile()
        if kwargs.get("_use_cached_eval_dataset") is None:
            x = self._evaluation_feed(x, batch_size, allow_nonnegative, y=y, endless=("steps", kwargs.get("steps")))
        self.evaluation_seed.state.assign([int(ops.convert_to_numpy(self.evaluation_seed.state)[0]), 0])
        return super().evaluate(x, return_dict=return_dict, **kwargs)

    def evaluate_batch(self, real) -> dict:
        """What `evaluate` reports beside the losses: how often the discriminator is right, on either side of logit 0.

        A discriminator's first output is its logit, or a map of them. A critic's scores (WGAN) have no such threshold:
        there the two numbers only say on which side of 0 they lie.
        """
        fake = self.fake(real, training=False)
        right = {
            "real_accuracy": logit_of(self.discriminate(real, training=False)) > 0,
            "fake_accuracy": logit_of(self.discriminate(fake, training=False)) < 0,
        }
        return {name: ops.mean(ops.cast(hits, "float32")) for name, hits in right.items()}

    def answers(self, images, batch_size: int = 256, network=None) -> Any:
        """The discriminator's answers to images, in inference.

        Args:
            images: uint8, or float in [-1, 1], (n, height, width, channels).
            batch_size: int.
            network: another network to ask, of one input.

        Returns:
            float32 arrays (n, ...): one, or a list of them where the discriminator has several outputs.

        Raises:
            ValueError: other images, or a discriminator that is told more than images.
        """
        network = network or self.discriminator
        if len(network.inputs) != 1:
            names = ", ".join(x.name for x in network.inputs)
            raise ValueError(f"The discriminator is asked about images and more: call it yourself. It takes {names}.")
        floats = to_float(self.data[self.target].check(images, "images", allow_nonnegative=True))
        return network.predict(floats, batch_size=batch_size, verbose=0)

    def evaluation_logs(self, data) -> dict:
        """Losses and `evaluate_batch` of one batch; returns the logs."""
        with self._noise_of(self.evaluation_seed), StepScope() as scope:
            reals = self._reals(data, training=False)  # `prepare` may draw too
            losses, others = self.update(reals, training=False), self.evaluate_batch(reals[0])
        for variable, value in scope.updates:
            if variable is self.evaluation_seed.state:  # whatever else was written is not kept
                variable.assign(value)
        return self._track(losses, others)

    def _evaluation_feed(self, x, batch_size, allow_nonnegative, default=None, *, endless, y=None, name="x"):
        if isinstance(x, Feed):
            return x
        return make_feed(
            x,
            y,
            data=self.data,
            batch_size=batch_size or (default if is_in_memory(x, self.data) else None),
            keep_rest=True,
            allow_nonnegative=allow_nonnegative,
            endless=endless,
            name=name,
        )

    def _track(self, losses: dict, others: Mapping = {}) -> dict:
        losses, others = dict(losses), {**{name: losses[name] for name in self.extra_logs if name in losses}, **others}
        losses = {name: loss for name, loss in losses.items() if name not in others}
        if set(losses) != set(self.players()):
            raise ValueError(
                f"`update` returns a loss for each of the players {list(self.players())}, and what is named in "
                f"`extra_logs`. Received: {list(losses)}"
            )
        values = {"loss": sum(losses.values()), **{f"{player}_loss": loss for player, loss in losses.items()}, **others}
        for name, value in values.items():
            self.trackers[name].update_state(value)
        return {name: self.trackers[name].result() for name in values}

    @property
    def metrics(self):
        return list(self.trackers.values())

    def get_metrics_result(self):
        """The trackers that were updated since the last reset: `fit` logs no accuracy, `evaluate` does."""
        return {m.name: m.result() for m in self.metrics if float(ops.convert_to_numpy(m.count)) > 0}


def logit_of(output):
    """A discriminator's logit, its first output where it has several."""
    return output[0] if isinstance(output, (list, tuple)) else output
