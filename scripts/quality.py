"""What `benchmark.py quality` does: the plain PyTorch loop and the zoo's presets, under one protocol."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

DATASETS = ("mnist", "fashion_mnist")
SHOWN = ("frechet_distance", "precision", "recall", "coverage")


def quality(output: Path, data_dir: str | None, epochs: int, seed: int, seeds: int) -> dict:
    """Trains the plain loop where `output` does not hold its images yet, and scores it and every preset.

    Args:
        output: A folder for `plain-DATASET-epochsN-seedN.npz`, 10 000 images of each training, and `quality.json`.
        data_dir: Folder with the data sets' original files, where they cannot be downloaded.
        epochs: Of the plain loop.
        seed: Of the plain loop.
        seeds: Samples of each preset.

    Returns:
        {dataset: {name: {metric: {"value", "std", "ratio": to the plain loop, "protocol"}}}}
    """
    from ganzoo import metrics
    from ganzoo.zoo import presets

    output.mkdir(parents=True, exist_ok=True)
    table: dict = {}
    for dataset in DATASETS:
        samples = output / f"plain-{dataset}-epochs{epochs}-seed{seed}.npz"
        if not samples.is_file():
            _train_plain(dataset, samples, data_dir, epochs, seed)
        sources = {f"plain loop, {epochs} epochs": samples}
        sources |= {name: name for name in presets.list_presets(dataset=dataset, pretrained=True)}
        table[dataset] = {}
        for name, source in sources.items():
            print(f"measuring {name} on {dataset}", file=sys.stderr)
            num_seeds = None if source is samples else seeds
            measured = metrics.evaluate(source, dataset, num_seeds=num_seeds, data_dir=data_dir)
            plain = next(iter(table[dataset].values()), None)
            table[dataset][name] = {
                metric["name"]: {
                    **{key: metric[key] for key in ("value", "std", "protocol")},
                    "ratio": _ratio(metric["value"], plain[metric["name"]]["value"] if plain else metric["value"]),
                }
                for metric in measured
            }
    (output / "quality.json").write_text(json.dumps(table, indent=2) + "\n")
    return table


def _ratio(value: float, other: float) -> float:
    return value / other if other else float("nan")


def _train_plain(dataset: str, samples: Path, data_dir: str | None, epochs: int, seed: int) -> None:
    from plain_torch import train_plain_dcgan

    from ganzoo import data

    print(f"training the plain loop on {dataset}", file=sys.stderr)
    images = train_plain_dcgan(np.asarray(data.load(dataset, data_dir=data_dir)), epochs, seed)
    beside = samples.with_name(f"part-{samples.name}")
    np.savez_compressed(beside, images=images)
    beside.replace(samples)


def show(table: dict) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    for dataset, rows in table.items():
        shown = Table("", *(name.replace("_", " ") for name in SHOWN), title=dataset)
        for name, numbers in rows.items():
            shown.add_row(
                name,
                *(f"{numbers[key]['value']:.3g} ({numbers[key]['ratio']:.2f} x)" for key in SHOWN),
            )
        console.print(shown)
    console.print("in brackets: how many times the plain loop's")
