"""Plain PyTorch training loops of ganzoo's DCGAN, CGAN and WGAN-GP for 28x28 images: what `benchmark.py` compares with.

They are written as most people write them: a module, two optimizers and a loop, without ganzoo and Keras. That of
Pix2Pix is in `plain_torch_pix2pix.py`.
"""

from __future__ import annotations

import contextlib
import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
NORMALIZATIONS = (nn.BatchNorm2d, nn.InstanceNorm2d)


def build_generator(latent_dim: int, width: int, biases: bool = True) -> nn.Sequential:
    """Latents (batch, latent_dim, 1, 1) to images (batch, 1, 28, 28) in (-1, 1).

    The layers are those of `ganzoo.networks.dcgan`, but for the way in: ganzoo's dense layer and reshape are here, as
    in the PyTorch examples, a 7x7 transposed convolution of one pixel. The arithmetic is the same.

    Args:
        latent_dim: int, length of a latent vector.
        width: int, channels before the last layer.
        biases: whether the layers without BatchNorm have a bias, as ganzoo's do and the PyTorch examples' do not.
    """
    return initialized(
        nn.ConvTranspose2d(latent_dim, 2 * width, 7, bias=False),
        nn.BatchNorm2d(2 * width),
        nn.ReLU(inplace=True),
        nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        nn.ConvTranspose2d(width, 1, 4, stride=2, padding=1, bias=biases),
        nn.Tanh(),
    )


def build_discriminator(width: int, batch_norm: bool = True, biases: bool = True, channels: int = 1) -> nn.Sequential:
    """Images (batch, channels, 28, 28) to logits (batch, 1).

    The layers are those of `ganzoo.networks.dcgan`, but for the way out: a 7x7 convolution of a 7x7 map is ganzoo's
    flattening and dense unit.

    Args:
        width: int, channels after the first layer.
        batch_norm: False for the critic of WGAN-GP.
        biases: see `build_generator`.
        channels: int, of the images, and of what stands beside them.
    """
    return initialized(
        nn.Conv2d(channels, width, 4, stride=2, padding=1, bias=biases),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(width, 2 * width, 4, stride=2, padding=1, bias=biases and not batch_norm),
        *([nn.BatchNorm2d(2 * width)] if batch_norm else []),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(2 * width, 1, 7, bias=biases),
        nn.Flatten(),
    )


def initialized(*layers: nn.Module) -> nn.Sequential:
    """The layers in a row, kernels from N(0, .02) and the normalisations' scales from N(1, .02)."""
    for layer in layers:
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, *NORMALIZATIONS)):
            nn.init.normal_(layer.weight, float(isinstance(layer, NORMALIZATIONS)), 0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers)


class Conditional(nn.Module):
    """A network that is told the class: a learned vector, N(0, 1) at first, stands beside the channels of its input.

    Args:
        network: from (batch, channels, height, width), so many channels more than without classes.
        num_classes: int.
        shape: (channels, height, width) of the learned vector.
    """

    def __init__(self, network: nn.Module, num_classes: int, shape: tuple[int, int, int]):
        super().__init__()
        self.label_vector = nn.Embedding(num_classes, math.prod(shape))
        self.network, self.shape = network, shape

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return self.network(torch.cat([x, self.label_vector(labels).view(-1, *self.shape)], 1))


