"""The adversarial step: players, their losses and updates, averaged weights. Around it: `ganzoo.engine.base`."""

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from ganzoo.engine import backend
from ganzoo.engine.base import BaseGAN

__all__ = ["GAN"]


class GAN(BaseGAN):
    """A generative adversarial network that trains under `fit()` on TensorFlow, JAX and PyTorch.

    A variant overrides what its paper changed: `discriminator_loss`, `generator_loss`, `default_optimizers`, and where
    the order of updates is another one, `players` and `update`. See ``ganzoo/models/README.md``.

    One training *step* is one generator update. It comes after `discriminator_steps` discriminator updates, each on a
    new batch of real images and with fresh latents.

    Attributes:
        generator: latents (batch, latent_dim) to images (batch, height, width, channels), the network in training.
        generator_ema: its moving average, weights and BatchNorm statistics: what `generate` and `export` use.
        discriminator: images to logits.
        latent_dim: int.
        image_shape: (height, width, channels), or (features,) for vectors.

    The constructor's arguments are those of `ganzoo.engine.base.BaseGAN`.
    """

    discriminator_steps = 1

    # What a variant says of itself -----------------------------------------------------------------------------------

    def players(self) -> dict[str, list[keras.Model]]:
        """The groups of networks that are trained by one optimizer each; the generator's last."""
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def default_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        """One optimizer per player, used where `compile` is given none."""
        return {player: keras.optimizers.Adam(2e-4, beta_1=0.5) for player in self.players()}

    def discriminator_loss(self, real, fake, training: bool):
        """The discriminator's loss, a float32 scalar. ``fake`` carries no gradient."""
        raise NotImplementedError(f"{type(self).__name__} must define discriminator_loss(real, fake, training).")

    def generator_loss(self, fake, training: bool):
        """The generator's loss, a float32 scalar, through the discriminator's answer to ``fake``."""
        raise NotImplementedError(f"{type(self).__name__} must define generator_loss(fake, training).")

    def update(self, reals: tuple, training: bool) -> dict:
        """One step: a discriminator update for each batch in ``reals``, then a generator update.

        Args:
            reals: tuple of `discriminator_steps` batches, float32 (batch, height, width, channels) in [-1, 1]; in
                `evaluate` of one batch.
            training: False in `evaluate`, where the same losses are computed, and what they write is discarded.

        Returns:
            dict from player to its loss.
        """
        d_losses = [self.update_discriminator(real, training) for real in reals]
        latents = self.latents(ops.shape(reals[-1])[0])
        g_loss = self.minimize(
            lambda: self.generator_loss(self.generator(latents, training=training), training), "generator", training
        )
        return {"discriminator": sum(d_losses) / len(d_losses), "generator": g_loss}

    def update_discriminator(self, real, training: bool):
        """One update of the discriminator on one batch of real and as many generated images; returns its loss."""
        latents = self.latents(ops.shape(real)[0])
        fake = self.without_updates(lambda: self.generator(latents, training=training))
        return self.minimize(lambda: self.discriminator_loss(real, fake, training), "discriminator", training)

    # What a variant is made of ---------------------------------------------------------------------------------------

    def noise(self, kind: str, shape):
        """All randomness inside a step: ``"normal"`` N(0, 1) or ``"uniform"`` U[0, 1), float32 of the given shape."""
        draw = {"normal": keras.random.normal, "uniform": keras.random.uniform}[kind]
        if isinstance(rng := self._noise_seed, np.random.Generator):  # outside of a step: the same on every backend
            array = rng.standard_normal(shape, "float32") if kind == "normal" else rng.random(shape, "float32")
            return ops.convert_to_tensor(array)
        return draw(shape, dtype="float32", seed=self._noise_seed)

    def latents(self, num: int):
        """Fresh latents, float32 (num, latent_dim) from N(0, 1): for the steps, and for `generate`."""
        return self.noise("normal", (num, self.latent_dim))

    def minimize(self, loss_fn: Callable, player: str, training: bool):
        """Moves one player's weights a step down the gradient of ``loss_fn()``, which is called once.

        What computing the loss writes to the player's own networks (BatchNorm statistics, power-iteration vectors) and
        to the model (seeds, schedules) stays; what it would write to weights of other players' networks is discarded.

        Args:
            loss_fn: function without arguments that returns a scalar; the weights' regularizers are added to it.
            player: a key of `players`.
            training: if False, the loss is computed and nothing is updated.

        Returns:
            The loss before the update.
        """
        variables = self.trainable_variables_of(player)
        objective = self._objective(loss_fn, player, variables)
        if not training:
            return objective()
        if variables:
            loss, gradients, updates = backend.value_and_grad(objective, variables)
        else:  # all frozen
            (loss, updates), gradients = backend.forward(objective), []
        self._write(updates, own=self.players()[player])
        with backend.no_gradient():
            self.optimizer[player].apply(gradients, variables)
        return loss

    def without_updates(self, fn: Callable):
        """The result of ``fn()`` without gradient; no network's state is moved by it, only seeds go on."""
        result, updates = backend.forward(fn)
        self._write(updates, own=())
        return result

    def _write(self, updates, own) -> None:
        networks = [network for each in self.players().values() for network in each]
        mine = {id(v) for network in own for v in network.weights}  # of layers shared with another player's too
        other = {id(v) for network in networks for v in network.weights} - mine
        for variable, value in updates:
            if id(variable) not in other:
                variable.assign(value)

    # The step, called by the backend's train_step and test_step ------------------------------------------------------

    def training_logs(self, data) -> dict:
        """One whole training step on a batch as Keras hands it over; returns the logs."""
        losses = self.update(self._reals(data), training=True)
        self.optimizer.iterations.assign_add(1)
        with backend.no_gradient():
            self._average()
        return self._track(losses)

    def _average(self) -> None:
        step = ops.cast(self.optimizer.iterations, "float32")
        decay = ops.minimum(self.ema_decay, (1.0 + step) / (10.0 + step))
        for name, average in self.moving_averages.items():
            for mean, new in zip(average.weights, self.networks[name].weights):
                keep = ops.cast(decay, mean.dtype)
                mean.assign(new.value + keep * (mean.value - new.value))
