"""Plain PyTorch training loops of ganzoo's projection cGAN and BigGAN for 28x28 images: see `plain_torch.py`."""

from __future__ import annotations

import torch
from plain_torch import DEVICE, PlainLoop
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

NUM_CLASSES = 10


class ClassNorm(nn.Module):
    """BatchNorm whose scale and shift are learned for each class."""

    def __init__(self, channels: int):
        super().__init__()
        self.gain, self.shift = (nn.Embedding(NUM_CLASSES, channels) for _ in range(2))
        self.norm = nn.BatchNorm2d(channels, affine=False)
        for table in (self.gain, self.shift):
            nn.init.zeros_(table.weight)

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        gain, shift = self.gain(labels), self.shift(labels)
        return self.norm(x) * (1 + gain[:, :, None, None]) + shift[:, :, None, None]


class ProjectionGenerator(nn.Module):
    def __init__(self, latent_dim: int, width: int):
        super().__init__()
        self.project = nn.ConvTranspose2d(latent_dim, 2 * width, 7, bias=False)
        self.norm1 = ClassNorm(2 * width)
        self.up = nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1, bias=False)
        self.norm2 = ClassNorm(width)
        self.to_image = nn.ConvTranspose2d(width, 1, 4, stride=2, padding=1)

    def forward(self, latents: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.norm1(self.project(latents), labels), inplace=True)
        x = F.relu(self.norm2(self.up(x), labels), inplace=True)
        return torch.tanh(self.to_image(x))


