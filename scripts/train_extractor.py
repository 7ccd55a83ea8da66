"""Trains a small classifier on a data set's training images, freezes it as a feature extractor and measures it.

python scripts/train_extractor.py mnist --data-dir ../shared/data
python scripts/train_extractor.py fashion_mnist --epochs 14 --data-dir ../shared/data

Writes zoo_configs/extractors/<dataset>.safetensors and <dataset>.card.json. The test images are used only to report:
the weights are those of the last step. The images are shifted by up to two pixels and never flipped, so that the
features still tell a shoe that points the wrong way.
"""

from __future__ import annotations

import argparse
import json

import keras
import numpy as np

from ganzoo import data, metrics
from ganzoo.metrics import GaussianMoments, extractors, protocol


class ShiftedImages(keras.utils.PyDataset):
    """Shuffled batches, every image shifted by its own random number of pixels, the rest filled with black."""

    def __init__(self, images, labels, batch_size=128, max_shift=2, seed=0):
        super().__init__()
        self.images, self.labels, self.batch_size, self.shift = images, labels, batch_size, max_shift
        self.rng = np.random.default_rng(seed)
        self.order = self.rng.permutation(len(images))

    def __len__(self):
        return len(self.images) // self.batch_size

    def on_epoch_end(self):
        self.order = self.rng.permutation(len(self.images))

    def __getitem__(self, i):
        chosen = self.order[i * self.batch_size : (i + 1) * self.batch_size]
        images, s = self.images[chosen], self.shift
        height, width = images.shape[1:3]
        padded = np.pad(images, [(0, 0), (s, s), (s, s), (0, 0)])
        top, left = self.rng.integers(0, 2 * s + 1, (2, len(images)))
        rows = top[:, None] + np.arange(height)
        columns = left[:, None] + np.arange(width)
        shifted = padded[np.arange(len(images))[:, None, None], rows[:, :, None], columns[:, None, :]]
        return shifted.astype("float32"), self.labels[chosen]


def train(images, labels, epochs, seed):
    """A classifier trained with AdamW, its learning rate falling to zero along a cosine."""
    keras.utils.set_random_seed(seed)
    network = extractors.build_classifier(images.shape[1:], num_classes=int(labels.max()) + 1)
    classifier = keras.Model(network.input, network.output[1])
    batches = ShiftedImages(images, labels, seed=seed)
    steps = epochs * len(batches)
    rate = keras.optimizers.schedules.CosineDecay(0.0, steps, warmup_target=3e-3, warmup_steps=steps // 10)
    classifier.compile(
        keras.optimizers.AdamW(rate, weight_decay=0.05),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    classifier.fit(batches, epochs=epochs, verbose=2)
    return network


def measure(frozen, train_images, test_images, test_labels):
    """What the card says of the extractor: its accuracy, and how real images score against real ones."""
    num = len(test_images)
    reference = metrics.Reference(frozen, train_images, test_images)
    floor = metrics.score(protocol.some_of(train_images, num), reference)
    # Train images against moments that hold them would flatter: the floor of the Frechet distance is the test split's.
    floor["frechet_distance"] = GaussianMoments().update(reference.features).distance(reference.moments)
    golden = frozen.features(extractors.golden_images(frozen.image_shape))
    return {
        "test_accuracy": float(np.mean(frozen.logits(test_images).argmax(axis=1) == test_labels)),
        "real_against_real": floor,
        "protocol": reference.id,
        "golden": [round(float(value), 5) for value in golden[:, :16].ravel()],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", choices=["mnist", "fashion_mnist"])
    parser.add_argument("--data-dir", help="folder with the data set's original files, where it cannot be downloaded")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--measure-only", action="store_true", help="keep the weights, renew the card")
    args = parser.parse_args()
    (images, labels), (test_images, test_labels) = (
        data.load(args.dataset, split, data_dir=args.data_dir, return_labels=True) for split in ("train", "test")
    )
    if args.measure_only:
        frozen = metrics.extractor(args.dataset)
    else:
        frozen = extractors.freeze(train(images, labels, args.epochs, args.seed), args.dataset)
        frozen.card |= {"epochs": args.epochs, "seed": args.seed, "backend": keras.backend.backend()}
    extractors.write_card(frozen, **measure(frozen, images, test_images, test_labels))
    print(json.dumps(frozen.card, indent=2))


if __name__ == "__main__":
    main()
