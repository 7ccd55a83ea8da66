"""Evaluates the preset of de-raining beside controls: one table, in Markdown.

    python scripts/deraining.py --data-dir ../shared/data --runs runs --json runs/deraining.json

takes the preset from its card, or before it has one from `runs/id_cgan-rain100l/model.keras`. The controls are the same
network, trained as long on the same windows by fewer terms of the loss:

    python scripts/deraining.py --train-control l2 --data-dir ../shared/data --runs runs      # the squared error alone
    python scripts/deraining.py --train-control features --data-dir ../shared/data --runs runs     # and the features'

The same command resumes it. What is not trained yet is said, and its rows are left out.

The row "filter" is the best on training images, by PSNR, of medians and grey openings over a square or a line and of
bilateral filters; medians and these also as the darker of filter and image, as rain only brightens.

Measured are whole test images as they were drawn, in 8 bits. Luminance is MATLAB's (ITU-R BT.601, 16 to 235), the peak
of its PSNR 255. The perceptual distance is in features of the network that the perceptual term was computed with, at
other layers too: trainings with that term have learned to please it. "Steepness" is the mean difference of neighbouring
pixels, as a share of the clean image's: 1 is as sharp. "Shuffled" compares the preset's images with those of other
photographs.

Intervals are 95 %, by bootstrap over the images, of the gain of each image over its rainy input, or over another row:
they say nothing of another training. The cut of the data is ours: no paper's number compares.
"""

from __future__ import annotations

import argparse
import functools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from controls import lines, model_of, recipe_of, train_without_adversary

import ganzoo
from ganzoo import metrics
from ganzoo.zoo import perceptual

PRESET = "id_cgan-rain100l"
CONTROLS = {"l2": "L2 alone", "features": "L2 and features"}  # rows, by what `--train-control` takes
WITHOUT = {"l2": {"adversarial_weight": 0, "perceptual_weight": 0}, "features": {"adversarial_weight": 0}}
GOAL = 3.5  # dB over the rainy image, in RGB


def train_control(kind: str, runs: Path, **options) -> ganzoo.GAN:
    """Trains a control in `runs/KIND-PRESET` by the preset's recipe, or goes on with it; options: `ganzoo.train`'s."""
    recipe = recipe_of(PRESET) | {"description": f"{PRESET} by {CONTROLS[kind]}"}
    recipe["arguments"] |= WITHOUT[kind]
    return train_without_adversary(recipe, runs / f"{kind}-{PRESET}", **options)


def models(args: argparse.Namespace) -> dict[str, ganzoo.IDCGAN]:
    """The trained ones, by the name of their row."""
    train = f"python scripts/deraining.py --data-dir FOLDER --runs {args.runs} --train-control"
    found = {CONTROLS[kind]: model_of(args.runs / f"{kind}-{PRESET}", f"{train} {kind}") for kind in CONTROLS}
    if args.model is None and ganzoo.info(PRESET).pretrained:
        found["preset"] = ganzoo.load(PRESET)
    else:
        folder = args.model or args.runs / PRESET
        found["preset"] = model_of(folder, f"python scripts/train.py {PRESET} --data-dir FOLDER --output {folder}")
    return {name: model for name, model in found.items() if model is not None}


# --- The control without learning


def filters() -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """What makes of an image, uint8 (height, width, channels), another, by a name that says how."""
    from scipy import ndimage
    from skimage.restoration import denoise_bilateral

    def bilateral(image: np.ndarray, range_: float, reach: float) -> np.ndarray:
        options = {"sigma_color": range_, "sigma_spatial": reach, "channel_axis": -1}
        return np.rint(255 * denoise_bilateral(image / 255.0, **options)).astype("uint8")

    found = {}
    for size in [(3, 3), (5, 5), (7, 7), *((1, n) for n in (3, 5, 7, 9, 13)), *((3, n) for n in (7, 9))]:
        found[f"median {size[0]}x{size[1]}"] = functools.partial(ndimage.median_filter, size=(*size, 1))
    for range_, reach in [(0.03, 2), (0.03, 4), (0.05, 1), (0.05, 2), (0.05, 4), (0.1, 1), (0.1, 2), (0.1, 4)]:
        found[f"bilateral {range_}, {reach}"] = functools.partial(bilateral, range_=range_, reach=reach)
    darker = {f"darker of image and {name}": functools.partial(_darker, make) for name, make in found.items()}
    for size in [(1, 3), (1, 5), (1, 7), (3, 3)]:  # never brighter than the image
        found[f"opening {size[0]}x{size[1]}"] = functools.partial(ndimage.grey_opening, size=(*size, 1))
    return found | darker


def _darker(make: Callable[[np.ndarray], np.ndarray], image: np.ndarray) -> np.ndarray:
    return np.minimum(image, make(image))


def best_filter(rainy: np.ndarray, clean: np.ndarray) -> str:
    """The name of the one of `filters` whose images come nearest to the clean ones, by PSNR."""
    found = {name: metrics.psnr(clean, np.stack([make(x) for x in rainy])).mean() for name, make in filters().items()}
    return max(found, key=lambda name: found[name])


