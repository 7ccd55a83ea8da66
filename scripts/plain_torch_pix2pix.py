"""The plain PyTorch loop of Pix2Pix: the U-Net and the discriminator of patches of ganzoo, as modules."""

from __future__ import annotations

import torch
from plain_torch import PlainLoop, initialized
from torch import nn
from torch.nn import functional as F


class UNet(nn.Module):
    """Images (batch, channels, size, size) to images of the same size in (-1, 1), as `ganzoo.networks.unet` has it.

    Args:
        size: int, height and width, a power of two.
        width: int, channels of the first layer; at most 8 * width below.
        channels: int, of input and output.
        dropout: float, the rate in the three innermost layers of the decoder.
    """

    def __init__(self, size: int, width: int, channels: int = 3, dropout: float = 0.5):
        super().__init__()
        num_levels = size.bit_length() - 1
        widths = [min(width * 2**i, 8 * width) for i in range(num_levels)]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for i, (before, after) in enumerate(zip([channels, *widths], widths)):
            bare = i in (0, num_levels - 1)  # the first and the innermost layer have a bias and no normalisation
            self.down.append(block(nn.Conv2d(before, after, 4, 2, 1, bias=bare), None if bare else after))
        for i, after in enumerate(reversed(widths[:-1])):
            before = widths[-1] if i == 0 else 2 * widths[-1 - i]
            drop = [nn.Dropout(dropout)] if i < 3 else []
            self.up.append(block(nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False), after, *drop))
        self.to_image = block(nn.ConvTranspose2d(2 * width, channels, 4, 2, 1), None, nn.Tanh())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skips: list[torch.Tensor] = []
        for down in self.down:
            x = down(F.leaky_relu(x, 0.2) if skips else x)
            skips.append(x)
        x = F.relu(skips.pop())
        for up in self.up:
            x = F.relu(torch.cat([up(x), skips.pop()], 1))
        return self.to_image(x)


class PatchGAN(nn.Module):
    """Two images (batch, channels, size, size) to logits of patches of 70 x 70, as `ganzoo.networks.patchgan` has it.

    Args:
        width: int, channels of the first layer.
        channels: int, of each image.
    """

    def __init__(self, width: int, channels: int = 3):
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(2 * channels, width, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
        for before, after, stride in ((1, 2, 2), (2, 4, 2), (4, 8, 1)):
            layers.append(nn.Conv2d(before * width, after * width, 4, stride, 1, bias=False))
            layers += [nn.InstanceNorm2d(after * width, affine=True), nn.LeakyReLU(0.2, inplace=True)]
        self.layers = block(*layers[:1], None, *layers[1:], nn.Conv2d(8 * width, 1, 4, 1, 1))

    def forward(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return self.layers(torch.cat([source, target], 1))


def block(convolution: nn.Module, normalized: int | None, *others: nn.Module) -> nn.Sequential:
    """A convolution, instance normalisation of so many channels, and what comes after."""
    norm = [] if normalized is None else [nn.InstanceNorm2d(normalized, affine=True)]
    return initialized(convolution, *norm, *others)


class PlainPix2Pix(PlainLoop):
    """Pix2Pix, eq. 4 of Isola et al. 2017: L1 times 100, half the discriminator's loss, dropout, no jitter.

    Args:
        reuse: let the generator learn from the images that the discriminator has just seen, as most loops do, instead
            of from new ones, which differ by their dropout.
        size: int, height and width.
        **kwargs: see `PlainLoop`.
    """

    batch_size, num_channels = 1, 3
    adam = dict(lr=2e-4, betas=(0.5, 0.999))
    l1_weight = 100.0

    def __init__(self, *, reuse: bool = False, size: int = 128, **kwargs):
        self.reuse, self.size = reuse, size
        super().__init__(**kwargs)

    def networks(self, width, biases):
        return UNet(self.size, width), PatchGAN(width)

    def random_batch(self):
        shape = (self.batch_size, self.num_channels, self.size, self.size)
        return torch.rand(shape) * 2 - 1, torch.rand(shape) * 2 - 1

    def step(self, source: torch.Tensor, target: torch.Tensor) -> None:
        """One training step on pairs of images, float32 (n, 3, size, size) in [-1, 1]."""
        source, target = source.to(**self.placement), target.to(**self.placement)
        self.discriminator_optimizer.zero_grad()
        with self.precision():
            with torch.set_grad_enabled(self.reuse):
                fake = self.generator(source)
            real_logits = self.discriminator(source, target).float()
            fake_logits = self.discriminator(source, fake.detach()).float()
        ones, zeros = torch.ones_like(real_logits), torch.zeros_like(real_logits)
        loss = F.binary_cross_entropy_with_logits(real_logits, ones)
        ((loss + F.binary_cross_entropy_with_logits(fake_logits, zeros)) / 2).backward()
        self.discriminator_optimizer.step()

        self.generator_optimizer.zero_grad()
        with self.precision():
            fake = fake if self.reuse else self.generator(source)
            logits = self.discriminator(source, fake).float()
        loss = F.binary_cross_entropy_with_logits(logits, ones)
        (loss + self.l1_weight * F.l1_loss(fake.float(), target)).backward()
        self.generator_optimizer.step()
