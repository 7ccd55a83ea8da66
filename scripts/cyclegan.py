"""Evaluates the two presets of CycleGAN beside controls, each in a table.

    python scripts/cyclegan.py --data-dir ../shared/data --runs runs --json runs/cyclegan.json

takes a preset from its card, or from `runs/PRESET/model.keras` before it has one; what is not trained yet is said, and
its rows are left out.

*Seasons.* A small classifier of our own tells summer from winter. It is trained here on the real training photographs
and kept in `runs/seasons.keras`. Its accuracy on real test photographs stands beside how often it takes translations
for the season that was asked for; "left as they are" are the sources themselves. The Frechet distance is between
features of ganzoo's extractor `cifar10`, of 9 crops of half the side, shrunk to 32x32: of test images, real or
translated, to the training photographs of the season that was asked for. `cycle_l1` is how far images are from
themselves there and back, in grey levels of 255.

*Facades.* Drawn label maps are read as in `scripts/facades.py`, whose controls these are; Pix2Pix learned from pairs.

Intervals are 95 %, over the test images. All numbers compare only among themselves.
"""

from __future__ import annotations

import argparse
import functools
import json
import random
import sys
from pathlib import Path

import controls
import facades
import keras
import numpy as np
from keras import layers

import ganzoo
from ganzoo import metrics

SEASONS, FACADES, PAIRED = "cyclegan-summer2winter", "cyclegan-facades", "pix2pix-facades_labels"
PARTS = {"source": "summer", "target": "winter"}
SIZE, BATCH, RATE, EPOCHS = 128, 20, 1e-3, 40


# --- The trained models


def model_of(preset: str, runs: Path) -> ganzoo.GAN | None:
    """A preset, or what a training left in `runs`, in float32 whatever it was trained in; None without either."""
    if ganzoo.info(preset).pretrained:
        return ganzoo.load(preset)
    folder = runs / preset
    return controls.model_of(folder, f"python scripts/train.py {preset} --data-dir FOLDER --output {folder}")


def translate(model: ganzoo.GAN, **images: np.ndarray) -> np.ndarray:
    """uint8 images of `source=` or of `target=`."""
    return model.generate(seed=0, batch_size=10, **images)


def cycle_l1(model: ganzoo.GAN, name: str, images: np.ndarray, drawn: np.ndarray) -> dict:
    """How far images are from themselves, translated there and back, in grey levels."""
    other = "target" if name == "source" else "source"
    again = translate(model, **{other: drawn}).astype("float64")
    errors = np.abs(again - images).mean(axis=(1, 2, 3))
    return {"value": float(errors.mean()), "interval": metrics.interval(errors)}


# --- Summer and winter


def classifier(name: str) -> keras.Model:
    """Photographs, 0 to 255, to the logit of winter."""
    photos = keras.Input((SIZE, SIZE, 3), name="photos")
    x = layers.Rescaling(1 / 127.5, -1, name="scale")(photos)
    for i, channels in enumerate((16, 32, 64, 64), 1):
        x = layers.Conv2D(channels, 3, 2, "same", use_bias=False, name=f"conv{i}")(x)
        x = layers.LeakyReLU(0.2, name=f"relu{i}")(layers.BatchNormalization(momentum=0.9, name=f"norm{i}")(x))
    x = layers.Dropout(0.5, seed=0, name="dropout")(layers.GlobalAveragePooling2D(name="pool")(x))
    return keras.Model(photos, layers.Dense(1, dtype="float32", name="logit")(x), name=name)


