"""CycleGAN: images to images, learned from two sets without pairs. Zhu et al. 2017, arXiv:1703.10593."""

from functools import partial

import keras
from keras import ops

from ganzoo import losses
from ganzoo.engine.gan import GAN
from ganzoo.engine.parts import Images
from ganzoo.layers import ImagePool, jitter
from ganzoo.networks.cyclegan import cyclegan_networks, domain_shapes
from ganzoo.networks.resnet import MULTIPLE
from ganzoo.zoo.registry import register

__all__ = ["CycleGAN"]


@register("cyclegan")
@keras.saving.register_keras_serializable(package="ganzoo")
class CycleGAN(GAN):
    """G draws targets of sources, F sources of targets: each is to fool a critic of its own, and to undo the other.

    ``min_G,F max_D L_GAN(G, D_Y) + L_GAN(F, D_X) + lambda E[|F(G(x)) - x|] + lambda E[|G(F(y)) - y|]`` (eq. 3), with
    least squares for L_GAN (section 4). G is `generator`, F `back`, D_Y `discriminator`, D_X `source_discriminator`.

    Args:
        source_shape, target_shape: (height, width, channels) in training, sides multiples of 4; by default alike.
        width, blocks, discriminator_width, discriminator_layers, enlargement: see `ganzoo.networks.cyclegan`.
        cycle_weight: float, lambda; identity_weight: float, times lambda, of ``E[|G(y) - y|] + E[|F(x) - x|]``, against
            needless changes of colour (section 5.2); 0 saves a third of the passes.
        pool_size: int, drawn images of earlier steps that are kept for each discriminator; 0 for none.
        enlarge, flip: in training images are so many times enlarged and cut back at random, half of them mirrored.
        generator, back, discriminator, source_discriminator: your own networks, of inputs named as here.
        **kwargs: see `ganzoo.engine.base.BaseGAN`.

    Example:

        >>> model = ganzoo.CycleGAN((128, 128, 3), blocks=6)
        >>> model.fit(summer, winter, batch_size=1, epochs=200)     # their numbers may differ
        >>> model.generate(source=summer), model.generate(target=winter)    # of any sides that are multiples of 4

    Reference:
        Zhu et al. 2017, arXiv:1703.10593, eq. 1 to 3, section 4 (lambda 10, batches of 1, Adam 2e-4, .5, a pool of 50).

    Differs from the paper:
        The generators are averaged; instance normalisation has a learned scale and centre.
    """

    evaluation_metrics = ("cycle",)
    augmentable = divided_at_zero = False
    shaped_by = {"source": "source_shape", "target": "target_shape"}
    tiny = {"source_shape": (16, 16, 1), "width": 2, "blocks": 1, "discriminator_layers": 1, "pool_size": 12}

    def __init__(
        self,
        source_shape: tuple[int, ...] = (256, 256, 3),
        target_shape: tuple[int, ...] | None = None,
        width: int = 64,
        blocks: int = 9,
        discriminator_width: int | None = None,
        discriminator_layers: int = 3,
        enlargement: str = "transposed",
        cycle_weight: float = 10.0,
        identity_weight: float = 0.5,
        pool_size: int = 50,
        enlarge: float = 143 / 128,
        flip: bool = True,
        generator=None,
        back=None,
        discriminator=None,
        source_discriminator=None,
        **kwargs,
    ):
        own = {**domain_shapes(source_shape, target_shape, identity_weight), "width": width, "blocks": blocks}
        own |= {"discriminator_width": discriminator_width, "discriminator_layers": discriminator_layers}
        made = cyclegan_networks(**own, enlargement=enlargement)
        data = {n: Images(own[f"{n}_shape"], group=n, multiple=MULTIPLE) for n in ("source", "target")}
        super().__init__(generator or made["generator"], discriminator or made["discriminator"], data=data, **kwargs)
        self.back = self.make_network(back or made["back"], "back", average=True)
        self.source_discriminator = self.make_network(source_discriminator or made["source_discriminator"], "judge")
        self.pools = {name: ImagePool(pool_size, part.shape, name=f"{name}_pool") for name, part in data.items()}
        self.cycle_weight, self.identity_weight = float(cycle_weight), float(identity_weight)
        self.jitter = partial(jitter, uniform=partial(self.noise, "uniform"), enlarge=enlarge, flip=flip)
        self.arguments = {**own, "enlargement": enlargement, "pool_size": pool_size, "enlarge": enlarge, "flip": flip}
        self.arguments |= {"cycle_weight": cycle_weight, "identity_weight": identity_weight, "back": back and self.back}
        self.arguments |= {"source_discriminator": source_discriminator and self.source_discriminator}

    def players(self):
        return {"discriminator": [self.discriminator, self.source_discriminator], "generator": self.generators()}

    def generators(self):
        return [self.generator, self.back]

    def prepare(self, real, training):
        return {name: self.jitter(images) for name, images in real.items()} if training else real

    def fake(self, real, training):  # and of what is drawn, what is drawn of it again
        return {"source": self.run(self.back, real, training), "target": self.run(self.generator, real, training)}

    def update(self, reals, training):
        def g_loss():
            fake = self.fake(reals[-1], training)
            return self.generator_loss(reals[-1], fake, training), fake

        loss, fake = self.minimize(g_loss, "generator", training)
        if training:  # section 4: a history of drawn images
            fake = {name: self.pools[name].exchange(fake[name], self.noise) for name in fake}
        d_loss = partial(self.discriminator_loss, reals[-1], fake, training)
        return {"discriminator": self.minimize(d_loss, "discriminator", training), "generator": loss}

    def discriminator_loss(self, real, fake, training):
        scores = [[self.run(d, batch, training) for batch in (real, fake)] for d in self.players()["discriminator"]]
        return sum(losses.least_squares_discriminator_loss(*pair) for pair in scores)  # each halved: D learns slower

    def generator_loss(self, real, fake, training):
        loss = sum(ops.mean(ops.square(self.run(d, fake, training) - 1.0)) for d in self.players()["discriminator"])
        loss = loss + self.cycle_weight * losses.absolute_error(self.fake(fake, training), real)  # eq. 2
        if self.identity_weight:  # section 5.2: of a target G draws itself
            same = self.fake({"source": real["target"], "target": real["source"]}, training)
            loss = loss + self.cycle_weight * self.identity_weight * losses.absolute_error(same, real)
        return loss

    def evaluate_batch(self, real):  # how far images are from themselves, there and back, in units of [-1, 1]
        return {"cycle": losses.absolute_error(self.fake(self.fake(real, training=False), training=False), real) / 2}
