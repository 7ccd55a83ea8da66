"""The variants: one file each. How to add one: README.md in this folder."""

from ganzoo.models.acgan import ACGAN
from ganzoo.models.age_cgan import AgeCGAN
from ganzoo.models.biggan import BigGAN
from ganzoo.models.cgan import CGAN
from ganzoo.models.cyclegan import CycleGAN
from ganzoo.models.dcgan import DCGAN
from ganzoo.models.deocclusion import Deocclusion
from ganzoo.models.dragan import DRAGAN
from ganzoo.models.hinge import HingeGAN
from ganzoo.models.id_cgan import IDCGAN
from ganzoo.models.infogan import InfoGAN
from ganzoo.models.lapgan import LAPGAN
from ganzoo.models.lsgan import LSGAN
from ganzoo.models.perceptual_gan import PerceptualGAN
from ganzoo.models.pix2pix import Pix2Pix
from ganzoo.models.prediction import FramePrediction
from ganzoo.models.projection import ProjectionGAN
from ganzoo.models.r1_gan import R1GAN
from ganzoo.models.r3gan import R3GAN
from ganzoo.models.relativistic import RelativisticGAN
from ganzoo.models.sagan import SAGAN
from ganzoo.models.semisupervised import SemiSupervisedGAN
from ganzoo.models.simgan import SimGAN
from ganzoo.models.sngan import SNGAN
from ganzoo.models.srgan import SRGAN
from ganzoo.models.stackgan import StackGAN
from ganzoo.models.stargan import StarGAN
from ganzoo.models.stylegan2 import StyleGAN2
from ganzoo.models.vanilla_gan import VanillaGAN
from ganzoo.models.wgan import WGAN
from ganzoo.models.wgan_gp import WGANGP
from ganzoo.zoo.registry import get_model, list_models

__all__ = [
    "ACGAN",
    "CGAN",
    "DCGAN",
    "DRAGAN",
    "IDCGAN",
    "LAPGAN",
    "LSGAN",
    "R1GAN",
    "R3GAN",
    "SAGAN",
    "SNGAN",
    "SRGAN",
    "WGAN",
    "WGANGP",
    "AgeCGAN",
    "BigGAN",
    "CycleGAN",
    "Deocclusion",
    "FramePrediction",
    "HingeGAN",
    "InfoGAN",
    "PerceptualGAN",
    "Pix2Pix",
    "ProjectionGAN",
    "RelativisticGAN",
    "SemiSupervisedGAN",
    "SimGAN",
    "StackGAN",
    "StarGAN",
    "StyleGAN2",
    "VanillaGAN",
    "get_model",
    "list_models",
]
