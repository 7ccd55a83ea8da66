"""Trains the small network whose features perceptual losses and distances compare, freezes it and writes its card.

python scripts/train_perceptual.py CIFAR10.npz --photos FOLDER --output zoo_configs/perceptual --epochs 30

It learns two things at once. The classes of CIFAR-10's training images, each shifted by up to four pixels and half of
them mirrored: a linear layer on the mean features of the last block. And, so that the first blocks know textures that
classes do not depend on, what was done to 32x32 crops of photographs, one of `DAMAGES`: a linear layer on the mean
features of all blocks. Every sixth photograph is held out. Test images and photographs are used only to report; the
weights are those of the last step.

At the end each layer is scaled so that its features have mean square 1 over training images, which changes nothing of
what the ReLUs behind it let through: errors of features are then of one size in all layers.

CIFAR10.npz: an archive with images and labels (x_train, y_train, x_test, y_test). FOLDER: photographs of any sizes.
Writes OUTPUT/cifar10.safetensors and cifar10.card.json. --epochs 1 --limit 2000 tries it out.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from pathlib import Path

import keras
import numpy as np
from keras.layers import Concatenate, Dense, Dropout, GlobalAveragePooling2D
from PIL import Image, ImageFilter

from ganzoo import data
from ganzoo.data.folders import find_images
from ganzoo.metrics.classifier import shifted
from ganzoo.networks.perceptual import WIDTHS, feature_network
from ganzoo.zoo import perceptual

SIZE, BATCH, CROPS = 32, 128, 32  # pixels; images and crops of photographs in a step
DAMAGES = ("none", "blurred a little", "blurred", "x2 and back", "x4 and back", "noise", "JPEG")


def damaged(crop: Image.Image, kind: int, rng: np.random.Generator) -> Image.Image:
    """A crop as the `kind` of `DAMAGES` leaves it."""
    width, height = crop.size
    if kind in (1, 2):
        return crop.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 0.8) if kind == 1 else rng.uniform(1.0, 2.0)))
    if kind in (3, 4):
        factor = 2 if kind == 3 else 4
        small = crop.resize((width // factor, height // factor), Image.Resampling.BICUBIC)
        return small.resize(crop.size, Image.Resampling.BICUBIC)
    if kind == 5:
        noisy = np.asarray(crop) + rng.normal(0, rng.uniform(5, 20), (height, width, 3))
        return Image.fromarray(np.clip(np.rint(noisy), 0, 255).astype("uint8"))
    if kind == 6:
        file = io.BytesIO()
        crop.save(file, "JPEG", quality=int(rng.integers(10, 40)))
        return Image.open(file)
    return crop


def crops(files: list[Path], num: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """uint8 (num, 32, 32, 3), crops of photographs at full or half size, and what was done to each."""
    rng = np.random.default_rng(seed)
    photos = []
    for file in files:
        with Image.open(file) as image:
            whole = image.convert("RGB")
        photos += [whole, whole.resize((whole.width // 2, whole.height // 2), Image.Resampling.BICUBIC)]
    photos = [photo for photo in photos if min(photo.size) >= 2 * SIZE]
    images, kinds = np.empty((num, SIZE, SIZE, 3), "uint8"), rng.integers(len(DAMAGES), size=num)
    for image, kind in zip(images, kinds):
        photo = photos[rng.integers(len(photos))]
        left, top = rng.integers(photo.width - 2 * SIZE + 1), rng.integers(photo.height - 2 * SIZE + 1)
        crop = damaged(photo.crop((left, top, left + 2 * SIZE, top + 2 * SIZE)), int(kind), rng)
        image[:] = np.asarray(crop)[SIZE // 2 : -SIZE // 2, SIZE // 2 : -SIZE // 2]  # nothing of the damage's rim
    return images, kinds


class Batches(keras.utils.PyDataset):
    """Images and crops in [-1, 1], mirrored and shifted at random, with both labels as one-hot rows."""

    def __init__(self, images, labels, crops, kinds, seed):
        super().__init__()
        self.images, self.labels, self.crops, self.kinds = images, labels, crops, kinds
        self.rng = np.random.default_rng(seed)
        self.order = self.rng.permutation(len(images))

    def __len__(self):
        return len(self.images) // BATCH

    def on_epoch_end(self):
        self.order = self.rng.permutation(len(self.images))

    def __getitem__(self, i):
        chosen, others = self.order[i * BATCH : (i + 1) * BATCH], self.rng.integers(len(self.crops), size=CROPS)
        seen = {"images": shifted(self.images[chosen], self.rng, 4), "crops": self.crops[others]}
        for name, images in seen.items():
            turned = self.rng.random(len(images)) < 0.5
            images[turned] = images[turned, :, ::-1]
            seen[name] = data.to_float(images)
        kinds = np.eye(len(DAMAGES), dtype="float32")[self.kinds[others]]
        return seen, {"classes": np.eye(10, dtype="float32")[self.labels[chosen]], "damages": kinds}


def heads(network: keras.Model) -> keras.Model:
    """The network with a linear classifier of each of the two things that it learns."""
    blocks = [network.get_layer(f"relu{i}_2").output for i in range(1, len(WIDTHS) + 1)]
    means = [GlobalAveragePooling2D(name=f"mean{i}")(x) for i, x in enumerate(blocks, 1)]
    logits = Dense(10, name="class_logits")(Dropout(0.2, seed=0, name="dropout")(means[-1]))
    kinds = Dense(len(DAMAGES), name="damage_logits")(Concatenate(name="all_means")(means))
    both = keras.Model(network.inputs[0], [logits, kinds], name="both")
    images, crops = (keras.Input((SIZE, SIZE, 3), name=name) for name in ("images", "crops"))
    return keras.Model({"images": images, "crops": crops}, {"classes": both(images)[0], "damages": both(crops)[1]})


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
    parser.add_argument("--photos", required=True, type=Path, help="folder of photographs")
    parser.add_argument("--output", required=True, type=Path, help="folder to write to, zoo_configs/perceptual")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, help="training images, to try it out")
    parser.add_argument("--crops", type=int, default=30_000, help="of photographs, cut once")
    args = parser.parse_args(arguments)
    (images, labels), (test_images, test_labels) = (
        data.load(args.archive, split, return_labels=True) for split in ("train", "test")
    )
    images, labels = images[: args.limit], labels[: args.limit]
    test_images, test_labels = test_images[: args.limit], test_labels[: args.limit]
    files = find_images(args.photos)
    held_out = files[::6]
    kept = crops([file for file in files if file not in held_out], args.crops, args.seed)
    keras.utils.set_random_seed(args.seed)
    network = feature_network()
    model = heads(network)
    batches = Batches(images, labels, *kept, args.seed)
    steps = args.epochs * len(batches)
    warm_up = max(1, steps // 10)
    rate = keras.optimizers.schedules.CosineDecay(0.0, steps - warm_up, warmup_target=1e-3, warmup_steps=warm_up)
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=0.05, clipnorm=1.0),
        {
            "classes": keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
            "damages": keras.losses.CategoricalCrossentropy(from_logits=True),
        },
        loss_weights={"classes": 1.0, "damages": 0.5},
    )
    began = time.process_time()
    model.fit(batches, epochs=args.epochs, verbose=2)
    print(f"{(time.process_time() - began) / steps:.3f} s of processor time a step, {steps} steps")
    others, kinds = crops(held_out, 2000, args.seed + 1)
    right = {
        "test_accuracy": right_of(model, "classes", test_images, test_labels),
        "damage_accuracy": right_of(model, "damages", others, kinds),
    }
    normalise(network, images[:10_000])
    about = {"trained_on": f"CIFAR-10, and 32x32 crops of {len(files) - len(held_out)} photographs"}
    about |= {"photographs": args.photos.name, "licence": "research use", **right}
    about |= {"epochs": args.epochs, "seed": args.seed, "backend": keras.backend.backend()}
    perceptual.freeze(network, args.output, **about)
    print((args.output / "cifar10.card.json").read_text())
    print(json.dumps({"bytes": (args.output / "cifar10.safetensors").stat().st_size}))


def right_of(model: keras.Model, name: str, images: np.ndarray, labels: np.ndarray) -> float:
    """The share of images that a head, by its name, gives the right class."""
    logits = []
    for start in range(0, len(images), 500):
        batch = data.to_float(images[start : start + 500])
        logits.append(model.predict_on_batch({"images": batch, "crops": batch})[name])
    return float(np.mean(np.concatenate(logits).argmax(axis=1) == labels))


if __name__ == "__main__":
    main()
