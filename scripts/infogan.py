"""InfoGAN's codes beside what one would have labelled: five trainings, of which one is chosen without labels.

    python scripts/infogan.py --data-dir ../shared/data --runs runs --json runs/infogan.json \\
        --picture zoo_configs/pictures/infogan.png

Trains `infogan-mnist` with the seeds 0 to 4 (a finished training is taken as it is) and prints for each

* the lower bound on the mutual information of image and category, in nats of log 10, on images that it draws: no label
  is needed, and the seed of the greatest bound is chosen;
* how often the category of the 10 000 test images agrees with the digit, after the best assignment of the ten;
* how often drawn images of a category are of that digit, for the bundled classifier and the same assignment;
* the rank correlation of each continuous code with the slant and with the stroke width of what is drawn.

`--plain` trains with the paper's objective alone, without `ganzoo.layers.Invariance`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import yaml

DRAWN = 5000
STEPS = np.linspace(-1, 1, 11)


def measure(model, images, labels) -> dict:
    from ganzoo import metrics

    rng = np.random.default_rng(0)
    asked = rng.integers(0, model.categories, DRAWN)
    drawn = model.generate(DRAWN, seed=1, category=np.eye(model.categories, dtype="float32")[asked])
    found = model.codes_of(drawn)["category"]
    bound = np.log(model.categories) + float(np.log(np.maximum(found[np.arange(DRAWN), asked], 1e-30)).mean())
    read = model.codes_of(images)["category"].argmax(axis=1)
    accuracy, digit_of = metrics.cluster_accuracy(read, labels)
    see = metrics.extractor("mnist")
    named = see.logits(drawn).argmax(axis=1)
    result = {"bound": bound, "test": accuracy, "drawn": float(np.mean(digit_of[asked] == named))}
    for index in range(model.num_codes):
        result |= _correlations(model, index)
    return result


def _correlations(model, index: int) -> dict:
    """Of a code that alone is changed: with slant and stroke width, over categories and latents."""
    from ganzoo import metrics

    per = 20
    latents = np.repeat(model.inputs_for(per * model.categories, 2)["latents"], len(STEPS), axis=0)
    category = np.repeat(np.eye(model.categories, dtype="float32"), per * len(STEPS), 0)
    codes = np.zeros((len(latents), model.num_codes), "float32")
    codes[:, index] = np.tile(STEPS, per * model.categories)
    drawn = model.generate(latents=latents, category=category, codes=codes)
    found = {}
    for name, measured in (("slant", metrics.slant(drawn)), ("stroke", metrics.stroke_width(drawn))):
        each = measured.reshape(-1, len(STEPS))
        centred = each - each.mean(axis=1, keepdims=True)  # of one category and one latent vector
        found[f"code {index} and {name}"] = metrics.rank_correlation(codes[:, index], centred.ravel())
    return found


def draw(model, row: dict, path: Path) -> None:
    """Of the chosen model: a row for each category, its latents the same, along the codes of slant and of stroke."""
    from ganzoo import plot

    sheets = []
    for name in ("slant", "stroke"):
        index = max(range(model.num_codes), key=lambda i: abs(row[f"code {i} and {name}"]))
        codes = np.zeros((len(STEPS), model.num_codes), "float32")
        codes[:, index] = STEPS * np.sign(row[f"code {index} and {name}"])
        drawn = [
            model.generate(
                latents=np.repeat(model.inputs_for(1, 3)["latents"], len(STEPS), axis=0),
                category=np.repeat(np.eye(model.categories, dtype="float32")[category : category + 1], len(STEPS), 0),
                codes=codes,
            )
            for category in range(model.categories)
        ]
        sheets.append(np.stack(drawn))
    both = np.concatenate(sheets, axis=1)  # (categories, 2 x steps, ...)
    path.parent.mkdir(parents=True, exist_ok=True)
    plot.save_png(path, both.reshape(-1, *both.shape[2:]), columns=both.shape[1])


def recipe_of(arguments) -> str | Path:
    if not arguments.plain:
        return "infogan-mnist"
    from ganzoo.zoo import presets

    recipe = yaml.safe_load(presets.recipe_path("infogan-mnist").read_text(encoding="utf-8"))
    del recipe["training"]["augment"]
    arguments.runs.mkdir(parents=True, exist_ok=True)
    path = arguments.runs / "infogan-plain.yaml"
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--plain", action="store_true")
    arguments = parser.parse_args()
    import ganzoo

    images, labels = ganzoo.data.load("mnist", "test", data_dir=arguments.data_dir, return_labels=True)
    rows, recipe = [], recipe_of(arguments)

    def trained(seed: int):
        folder = arguments.runs / f"infogan-{'plain-' * arguments.plain}{seed}"
        return ganzoo.train(recipe, folder, data_dir=arguments.data_dir, seed=seed, verbose=0)

    for seed in range(arguments.seeds):
        model = trained(seed)
        rows.append({"seed": seed, **measure(model, images, labels)})
        print(
            "  ".join(f"{name} {value:.3f}" if name != "seed" else f"seed {value}" for name, value in rows[-1].items()),
            flush=True,
        )
    chosen = max(rows, key=lambda row: row["bound"])
    print(f"chosen: seed {chosen['seed']}; median on test images {np.median([row['test'] for row in rows]):.3f}")
    if arguments.picture is not None:
        draw(trained(chosen["seed"]), chosen, arguments.picture)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps({"chosen": chosen["seed"], "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
