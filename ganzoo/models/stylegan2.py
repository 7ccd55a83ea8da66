"""StyleGAN2: styles for every layer of the generator, from latents that a network maps. Karras et al. 2019."""

from functools import partial

import keras
from keras import ops

from ganzoo import losses
from ganzoo.data.preprocessing import as_image_shape
from ganzoo.engine.gan import GAN
from ganzoo.engine.parts import Images, Labels
from ganzoo.engine.phases import check_intervals, every
from ganzoo.networks.stylegan2 import stylegan2_discriminator, stylegan2_generator, styles_of
from ganzoo.zoo.registry import register

__all__ = ["StyleGAN2"]


@register("stylegan2")
@keras.saving.register_keras_serializable(package="ganzoo")
class StyleGAN2(GAN):
    """A network f maps latents to styles, w = f(z); in g every convolution's inputs are scaled by an affine map of w.

    D minimises ``E[softplus(-D(x))] + E[softplus(D(g(w)))] + gamma / 2 E[|grad D(x)|^2]`` (R1), G
    ``E[softplus(-D(g(w)))] + c E[(|J_w^T y| - a)^2]`` (eq. 4), y from N(0, I) over the root of the number of pixels, a
    the running mean of these path lengths: penalties of every so many steps, then so many times as strong.
    `generate(16, truncation=.7)` draws nearer to the mean style; `generate(16, mixed=z2, crossover=4)` takes the styles
    of other latents from layer 4 on. `fit` logs a (`path_length`), the mean sign of D(x) (`r_t`) and ADA's `augment_p`.

    Args:
        image_shape: (height, width, channels); height and width are multiples of 4, at least 16.
        latent_dim, width, widest, mapping_layers, group, tanh: see `ganzoo.networks.stylegan2`.
        num_classes: int, for images of a class: `fit(images, labels)`, `generate(16, labels=3)`.
        gamma, path_weight: floats, c the second; gamma = .0002 height * width / batch_size is a good start.
        mixing, intervals: probability of a training image to have two styles; steps from R1 to R1, path to path length.
        generator, discriminator, **kwargs: see `ganzoo.GAN`; your own generator has layers "styles" and "synthesis".

    Example:
        >>> model = ganzoo.StyleGAN2((64, 64, 3), width=16, augment=ganzoo.layers.AdaptiveAugment())
        >>> model.fit(images, batch_size=16, epochs=50)

    Reference: Karras et al. 2019, arXiv:1912.04958, section 2 to 4, eq. 1 to 4; what it keeps of arXiv:1812.04948
    Differs from the paper: penalties are terms of the losses, not steps of their own, so that rates and betas stay; no
        adaptive instance norm. R1 is of D's answer to augmented images, by the images before, as in arXiv:2006.06676.
    """

    penalised, shaped_by = ("discriminator",), {"images": "image_shape", "labels": "num_classes"}
    tiny = {"image_shape": (16, 16, 1), "latent_dim": 4, "width": 4, "mapping_layers": 2, "intervals": (4, 2)}

    def __init__(
        self,
        image_shape: tuple[int, ...] = (64, 64, 3),
        latent_dim: int = 512,
        width: int = 64,
        widest: int = 512,
        mapping_layers: int = 8,
        num_classes: int | None = None,
        group: int = 4,
        gamma: float = 1.0,
        path_weight: float = 2.0,
        mixing: float = 0.9,
        intervals: tuple[int, int] = (16, 4),
        tanh: bool = False,
        generator=None,
        discriminator=None,
        **kwargs,
    ):
        shape, self.intervals = as_image_shape(image_shape), check_intervals(intervals)
        both: dict = {"image_shape": shape, "width": width, "widest": widest, "num_classes": num_classes}
        drawing = {**both, "latent_dim": latent_dim, "mapping_layers": mapping_layers, "tanh": tanh}
        super().__init__(
            generator or partial(stylegan2_generator, **drawing),
            discriminator or partial(stylegan2_discriminator, group=group, **both),
            data={"images": Images(shape), **({"labels": Labels(num_classes)} if num_classes else {})},
            **kwargs,
        )
        self.num_layers, self.gamma, self.path_weight, self.mixing = styles_of(self), gamma, path_weight, mixing
        self.arguments = {**drawing, "group": group, "gamma": gamma, "path_weight": path_weight}
        self.arguments |= {"mixing": mixing, "intervals": self.intervals}
        state = partial(self.add_weight, shape=(), initializer="zeros", trainable=False, aggregation="mean")
        self.path_length, self.r_t = state(name="path_length"), state(name="r_t")
        self.extra_logs = ("path_length", "r_t", *(["augment_p"] if hasattr(self.augment, "p") else []))

    def latents(self, num, mixing=0.0):
        where = ops.floor(1 + self.noise("uniform", (num,)) * (self.num_layers - 1))
        crossover = ops.where(self.noise("uniform", (num,)) < mixing, where, float(self.num_layers))
        drawn = {name: self.noise("normal", (num, self.latent_dim)) for name in ("latents", "mixed")}
        return {**drawn, "crossover": crossover, "truncation": ops.ones((num,))}

    def fake(self, real, training):
        drawn = self.latents(ops.shape(real["images"])[0], self.mixing if training else 0.0)
        return super().fake({**drawn, **real}, training)

    def discriminator_loss(self, real, fake, training):
        interval = self.intervals[0] if training else 1
        on = lambda images: self.discriminate(self.with_images(real, images), training)  # noqa: E731
        real_logits, fake_logits = self.discriminate(real, training), self.discriminate(fake, training)
        if training:
            self.r_t.assign(self.r_t + (ops.stop_gradient(ops.mean(ops.sign(real_logits))) - self.r_t) / 16.0)
        r1 = every(interval, self.optimizer.iterations, partial(losses.zero_centred_penalty, on, real["images"]))
        return losses.non_saturating_discriminator_loss(real_logits, fake_logits) + interval * self.gamma / 2 * r1

    def generator_loss(self, real, fake, training):
        loss = losses.non_saturating_generator_loss(self.discriminate(fake, training))
        return loss + self.path_weight * self.path_penalty(real, training) if self.path_weight else loss

    def path_penalty(self, batch, training):  # of half a batch of new latents; it moves a
        interval, mean = self.intervals[1] if training else 1, ops.convert_to_tensor(self.path_length)
        half = {name: part[: (ops.shape(part)[0] + 1) // 2] for name, part in batch.items()}
        half |= self.latents(num := ops.shape(half["images"])[0], self.mixing)
        directions = self.noise("normal", (num, *self.image_shape)) / (self.image_shape[0] * self.image_shape[1]) ** 0.5
        styles, synthesis = (self.generator.get_layer(name) for name in ("styles", "synthesis"))
        on, w = partial(synthesis, training=training), self.run(styles, half, training=False)
        term = partial(losses.path_length_penalty, on, w, directions, mean)
        penalty, moved = every(interval, self.optimizer.iterations, term, lambda: (ops.zeros(()), mean))
        if training:
            self.path_length.assign(moved)
        return interval * penalty

    def update(self, reals, training):
        found, state = super().update(reals, training), (self.path_length, self.r_t, getattr(self.augment, "p", None))
        return found | (dict(zip(self.extra_logs, map(ops.convert_to_tensor, state))) if training else {})

    def default_optimizers(self):
        return {player: keras.optimizers.Adam(2e-3, 0.0, 0.99, 1e-8) for player in self.players()}
