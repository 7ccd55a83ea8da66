"""Can a generator draw what it has not seen? Latents of test images beside latents of images that it drew.

    python scripts/latents.py --data-dir ../shared/data --pictures zoo_configs/pictures

For each preset of latents the mean error (root mean square, in steps of 255) of 50 test images, and of 50 images that
it drew itself from other latents, after `ganzoo.latent.project`; beside them the errors of the nearest of 2000 drawn
images. A generator that can draw everything has one error for both. `--pictures` writes those of the documentation.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

PRESETS = ("dcgan-mnist", "dcgan-fashion_mnist", "wgan_gp-fashion_mnist")
NUM, STARTS, STEPS = 50, 2, 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--pictures", type=Path)
    arguments = parser.parse_args()
    import ganzoo

    for preset in PRESETS:
        model = ganzoo.load(preset)
        dataset = ganzoo.info(preset).recipe.dataset.name
        test = ganzoo.data.load(dataset, "test", data_dir=arguments.data_dir)[:NUM]
        for kind, images in (("test images", test), ("drawn images", model.generate(NUM, seed=12_345))):
            found = ganzoo.latent.project(model, images, starts=STARTS, steps=STEPS)
            print(f"{preset:24} {kind:13} {found.error.mean():5.1f}   nearest drawn {found.nearest_error.mean():5.1f}")
            if arguments.pictures and kind == "test images" and preset == "dcgan-fashion_mnist":
                rows = np.stack([images, found.images, found.nearest], axis=1)[:24]
                _write(arguments.pictures / "projected.png", rows.reshape(-1, *images.shape[1:]), 12)
    if arguments.pictures:
        model = ganzoo.load("dcgan-fashion_mnist")
        _write(arguments.pictures / "paths.png", ganzoo.latent.interpolate(model, 12, 6, seed=5), 12)
        found = ganzoo.latent.sefa(model, 6)
        _write(arguments.pictures / "sefa.png", ganzoo.latent.walk(model, found.vectors, 4.0, 11, seed=3), 11)


def _write(path: Path, images, columns: int) -> None:
    from ganzoo import plot

    path.parent.mkdir(parents=True, exist_ok=True)
    plot.save_png(path, images, columns=columns)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