# --- Measures


def luminance(images: np.ndarray) -> np.ndarray:
    """MATLAB's rgb2ycbcr, Y alone: uint8 (n, height, width, 3) to uint8 (n, height, width, 1), 16 to 235."""
    weighted = images.astype("float64") @ np.array([[65.481], [128.553], [24.966]]) / 255
    return np.rint(16 + weighted).astype("uint8")


def steepness(clean: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """float64 (n,): the mean absolute difference of neighbouring pixels, as a share of that of the clean images."""

    def slope(x: np.ndarray) -> np.ndarray:
        x = x.astype("float64")
        return np.abs(np.diff(x, axis=1)).mean(axis=(1, 2, 3)) + np.abs(np.diff(x, axis=2)).mean(axis=(1, 2, 3))

    return slope(drawn) / slope(clean)


def measures(clean: np.ndarray, drawn: np.ndarray) -> dict[str, np.ndarray]:
    """Each measure of each image, float64 (n,). A perceptual network that is not there leaves its column out."""
    found = {
        f"{measure.__name__}_{space}": measure(true, own)
        for space, true, own in (("rgb", clean, drawn), ("y", luminance(clean), luminance(drawn)))
        for measure in (metrics.psnr, metrics.ssim)
    }
    if "cifar10" in perceptual.names():
        found["perceptual_distance"] = metrics.perceptual_distance(clean, drawn)
    return found | {"steepness": steepness(clean, drawn)}


def number(values: np.ndarray) -> dict:
    """Mean and interval; a PSNR of images that equal their truth is infinite, and these are left out."""
    finite = values[np.isfinite(values)]
    return {"value": float(finite.mean()), "interval": metrics.interval(finite)} if len(finite) else {"value": None}


# --- The table


def evaluate(args: argparse.Namespace) -> dict:
    """{"rows": numbers by row and column, "differences": between rows, "protocol": what they depend on}."""
    load = functools.partial(ganzoo.data.load_parts, "rain100l", data_dir=args.data_dir)
    train, test = ({n: part[: args.limit] for n, part in load(split=split).items()} for split in ("train", "test"))
    rainy, clean = test["rainy"], test["clean"]
    chosen = best_filter(train["rainy"][: args.tune], train["clean"][: args.tune])
    drawn = {"rainy image": rainy, "filter": np.stack([filters()[chosen](image) for image in rainy])}
    trained = models(args)
    drawn |= {name: model.generate(source=rainy, batch_size=4) for name, model in trained.items()}
    found = {name: measures(clean, images) for name, images in drawn.items()}
    if "preset" in drawn:
        found["preset, shuffled"] = measures(np.roll(clean, 1, axis=0), drawn["preset"])
    rows = {name: {key: number(values) for key, values in row.items()} for name, row in found.items()}
    for name, row in found.items():
        for key in ("psnr_rgb", "ssim_rgb", "psnr_y"):
            rows[name][f"gain_{key}"] = number(row[key] - found["rainy image"][key])
    pairs = [("preset", name) for name in CONTROLS.values()] + [tuple(reversed(CONTROLS.values()))]
    differences = {
        f"{one} over {other}": {key: number(found[one][key] - found[other][key]) for key in found[one]}
        for one, other in pairs
        if {one, other} <= set(found)
    }
    protocol = f"{len(clean)} test images of {'x'.join(map(str, clean.shape[1:3]))}; filter: {chosen}"
    return {"rows": rows, "differences": differences, "protocol": f"{protocol}, of {args.tune} training images"}


def markdown(table: dict) -> str:
    parts = [lines(table["rows"], cell=cell)]
    if table["differences"]:
        parts.append(lines(table["differences"], "difference", cell))
    parts.append(f"{table['protocol']}.")
    if "preset" in table["rows"]:
        gain = table["rows"]["preset"]["gain_psnr_rgb"]["value"]
        parts.append(f"Gain of the preset in RGB: {gain:+.2f} dB; to reach: at least {GOAL}")
    return "\n\n".join(parts)


def cell(found: dict | None) -> str:
    if found is None or found["value"] is None:
        return ""
    return f"{found['value']:.3f} ({found['interval'][0]:.3f} to {found['interval'][1]:.3f})"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", help="folder with rain100l/rain100l_256.zip")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the trainings")
    parser.add_argument("--model", type=Path, help=f"folder of a training instead of {PRESET}")
    parser.add_argument("--json", type=Path, help="file to write the numbers to")
    parser.add_argument("--train-control", choices=list(CONTROLS), help="train this control, and no more")
    parser.add_argument("--epochs", type=int, help="of the control, instead of the recipe's")
    parser.add_argument("--limit", type=int, help="only so many images of each split, to try the script")
    parser.add_argument("--tune", type=int, default=20, help="training images by which the filter is chosen")
    args = parser.parse_args(arguments)
    if args.train_control:
        train_control(args.train_control, args.runs, data_dir=args.data_dir, epochs=args.epochs)
        return
    table = evaluate(args)
    print(markdown(table))
    if args.json:
        args.json.write_text(json.dumps(table, indent=2, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
