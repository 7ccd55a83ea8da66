"""Trains a small classifier on a data set's training images, freezes it as a feature extractor and measures it.

python scripts/train_extractor.py mnist --data-dir ../shared/data
python scripts/train_extractor.py fashion_mnist --data-dir ../shared/data
python scripts/train_extractor.py cifar10 --data-dir FOLDER_OF_cifar10.npz

Writes zoo_configs/extractors/<dataset>.safetensors and <dataset>.card.json. The test images are used only to report:
the weights are those of the last step. The images are shifted by up to two pixels; those of CIFAR-10 are also mirrored,
the others not, so that the features still tell a shoe that points the wrong way.
"""

from __future__ import annotations

import argparse
import json

import keras
import numpy as np

from ganzoo import data, metrics
from ganzoo.metrics import extractors, protocol

RECIPES = {
    "mnist": {"epochs": 10},
    "fashion_mnist": {"epochs": 14},
    "cifar10": {
        "epochs": 14,
        "widths": (64, 128, 128, 256, 256),
        "mirror": True,
        "precision": "mixed_bfloat16",
    },
}

# All that real images can be scored by: there is no generator whose path could have a length, nor copies to look for.
FLOORS = ("frechet", "kernel", "neighbours", "classifier", "diversity", "patches")


def measure(frozen, train_images, test_images, test_labels):
    """What the card says of the extractor: its accuracy, and how real images score against real ones."""
    reference = metrics.Reference(frozen, test_images)
    floor = metrics.score(protocol.some_of(train_images, len(test_images)), reference, FLOORS)
    golden = frozen.features(extractors.golden_images(frozen.image_shape))
    return {
        "test_accuracy": float(np.mean(frozen.logits(test_images).argmax(axis=1) == test_labels)),
        "real_against_real": floor,
        "protocol": f"{len(test_images)} images of the train split against {len(test_images)} of the test split",
        "golden": [round(float(value), 5) for value in golden[:, :16].ravel()],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", choices=list(RECIPES))
    parser.add_argument("--data-dir", help="folder with the data set's original files, where it cannot be downloaded")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--measure-only", action="store_true", help="keep the weights, renew the card")
    args = parser.parse_args()
    (images, labels), (test_images, test_labels) = (
        data.load(args.dataset, split, data_dir=args.data_dir, return_labels=True) for split in ("train", "test")
    )
    if args.measure_only:
        frozen = metrics.extractor(args.dataset)
    else:
        recipe = RECIPES[args.dataset] | ({"epochs": args.epochs} if args.epochs else {})
        network = metrics.train_classifier(images, labels, seed=args.seed, **recipe)
        frozen = extractors.freeze(network, args.dataset)
        frozen.card |= {**recipe, "seed": args.seed, "backend": keras.backend.backend()}
    extractors.write_card(frozen, **measure(frozen, images, test_images, test_labels))
    print(json.dumps(frozen.card, indent=2))


if __name__ == "__main__":
    main()
