"""`ganzoo features`: what a discriminator has learned."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ganzoo.cli import support
from ganzoo.cli.options import DataDir, Overwrite, Preset

EPILOG = "Example: [bold]ganzoo features dcgan-fashion_mnist[/bold]"


def features(
    preset: Preset,
    data: Annotated[
        str | None, typer.Option(help="A data set's name or an .npz file. Default: what the preset learned.")
    ] = None,
    data_dir: DataDir = None,
    number: Annotated[
        int, typer.Option("--number", "-n", min=24, help="Training images that the linear classifier learns from.")
    ] = 10_000,
    seeds: Annotated[int, typer.Option(min=1, help="Held-out sets and untrained networks.")] = 3,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The folder to write. Default: PRESET-features.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """What a discriminator has learned: its filters, what excites its features, and how well these tell classes."""
    output = output or Path(f"{support.stem(preset)}-features")
    if output.exists() and not output.is_dir():
        raise ValueError(f"The output is a folder. Received: -o {output}")
    support.check_free(output, overwrite)
    data = data or support.dataset_of(preset)
    support.load_keras()
    import numpy as np

    from ganzoo import features as features_
    from ganzoo import plot
    from ganzoo.data import load_parts
    from ganzoo.zoo.opening import open_model

    with support.working("Loading model and data"):
        model = open_model(preset)
        train, test = (load_parts(data, split, data_dir=data_dir) for split in ("train", "test"))
    images = train[model.target if model.target in train else "images"]
    try:
        drawn = features_.filters(model)
    except ValueError:  # a perceptron
        drawn = None
    found = (
        features_.excitations(model, images[np.random.default_rng(0).permutation(len(images))[:2000]])
        if drawn is not None
        else None
    )
    output.mkdir(parents=True, exist_ok=True)
    if drawn is not None and found is not None:
        plot.save_png(output / "filters.png", drawn, scale=8)
        pairs = np.stack([found.images, found.causes], axis=2)
        plot.save_png(output / "excited.png", pairs.reshape(-1, *pairs.shape[3:]), columns=2 * pairs.shape[1], scale=2)
        typer.echo(f"Wrote {output}: filters.png, excited.png (images and what in them excites a feature, a row each)")
    if "labels" not in train or "images" not in test:
        typer.echo("The data have no classes: there is nothing to tell apart.")
        return
    rows = np.random.default_rng(0).permutation(len(images))[:number]
    with support.working("Fitting linear classifiers"):
        accuracies = features_.compare(
            model, images[rows], train["labels"][rows], test["images"], test["labels"], range(seeds)
        )
    typer.echo(f"Test accuracy of a linear classifier of {min(number, len(images))} training images, {seeds} seeds:")
    for name, values in accuracies.items():
        typer.echo(f"{name:24}  {np.mean(values):.4f} +- {np.std(values):.4f}")
