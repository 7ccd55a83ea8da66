"""The semi-supervised GAN: a classifier learned from few labels and many images. Salimans et al. 2016."""

from functools import partial

import keras
import numpy as np
from keras import ops

from ganzoo import losses
from ganzoo.data.preprocessing import as_image_shape
from ganzoo.engine.gan import GAN
from ganzoo.engine.parts import Images, Labels
from ganzoo.networks.semisupervised import noisy_classifier, softplus_generator
from ganzoo.zoo.registry import register

__all__ = ["SemiSupervisedGAN"]


@register("semisup")
@keras.saving.register_keras_serializable(package="ganzoo")
class SemiSupervisedGAN(GAN):
    """The discriminator is the classifier: K classes for real images, and one more for generated ones.

    The logit of the (K+1)th is fixed at 0, so that with ``Z(x) = sum_k exp l_k(x)`` an image is real with probability
    ``Z / (Z + 1)`` (section 5). ``L = E[-log p(y|x, y <= K)] - (E[log D(x)] + E[log(1 - D(G(z)))]) / 2``, the first
    over labelled images, the second over unlabelled ones. The generator matches features: ``|E f(x) - E f(G(z))|^2``
    (section 3.1), f the last hidden layer before its noise.

    Args:
        image_shape: (height, width, channels).
        num_classes: int, K; labels are whole numbers from 0 to K - 1.
        latent_dim: int; latents are uniform in [0, 1).
        width: int, units of the classifier's first layer; all others follow from it.
        generator: your own network instead, from latents to images.
        discriminator: likewise, from images to a list: logits (log-sum-exp of the class ones), class logits, features.
        **kwargs: ``ema_decay``, ``seed``, ``dtype``, ``name``: see `ganzoo.engine.base.BaseGAN`.

    Example:

        >>> model = ganzoo.SemiSupervisedGAN(image_shape=(28, 28, 1), num_classes=10)
        >>> model.fit({"images": images, "labelled": images[:100], "labels": labels[:100]}, batch_size=100, epochs=100)
        >>> model.classify(test_images).argmax(axis=1)

    Reference:
        Salimans et al. 2016, arXiv:1606.03498, sections 3.1, 5 and 5.1; the authors' code for layers and rates.

    Differs from the paper:
        weight normalisation begins as plain layers do, not from a batch's statistics. The classifier's average ramps
        up, where the authors' begins at 0. Images drawn are no selling point: a good classifier goes with bad ones.
    """

    shaped_by = {"images": "image_shape", "labelled": "image_shape", "labels": "num_classes"}
    tiny = {"image_shape": (16, 16, 1), "latent_dim": 4, "width": 16}
    evaluation_metrics = (*GAN.evaluation_metrics, "accuracy")
    discriminator_steps = 2  # batches of a step: one for D, and a fresh one for G

    def __init__(
        self,
        image_shape: tuple[int, ...] = (28, 28, 1),
        num_classes: int = 10,
        latent_dim: int = 100,
        width: int = 1000,
        generator=None,
        discriminator=None,
        **kwargs,
    ):
        image_shape = as_image_shape(image_shape)
        labelled = {"labelled": Images(image_shape, "labelled"), "labels": Labels(num_classes, "labelled")}
        judge = discriminator or partial(noisy_classifier, image_shape, num_classes, width)
        super().__init__(
            generator or partial(softplus_generator, image_shape, latent_dim, width),
            judge,
            data={"images": Images(image_shape), **labelled},
            **kwargs,
        )
        self.average(self.discriminator, judge, "discriminator")
        self.arguments = {"image_shape": image_shape, "num_classes": num_classes, "latent_dim": latent_dim}
        self.arguments |= {"width": width}

    def latents(self, num):
        return self.noise("uniform", (num, self.latent_dim))

    def updates_per_step(self, player):
        return 1

    def update(self, reals, training):
        d_loss = self.update_discriminator(reals[0], training)

        def g_loss():
            return self.generator_loss(reals[-1], self.fake(reals[-1], training), training)

        return {"discriminator": d_loss, "generator": self.minimize(g_loss, "generator", training)}

    def discriminator_loss(self, real, fake, training):
        real_logits, *_ = self.discriminate(real, training)
        fake_logits, *_ = self.discriminate(fake, training)
        _, classes, _ = self.discriminate({"images": real["labelled"]}, training)
        unlabelled = losses.non_saturating_discriminator_loss(real_logits, fake_logits) / 2
        return losses.class_loss(classes, real["labels"]) + unlabelled  # -log p(y|x, y <= K): softmax over the K alone

    def generator_loss(self, real, fake, training):
        *_, of_real = self.discriminate(real, training)
        *_, of_fake = self.discriminate(fake, training)
        return losses.feature_matching_loss(of_real, of_fake)  # section 3.1

    def evaluate_batch(self, real):
        _, classes, _ = self.discriminator_ema(real["labelled"], training=False)
        right = ops.equal(ops.argmax(classes, axis=-1), ops.cast(real["labels"], "int32"))
        return {**super().evaluate_batch(real), "accuracy": ops.mean(ops.cast(right, "float32"))}

    def default_optimizers(self):
        return {player: keras.optimizers.Adam(3e-3, beta_1=0.5) for player in self.players()}  # the authors' code

    def classify(self, images, batch_size: int = 256) -> np.ndarray:
        """Class probabilities of images, by the averaged classifier.

        Args:
            images: uint8, or float in [-1, 1], (n, height, width, channels).
            batch_size: int.

        Returns:
            float32 (n, num_classes).
        """
        _, classes, _ = self.answers(images, batch_size, self.discriminator_ema)
        return ops.convert_to_numpy(ops.softmax(classes))
