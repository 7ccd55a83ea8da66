"""Evaluates the two presets of facades beside controls: one table for each direction.

    python scripts/facades.py --data-dir ../shared/data --runs runs --json runs/facades.json

takes a preset from its card, or from `runs/PRESET/model.keras` before it has one. The control "L1 only" is the same
U-Net, trained as the recipe says by L1 alone:

    python scripts/facades.py --train-l1 labels --data-dir ../shared/data --runs runs    # and: --train-l1 photos

The same command resumes it. What is not trained yet is said, and its rows are left out.

Drawn label maps are read by the nearest of 12 colours that `ganzoo.metrics.palette` finds on the training maps. Drawn
photos are read by a small segmenter of our own, trained here on the real training pairs and kept in
`runs/segmenter.keras`; the Frechet distance is between averages of its fourth layer over 9 crops of each image. These
numbers compare only among themselves: with other colours, another segmenter or other crops they are other ones.

Intervals are 95 %, over the test images: bootstrap, of the distances jackknife. They say how far a number would move
with other test images, not with another training. "Shuffled" rows hold the preset's drawings in another order, so that
as a set, which is what the distance compares, they are the preset's own.
"""

from __future__ import annotations

import argparse
import functools
import json
import random
import sys
from pathlib import Path

import keras
import numpy as np
from controls import WithoutAdversary, model_of, recipe_of, train_without_adversary
from keras.layers import Concatenate, LeakyReLU, ReLU, Rescaling

import ganzoo
from ganzoo import metrics
from ganzoo.layers import Conv2D, Conv2DTranspose
from ganzoo.networks.unet import convolution_block
from ganzoo.zoo.registry import register

PRESETS = {"labels": "pix2pix-facades_labels", "photos": "pix2pix-facades"}  # by what they draw
SIZE, NUM_CLASSES = 128, 12
CHANNELS, FEATURES = (24, 32, 48, 64), "down4_relu"  # of the segmenter; 64 features, and 9 * 100 crops to know them by
EPOCHS, BATCH, RATE = 60, 8, 2e-3
SHIFT = 1 / 8  # of an image's side, by which the segmenter's images are shifted at most
BARS = {"labels": ("pixel_accuracy", "at least .9"), "photos": ("frechet_distance", "at most .8")}  # times L1 only's


# --- The control: the same U-Net by L1 alone


@keras.saving.register_keras_serializable(package="facades")
class L1Only(WithoutAdversary, ganzoo.Pix2Pix):
    """Pix2Pix without its adversary: minimises lambda E[|y - G(x)|], what is left of eq. 4, with the same jitter."""

    def truth_loss(self, real, fake):
        return self.l1_weight * self.l1(real, fake)


def train_l1(kind: str, runs: Path, **options) -> ganzoo.GAN:
    """Trains the control of a preset in `runs/l1-PRESET` by the preset's recipe, or goes on with it.

    Args:
        kind: "labels" or "photos", what is drawn.
        runs: Folder of the trainings; the control's recipe is written there.
        **options: Those of `ganzoo.train`: `data_dir`, `epochs`, ...
    """
    register(L1Only)  # as "l1_only"
    recipe = recipe_of(PRESETS[kind]) | {"model": "l1_only", "description": f"{PRESETS[kind]} by L1 alone"}
    return train_without_adversary(recipe, runs / f"l1-{PRESETS[kind]}", **options)


def drawings(kind: str, sources: np.ndarray, runs: Path, folder: Path | None) -> dict[str, np.ndarray]:
    """What the preset and its control draw of `sources`, uint8 (n, height, width, 3) each, by the name of the row."""
    preset, command = PRESETS[kind], "python scripts/{} --data-dir FOLDER"
    if folder is None and ganzoo.info(preset).pretrained:
        model = ganzoo.load(preset)
    else:
        folder = folder or runs / preset
        model = model_of(folder, command.format(f"train.py {preset} --output {folder}"))
    control = model_of(runs / f"l1-{preset}", command.format(f"facades.py --train-l1 {kind} --runs {runs}"))
    models = {"preset": model, "L1 only": control}
    return {name: m.generate(source=sources, seed=0, batch_size=20) for name, m in models.items() if m is not None}


# --- Measures with intervals


def measures(real: np.ndarray, drawn: np.ndarray, num_classes: int) -> dict[str, dict]:
    """Accuracy and mean IoU of classes int (n, height, width), each as {"value", "interval"}."""
    accuracy = metrics.pixel_accuracy(real, drawn)
    iou = metrics.mean_iou(real, drawn, num_classes)
    return {
        "pixel_accuracy": {"value": float(accuracy.mean()), "interval": metrics.interval(accuracy)},
        "mean_iou": {"value": iou, "interval": iou_interval(confusions(real, drawn, num_classes))},
    }


