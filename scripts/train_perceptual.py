"""Trains the small network whose features perceptual losses and distances compare, freezes it and writes its card.

python scripts/train_perceptual.py CIFAR10.npz --output zoo_configs/perceptual --epochs 10

It learns the classes of CIFAR-10's training images, each shifted by up to four pixels and half of them mirrored, by a
linear layer on the mean features of the last block. It sees no other picture: what is judged by it, photographs of a
test among them, is new to it. Test images are used only to report; the weights are those of the last step.

At the end each layer is scaled so that its features have mean square 1 over training images, which changes nothing of
what the ReLUs behind it let through: errors of features are then of one size in all layers.

CIFAR10.npz: an archive with images and labels (x_train, y_train, x_test, y_test).
Writes OUTPUT/cifar10.safetensors and cifar10.card.json. --epochs 1 --limit 2000 tries it out.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import keras
import numpy as np
from keras.layers import Dense, Dropout, GlobalAveragePooling2D

from ganzoo import data
from ganzoo.metrics.classifier import shifted
from ganzoo.networks.perceptual import WIDTHS, feature_network
from ganzoo.zoo import perceptual

BATCH = 128


class Batches(keras.utils.PyDataset):
    """Images in [-1, 1], mirrored and shifted at random, with their classes as one-hot rows."""

    def __init__(self, images, labels, seed):
        super().__init__()
        self.images, self.labels = images, labels
        self.rng = np.random.default_rng(seed)
        self.order = self.rng.permutation(len(images))

    def __len__(self):
        return len(self.images) // BATCH

    def on_epoch_end(self):
        self.order = self.rng.permutation(len(self.images))

    def __getitem__(self, i):
        chosen = self.order[i * BATCH : (i + 1) * BATCH]
        images = shifted(self.images[chosen], self.rng, 4)
        turned = self.rng.random(len(images)) < 0.5
        images[turned] = images[turned, :, ::-1]
        return data.to_float(images), np.eye(10, dtype="float32")[self.labels[chosen]]


def classifier(network: keras.Model) -> keras.Model:
    """The network with a linear layer that tells the classes."""
    x = GlobalAveragePooling2D(name="mean")(network.outputs[0])
    x = Dropout(0.2, seed=0, name="dropout")(x)
    return keras.Model(network.inputs[0], Dense(10, name="class_logits")(x), name="classifier")


def normalise(network: keras.Model, images: np.ndarray) -> None:
    """Scales each layer, and what the next one takes of it, so that its features have mean square 1 over images."""
    names = [f"{i}_{j}" for i in range(1, len(WIDTHS) + 1) for j in (1, 2)]
    relus = keras.Model(network.inputs[0], [network.get_layer(f"relu{name}").output for name in names])
    sums = np.zeros(len(names))
    for start in range(0, len(images), 500):
        outputs = relus.predict_on_batch(data.to_float(images[start : start + 500]))
        sums += [np.mean(np.square(each)) * len(each) for each in outputs]
    before = 1.0
    for name, scale in zip(names, np.sqrt(sums / len(images))):
        layer = network.get_layer(f"conv{name}")
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel * before / scale, bias / scale])
        before = scale


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", help="CIFAR-10, an .npz archive")
    parser.add_argument("--output", required=True, type=Path, help="folder to write to, zoo_configs/perceptual")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, help="training images, to try it out")
    args = parser.parse_args(arguments)
    (images, labels), (test_images, test_labels) = (
        data.load(args.archive, split, return_labels=True) for split in ("train", "test")
    )
    images, labels = images[: args.limit], labels[: args.limit]
    test_images, test_labels = test_images[: args.limit], test_labels[: args.limit]
    keras.utils.set_random_seed(args.seed)
    network = feature_network()
    model = classifier(network)
    batches = Batches(images, labels, args.seed)
    steps = args.epochs * len(batches)
    warm_up = max(1, steps // 10)
    rate = keras.optimizers.schedules.CosineDecay(0.0, steps - warm_up, warmup_target=1e-3, warmup_steps=warm_up)
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=0.05, clipnorm=1.0),
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
        metrics=["accuracy"],
    )
    began = time.process_time()
    model.fit(batches, epochs=args.epochs, verbose=2)
    print(f"{(time.process_time() - began) / steps:.3f} s of processor time a step, {steps} steps")
    logits = model.predict(data.to_float(test_images), batch_size=500, verbose=0)
    about = {"trained_on": "CIFAR-10", "licence": "research use"}
    about |= {"test_accuracy": float(np.mean(logits.argmax(axis=1) == test_labels))}
    about |= {"epochs": args.epochs, "seed": args.seed, "backend": keras.backend.backend()}
    normalise(network, images[:10_000])
    perceptual.freeze(network, args.output, **about)
    print((args.output / "cifar10.card.json").read_text())
    print(json.dumps({"bytes": (args.output / "cifar10.safetensors").stat().st_size}))


if __name__ == "__main__":
    main()
