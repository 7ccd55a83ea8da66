"""Evaluates the preset of moving digits beside controls: one frame ahead, and several by feeding back.

    python scripts/prediction.py --data-dir ../shared/data --runs runs --json runs/prediction.json

takes the preset from its card, or from `runs/prediction-moving_mnist/model.keras` before it has one. The control "L2
alone" is the same network, trained as the recipe says by the squared error and nothing else:

    python scripts/prediction.py --train-l2 --data-dir ../shared/data --runs runs

The same command resumes it. What is not trained yet is said, and its rows are left out.

Films are made of MNIST's test digits (`ganzoo.data.moving_digits`), from a seed of which no training has seen a film.
PSNR and the sharpness difference are means over the frames in which they are finite, so in which something is wrong.
"Steepness" is the mean difference of neighbouring pixels, as a share of the true frame's: 1 is as sharp. The digit
accuracy is that of the bundled MNIST classifier on the part of a frame where the digit is known to be. Of a copied
frame the digit is cut out where it is, not where it should be: its accuracy says nothing of the motion. Brackets hold
95 % intervals, by bootstrap over the films.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from controls import model_of, recipe_of, train_without_adversary

import ganzoo
from ganzoo import metrics, plot
from ganzoo.data.moving import crops

PRESET, CONTROL = "prediction-moving_mnist", "l2-prediction-moving_mnist"
SEED = 100  # of the films: 0 and 1 are those of the data set's splits
SHOWN = 8  # films in a picture


def steepness(real: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """float64 (n,): the mean absolute difference of neighbouring pixels, as a share of that of the true frames."""

    def slope(x: np.ndarray) -> np.ndarray:
        x = x.astype("float64")
        return np.abs(np.diff(x, axis=1)).mean(axis=(1, 2, 3)) + np.abs(np.diff(x, axis=2)).mean(axis=(1, 2, 3))

    return slope(drawn) / slope(real)


MEASURES = {"psnr": metrics.psnr, "ssim": metrics.ssim, "sharpness_difference": metrics.sharpness_difference}
MEASURES["steepness"] = steepness


# --- The control: the same network by the squared error alone


def train_l2(runs: Path, **options) -> ganzoo.GAN:
    """Trains the control in `runs/CONTROL` by the preset's recipe, or goes on with it; options are `ganzoo.train`'s."""
    recipe = recipe_of(PRESET) | {"description": f"{PRESET} by L2 alone"}
    recipe["arguments"] |= {"adversarial_weight": 0, "gdl_weight": 0, "p": 2}
    return train_without_adversary(recipe, runs / CONTROL, **options)


def models(runs: Path, folder: Path | None, data_dir: str) -> dict[str, ganzoo.FramePrediction]:
    """The control and the preset, those that there are."""
    if folder is None and ganzoo.info(PRESET).pretrained:
        preset = ganzoo.load(PRESET)
    else:
        folder = folder or runs / PRESET
        preset = model_of(folder, f"python scripts/train.py {PRESET} --data-dir {data_dir} --output {folder}")
    command = f"python scripts/prediction.py --train-l2 --data-dir {data_dir} --runs {runs}"
    found = {"L2 alone": model_of(runs / CONTROL, command), "preset": preset}
    return {name: model for name, model in found.items() if model is not None}


# --- What is predicted, and how well


def predictions(films: np.ndarray, num_seen: int, found: dict[str, ganzoo.FramePrediction]) -> dict[str, np.ndarray]:
    """Films uint8 (n, steps, height, width, 1) that follow on the first `num_seen` frames, by the name of the row."""
    seen, following = films[:, :num_seen], films[:, num_seen:]
    steps = following.shape[1]
    rows = {"true frames (upper bound)": following, "last frame copied": np.repeat(seen[:, -1:], steps, axis=1)}
    return rows | {name: model.predict_film(seen, steps) for name, model in found.items()}


def measures(real: np.ndarray, drawn: np.ndarray, where: np.ndarray, labels: np.ndarray) -> dict[str, dict]:
    """Each measure of one frame of each film as {"value", "interval"}.

    Args:
        real, drawn: uint8 (n, height, width, 1), the true frames and the predicted ones.
        where: int (n, 2), where the digit is in the predicted ones.
        labels: int (n,).
    """
    found = {name: number_of(measure(real, drawn)) for name, measure in MEASURES.items()}
    extractor = metrics.extractor("mnist")
    _, logits = extractor.features_and_logits(crops(drawn, where, extractor.image_shape[:2]))
    return found | {"digit_accuracy": number_of((logits.argmax(axis=1) == labels).astype("float64"))}


def number_of(values: np.ndarray) -> dict:
    """The mean of what is finite, and its interval; of nothing finite, the value is infinite."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return {"value": None, "interval": None}
    return {"value": float(finite.mean()), "interval": metrics.interval(finite)}


