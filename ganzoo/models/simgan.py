"""SimGAN: rendered images are made to look real, and what is known of them still holds. Shrivastava et al. 2017."""

from functools import partial

import keras
from keras import ops

from ganzoo import losses
from ganzoo.data.preprocessing import as_image_shape, check_positive
from ganzoo.engine.gan import GAN
from ganzoo.engine.parts import Images
from ganzoo.engine.phases import check_lengths, moved_if, phase_of
from ganzoo.layers import ImagePool
from ganzoo.networks.refiner import local_discriminator, refiner
from ganzoo.zoo.registry import register

__all__ = ["SimGAN"]


@register("simgan")
@keras.saving.register_keras_serializable(package="ganzoo")
class SimGAN(GAN):
    """A refiner R, `generator`, makes rendered images x look like real ones y, and changes them as little as it can.

    ``L_R = E[-log D(R(x))] + l1_weight E[|R(x) - x|]`` and ``L_D = E[-log D(y)] + E[-log(1 - D(R(x)))]``, means over
    images, patches and pixels: D gives each patch of an image a probability of its own that it is real. Half of what D
    is shown as refined is so by R as it is, the other half by R as it was, from a buffer. At first R alone learns, by
    the second term of its loss, to draw what it is given; then D alone; then both. Labels of x are labels of R(x).

    Args:
        image_shape: (height, width, channels) in training, of rendered and of real images.
        width, num_blocks: ints, of `ganzoo.networks.refiner.refiner`; discriminator_width: of `local_discriminator`.
        l1_weight: float, lambda, of the mean of |R(x) - x| over all numbers, in units of [-1, 1], which is logged as
            `change`: too little of it and labels are lost, too much and nothing is refined.
        generator_steps, discriminator_steps: ints, K_g and K_d: updates of R and of D in a training step.
        pretraining: (int, int), training steps in which R alone learns, and after them D alone.
        pool_size: int, refined images of earlier steps that are kept for D; 0 for none.
        generator, discriminator: your own, of inputs "source" and "target"; **kwargs: see `ganzoo.engine.base.BaseGAN`.

    Example:

        >>> model = ganzoo.SimGAN(image_shape=(35, 55, 1))
        >>> model.fit(rendered, real, batch_size=32, epochs=20)     # their numbers may differ
        >>> refined = model.generate(source=rendered)               # of any height and width

    Reference: Shrivastava et al. 2017, arXiv:1612.07828, sections 2.1 to 2.3 and Algorithm 1.
    Differs from the paper: means for sums; Adam; the refiner is averaged; R and D of one step see the same batches.
    """

    evaluation_metrics = (*GAN.evaluation_metrics, "l1")
    extra_logs = ("change",)
    augmentable = False  # images belong to their sources
    shaped_by = {"source": "image_shape", "target": "image_shape"}
    tiny = {"image_shape": (16, 16, 1), "width": 4, "num_blocks": 1, "pretraining": (1, 0), "pool_size": 12}

    def __init__(
        self,
        image_shape: tuple[int, ...] = (64, 64, 3),
        width: int = 64,
        num_blocks: int = 4,
        discriminator_width: int = 96,
        l1_weight: float = 5.0,
        generator_steps: int = 2,
        discriminator_steps: int = 1,
        pretraining: tuple[int, int] = (500, 200),
        pool_size: int = 1000,
        generator=None,
        discriminator=None,
        **kwargs,
    ):
        shape, steps = as_image_shape(image_shape), {"discriminator": discriminator_steps, "generator": generator_steps}
        phases = check_lengths(pretraining)
        check_positive(**{f"{player}_steps": num for player, num in steps.items()})
        super().__init__(
            generator or partial(refiner, shape[-1], width, num_blocks),
            discriminator or partial(local_discriminator, shape, discriminator_width),
            data={"source": Images(shape, group="source"), "target": Images(shape, group="target")},
            **kwargs,
        )
        self.pool = ImagePool(pool_size, shape, name="pool")
        self.steps, self.discriminator_steps = steps, max(steps.values())  # updates, and batches, of a training step
        self.l1_weight, self.pretraining = float(l1_weight), phases
        self.arguments = {"image_shape": shape, "width": width, "num_blocks": num_blocks, "l1_weight": l1_weight}
        self.arguments |= {f"{player}_steps": num for player, num in steps.items()}
        self.arguments |= {"discriminator_width": discriminator_width, "pool_size": pool_size, "pretraining": phases}

    def updates_per_step(self, player):
        return self.steps[player]

    def phase(self, training):  # 0 where R alone learns, 1 where D does, 2 where both do
        return phase_of(self.optimizer.iterations, self.pretraining) if training else 2

    def update(self, reals, training):  # Algorithm 1: K_g updates of R, then K_d of D
        phase, (for_d, for_r) = self.phase(training), (reals[:num] for num in self.steps.values())

        def g_loss(real):
            fake = self.fake(real, training)
            return self.generator_loss(real, fake, training), self.l1(real, fake)

        with moved_if(phase != 1, self.generator.weights):
            found = [self.minimize(partial(g_loss, real), "generator", training) for real in for_r]
        with moved_if(phase != 0, [*self.discriminator.weights, *self.pool.weights]):
            d_losses = [self.update_discriminator(real, training) for real in for_d]
        refined, change = (sum(values) / len(found) for values in zip(*found))
        logs = {"discriminator": sum(d_losses) / len(d_losses), "generator": refined}
        return logs | ({"change": change} if training else {})

    def update_discriminator(self, real, training):
        fake = self.without_updates(partial(self.fake, real, training))
        if training:  # section 2.3: half of them from the buffer, of which then half is new
            fake = self.with_images(fake, self.pool.mix(self.images_of(fake), self.noise))
        return self.minimize(partial(self.discriminator_loss, real, fake, training), "discriminator", training)

    def discriminator_loss(self, real, fake, training):
        return losses.non_saturating_discriminator_loss(*(self.discriminate(each, training) for each in (real, fake)))

    def generator_loss(self, real, fake, training):
        adversarial = losses.non_saturating_generator_loss(self.discriminate(fake, training))
        return ops.where(self.phase(training) != 0, adversarial, 0.0) + self.l1_weight * self.l1(real, fake)

    def l1(self, real, fake):
        return losses.absolute_error(fake["target"], real["source"])

    def evaluate_batch(self, real):
        return {**super().evaluate_batch(real), "l1": self.l1(real, self.fake(real, training=False))}