def confusions(real: np.ndarray, drawn: np.ndarray, num_classes: int) -> np.ndarray:
    """float64 (n, num_classes, num_classes): of each image, how many pixels of a class were drawn as another."""
    pairs = (real.astype("int64") * num_classes + drawn).reshape(len(real), -1)
    counts = [np.bincount(each, minlength=num_classes**2) for each in pairs]
    return np.reshape(counts, (-1, num_classes, num_classes)).astype("float64")


def iou_interval(counts: np.ndarray, seed: int = 0, num: int = 10_000) -> tuple[float, float]:
    """The bootstrap interval of the mean IoU: of sums of the confusions of images drawn with replacement."""
    times = np.random.default_rng(seed).multinomial(len(counts), np.full(len(counts), 1 / len(counts)), size=num)
    sums = (times @ counts.reshape(len(counts), -1)).reshape(num, *counts.shape[1:])
    low, high = np.percentile(mean_ious(sums), [2.5, 97.5])
    return float(low), float(high)


def mean_ious(counts: np.ndarray) -> np.ndarray:
    """(...,) of confusions (..., num_classes, num_classes), as `ganzoo.metrics.mean_iou` has it."""
    both = np.diagonal(counts, axis1=-2, axis2=-1)
    union = counts.sum(axis=-1) + counts.sum(axis=-2) - both
    return np.nanmean(np.where(union > 0, both / np.maximum(union, 1), np.nan), axis=-1)


def frechet(real: np.ndarray, drawn: np.ndarray) -> dict:
    """The Frechet distance of features (n, crops, d) and its interval, by leaving out one image at a time.

    Of as many on both sides, which may be pairs, one of either at once; else one of one side, and the variances of both
    are added. Not by bootstrap: images drawn twice make covariances narrower. Efron and Tibshirani 1993, section 11.2.
    """

    def distance(*sides):
        moments, others = (metrics.GaussianMoments().update(side.reshape(-1, side.shape[-1])) for side in sides)
        return moments.distance(others)

    value, nums, less = distance(real, drawn), (len(real), len(drawn)), functools.partial(np.delete, axis=0)
    if nums[0] == nums[1]:
        left = [[distance(less(real, i), less(drawn, i)) for i in range(nums[0])]]
    else:
        left = [[distance(less(real, i), drawn) for i in range(nums[0])]]
        left += [[distance(real, less(drawn, i)) for i in range(nums[1])]]
    half = 1.96 * float(np.sqrt(sum((len(each) - 1) * np.var(each) for each in left)))
    return {"value": value, "interval": (max(value - half, 0.0), value + half)}


# --- The segmenter


def segmenter(num_classes: int, name: str = "segmenter") -> keras.Model:
    """Photos, 0 to 255, of any sides that 16 divides, to logits of the class of each pixel."""
    photos = keras.Input((None, None, 3), name="photos")
    x, skips = Rescaling(1 / 127.5, -1, name="scale")(photos), []
    for i, channels in enumerate(CHANNELS, 1):
        x = convolution_block(Conv2D, x, channels, f"down{i}", "batch")
        x = LeakyReLU(0.2, name=f"down{i}_relu")(x)
        skips.append(x)
    for i, skip in enumerate(skips[-2::-1], 1):
        x = ReLU(name=f"up{i}_relu")(convolution_block(Conv2DTranspose, x, skip.shape[-1], f"up{i}", "batch"))
        x = Concatenate(name=f"up{i}_skip")([x, skip])
    logits = Conv2DTranspose(num_classes, 4, 2, "same", dtype="float32", name="logits")(x)
    return keras.Model(photos, logits, name=name)


def jittered(photos: np.ndarray, classes: np.ndarray, seed: int = 0):
    """Endless batches in random order, shifted (beyond the rim an image is mirrored), and half of them turned."""
    rng, sides, shift = np.random.default_rng(seed), photos.shape[1:3], int(photos.shape[1] * SHIFT)
    rims = [(0, 0), (shift, shift), (shift, shift)]
    photos, classes = np.pad(photos, [*rims, (0, 0)], "symmetric"), np.pad(classes, rims, "symmetric")
    while True:
        order = rng.permutation(len(photos))
        for chosen in (order[begin : begin + BATCH] for begin in range(0, len(order), BATCH)):
            top, left = rng.integers(0, 2 * shift + 1, (2, len(chosen), 1))
            rows, columns = top + np.arange(sides[0]), left + np.arange(sides[1])
            turned = rng.random(len(chosen)) < 0.5
            columns[turned] = columns[turned, ::-1]
            places = chosen[:, None, None], rows[:, :, None], columns[:, None, :]
            yield photos[places].astype("float32"), classes[places]