def table(moving: ganzoo.data.MovingDigits, num_seen: int, rows: dict[str, np.ndarray]) -> dict[str, list[dict]]:
    """By row, the measures of each frame ahead."""
    positions, labels = moving.positions[:, :, 0], moving.labels[:, 0]
    found: dict[str, list[dict]] = {name: [] for name in rows}
    for name, drawn in rows.items():
        for step in range(drawn.shape[1]):
            where = positions[:, num_seen - 1 if name == "last frame copied" else num_seen + step]
            found[name].append(measures(moving.films[:, num_seen + step], drawn[:, step], where, labels))
    return found


def evaluate(args: argparse.Namespace) -> dict:
    """{"rows": numbers of each frame ahead, "protocol": what they depend on} of what there is; writes the pictures."""
    images, labels = ganzoo.data.load("mnist", "test", data_dir=args.data_dir, return_labels=True)
    arguments = ganzoo.info(PRESET).recipe.arguments
    num_seen, size = arguments["num_frames"], arguments["image_shape"][0]
    options = {"frames": num_seen + args.steps, "size": size, "seed": SEED}
    moving = ganzoo.data.moving_digits(images, labels, args.films, **options)
    rows = predictions(moving.films, num_seen, models(args.runs, args.model, args.data_dir))
    args.runs.mkdir(parents=True, exist_ok=True)
    draw(args.runs, moving.films[:SHOWN, :num_seen], {name: row[:SHOWN] for name, row in rows.items()})
    protocol = f"{args.films} films of MNIST's test digits, seed {SEED}, {num_seen} frames of {size}x{size} seen"
    return {"rows": table(moving, num_seen, rows), "protocol": f"{protocol}; {metrics.extractor('mnist').id}"}


def draw(folder: Path, seen: np.ndarray, rows: dict[str, np.ndarray]) -> None:
    """`prediction.png`: of two films, a line of frames by row; `prediction.gif`: a line of films by row."""
    films = [np.concatenate([seen, following], axis=1) for following in rows.values()]
    lines = np.stack(films, axis=1)  # (films, rows, frames, ...)
    plot.save_png(folder / "prediction.png", lines[:2].reshape(-1, *lines.shape[3:]), columns=lines.shape[2], scale=2)
    plot.save_film(folder / "prediction.gif", np.concatenate(films), columns=len(seen), scale=3)


# --- What is shown


def markdown(tables: dict, steps: tuple[int, ...]) -> str:
    """The table of one frame ahead, and that of several."""
    names = [*MEASURES, "digit_accuracy"]
    lines = [f"| one frame ahead | {' | '.join(name.replace('_', ' ') for name in names)} |", line_of(len(names))]
    lines += [
        f"| {row} | {' | '.join(cell(n[0][name], True) for name in names)} |" for row, n in tables["rows"].items()
    ]
    ahead = [f"{name.replace('_', ' ')}, {step} ahead" for name in ("psnr", "digit_accuracy") for step in steps]
    lines += ["", f"| fed back | {' | '.join(ahead)} |", line_of(len(ahead))]
    for row, numbers in tables["rows"].items():
        cells = [cell(numbers[step - 1][name]) for name in ("psnr", "digit_accuracy") for step in steps]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", f"{tables['protocol']}.", *verdicts(tables["rows"])])


def line_of(columns: int) -> str:
    return "| --- |" + " --: |" * columns


def cell(number: dict, interval: bool = False) -> str:
    if number["value"] is None:
        return "inf"
    text = f"{number['value']:.3f}" if number["value"] <= 1 else f"{number['value']:.2f}"
    return text + (" ({:.3f}-{:.3f})".format(*number["interval"]) if interval else "")


def verdicts(rows: dict) -> list[str]:
    """What the preset is to reach, and whether it does."""
    if not {"preset", "L2 alone"} <= set(rows):
        return []
    value = {name: {key: number["value"] for key, number in rows[name][0].items()} for name in rows}
    preset, l2, copied = value["preset"], value["L2 alone"], value["last frame copied"]
    return [
        f"PSNR over the last frame copied: {preset['psnr'] - copied['psnr']:+.2f} dB; to reach: at least +3",
        f"sharpness over L2 alone: {preset['sharpness_difference'] - l2['sharpness_difference']:+.2f} dB; above 0",
        f"digit accuracy over L2 alone: {preset['digit_accuracy'] - l2['digit_accuracy']:+.3f}; not below 0",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", help="folder with mnist/*-ubyte.gz")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the trainings, and of the pictures")
    parser.add_argument("--json", type=Path, help="file to write the numbers to")
    parser.add_argument("--model", type=Path, help=f"folder of a training instead of {PRESET}")
    parser.add_argument("--train-l2", action="store_true", help="train the control, and no more")
    parser.add_argument("--epochs", type=int, help="of the control, instead of the recipe's")
    parser.add_argument("--films", type=int, default=2000, help="films to measure on")
    parser.add_argument("--steps", type=int, default=8, help="frames ahead")
    args = parser.parse_args()
    if args.train_l2:
        train_l2(args.runs, data_dir=args.data_dir, epochs=args.epochs)
        return
    tables = evaluate(args)
    print(markdown(tables, tuple(step for step in (1, 2, 4, 8, 16) if step <= args.steps)))
    if args.json:
        args.json.write_text(json.dumps(tables, indent=2, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
