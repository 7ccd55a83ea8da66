"""The DCGAN of the PyTorch examples at 32x32 on CIFAR-10, for so many minutes: what the zoo's presets compare with.

    python scripts/plain_torch_cifar.py --data-dir FOLDER_OF_cifar10.npz --minutes 90 --output runs/plain-cifar10.npz
    ganzoo evaluate runs/plain-cifar10.npz cifar10 --data-dir FOLDER_OF_cifar10.npz

As in the examples: batches of 128, Adam 2e-4 and .5, the generator learns from the images that the discriminator has
just seen, no bias beside BatchNorm, no average of weights. Minutes count the steps alone; an interrupted training goes
on from the file beside the output.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path

import numpy as np
import torch
from plain_torch import DEVICE, PlainDCGAN, initialized
from torch import nn

SAVE_EVERY = 300  # seconds of steps


class PlainDCGAN32(PlainDCGAN):
    """DCGAN for colour images of 32x32: 4x4 at first, twice the size three times."""

    def networks(self, width, biases):
        wide = (4 * width, 2 * width, width)
        up = [nn.ConvTranspose2d(self.latent_dim, wide[0], 4, bias=False), nn.BatchNorm2d(wide[0]), nn.ReLU(True)]
        for channels, out in itertools.pairwise(wide):
            up += [nn.ConvTranspose2d(channels, out, 4, 2, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU(True)]
        down = [nn.Conv2d(3, width, 4, 2, 1, bias=biases), nn.LeakyReLU(0.2, inplace=True)]
        for channels, out in itertools.pairwise(wide[::-1]):
            down += [nn.Conv2d(channels, out, 4, 2, 1, bias=False), nn.BatchNorm2d(out), nn.LeakyReLU(0.2, True)]
        return (
            initialized(*up, nn.ConvTranspose2d(width, 3, 4, 2, 1, bias=biases), nn.Tanh()),
            initialized(*down, nn.Conv2d(wide[0], 1, 4, bias=biases), nn.Flatten()),
        )

    def parts(self):
        """All that a training goes on from."""
        return {
            name: getattr(self, name)
            for name in ("generator", "discriminator", "generator_optimizer", "discriminator_optimizer")
        }


def train(images: np.ndarray, seconds: float, state: Path, seed: int = 0, width: int = 64) -> tuple[PlainDCGAN32, int]:
    """Trains for so many seconds of steps, of which those that `state` holds are done; returns the loop and its steps.

    Args:
        images: uint8 (n, 32, 32, 3), at least 128 of them.
        seconds: of steps.
        state: file to go on from, and to save to every five minutes and at the end.
        seed: of weights, latents and order.
        width: channels at the finest level.
    """
    loop = PlainDCGAN32(reuse=True, biases=False, seed=seed, width=width)
    done, steps = 0.0, 0
    if state.is_file():
        kept = torch.load(state, map_location=DEVICE, weights_only=True)
        done, steps = kept["seconds"], kept["steps"]
        for name, part in loop.parts().items():
            part.load_state_dict(kept[name])
        torch.manual_seed(seed + steps)
    real, saved = torch.from_numpy(images).permute(0, 3, 1, 2), done
    while done < seconds:
        for chosen in torch.randperm(len(real)).split(loop.batch_size):
            if len(chosen) < loop.batch_size or done >= seconds:
                break
            begin = time.perf_counter()
            loop.step(real[chosen].float() / 127.5 - 1)
            done, steps = done + time.perf_counter() - begin, steps + 1
            if done - saved > SAVE_EVERY:
                saved = _save(loop, done, steps, state)
    _save(loop, done, steps, state)
    return loop, steps


def _save(loop: PlainDCGAN32, seconds: float, steps: int, state: Path) -> float:
    beside = state.with_name(f"part-{state.name}")
    kept = {name: part.state_dict() for name, part in loop.parts().items()}
    torch.save({"seconds": seconds, "steps": steps, **kept}, beside)
    beside.replace(state)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--minutes", type=float, default=90)
    parser.add_argument("--output", type=Path, default=Path("runs/plain-cifar10.npz"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    from ganzoo import data

    images = np.asarray(data.load("cifar10", data_dir=arguments.data_dir))
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    loop, steps = train(images, 60 * arguments.minutes, arguments.output.with_suffix(".pt"), arguments.seed)
    np.savez_compressed(arguments.output, images=loop.drawn(10_000))
    print(f"{steps} steps of {loop.batch_size} images; wrote {arguments.output}")


if __name__ == "__main__":
    main()
