"""The variants: one file each. How to add one: README.md in this folder."""

from ganzoo.models.acgan import ACGAN
from ganzoo.models.biggan import BigGAN
from ganzoo.models.cgan import CGAN
from ganzoo.models.dcgan import DCGAN
from ganzoo.models.infogan import InfoGAN
from ganzoo.models.pix2pix import Pix2Pix
from ganzoo.models.projection import ProjectionGAN
from ganzoo.models.semisupervised import SemiSupervisedGAN
from ganzoo.models.vanilla_gan import VanillaGAN
from ganzoo.models.wgan_gp import WGANGP
from ganzoo.zoo.registry import get_model, list_models

__all__ = [
    "ACGAN",
    "CGAN",
    "DCGAN",
    "WGANGP",
    "BigGAN",
    "InfoGAN",
    "Pix2Pix",
    "ProjectionGAN",
    "SemiSupervisedGAN",
    "VanillaGAN",
    "get_model",
    "list_models",
]
