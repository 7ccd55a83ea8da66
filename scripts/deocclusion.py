"""Evaluates the preset of de-occlusion beside controls: one table, in Markdown.

    python scripts/deocclusion.py --data-dir ../shared/data --runs runs --json runs/deocclusion.json

takes the preset from its card, or before it has one from `runs/deocclusion-fashion_mnist/model.keras`. The control
"without adversary" is the same network, trained as long by the other two terms of the loss:

    python scripts/deocclusion.py --train-control --data-dir ../shared/data --runs runs    # the same resumes it

Occluders are those of `ganzoo.data.occluded(..., shapes="testing")`: stars, crosses and blobs, which no training draws.
Controls that are given the true mask are said to be; preset and "without adversary" find it themselves.

Columns: PSNR inside of the true mask and of the whole image, SSIM; mask IoU, of all pixels; the accuracy of the bundled
Fashion-MNIST classifier, and which share of what the occluders cost it comes back; "identity", how often an image's
nearest among the clean ones is its own, by features of the bundled MNIST classifier, which has seen no clothing.
Intervals are 95 %, by bootstrap over the images: they say nothing of another training.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import controls
import keras
import numpy as np
from controls import lines, model_of, recipe_of

import ganzoo
from ganzoo import metrics
from ganzoo.zoo.registry import register

PRESET, CONTROL = "deocclusion-fashion_mnist", "deocclusion-without_adversary"
AMONG = 1000  # clean images, of which one is an image's own


@keras.saving.register_keras_serializable(package="deocclusion")
class WithoutAdversary(controls.WithoutAdversary, ganzoo.Deocclusion):
    """De-occlusion by the terms of its loss that know the truth, with the same occluders."""

    truth_loss = ganzoo.Deocclusion.supervised_loss


def train_control(runs: Path, **options) -> ganzoo.GAN:
    """Trains the control in `runs/CONTROL` by the preset's recipe, or goes on with it; options are `ganzoo.train`'s."""
    register(WithoutAdversary)  # as "without_adversary"
    recipe = recipe_of(PRESET) | {"model": "without_adversary", "description": f"{PRESET} without its adversary"}
    return controls.train_without_adversary(recipe, runs / CONTROL, **options)


def models(args: argparse.Namespace) -> dict[str, ganzoo.Deocclusion]:
    """The trained ones, by the name of their row."""
    control = model_of(args.runs / CONTROL, "python scripts/deocclusion.py --train-control --data-dir FOLDER")
    if args.model is None and ganzoo.info(PRESET).pretrained:
        preset = ganzoo.load(PRESET)
    else:
        folder = args.model or args.runs / PRESET
        preset = model_of(folder, f"python scripts/train.py {PRESET} --data-dir FOLDER --output {folder}")
    return {name: m for name, m in {"without adversary": control, "preset": preset}.items() if m is not None}


# --- Controls


def mean_fill(hidden: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Occluders in the mean colour of the rest of their image; uint8 (n, height, width, channels)."""
    seen = (~masks).sum(axis=(1, 2), keepdims=True)
    means = np.where(masks, 0, hidden).sum(axis=(1, 2), keepdims=True, dtype="float64") / seen
    return np.where(masks, np.rint(means), hidden).astype("uint8")


