"""The adversarial step: players, their losses and updates, averaged weights. Around it: `ganzoo.engine.base`."""

from collections.abc import Callable

import keras
from keras import ops

from ganzoo.engine import backend
from ganzoo.engine.base import BaseGAN
from ganzoo.engine.checks import check_augment
from ganzoo.engine.evaluating import logit_of
from ganzoo.engine.parts import pick

__all__ = ["GAN"]


class GAN(BaseGAN):
    """A generative adversarial network that trains under `fit()` on TensorFlow, JAX and PyTorch.

    A variant overrides what its paper changed: `discriminator_loss`, `generator_loss`, `default_optimizers`, and where
    the order of updates is another one, `players` and `update`. See ``ganzoo/models/README.md``.

    One training *step* is one generator update. It comes after `discriminator_steps` discriminator updates, each on a
    new batch of real images and with fresh latents.

    Attributes:
        generator: latents, and the parts that its inputs are named after, to images: the network in training.
        generator_ema: its moving average, weights and BatchNorm statistics: what `generate` and `export` use.
        discriminator: images, and the parts that its inputs are named after, to logits.
        data: the parts by name; `target` is the name of the one that the generator draws.
        latent_dim: int or None; image_shape: what the generator draws, (height, width, channels) or another shape.

    Args:
        augment: a `ganzoo.layers.Augmentation`, through which the discriminator sees images in training.
        generator, discriminator, **kwargs: see `ganzoo.engine.base.BaseGAN`.
    """

    discriminator_steps = 1
    augmentable = True  # whether `augment` may change what the discriminator sees
    divided_at_zero = True  # whether the loss makes scores of real images positive, and of generated ones negative

    def __init__(self, generator, discriminator, *, augment=None, **kwargs):
        super().__init__(generator, discriminator, **kwargs)
        check_augment(self, augment)
        self.augment, self._observed = augment, 0

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

    def generator_loss(self, real, fake, training: bool):
        """The generator's loss, a float32 scalar, through the discriminator's answer to ``fake``."""
        raise NotImplementedError(f"{type(self).__name__} must define generator_loss(real, fake, training).")

    def update(self, reals: tuple, training: bool) -> dict:
        """One step: a discriminator update for each batch in ``reals``, then a generator update.

        Args:
            reals: tuple of `discriminator_steps` batches; in `evaluate` of one. A batch is a dictionary of tensors by
                part; of a model of images and latents alone it is the images, float32 (batch, height, width, channels).
            training: False in `evaluate`, where the same losses are computed, and what they write is discarded.

        Returns:
            dict from player to its loss.
        """
        d_losses = [self.update_discriminator(real, training) for real in reals]

        def g_loss():
            return self.generator_loss(reals[-1], self.fake(reals[-1], training), training)

        return {
            "discriminator": sum(d_losses) / len(d_losses),
            "generator": self.minimize(g_loss, "generator", training),
        }

    def update_discriminator(self, real, training: bool):
        """One update of the discriminator on one batch of real and as many generated images; returns its loss."""
        fake = self.without_updates(lambda: self.fake(real, training))

        def d_loss():
            self._observed = id(real)
            loss = self.discriminator_loss(real, fake, training)
            self._observed = 0
            if self.augment is None or not training:
                return loss

            def judge(images):
                return self.run(self.discriminator, self.with_images(real, images), training)

            return loss + self.augment.penalty(judge, self.images_of(real), self.noise)

        return self.minimize(d_loss, "discriminator", training)

    def fake(self, real, training: bool):
        """The batch with generated images in place of the real ones, and all that the generator was given."""
        batch = {self.target: real} if self.plain else real
        if any(name not in batch for name in self._names_of(self.generator)):
            latents = self.latents(ops.shape(batch[self.target])[0])
            batch = {**batch, **(latents if isinstance(latents, dict) else {"latents": latents})}
        images = self.generator(pick(self.generator, batch, "latents"), training=training)
        return self.with_images(batch, images)

    def discriminate(self, batch, training: bool):
        """The discriminator's answer to a batch, of which it takes what its inputs are called."""
        if self.augment is None or not training:
            return self.run(self.discriminator, batch, training)
        seen = self.with_images(batch, self.augment.change(self.images_of(batch), self.noise))
        answer = self.run(self.discriminator, seen, training)
        if id(batch) == self._observed:  # the real images, in the discriminator's step
            self.augment.observe(logit_of(answer))
        return answer

    def run(self, network: keras.Model, batch, training: bool):
        """Any network's answer to what it takes of a batch; to images where the batch is images alone."""
        batch = pick(network, batch, self.target) if isinstance(batch, dict) else batch
        return network(batch, training=training)

    # What a variant is made of ---------------------------------------------------------------------------------------

    def minimize(self, loss_fn: Callable, player: str, training: bool):
        """Moves one player's weights a step down the gradient of ``loss_fn()``, which is called once.

        What computing the loss writes to the player's own networks (BatchNorm statistics, power-iteration vectors) and
        to the model (seeds, schedules) stays; what it would write to weights of other players' networks is discarded.

        Args:
            loss_fn: function without arguments that returns a scalar; the weights' regularizers are added to it. Or a
                pair of one and whatever else of it is needed, generated images: it comes back without gradient.
            player: a key of `players`.
            training: if False, the loss is computed and nothing is updated.

        Returns:
            The loss before the update; the pair where `loss_fn` gives one.
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

    def training_logs(self, data) -> dict:
        """One whole training step, called by the backend's `train_step` with what Keras gives it; returns the logs."""
        losses = self.update(self._reals(data, training=True), training=True)
        self.optimizer.iterations.assign_add(1)
        with backend.no_gradient():
            self._average()
        return self._track(losses)
