"""Plain PyTorch training loops of ganzoo's SNGAN and R3GAN for 28x28 images: see `plain_torch.py`."""

from __future__ import annotations

import torch
from plain_torch import DEVICE, PlainLoop, PlainWGANGP, build_discriminator, build_generator
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

SLOPE = 0.2
FILTER = (1.0, 2.0, 1.0)


class PlainSNGAN(PlainWGANGP):
    """SNGAN, Miyato et al. 2018: five updates of the discriminator under the hinge loss, then one of the generator."""

    adam = dict(lr=2e-4, betas=(0.0, 0.9))

    def networks(self, width, biases):
        discriminator = build_discriminator(width, batch_norm=False, biases=biases)
        for layer in discriminator:
            if isinstance(layer, nn.Conv2d):
                spectral_norm(layer)
        return build_generator(self.latent_dim, width, biases), discriminator

    def update_critic(self, real: torch.Tensor) -> None:
        self.discriminator_optimizer.zero_grad()
        with self.precision():
            with torch.no_grad():
                fake = self.fake()
            real_logits, fake_logits = (self.discriminator(x).float() for x in (real, fake))
        (F.relu(1 - real_logits).mean() + F.relu(1 + fake_logits).mean()).backward()
        self.discriminator_optimizer.step()


class Filter(nn.Module):
    """Images filtered channel by channel, to half or twice their size; what lies outside does not count."""

    def __init__(self, size: int, grow: bool):
        super().__init__()
        kernel = torch.tensor(FILTER)
        self.register_buffer("kernel", torch.outer(kernel, kernel)[None, None])
        self.grow = grow
        self.register_buffer("total", self._filtered(torch.ones(1, 1, size, size)))

    def _filtered(self, x: torch.Tensor) -> torch.Tensor:
        kernel = self.kernel.to(x.dtype).expand(x.shape[1], 1, 3, 3)
        if self.grow:
            return F.conv_transpose2d(x, kernel, None, 2, 1, 1, groups=x.shape[1])
        return F.conv2d(x, kernel, None, 2, 1, groups=x.shape[1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self._filtered(x)
        return y / self.total.to(y.dtype)


class Block(nn.Module):
    """Three convolutions without normalisation, the last of which begins at zero, beside what comes in."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv3 = nn.Conv2d(channels, channels, 1, bias=False)
        nn.init.zeros_(self.conv3.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.leaky_relu(self.conv1(x), SLOPE, inplace=True)
        return x + self.conv3(F.leaky_relu(self.conv2(y), SLOPE, inplace=True))


class Pattern(nn.Module):
    """What each channel is multiplied by, at each place of the smallest feature map."""

    def __init__(self, channels: int, deviation: float):
        super().__init__()
        self.values = nn.Parameter(deviation * torch.randn(channels, 7, 7))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.values


class R3GANGenerator(nn.Module):
    def __init__(self, latent_dim: int, width: int, blocks: int = 2):
        super().__init__()
        wide = 2 * width
        self.mix = nn.Linear(latent_dim, wide, bias=False)
        self.pattern = Pattern(wide, 1.0)
        self.stage0 = nn.Sequential(*(Block(wide) for _ in range(blocks)))
        self.grow1 = Filter(7, grow=True)
        self.stage1 = nn.Sequential(*(Block(wide) for _ in range(blocks)))
        self.narrow = nn.Conv2d(wide, width, 1, bias=False)
        self.grow2 = Filter(14, grow=True)
        self.stage2 = nn.Sequential(*(Block(width) for _ in range(blocks)))
        self.to_image = nn.Conv2d(width, 1, 1)

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        x = self.pattern(self.mix(latents.flatten(1))[:, :, None, None])
        x = self.stage1(self.grow1(self.stage0(x)))
        image = self.to_image(self.stage2(self.grow2(self.narrow(x))))
        return image if self.training else image.clamp(-1, 1)


class R3GANDiscriminator(nn.Module):
    def __init__(self, width: int, blocks: int = 2):
        super().__init__()
        wide = 2 * width
        self.from_image = nn.Conv2d(1, width, 1)
        self.stage0 = nn.Sequential(*(Block(width) for _ in range(blocks)))
        self.shrink1 = Filter(28, grow=False)
        self.widen = nn.Conv2d(width, wide, 1, bias=False)
        self.stage1 = nn.Sequential(*(Block(wide) for _ in range(blocks)))
        self.shrink2 = Filter(14, grow=False)
        self.stage2 = nn.Sequential(*(Block(wide) for _ in range(blocks)))
        self.pattern = Pattern(wide, 1 / 7)
        self.to_logit = nn.Linear(wide, 1, bias=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.widen(self.shrink1(self.stage0(self.from_image(images))))
        x = self.stage2(self.shrink2(self.stage1(x)))
        return self.to_logit(self.pattern(x).sum((2, 3)))


class PlainR3GAN(PlainLoop):
    """R3GAN, eq. 2 of Huang et al. 2024: the pairing loss with a penalty on real and on generated images."""

    latent_dim, batch_size = 64, 64
    adam = dict(lr=2e-4, betas=(0.0, 0.99))
    gamma = 1.0

    def networks(self, width, biases):
        return R3GANGenerator(self.latent_dim, width), R3GANDiscriminator(width)

    def step(self, images: torch.Tensor, *others: torch.Tensor) -> None:
        real = images.to(**self.placement).requires_grad_()
        self.discriminator_optimizer.zero_grad()
        with self.precision():
            with torch.no_grad():
                fake = self.fake()
            fake.requires_grad_()
            real_logits, fake_logits = (self.discriminator(x).float() for x in (real, fake))
        penalty = torch.zeros((), device=DEVICE)
        for logits, x in ((real_logits, real), (fake_logits, fake)):
            (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
            penalty = penalty + gradient.float().square().sum((1, 2, 3)).mean()
        (F.softplus(fake_logits - real_logits).mean() + self.gamma / 2 * penalty).backward()
        self.discriminator_optimizer.step()

        self.generator_optimizer.zero_grad()
        with self.precision():
            fake_logits, real_logits = (self.discriminator(x).float() for x in (self.fake(), real.detach()))
        F.softplus(real_logits - fake_logits).mean().backward()
        self.generator_optimizer.step()