def biharmonic(hidden: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Occluders filled by scikit-image's biharmonic equation, with the true mask."""
    from skimage.restoration import inpaint_biharmonic

    filled = [inpaint_biharmonic(x / 255.0, m[..., 0], channel_axis=-1) for x, m in zip(hidden, masks)]
    return np.rint(255 * np.clip(filled, 0, 1)).astype("uint8")


# --- Measures


def number(per_image: np.ndarray) -> dict:
    return {"value": float(np.mean(per_image)), "interval": metrics.interval(per_image)}


def nearness(clean: np.ndarray, drawn: np.ndarray, masks: np.ndarray) -> dict[str, dict]:
    """PSNR inside of the mask and of the whole image, and SSIM. Means are over images that differ from their truth."""
    squared = (clean.astype("float64") - drawn) ** 2
    weights = np.broadcast_to(masks, squared.shape)
    inside = (squared * weights).sum(axis=(1, 2, 3)) / weights.sum(axis=(1, 2, 3))
    whole = metrics.psnr(clean, drawn)
    return {
        "psnr_inside": number(10 * np.log10(255**2 / inside[inside > 0])),
        "psnr": number(whole[np.isfinite(whole)]),
        "ssim": number(metrics.ssim(clean, drawn)),
    }


def ious(masks: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Intersection over union of each mask; float64 (n,)."""
    return (masks & found).sum(axis=(1, 2, 3)) / np.maximum((masks | found).sum(axis=(1, 2, 3)), 1)


def recovered(clean: float, occluded: float, found: float) -> float:
    """The share of an accuracy that occluders cost which is there again."""
    return (found - occluded) / (clean - occluded) if clean != occluded else 0.0


def identity(clean: np.ndarray, drawn: np.ndarray) -> float:
    """How often the nearest of the clean images is an image's own, by features of another data set's classifier."""
    embed = metrics.extractor("mnist").features
    nearest = metrics.nearest_neighbours(embed(drawn), embed(clean))[1]
    return float((nearest == np.arange(len(clean))).mean())


def seen(clean: np.ndarray, drawn: np.ndarray, labels: np.ndarray) -> dict[str, dict]:
    """What the classifier and the embedder make of images."""
    right = metrics.extractor("fashion_mnist").logits(drawn).argmax(axis=1) == labels
    few = slice(min(AMONG, len(clean)))
    return {"accuracy": number(right.astype("float64")), "identity": {"value": identity(clean[few], drawn[few])}}


# --- The table


def test_set(args: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    found = ganzoo.data.load_parts("fashion_mnist", "test", data_dir=args.data_dir)
    return found["images"][: args.limit], found["labels"][: args.limit]


def evaluate(args: argparse.Namespace) -> dict:
    """{"rows": numbers by row and column, "protocol": what they depend on}."""
    clean, labels = test_set(args)
    hidden, masks = ganzoo.data.occluded(clean, seed=args.seed, shapes="testing")
    drawn = {"occluded": hidden, "mean fill, true mask": mean_fill(hidden, masks)}
    drawn["biharmonic, true mask"] = biharmonic(hidden, masks)
    trained = models(args)
    drawn |= {name: model.generate(source=hidden) for name, model in trained.items()}
    rows = {"clean image (upper bound)": seen(clean, clean, labels)}
    rows |= {name: nearness(clean, x, masks) | seen(clean, x, labels) for name, x in drawn.items()}
    for name, model in trained.items():
        found = model.mask_of(hidden) > 0.5
        rows[name]["mask_iou"] = number(ious(masks, found))
        rows[name]["untouched"] = {"value": float((drawn[name] == hidden)[~masks].mean())}
    best, worst = (rows[name]["accuracy"]["value"] for name in ("clean image (upper bound)", "occluded"))
    for row in rows.values():
        row["share_recovered"] = {"value": recovered(best, worst, row["accuracy"]["value"])}
    return {"rows": rows, "protocol": f"{len(clean)} test images, occluders of seed {args.seed}"}


def markdown(table: dict) -> str:
    return f"{lines(table['rows'])}\n\n{table['protocol']}"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", help="folder with fashion_mnist/")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the trainings")
    parser.add_argument("--model", type=Path, help=f"folder of a training instead of {PRESET}")
    parser.add_argument("--json", type=Path, help="file to write the numbers to")
    parser.add_argument("--train-control", action="store_true", help="train the control, and no more")
    parser.add_argument("--epochs", type=int, help="of the control, instead of the recipe's")
    parser.add_argument("--seed", type=int, default=0, help="of the occluders")
    parser.add_argument("--limit", type=int, default=2000, help="test images")
    args = parser.parse_args(arguments)
    if args.train_control:
        train_control(args.runs, data_dir=args.data_dir, epochs=args.epochs)
        return
    table = evaluate(args)
    print(markdown(table))
    if args.json:
        args.json.write_text(json.dumps(table, indent=2, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
