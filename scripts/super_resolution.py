"""Evaluates srresnet-photos and srgan-photos beside controls, on Set5, Set14 and photographs of BSDS500.

    python scripts/super_resolution.py --data-dir ../shared/data --runs runs --json runs/super_resolution.json

takes the presets from their cards, before they have one from `runs/<preset>/model.keras`; --first and --model choose a
training instead. Each photograph is reduced four times by MATLAB's bicubic kernel and enlarged again. Rows: nearest
neighbour; bicubic, which has 28.43 dB on Set5 where the protocol is right; SRResNet; "without adversary", SRGAN's
networks trained as long by features alone, from the same beginning; SRGAN; and networks between SRResNet and SRGAN,
(1 - a) and a of their weights. To train the control:

    python scripts/super_resolution.py --train-control --data-dir ../shared/data --runs runs    # the same resumes it

It begins with the weights on the card of srresnet-photos, as SRGAN does, and waits until there are any. What is not
trained yet is said, and its rows are left out.

Columns: PSNR and SSIM of the luminance without a rim of 4 pixels (`ganzoo.metrics.luminance_psnr`); the perceptual
distance in the network whose features SRGAN and its control are trained by, so that it favours them; and in another
network that no training has seen, the bundled CIFAR-10 extractor, as fair to all rows. The second table has the
differences that claims are of, of each photograph: gains over bicubic, SRGAN against the phase that it begins with and
against the control. Brackets hold 95 % intervals, by bootstrap over the photographs: they say nothing of another
training.

Data: sr_photos/sr_photos.zip below --data-dir, or that archive unpacked; or --photos FOLDER of your own.
"""

from __future__ import annotations

import argparse
import functools
import json
from collections.abc import Callable
from pathlib import Path

import controls
import numpy as np
from controls import model_of, recipe_of

import ganzoo
from ganzoo import data, metrics, plot
from ganzoo.data import part_sets
from ganzoo.data.folders import existing_folder, find_images, opened
from ganzoo.zoo import perceptual

FIRST, PRESET, CONTROL = "srresnet-photos", "srgan-photos", "without_adversary-srgan-photos"
PAIRS = [(row, "bicubic") for row in ("SRResNet", "without adversary", "SRGAN")]
PAIRS += [("SRGAN", "SRResNet"), ("SRGAN", "without adversary"), ("without adversary", "SRResNet")]
SETS = {"Set5": "Set5", "Set14": "Set14", "BSDS": "BSDS500_val"}
FACTOR = 4

# --- Photographs


def photographs(data_dir: str | None, folder: str | None, limit: int | None) -> dict[str, list[np.ndarray]]:
    """uint8 (1, height, width, 3) by the name of their set, height and width cut to multiples of four."""
    if folder is not None:
        files: dict = {Path(folder).name: find_images(existing_folder(Path(folder)))}
    else:
        place = part_sets.find_set("photos", data_dir)
        files = {name: list(place.files(part).values()) for name, part in SETS.items()}
    return {name: [_read(file) for file in found[:limit]] for name, found in files.items()}


