"""A few hundred images: does augmenting what the discriminator sees help, or to begin with another data set's weights?

    python scripts/few_images.py --data-dir ../shared/data --output runs/few

The recipe of `dcgan-fashion_mnist`, unmodified, on 600 of its images: as it is, with DiffAugment, with ADA, with
consistency regularisation, and beginning with `dcgan-mnist` (all layers learn on, or the discriminator's first two
stay, FreezeD); three seeds each. Writes what `scripts/compare.py` writes: a page of curves and a table of Frechet
distances to the 10 000 test images, of the last weights. As a bound, the same recipe on all 60 000 images.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from compare import Comparison, page

POLICIES: dict[str, dict] = {
    "none": {},
    "diffaugment": {"augment": {"class": "DiffAugment"}},  # as `ganzoo train` chooses by itself
    "ada": {"augment": {"class": "AdaptiveAugment"}},
    "consistency": {"augment": {"class": "Consistency"}},
    "transfer": {"begin_with": ["dcgan-mnist"]},
    "transfer_frozen": {"begin_with": ["dcgan-mnist"], "freeze": 2},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--output", type=Path, default=Path("runs/few"))
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--updates", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--bound", action="store_true", help="also the same on all images, once")
    arguments = parser.parse_args()
    from ganzoo.zoo import presets
    from ganzoo.zoo.recipes import Augment

    base = presets.read_recipe("dcgan-fashion_mnist")
    comparison = Comparison(
        arguments.output, "fashion_mnist", arguments.updates, few=arguments.images, data_dir=arguments.data_dir
    )
    rows: dict = {}
    for seed in range(arguments.seeds):
        for name, settings in POLICIES.items():
            changes = dict(settings)
            if "augment" in changes:
                augment = Augment(**changes.pop("augment"))
                changes["training"] = base.training.model_copy(update={"augment": augment})
            rows.setdefault(name, []).append(comparison.row(name, base.model_copy(update=changes), seed))
    if arguments.bound:
        whole = Comparison(arguments.output, "fashion_mnist", arguments.updates, data_dir=arguments.data_dir)
        rows["all images"] = [whole.row("all", base, 0)]
    title = f"{arguments.images} images of Fashion-MNIST"
    print(f"wrote {page(comparison, rows, title)}")


if __name__ == "__main__":
    main()