def trained_segmenter(path: Path, photos: np.ndarray, classes: np.ndarray, num_classes: int, epochs: int):
    """The segmenter in `path`, if it was trained on as much for as long; else it is trained, and written there."""
    name = f"segmenter_of_{num_classes}_classes_{len(photos)}_images_{epochs}_epochs"
    if path.is_file() and (network := keras.saving.load_model(path, compile=False)).name == name:
        return network
    print(f"training {path}: {epochs} epochs on {len(photos)} real pairs", file=sys.stderr)
    random.seed(0)  # where Keras' initial weights come from
    network, steps = segmenter(num_classes, name), -(-len(photos) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(RATE, epochs * steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.AdamW(rate, weight_decay=0.05), loss)
    network.fit(jittered(photos, classes), epochs=epochs, steps_per_epoch=steps, shuffle=False, verbose=2)
    path.parent.mkdir(parents=True, exist_ok=True)
    network.save(path, include_optimizer=False)
    return network


def classes_in(network: keras.Model, photos: np.ndarray) -> np.ndarray:
    """What the segmenter sees, int (n, height, width)."""
    return network.predict(photos.astype("float32"), batch_size=20, verbose=0).argmax(axis=-1)


@functools.cache  # compiled once
def encoder_of(network: keras.Model) -> keras.Model:
    return keras.Model(network.input, network.get_layer(FEATURES).output)


def features_of(network: keras.Model, photos: np.ndarray) -> np.ndarray:
    """float32 (n, 9, 64): averages of a layer over crops of half the side, a quarter apart."""
    crop, step = photos.shape[1] // 2, photos.shape[1] // 4
    corners = [(top, left) for top in (0, step, 2 * step) for left in (0, step, 2 * step)]
    crops = np.stack([photos[:, top : top + crop, left : left + crop] for top, left in corners], axis=1)
    maps = encoder_of(network).predict(crops.reshape(-1, *crops.shape[2:]).astype("float32"), batch_size=90, verbose=0)
    return maps.mean(axis=(1, 2)).reshape(*crops.shape[:2], -1)


# --- The two tables


def photo_to_labels(train: dict, test: dict, colours: np.ndarray, drawn: dict[str, np.ndarray]) -> dict[str, dict]:
    """Rows of numbers: how well maps give the classes of the photos that they were drawn of."""
    classes = functools.partial(metrics.classes_of, palette=colours)
    real, num_classes = classes(test["label_map"]), len(colours)
    common = np.bincount(classes(train["label_map"]).ravel(), minlength=num_classes).argmax()
    maps = {"true map (upper bound)": test["label_map"], **with_shuffled(drawn, "photos")}
    maps["nearest training photo's map"] = train["label_map"][nearest_photos(test["photo"], train["photo"])]
    maps["most frequent class"] = np.broadcast_to(colours[common], test["label_map"].shape)
    return {
        name: {**measures(real, classes(each), num_classes), "ambiguous": {"value": metrics.ambiguous(each, colours)}}
        for name, each in maps.items()
    }


def labels_to_photo(train: dict, test: dict, colours: np.ndarray, drawn: dict, network: keras.Model) -> dict[str, dict]:
    """Rows of numbers: whether the segmenter sees in photos what was asked for, and how near they are to real ones."""
    asked, known = (metrics.classes_of(each["label_map"], colours) for each in (test, train))
    photos = {"real photo (upper bound)": test["photo"], **with_shuffled(drawn, "maps")}
    photos["nearest training map's photo"] = train["photo"][nearest_classes(asked, known)]
    rows = {name: measures(asked, classes_in(network, each), len(colours)) for name, each in photos.items()}
    real, evenly = features_of(network, test["photo"]), np.linspace(0, len(train["photo"]) - 1, len(asked)).astype(int)
    for name, each in list(photos.items())[1:]:
        rows[name]["frechet_distance"] = frechet(real, features_of(network, each))
        rows[name] |= {key: {"value": value} for key, value in metrics.paired_measures(test["photo"], each).items()}
    rows["as many training photos (floor)"] = {
        "frechet_distance": frechet(real, features_of(network, train["photo"][evenly]))
    }
    return rows


def with_shuffled(drawn: dict[str, np.ndarray], sources: str) -> dict[str, np.ndarray]:
    """The drawings, and those of the preset in an order in which none keeps its place."""
    if "preset" not in drawn:
        return drawn
    order = np.random.default_rng(0).permutation(len(drawn["preset"]))
    shuffled = np.empty_like(drawn["preset"])
    shuffled[order] = drawn["preset"][np.roll(order, 1)]
    return {**drawn, f"shuffled {sources} (lower bound)": shuffled}


def nearest_photos(photos: np.ndarray, among: np.ndarray, side: int = 32) -> np.ndarray:
    """For each photo the row of the nearest, by L2 of both reduced to 32 x 32."""

    def reduced(x):
        cells = x.reshape(len(x), side, x.shape[1] // side, side, x.shape[2] // side, 3)
        return cells.mean(axis=(2, 4)).reshape(len(x), -1)

    return metrics.nearest_neighbours(reduced(photos), reduced(among))[1]


def nearest_classes(classes: np.ndarray, among: np.ndarray) -> np.ndarray:
    """For each map of classes the row of the one that agrees with it in most pixels."""
    return np.array([(among == each).mean(axis=(1, 2)).argmax() for each in classes])


# --- The command


def evaluate(args: argparse.Namespace) -> dict:
    """{"labels": rows, "photos": rows, "protocol": what the numbers depend on} of what there is."""
    load = functools.partial(ganzoo.data.load_parts, "facades", data_dir=args.data_dir, image_shape=(SIZE, SIZE, 3))
    train, test = load(split="train"), load(split="test")
    colours = metrics.palette(train["label_map"], NUM_CLASSES)
    train, test = ({name: part[: args.limit] for name, part in parts.items()} for parts in (train, test))
    maps = drawings("labels", test["photo"], args.runs, args.labels_model)
    photos = drawings("photos", test["label_map"], args.runs, args.photos_model)
    classes = metrics.classes_of(train["label_map"], colours)
    path, epochs = args.runs / "segmenter.keras", args.segmenter_epochs
    network = trained_segmenter(path, train["photo"], classes, len(colours), epochs)
    num = f"{len(test['photo'])} test images beside {len(train['photo'])} training images of {SIZE}x{SIZE}"
    return {
        "labels": photo_to_labels(train, test, colours, maps),
        "photos": labels_to_photo(train, test, colours, photos, network),
        "protocol": f"{num}, {len(colours)} colours, {network.name}, {FEATURES} of 9 crops an image",
    }


def show(tables: dict) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 150, highlight=False)
    for kind in PRESETS:
        rows = tables[kind]
        columns = list(dict.fromkeys(key for row in rows.values() for key in row))
        table = Table("", *(name.replace("_", " ") for name in columns), title=f"{PRESETS[kind]}: {kind}")
        for name, row in rows.items():
            table.add_row(name, *(cell(row.get(column)) for column in columns))
        console.print(table)
        key, bar = BARS[kind]
        if {"preset", "L1 only"} <= set(rows):
            ratio = rows["preset"][key]["value"] / rows["L1 only"][key]["value"]
            console.print(f"{key.replace('_', ' ')} of the preset: {ratio:.3f} times that of L1 only; to reach: {bar}")
    console.print(f"{tables['protocol']}. In brackets: 95 % intervals. These numbers compare only among themselves.")


def cell(number: dict | None) -> str:
    if number is None:
        return ""
    return f"{number['value']:.3f}" + (" ({:.3f}-{:.3f})".format(*number["interval"]) if "interval" in number else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", help="folder with facades/facades.zip")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the trainings")
    parser.add_argument("--json", type=Path, help="file to write the numbers to")
    for kind, preset in PRESETS.items():
        parser.add_argument(f"--{kind}-model", type=Path, help=f"folder of a training instead of {preset}")
    parser.add_argument("--train-l1", choices=list(PRESETS), help="train the control that draws these, and no more")
    parser.add_argument("--epochs", type=int, help="of the control, instead of the recipe's")
    parser.add_argument("--segmenter-epochs", type=int, default=EPOCHS)
    parser.add_argument("--limit", type=int, help="only so many images of each split, to try the script")
    args = parser.parse_args()
    if args.train_l1:
        train_l1(args.train_l1, args.runs, data_dir=args.data_dir, epochs=args.epochs)
        return
    tables = evaluate(args)
    show(tables)
    if args.json:
        args.json.write_text(json.dumps(tables, indent=2, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