def _read(file) -> np.ndarray:
    with opened(file) as image:
        pixels = data.resize_and_crop(image, None, "RGB")
    height, width = (n // FACTOR * FACTOR for n in pixels.shape[:2])
    return pixels[None, :height, :width]


def reduced(photo: np.ndarray) -> np.ndarray:
    return data.bicubic(photo, (photo.shape[1] // FACTOR, photo.shape[2] // FACTOR))


# --- Rows


def nearest(small: np.ndarray) -> np.ndarray:
    return small.repeat(FACTOR, axis=1).repeat(FACTOR, axis=2)


def bicubic(small: np.ndarray) -> np.ndarray:
    return data.bicubic(small, (small.shape[1] * FACTOR, small.shape[2] * FACTOR))


def train_control(runs: Path, **options) -> ganzoo.GAN:
    """Trains SRGAN's networks without the adversary in `runs/CONTROL`, or goes on; options are `ganzoo.train`'s."""
    if not ganzoo.info(FIRST).pretrained:
        raise SystemExit(
            f"{FIRST} has no card yet, and without it SRGAN and this control begin with trainings of their own. First: "
            f"python scripts/train.py {FIRST} --data-dir FOLDER --output {runs / FIRST}; "
            f"python scripts/publish.py {runs / FIRST} {FIRST} --data-dir FOLDER"
        )
    recipe = recipe_of(PRESET) | {"description": f"{PRESET} without its adversary"}
    recipe["arguments"] |= {"adversarial_weight": 0.0}
    return controls.train_without_adversary(recipe, runs / CONTROL, **options)


def models(args: argparse.Namespace) -> dict[str, ganzoo.SRGAN]:
    """The trained ones, by the name of their row, and those between the first and the last."""
    runs = args.runs
    script = "python scripts/super_resolution.py --train-control --data-dir FOLDER"
    first, last = preset_of(FIRST, runs, args.first), preset_of(PRESET, runs, args.model)
    found = {"SRResNet": first, "without adversary": model_of(runs / CONTROL, f"{script} --runs {runs}"), "SRGAN": last}
    if first is not None and last is not None:
        found |= {f"between, a = {a:g}": ganzoo.interpolate_weights(first, last, a) for a in args.between}
    return {name: model for name, model in found.items() if model is not None}


def preset_of(preset: str, runs: Path, chosen: Path | None) -> ganzoo.SRGAN | None:
    if chosen is None and ganzoo.info(preset).pretrained:
        return ganzoo.load(preset)
    folder = chosen or runs / preset
    return model_of(folder, f"python scripts/train.py {preset} --data-dir FOLDER --output {folder}")


# --- Measures


def measures() -> dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]]:
    """By column, functions of true and drawn images. A network that is not there leaves its column out."""
    found = {"psnr": metrics.luminance_psnr, "ssim": metrics.luminance_ssim}
    if "cifar10" in perceptual.names():
        found["distance (of the loss)"] = metrics.perceptual_distance
    return found | {"distance (cifar10 extractor)": lambda x, y: metrics.perceptual_distance(x, y, by_extractor)}


@functools.cache
def extractor() -> metrics.Extractor:
    return metrics.extractor("cifar10")


def by_extractor(images) -> list:
    """What the ReLUs of the CIFAR-10 extractor make of images in [-1, 1], of any size."""
    found, x = [], images
    for layer in extractor().network.layers[2:]:  # behind what brings [0, 255] to [-1, 1]
        if layer.name.startswith(("conv", "norm", "relu")):
            x = layer(x)
            found += [x] if layer.name.startswith("relu") else []
    return found


def number(values: np.ndarray) -> dict:
    finite = values[np.isfinite(values)]
    return {"value": float(finite.mean()), "interval": metrics.interval(finite)}


def evaluate(args: argparse.Namespace) -> dict:
    """{"rows": {set: {row: {column: {"value", "interval"}}}}, "differences": the same of pairs of rows}.

    Pictures of Set5, or of the folder, are written.
    """
    found, columns = models(args), measures()
    rows: dict[str, Callable] = {"nearest": nearest, "bicubic": bicubic}
    rows |= {name: lambda small, model=model: model.generate(source=small) for name, model in found.items()}
    table: dict[str, dict[str, dict]] = {"rows": {}, "differences": {}}
    for of, photos in photographs(args.data_dir, args.photos, args.limit).items():
        values: dict[str, dict[str, np.ndarray]] = {}
        for row, enlarge in rows.items():
            drawn = [enlarge(reduced(photo)) for photo in photos]
            values[row] = {
                column: np.concatenate([measure(*pair) for pair in zip(photos, drawn)])
                for column, measure in columns.items()
            }
            if args.pictures:
                args.pictures.mkdir(parents=True, exist_ok=True)
                for i, image in enumerate(drawn[:5]):
                    plot.save_png(args.pictures / f"{of}_{i}_{row.replace(' ', '_').replace(',', '')}.png", image[0])
        table["rows"][of] = {row: {key: number(each) for key, each in own.items()} for row, own in values.items()}
        table["differences"][of] = {
            f"{one} over {other}": {key: number(values[one][key] - values[other][key]) for key in columns}
            for one, other in PAIRS
            if one in values
            if other in values
        }
    return table


def markdown(table: dict) -> str:
    return "\n\n".join(lines(table[part]) for part in ("rows", "differences") if any(table[part].values()))


def lines(table: dict) -> str:
    columns = list(dict.fromkeys(c for rows in table.values() for row in rows.values() for c in row))
    written = [["", "", *columns], ["---"] * 2 + ["--:"] * len(columns)]
    written += [
        [of, name, *(cell(row[c]) for c in columns)] for of, rows in table.items() for name, row in rows.items()
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in written)


def cell(found: dict) -> str:
    digits = 2 if found["value"] > 10 else 3
    low, high = found["interval"]
    return f"{found['value']:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", help="folder with sr_photos/")
    parser.add_argument("--photos", help="a folder of photographs to measure on instead")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the trainings")
    parser.add_argument("--first", type=Path, help=f"folder of a training instead of {FIRST}")
    parser.add_argument("--model", type=Path, help=f"folder of a training instead of {PRESET}")
    parser.add_argument("--json", type=Path, help="file to write the numbers to")
    parser.add_argument("--pictures", type=Path, help="folder to write the first photographs of each set to, enlarged")
    parser.add_argument("--train-control", action="store_true", help="train the control, and no more")
    parser.add_argument("--epochs", type=int, help="of the control, instead of the recipe's")
    parser.add_argument("--between", type=float, nargs="*", default=[0.2, 0.4, 0.6, 0.8], help="numbers from 0 to 1")
    parser.add_argument("--limit", type=int, help="photographs of each set")
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
