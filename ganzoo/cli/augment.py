"""`ganzoo augment`: a labelled set of generated images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ganzoo.cli import support
from ganzoo.cli.options import Inputs, Overwrite, Preset

EPILOG = "Example: [bold]ganzoo augment cgan-fashion_mnist -n 6000 -o more.npz[/bold]"


def augment(
    preset: Preset,
    inputs: Inputs = None,
    number: Annotated[int, typer.Option("--number", "-n", min=1, help="How many images.")] = 6000,
    labels: Annotated[
        str | None,
        typer.Option(
            help="Where they come from: condition (the class that was asked for), pseudo (a classifier's), uniform "
            "(1/K each: LSRO), new (one class more). Default: condition."
        ),
    ] = None,
    classes: Annotated[int | None, typer.Option(min=1, help="How many, for models without labels.")] = None,
    extractor: Annotated[
        str | None, typer.Option(help="Whose classes are pseudo labels, e.g. mnist. Default: the data set's.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of images and classes.")] = 0,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The .npz file to write, of x_train and y_train. Default: PRESET.npz."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a labelled set of generated images, to train a classifier on beside real ones."""
    output = output or Path(f"{support.stem(preset)}.npz")
    if output.suffix.lower() != ".npz":
        raise ValueError(f"The set is an .npz file. Received: -o {output}")
    support.check_free(output, overwrite)
    texts = support.split(inputs or [])
    support.load_keras()
    import numpy as np

    from ganzoo import metrics, plot
    from ganzoo.zoo.opening import data_of, open_model
    from ganzoo.zoo.synthetic import augment as augment_

    with support.working("Drawing images"):
        model = open_model(preset)
        given: dict[str, Any] = {name: support.value(model, name, text, {}) for name, text in texts.items()}
        learned = data_of(preset)
        name = extractor or (learned.name if learned is not None else "")
        known = name in metrics.extractor_names()
        if labels == "pseudo":
            given["classifier"] = metrics.extractor(name).logits
        if classes is None and known:
            classes = int(metrics.extractor(name).card["num_classes"])
        images, found = augment_(model, number, labels, num_classes=classes, seed=seed, **given)
    output.parent.mkdir(parents=True, exist_ok=True)
    plot.write_beside(output, lambda file: np.savez_compressed(file, x_train=images, y_train=found))
    kind = f"labels {found.min()} to {found.max()}" if found.ndim == 1 else f"{found.shape[1]} classes alike"
    typer.echo(f"Wrote {output}: {len(images)} images, {kind}, seed {seed}")
