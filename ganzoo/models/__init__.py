"""The variants: one file each. How to add one: README.md in this folder."""

from ganzoo.engine import schedules  # noqa: F401 (registered with Keras, for models trained under one)
from ganzoo.models.dcgan import DCGAN
from ganzoo.models.vanilla_gan import VanillaGAN
from ganzoo.models.wgan_gp import WGANGP

__all__ = ["DCGAN", "WGANGP", "VanillaGAN"]
