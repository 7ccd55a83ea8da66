"""How few labels a semi-supervised GAN needs: its test error beside a plain classifier's of the same network.

    python scripts/semisupervised.py --data-dir ../shared/data --runs runs --json runs/semisup.json \\
        --picture zoo_configs/pictures/semisup.png

Trains `semisup-mnist` with 100 labels of five draws, and with 20, 50 and 1000 of one (a finished training is taken as
it is), and for each the same classifier on its labels alone, with the same noise, rates and averages. Prints the test
errors. `--held-out 10000` measures on so many training images instead, and trains without them: what
hyper-parameters are chosen by.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import yaml

DRAWS = ((10, 0), (10, 1), (10, 2), (10, 3), (10, 4), (2, 0), (5, 0), (100, 0))  # labels of each class, draw


def recipe_of(per_class: int, draw: int, arguments) -> Path:
    """The preset's recipe, or a file of it with other labels."""
    from ganzoo.zoo import presets

    preset = presets.recipe_path("semisup-mnist")
    own = yaml.safe_load(preset.read_text(encoding="utf-8"))
    dataset = {**own["dataset"], "few": {"per_class": per_class, "draw": draw}}
    if arguments.held_out:
        dataset["split"] = f"train[:-{arguments.held_out}]"
    if dataset == own["dataset"]:
        return preset
    arguments.runs.mkdir(parents=True, exist_ok=True)
    path = arguments.runs / f"semisup-{10 * per_class}-{draw}.yaml"
    path.write_text(yaml.safe_dump({**own, "dataset": dataset}), encoding="utf-8")
    return path


def plain_error(recipe: Path, images, labels, arguments) -> float:
    """The test error of the classifier alone, trained on the labelled images."""
    import keras

    from ganzoo.networks.semisupervised import noisy_classifier
    from ganzoo.zoo import presets
    from ganzoo.zoo.asked import parts_of, wanted_of

    read = presets.read_recipe(recipe)
    parts = parts_of(read, wanted_of(read), None, arguments.data_dir, None, {})
    keras.utils.set_random_seed(0)
    network = noisy_classifier((28, 28, 1), 10, read.arguments["width"])
    classifier = keras.Model(network.input, network.outputs[1])
    adam = keras.optimizers.Adam(3e-3, beta_1=0.5, use_ema=True, ema_momentum=0.999)
    classifier.compile(adam, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    few = parts["labelled"].astype("float32") / 127.5 - 1
    classes = np.asarray(parts["labels"])
    times = -(-arguments.plain_updates // max(1, len(few) // read.training.batch_size))
    batch = min(read.training.batch_size, len(few))
    classifier.fit(few, classes, batch_size=batch, epochs=times, verbose=0)
    adam.finalize_variable_values(classifier.trainable_variables)
    found = classifier.predict(images.astype("float32") / 127.5 - 1, batch_size=500, verbose=0)
    return float(np.mean(found.argmax(axis=1) != labels))


def draw(rows: list[dict], path: Path) -> None:
    """Error against the number of labels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.2), layout="constrained")
    axes = figure.subplots()
    for key, label, color in (("plain", "the classifier alone", "C1"), ("error", "semi-supervised GAN", "C0")):
        numbers = sorted({row["labels"] for row in rows})
        means = [100 * np.mean([row[key] for row in rows if row["labels"] == number]) for number in numbers]
        axes.plot(numbers, means, color=color, label=label)
        axes.plot([row["labels"] for row in rows], [100 * row[key] for row in rows], "o", color=color, markersize=4)
    axes.set(xscale="log", yscale="log", xlabel="labels", ylabel="test error, %")
    axes.set_xticks([20, 50, 100, 1000], ["20", "50", "100", "1000"], minor=False)
    axes.set_yticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"], minor=False)
    axes.minorticks_off()
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--held-out", type=int, default=0)
    parser.add_argument("--plain-updates", type=int, default=3000, help="of the plain classifier, which overfits soon")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    import ganzoo

    split = f"train[-{arguments.held_out}:]" if arguments.held_out else "test"
    images, labels = ganzoo.data.load("mnist", split, data_dir=arguments.data_dir, return_labels=True)
    rows = []
    for per_class, number in DRAWS:
        recipe = recipe_of(per_class, number, arguments)
        model = ganzoo.train(recipe, arguments.runs / recipe.stem, data_dir=arguments.data_dir, verbose=0)
        error = float(np.mean(model.classify(images).argmax(axis=1) != labels))
        plain = plain_error(recipe, images, labels, arguments)
        rows.append({"labels": 10 * per_class, "draw": number, "error": error, "plain": plain})
        told = f"{10 * per_class:5} labels, draw {number}: error {error:.4f}, of a plain classifier {plain:.4f}"
        print(told, flush=True)
        if arguments.json is not None:
            arguments.json.write_text(json.dumps(rows, indent=2) + "\n")
    if arguments.picture is not None:
        draw(rows, arguments.picture)
    hundred = [row["error"] for row in rows if row["labels"] == 100]
    print(f"100 labels: {np.mean(hundred):.4f} +- {np.std(hundred, ddof=1):.4f} over {len(hundred)} draws")


if __name__ == "__main__":
    main()
