"""StarGAN: one generator that changes any attributes of images. Choi et al. 2018, arXiv:1711.09020."""

from collections.abc import Mapping, Sequence
from functools import partial

import keras
from keras import ops

from ganzoo import losses
from ganzoo.data.preprocessing import as_image_shape
from ganzoo.engine.attributes import attribute_parts, unsaid
from ganzoo.engine.gan import GAN
from ganzoo.engine.parts import Images
from ganzoo.networks.stargan import MULTIPLE, stargan_discriminator, stargan_generator
from ganzoo.zoo.registry import register

__all__ = ["StarGAN"]


@register("stargan")
@keras.saving.register_keras_serializable(package="ganzoo")
class StarGAN(GAN):
    """G is told an image x and the attributes c that it is to have; D scores images and names their attributes.

    With c' the attributes of x, and y the next image of the batch, which has c: D minimises ``-L_adv + w_cls L_cls^r``,
    G ``L_adv + w_cls L_cls^f + w_rec L_rec`` (eq. 5, 6), where ``L_adv = E[D(y)] - E[D(G(x, c))] - w_gp E[(|dD| -
    1)^2]`` (eq. 8), ``L_cls^r = E[-log D(c|y)]``, ``L_cls^f = E[-log D(c|G(x, c))]`` (eq. 2, 3), ``L_rec = E[|x -
    G(G(x, c), c')|]`` (eq. 4). No c is new to the data. A batch of one image, or of one c, changes nothing: shuffle
    streams that are in order.

    Args:
        image_shape: (height, width, channels) in training, sides multiples of 4 and at least 8.
        attributes: names of values by the names of attributes: two (no, yes: a sigmoid) or more (a softmax).
        width, blocks, discriminator_width: ints, see `ganzoo.networks.stargan`.
        adversarial_weight, class_weight, reconstruction_weight, penalty_weight: floats; the first is of L_adv.
        generator, discriminator: your own, from "source" and the attributes; from "images" to scores and logits.
        **kwargs: see `ganzoo.engine.base.BaseGAN`.

    Example:
        >>> parts = ganzoo.data.load_attributes("faces", 128)          # {"images": ..., "hair": ..., "smiling": ...}
        >>> model = ganzoo.StarGAN((128, 128, 3), ganzoo.data.attributes_of(parts))
        >>> model.fit(parts, batch_size=16, epochs=20)
        >>> model.generate(source=photos, hair="black")                # the rest stays as D sees it

    Reference: Choi et al. 2018, arXiv:1711.09020, eq. 1 to 6, 8 (w_cls 1, w_rec 10, w_gp 10, n_critic 5, Adam 1e-4, .5)

    Differs from the paper: an attribute of several values is one softmax; 3x3 kernels where G halves and doubles; D's
        depth follows the size; instance normalisation has a learned scale and centre; G is averaged; no mask vector.
    """

    discriminator_steps, penalised = 5, ("discriminator",)
    augmentable = divided_at_zero = False
    shaped_by, evaluation_metrics = {"images": "image_shape"}, ("cycle",)
    tiny = {"image_shape": (16, 16, 1), "attributes": {"ink": [*"abc"], "bold": ["no", "yes"]}, "width": 2, "blocks": 1}

    def __init__(
        self,
        image_shape: tuple[int, ...] = (128, 128, 3),
        attributes: Mapping[str, Sequence[str]] = {"domain": ("a", "b")},
        width: int = 64,
        blocks: int = 6,
        discriminator_width: int | None = None,
        adversarial_weight: float = 1.0,
        class_weight: float = 1.0,
        reconstruction_weight: float = 10.0,
        penalty_weight: float = 10.0,
        generator=None,
        discriminator=None,
        **kwargs,
    ):
        shape, parts = as_image_shape(image_shape), attribute_parts(attributes)
        images = partial(Images, shape, multiple=MULTIPLE)
        super().__init__(
            generator or partial(stargan_generator, shape, parts, width, blocks),
            discriminator or partial(stargan_discriminator, shape, parts, discriminator_width or width),
            data={"images": images(), **parts, "source": images(derived=True)},
            **kwargs,
        )
        self.attributes, self.arguments = parts, {"image_shape": shape, "width": width, "blocks": blocks}
        self.arguments |= {"attributes": {own: x.values for own, x in parts.items()}, "penalty_weight": penalty_weight}
        self.arguments |= {"adversarial_weight": adversarial_weight, "reconstruction_weight": reconstruction_weight}
        self.arguments |= {"discriminator_width": discriminator_width, "class_weight": class_weight}

    def prepare(self, real, training):  # others of the batch as sources, which are to get the attributes of these
        if "source" in real:
            raise ValueError("Sources are other images of the batch. Leave `source` out. Received: images and source")
        others = {name: ops.roll(real[name], 1, axis=0) for name in ("images", *self.attributes)}
        return {**real, "source": others.pop("images"), **{f"source_{name}": x for name, x in others.items()}}

    def discriminator_loss(self, real, fake, training):
        critic, w = partial(self.discriminate, training=training), self.arguments
        (scores, *logits), (drawn_scores, *_) = critic(real), critic(fake)
        alpha = self.noise("uniform", (ops.shape(real["images"])[0], 1, 1, 1))
        on = lambda points: critic(self.with_images(real, points))[0]  # noqa: E731
        penalty = losses.gradient_penalty(on, real["images"], fake["images"], alpha)  # of the sum over patches
        distance = losses.wasserstein_discriminator_loss(scores, drawn_scores)
        adversarial = w["adversarial_weight"] * (distance + w["penalty_weight"] * penalty)  # -L_adv, eq. 8
        return adversarial + w["class_weight"] * self.class_loss(logits, real)  # eq. 2, 5

    def generator_loss(self, real, fake, training):
        (scores, *logits), w = self.discriminate(fake, training), self.arguments
        loss = w["adversarial_weight"] * losses.wasserstein_generator_loss(scores)
        loss = loss + w["class_weight"] * self.class_loss(logits, fake)  # eq. 3
        return loss + w["reconstruction_weight"] * self.cycle_loss(real, fake, training)  # eq. 6

    def class_loss(self, logits, batch):
        return sum(losses.attribute_loss(own, batch[name]) for own, name in zip(logits, self.attributes, strict=True))

    def cycle_loss(self, real, fake, training):
        given = {"source": fake["images"], **{name: real[f"source_{name}"] for name in self.attributes}}
        return losses.absolute_error(self.run(self.generator, given, training), real["source"])  # eq. 4

    def default_optimizers(self):
        return {player: keras.optimizers.Adam(1e-4, beta_1=0.5, beta_2=0.999) for player in self.players()}

    def evaluate_batch(self, real):  # to other values and back, in units of [-1, 1]
        other = {own: (real[f"source_{own}"] + 1) % part.num_classes for own, part in self.attributes.items()}
        return {"cycle": self.cycle_loss(real, self.fake({**real, **other}, training=False), training=False) / 2}

    def attributes_of(self, images, batch_size: int = 256):
        """What D reads from images, uint8 or float in [-1, 1]: names (n,) by attribute."""
        return {own: p.named(x) for x, (own, p) in zip(self.answers(images, batch_size)[1:], self.attributes.items())}

    def _inputs_for(self, generator, n, seed, inputs):
        return super()._inputs_for(generator, n, seed, {**unsaid(self, inputs), **inputs})