class PlainLoop:
    """Networks, optimizers and settings of a loop; `step` is the algorithm's.

    Attributes:
        images_per_step: int, real images that a step takes.
        generator, discriminator: the networks.

    Args:
        channels_last: keep weights and images in torch's channels_last format.
        autocast: compute in bfloat16 where autocast does.
        biases: see `build_generator`.
        width: int, channels at the finest level.
        batch_size: int, images of one discriminator update; by default the algorithm's.
        seed: int, for all randomness.
    """

    latent_dim: int
    batch_size: int
    discriminator_steps = 1
    batch_norm = True
    adam: dict

    def __init__(
        self,
        *,
        channels_last: bool = False,
        autocast: bool = False,
        biases: bool = True,
        width: int = 64,
        batch_size: int | None = None,
        seed: int = 0,
    ):
        torch.manual_seed(seed)
        self.autocast, self.batch_size = autocast, batch_size or self.batch_size
        self.images_per_step = self.batch_size * self.discriminator_steps
        layout = torch.channels_last if channels_last else torch.contiguous_format
        self.placement = dict(device=DEVICE, memory_format=layout)
        self.generator, self.discriminator = (n.to(**self.placement) for n in self.networks(width, biases))
        self.generator_optimizer = torch.optim.Adam(self.generator.parameters(), **self.adam)
        self.discriminator_optimizer = torch.optim.Adam(self.discriminator.parameters(), **self.adam)

    def networks(self, width: int, biases: bool) -> tuple[nn.Module, nn.Module]:
        """Generator and discriminator."""
        return build_generator(self.latent_dim, width, biases), build_discriminator(width, self.batch_norm, biases)

    def random_batch(self) -> tuple[torch.Tensor, ...]:
        """What `step` takes, at random: as good as data where only time is measured."""
        return (torch.rand(self.images_per_step, 1, 28, 28) * 2 - 1,)

    def precision(self):
        """A new context for each update: autocast remembers its copies of the weights until the context ends."""
        return torch.autocast(DEVICE, torch.bfloat16) if self.autocast else contextlib.nullcontext()

    def fake(self, *labels: torch.Tensor) -> torch.Tensor:
        """A batch of images from fresh latents."""
        return self.generator(torch.randn(self.batch_size, self.latent_dim, 1, 1, device=DEVICE), *labels)

    def drawn(self, number: int) -> np.ndarray:
        """Images of the generator in inference: uint8 (number, height, width, channels)."""
        self.generator.eval()
        with torch.no_grad():
            images = torch.cat([self.fake().cpu() for _ in range(0, number, self.batch_size)])[:number]
        return ((images + 1) * 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()

    def step(self, images: torch.Tensor, *others: torch.Tensor) -> None:
        """One training step on `images_per_step` real images, float32 (n, 1, 28, 28) in [-1, 1]."""
        raise NotImplementedError


class PlainDCGAN(PlainLoop):
    """DCGAN with the losses of Goodfellow et al. 2014: one update of the discriminator, then one of the generator.

    Args:
        reuse: let the generator learn from the images that the discriminator has just seen, as in the PyTorch examples,
            instead of from new ones.
        **kwargs: see `PlainLoop`.
    """

    latent_dim, batch_size = 100, 128
    adam = dict(lr=2e-4, betas=(0.5, 0.999))

    def __init__(self, *, reuse: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.reuse = reuse

    def step(self, images: torch.Tensor, *others: torch.Tensor) -> None:
        real, labels = images.to(**self.placement), [other.to(DEVICE) for other in others]
        ones, zeros = (torch.full((self.batch_size, 1), label, device=DEVICE) for label in (1.0, 0.0))
        self.discriminator_optimizer.zero_grad()
        with self.precision():
            fake = self.fake(*labels)
            real_logits = self.discriminator(real, *labels).float()
            fake_logits = self.discriminator(fake.detach(), *labels).float()
        loss = F.binary_cross_entropy_with_logits(real_logits, ones)
        (loss + F.binary_cross_entropy_with_logits(fake_logits, zeros)).backward()
        self.discriminator_optimizer.step()

        self.generator_optimizer.zero_grad()
        with self.precision():
            logits = self.discriminator(fake if self.reuse else self.fake(*labels), *labels).float()
        F.binary_cross_entropy_with_logits(logits, ones).backward()
        self.generator_optimizer.step()


class PlainCGAN(PlainDCGAN):
    """CGAN, eq. 2 of Mirza and Osindero 2014, with DCGAN's networks: both are told the class.

    The arguments are those of `PlainDCGAN`.
    """

    num_classes = 10

    def networks(self, width, biases):
        length = -(-self.latent_dim // 4)
        generator = build_generator(self.latent_dim + length, width, biases)
        discriminator = build_discriminator(width, self.batch_norm, biases, channels=2)
        return (
            Conditional(generator, self.num_classes, (length, 1, 1)),
            Conditional(discriminator, self.num_classes, (1, 28, 28)),
        )

    def random_batch(self):
        return (*super().random_batch(), torch.randint(self.num_classes, (self.batch_size,)))


class PlainWGANGP(PlainLoop):
    """WGAN-GP, Algorithm 1 of Gulrajani et al. 2017: five updates of the critic, then one of the generator."""

    latent_dim, batch_size = 128, 64
    discriminator_steps = 5
    batch_norm = False
    adam = dict(lr=1e-4, betas=(0.0, 0.9))
    penalty_weight = 10.0

    def step(self, images: torch.Tensor, *others: torch.Tensor) -> None:
        for real in images.to(**self.placement).split(self.batch_size):
            self.update_critic(real)
        self.generator_optimizer.zero_grad()
        with self.precision():
            scores = self.discriminator(self.fake()).float()
        (-scores.mean()).backward()
        self.generator_optimizer.step()

    def update_critic(self, real: torch.Tensor) -> None:
        """One update of the critic on a batch of real and as many generated images."""
        self.discriminator_optimizer.zero_grad()
        with self.precision():
            with torch.no_grad():
                fake = self.fake()
            epsilon = torch.rand(self.batch_size, 1, 1, 1, device=DEVICE)
            points = (epsilon * real + (1 - epsilon) * fake).requires_grad_()
            scores = self.discriminator(points).float()
            distance = self.discriminator(fake).float().mean() - self.discriminator(real).float().mean()
        (gradient,) = torch.autograd.grad(scores.sum(), points, create_graph=True)
        penalty = ((gradient.flatten(1).norm(2, dim=1) - 1) ** 2).mean()
        (distance + self.penalty_weight * penalty).backward()
        self.discriminator_optimizer.step()


LOOPS = {"dcgan": PlainDCGAN, "cgan": PlainCGAN, "wgan_gp": PlainWGANGP}


def train_plain_dcgan(images: np.ndarray, epochs: int, seed: int, num_samples: int = 10_000) -> np.ndarray:
    """Trains the DCGAN of the PyTorch examples at 28x28 and draws from its last state.

    As in the examples, the generator learns from the images that the discriminator has just seen, the layers without
    BatchNorm have no bias and no weights are averaged.

    Args:
        images: uint8 (n, 28, 28, 1), at least 128 of them.
        epochs: int, passes over the images, each in a new order; the incomplete batch at the end is left out.
        seed: int, for all randomness.
        num_samples: int, how many images to draw.

    Returns:
        uint8 (num_samples, 28, 28, 1).

    Raises:
        ValueError: images of another shape or dtype, or fewer than a batch.

    Example:

        >>> samples = train_plain_dcgan(images, epochs=15, seed=0)
    """
    loop = PlainDCGAN(reuse=True, biases=False, seed=seed)
    if images.shape[1:] != (28, 28, 1) or images.dtype != np.uint8 or len(images) < loop.batch_size:
        raise ValueError(
            f"`images` must be uint8 of shape (n, 28, 28, 1) with n of at least {loop.batch_size}. "
            f"Received: images of shape {images.shape} and dtype {images.dtype}"
        )
    real = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
    for _ in tqdm(range(epochs), desc="Plain loop", unit="epoch", disable=None):
        for chosen in torch.randperm(len(real)).split(loop.batch_size):
            if len(chosen) == loop.batch_size:
                loop.step(real[chosen])
    return loop.drawn(num_samples)