def trained_classifier(path: Path, seasons: list[np.ndarray], epochs: int) -> keras.Model:
    """The classifier in `path`, if it was trained on as much for as long; else it is trained, and written there."""
    photos = np.concatenate(seasons)
    labels = np.repeat([0, 1], [len(each) for each in seasons])
    name = f"classifier_of_{len(seasons[0])}_and_{len(seasons[1])}_photos_{epochs}_epochs"
    if path.is_file() and (network := keras.saving.load_model(path, compile=False)).name == name:
        return network
    print(f"training {path}: {epochs} epochs on {len(photos)} photographs", file=sys.stderr)
    random.seed(0)  # where Keras' initial weights come from
    network, steps = classifier(name), -(-len(photos) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(RATE, epochs * steps)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    network.compile(keras.optimizers.AdamW(rate, weight_decay=0.05), loss)
    network.fit(shifted(photos, labels), epochs=epochs, steps_per_epoch=steps, shuffle=False, verbose=2)
    path.parent.mkdir(parents=True, exist_ok=True)
    network.save(path, include_optimizer=False)
    return network


def shifted(photos: np.ndarray, labels: np.ndarray, seed: int = 0, shift: int = SIZE // 8):
    """Endless batches in random order, each photograph shifted (mirrored beyond its rim), half of them turned."""
    rng = np.random.default_rng(seed)
    padded = np.pad(photos, [(0, 0), (shift, shift), (shift, shift), (0, 0)], "symmetric")
    while True:
        order = rng.permutation(len(photos))
        for chosen in (order[i : i + BATCH] for i in range(0, len(order), BATCH)):
            top, left = rng.integers(0, 2 * shift + 1, (2, len(chosen)))
            cut = [padded[n, a : a + SIZE, b : b + SIZE] for n, a, b in zip(chosen, top, left)]
            turned = [each[:, ::-1] if rng.random() < 0.5 else each for each in cut]
            yield np.stack(turned).astype("float32"), labels[chosen, None].astype("float32")


def taken_for(network: keras.Model, photos: np.ndarray, name: str) -> dict:
    """How often the classifier takes photographs for the season of `name`."""
    is_winter = network.predict(photos.astype("float32"), batch_size=BATCH, verbose=0)[:, 0] > 0
    right = (is_winter == (name == "target")).astype("float64")
    return {"value": float(right.mean()), "interval": metrics.interval(right)}


@functools.cache
def extractor():
    return metrics.extractor("cifar10")


def features_of(photos: np.ndarray) -> np.ndarray:
    """float32 (n, 9, d): features of crops of half the side, a quarter apart, shrunk to 32x32."""
    half, step = SIZE // 2, SIZE // 4
    crops = [photos[:, a : a + half, b : b + half] for a in range(0, half + 1, step) for b in range(0, half + 1, step)]
    side = extractor().image_shape[0]
    small = np.stack(crops, axis=1).reshape(-1, side, half // side, side, half // side, 3).mean(axis=(2, 4))
    found = extractor().features(np.rint(small).astype("uint8"))
    return found.reshape(len(photos), len(crops), -1)


def seasons(train: dict, test: dict, model: ganzoo.GAN | None, network: keras.Model) -> dict[str, dict]:
    """Rows of numbers, for each direction."""
    rows: dict[str, dict] = {}
    for name, asked in (("source", "target"), ("target", "source")):
        images, real = {"left as they are (lower bound)": test[name]}, features_of(train[asked])
        if model is not None:
            images["preset"] = translate(model, **{name: test[name]})
        images["real (upper bound)"] = test[asked]
        for kind, photos in images.items():
            key = f"to {PARTS[asked]}: {kind}"
            rows[key] = {"taken_for_it": taken_for(network, photos, asked)}
            rows[key]["frechet_distance"] = facades.frechet(real, features_of(photos))
        if model is not None:
            rows[f"to {PARTS[asked]}: preset"]["cycle_l1"] = cycle_l1(model, name, test[name], images["preset"])
    return rows


def of_seasons(args: argparse.Namespace) -> tuple[dict, str]:
    load = functools.partial(ganzoo.data.load_parts, "summer2winter", data_dir=args.data_dir)
    named = {split: load(split=split) for split in ("train", "test")}
    train, test = ({name: parts[season][: args.limit] for name, season in PARTS.items()} for parts in named.values())
    network = trained_classifier(args.runs / "seasons.keras", list(train.values()), args.classifier_epochs)
    rows = seasons(train, test, model_of(SEASONS, args.runs), network)
    counts = ", ".join(f"{len(part)} {PARTS[name]}" for name, part in test.items())
    return rows, f"{counts} test photographs; {network.name}; features of {extractor().id}, 9 crops an image"


# --- Facades


def of_facades(args: argparse.Namespace) -> tuple[dict, str]:
    """Photographs to label maps, beside Pix2Pix and the controls of `scripts/facades.py`."""
    shape = (SIZE, SIZE, 3)
    load = functools.partial(ganzoo.data.load_parts, "facades", data_dir=args.data_dir, image_shape=shape)
    train, test = load(split="train"), load(split="test")
    colours = metrics.palette(train["label_map"], facades.NUM_CLASSES)
    train, test = ({name: part[: args.limit] for name, part in parts.items()} for parts in (train, test))
    models = {"preset": model_of(FACADES, args.runs), "Pix2Pix, of pairs": model_of(PAIRED, args.runs)}
    drawn = {name: translate(model, source=test["photo"]) for name, model in models.items() if model is not None}
    rows = facades.photo_to_labels(train, test, colours, drawn)
    if models["preset"] is not None:
        rows["preset"]["cycle_l1"] = cycle_l1(models["preset"], "source", test["photo"], drawn["preset"])
    num = f"{len(test['photo'])} test images beside {len(train['photo'])} training images of {SIZE}x{SIZE}"
    return rows, f"{num}, {len(colours)} colours"


# --- The command


def markdown(rows: dict[str, dict]) -> str:
    """A table of rows of {"value", "interval"}."""
    columns = list(dict.fromkeys(key for row in rows.values() for key in row))
    lines = [
        "| | " + " | ".join(name.replace("_", " ") for name in columns) + " |",
        "| --- |" + " --: |" * len(columns),
    ]
    lines += [
        f"| {name} | " + " | ".join(facades.cell(row.get(c)) for c in columns) + " |" for name, row in rows.items()
    ]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", help="folder with summer2winter/ and facades/")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the trainings")
    parser.add_argument("--only", choices=[SEASONS, FACADES], help="one of the two")
    parser.add_argument("--json", type=Path, help="file to write the numbers to")
    parser.add_argument("--classifier-epochs", type=int, default=EPOCHS)
    parser.add_argument("--limit", type=int, help="only so many images of each split, to try the script")
    args = parser.parse_args(argv)
    found = {}
    for preset, evaluate in ((SEASONS, of_seasons), (FACADES, of_facades)):
        if args.only in (None, preset):
            rows, protocol = evaluate(args)
            found[preset] = {"rows": rows, "protocol": protocol}
            print(f"\n{preset} ({protocol})\n\n{markdown(rows)}")
    if args.json:
        args.json.write_text(json.dumps(found, indent=2, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