class ProjectionDiscriminator(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.down1 = spectral_norm(nn.Conv2d(1, width, 4, stride=2, padding=1))
        self.down2 = spectral_norm(nn.Conv2d(width, 2 * width, 4, stride=2, padding=1))
        self.to_logit = spectral_norm(nn.Linear(2 * width, 1))
        self.class_vector = spectral_norm(nn.Embedding(NUM_CLASSES, 2 * width))

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        x = F.leaky_relu(self.down1(images), 0.2, inplace=True)
        x = F.leaky_relu(self.down2(x), 0.2, inplace=True).sum((2, 3))
        return self.to_logit(x) + (self.class_vector(labels) * x).sum(1, keepdim=True)


class Up(nn.Module):
    """A block of BigGAN's generator: twice the size, told a condition before either convolution."""

    def __init__(self, channels: int, out: int, condition: int):
        super().__init__()
        self.gain1, self.shift1 = (spectral_norm(nn.Linear(condition, channels, bias=False)) for _ in range(2))
        self.conv1 = spectral_norm(nn.Conv2d(channels, out, 3, padding=1))
        self.gain2, self.shift2 = (spectral_norm(nn.Linear(condition, out, bias=False)) for _ in range(2))
        if channels != out:
            self.short = spectral_norm(nn.Conv2d(channels, out, 1))
        self.conv2 = spectral_norm(nn.Conv2d(out, out, 3, padding=1))
        self.norm1, self.norm2 = nn.BatchNorm2d(channels, affine=False), nn.BatchNorm2d(out, affine=False)

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        def told(y, norm, gain, shift):
            gain, shift = (layer(condition)[:, :, None, None] for layer in (gain, shift))
            return F.relu(norm(y) * (1 + gain) + shift, inplace=True)

        y = F.interpolate(told(x, self.norm1, self.gain1, self.shift1), scale_factor=2.0)
        y = self.conv2(told(self.conv1(y), self.norm2, self.gain2, self.shift2))
        short = self.short(x) if hasattr(self, "short") else x
        return y + F.interpolate(short, scale_factor=2.0)


class BigGANGenerator(nn.Module):
    """Latents in three parts, one for the first layer and one for each of two blocks, and a vector for the class."""

    def __init__(self, latent_dim: int, width: int, shared: int = 128):
        super().__init__()
        part = latent_dim // 3
        self.project = spectral_norm(nn.Linear(part, 49 * 2 * width, bias=False))
        self.class_vector = nn.Embedding(NUM_CLASSES, shared)
        self.block1 = Up(2 * width, 2 * width, part + shared)
        self.block2 = Up(2 * width, width, part + shared)
        self.last_norm = nn.BatchNorm2d(width)
        self.to_image = spectral_norm(nn.Conv2d(width, 1, 3, padding=1))

    def forward(self, latents: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        first, *others = latents.flatten(1).chunk(3, 1)
        vector = self.class_vector(labels)
        x = self.project(first).view(len(first), 7, 7, -1).permute(0, 3, 1, 2)
        for block, part in zip((self.block1, self.block2), others):
            x = block(x, torch.cat([part, vector], 1))
        return torch.tanh(self.to_image(F.relu(self.last_norm(x), inplace=True)))


class Down(nn.Module):
    """A block of BigGAN's discriminator."""

    def __init__(self, channels: int, out: int, first: bool = False, halve: bool = True):
        super().__init__()
        self.conv1 = spectral_norm(nn.Conv2d(channels, out, 3, padding=1))
        self.conv2 = spectral_norm(nn.Conv2d(out, out, 3, padding=1))
        if first or channels != out:
            self.short = spectral_norm(nn.Conv2d(channels, out, 1))
        self.first, self.halve = first, halve

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv2(F.relu(self.conv1(x if self.first else F.relu(x)), inplace=True))
        if self.halve:
            y, x = F.avg_pool2d(y, 2), F.avg_pool2d(x, 2)
        return y + (self.short(x) if hasattr(self, "short") else x)


class BigGANDiscriminator(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.blocks = nn.Sequential(
            Down(1, width, first=True), Down(width, 2 * width), Down(2 * width, 2 * width, halve=False)
        )
        self.to_logit = spectral_norm(nn.Linear(2 * width, 1))
        self.class_vector = spectral_norm(nn.Embedding(NUM_CLASSES, 2 * width))

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.blocks(images), inplace=True).sum((2, 3))
        return self.to_logit(x) + (self.class_vector(labels) * x).sum(1, keepdim=True)


class PlainProjection(PlainLoop):
    """Projection cGAN, eq. 3 of Miyato and Koyama 2018, under the hinge loss."""

    latent_dim, batch_size = 128, 64
    adam = dict(lr=2e-4, betas=(0.0, 0.9))

    def networks(self, width, biases):
        return ProjectionGenerator(self.latent_dim, width), ProjectionDiscriminator(width)

    def random_batch(self):
        return (*super().random_batch(), torch.randint(NUM_CLASSES, (self.batch_size,)))

    def penalty(self) -> torch.Tensor | float:
        """What is added to the generator's loss."""
        return 0.0

    def step(self, images: torch.Tensor, *others: torch.Tensor) -> None:
        real, labels = images.to(**self.placement), others[0].to(DEVICE)
        self.discriminator_optimizer.zero_grad()
        with self.precision():
            with torch.no_grad():
                fake = self.fake(labels)
            real_logits, fake_logits = (self.discriminator(x, labels).float() for x in (real, fake))
        (F.relu(1 - real_logits).mean() + F.relu(1 + fake_logits).mean()).backward()
        self.discriminator_optimizer.step()

        self.generator_optimizer.zero_grad()
        with self.precision():
            logits = self.discriminator(self.fake(labels), labels).float()
        (-logits.mean() + self.penalty()).backward()
        self.generator_optimizer.step()


class PlainBigGAN(PlainProjection):
    """BigGAN with one update of the discriminator, orthogonal regularisation of the generator's kernels (eq. 3)."""

    latent_dim = 120
    adam = dict(lr=2e-4, betas=(0.0, 0.999), eps=1e-6)

    def networks(self, width, biases):
        return BigGANGenerator(self.latent_dim, width), BigGANDiscriminator(width)

    def penalty(self):
        total = torch.zeros((), device=DEVICE)
        for name, weight in self.generator.named_parameters():
            if name.endswith("weight.original"):
                matrix = weight.flatten(1)  # (out, ...): rows are what each output is multiplied by
                products = matrix @ matrix.T
                total = total + products.square().sum() - products.diagonal().square().sum()
        return 1e-4 * total
