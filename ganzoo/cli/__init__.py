"""The `ganzoo` command: list, info, generate, latent, features, check, train, ...

Keras is imported inside the commands that need it: help, `list` and `info` answer at once, and `--backend` is set
before Keras reads it.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import sys
import traceback
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core

import ganzoo
from ganzoo.cli import augment, features, latent, support, translate, web
from ganzoo.cli.options import DataDir, Fit, ImageShape, MaxValue, Overwrite, Pages, Preset
from ganzoo.engine import quiet

BAD_INPUT, FAILED, INTERRUPTED = 2, 1, 130
MOST = 4000  # characters of an error


class _Commands(typer.core.TyperGroup):
    """Commands whose errors are one line on stderr and an exit code: 2 for bad input, 130 for Ctrl-C."""

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        try:
            code = super().main(*args, standalone_mode=False, **extra)  # type: ignore[misc]
        except Exception as error:
            code = _report(error)
        if standalone_mode:
            sys.exit(code if isinstance(code, int) else 0)
        return code


class Backend(StrEnum):
    """What Keras runs on."""

    tensorflow = "tensorflow"
    jax = "jax"
    torch = "torch"


app = typer.Typer(
    name="ganzoo",
    cls=_Commands,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: [bold]ganzoo generate dcgan-mnist -n 64 --seed 0 -o digits.png[/bold]",
)

app.add_typer(latent.app, name="latent")
app.command(epilog=features.EPILOG)(features.features)
app.command(epilog=augment.EPILOG)(augment.augment)
app.command(epilog=translate.EPILOG)(translate.translate)
app.command(epilog=web.EPILOG)(web.web)


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    backend: Annotated[
        Backend | None,
        typer.Option(help="What Keras runs on. Default: KERAS_BACKEND, or Keras' own configuration."),
    ] = None,
    modules: Annotated[
        list[str] | None,
        typer.Option(
            "--import", metavar="MODULE", help="A Python module with models of your own, in this folder or installed."
        ),
    ] = None,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    """GANs on TensorFlow, JAX and PyTorch: draw images with pretrained ones, train your own, export them."""
    if version:
        typer.echo(f"ganzoo {ganzoo.__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit
    quiet.begin_command()
    if backend is not None:
        support.use_backend(backend.value)
    for module in modules or []:
        support.load_keras()
        support.import_module(module)


@app.command("list", epilog="Example: [bold]ganzoo list --dataset mnist --pretrained[/bold]")
def list_(
    model: Annotated[str | None, typer.Option(help="Only presets of this model, e.g. dcgan.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Only presets trained on this data set, e.g. mnist.")] = None,
    pretrained: Annotated[
        bool | None, typer.Option("--pretrained/--untrained", help="Only presets with (or without) trained weights.")
    ] = None,
) -> None:
    """List the presets: what can be drawn from or trained by name."""
    from ganzoo.zoo import presets

    rows = [("PRESET", "WEIGHTS", "DESCRIPTION")]
    for name in presets.list_presets(model, dataset, pretrained):
        preset = presets.info(name)
        size = f"{preset.card.bytes / 1e6:.1f} MB" if preset.card else "-"
        rows.append((name, size, preset.recipe.description))
    if len(rows) == 1:
        everything = ", ".join(presets.list_presets())
        raise ValueError(f"No preset matches. All presets: {everything}. Received: {model=}, {dataset=}, {pretrained=}")
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for name, size, description in rows:
        typer.echo(quiet.printable(f"{name:{widths[0]}}  {size:>{widths[1]}}  {description}"))


@app.command(epilog="Example: [bold]ganzoo info dcgan-mnist[/bold]")
def info(
    preset: Annotated[str, typer.Argument(metavar="PRESET", help="A preset's name.", show_default=False)],
) -> None:
    """Show a preset's recipe, its weights and its numbers."""
    from ganzoo.zoo import presets

    typer.echo("\n".join(map(quiet.printable, str(presets.info(preset)).splitlines())))


@app.command(
    epilog="Examples: [bold]ganzoo generate dcgan-mnist -n 64 --seed 0 -o digits.png[/bold]; [bold]ganzoo generate "
    "cgan-mnist labels=3[/bold]; [bold]ganzoo generate pix2pix-emoji_edges source=drawing.png[/bold]"
)
def generate(
    preset: Preset,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME=VALUE]...",
            show_default=False,
            help="What the generator is told: a class or several (labels=3, labels=0,1,2), an image file or a folder "
            "of them (source=map.png), a sentence (captions='a red heart').",
        ),
    ] = None,
    number: Annotated[
        int | None, typer.Option("--number", "-n", min=1, help="How many images. Default: 64, or what an input says.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="The same seed draws the same images. Default: a new one, printed.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The sheet to write, a .png file. Default: PRESET.png in this folder."),
    ] = None,
    separate: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write each image to a .png file of its own in this folder.")
    ] = None,
    columns: Annotated[
        int | None, typer.Option(min=1, help="Images in a row of the sheet. Default: about as many as rows.")
    ] = None,
    scale: Annotated[int, typer.Option(min=1, max=32, help="Enlarge the pixels this many times.")] = 1,
    fit: Fit = None,
    max_value: MaxValue = None,
    pages: Pages = None,
    overwrite: Overwrite = False,
) -> None:
    """Draw images with a pretrained preset, or a model of your own, into a PNG file."""
    if output is None and separate is None:
        output = Path(f"{support.stem(preset)}.png")
    if output is not None:
        if output.suffix.lower() != ".png":
            raise ValueError(f"Images are written as PNG: the output's name must end in .png. Received: -o {output}")
        support.check_free(output, overwrite)
    if separate is not None:
        support.check_free(separate, overwrite)
    support.load_keras()
    from ganzoo.zoo.opening import open_model

    seed = secrets.randbelow(2**31) if seed is None else seed
    texts, reading = support.split(inputs or []), support.given(fit=fit, max_value=max_value, pages=pages)
    with support.working("Drawing images"):
        model = open_model(preset)
        given, said = support.inputs(model, preset, texts, number, reading)
        images = model.generate(number or support.default_number(model, given), seed=seed, **given)
    if images.ndim == 4 and images.dtype != "uint8":
        raise ValueError(f"What {preset} draws are no images: use generate() in Python. Received: {images.shape[1:]}")
    support.write(images, output, separate, columns, scale)
    written = " and ".join(str(path) for path in (output, separate) if path is not None)
    typer.echo(f"Wrote {written}: {len(images)} images, seed {seed}{said}")


@app.command(
    epilog="Examples: [bold]ganzoo check my_photos[/bold]; [bold]ganzoo check my_photos dcgan-mnist --image-shape "
    "64x64x3[/bold]. Exit code 1 if there are problems."
)
def check(
    data: Annotated[
        str, typer.Argument(metavar="DATA", show_default=False, help="A folder, an .npz file, or a data set's name.")
    ],
    preset: Annotated[
        str | None,
        typer.Argument(metavar="[PRESET]", show_default=False, help="What is to be trained on it: a preset, a recipe."),
    ] = None,
    image_shape: ImageShape = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Images of a step. Default: the preset's.")] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Read the pixels of all images, not of 5000 random ones.")
    ] = False,
    data_dir: DataDir = None,
    fit: Fit = None,
    max_value: MaxValue = None,
    pages: Pages = None,
) -> None:
    """Look at data before a training: what they hold, what is wrong with them, what training would do with them."""
    shape = support.shape(image_shape)
    options: dict[str, Any] = {"image_shape": shape, "batch_size": batch_size, "data_dir": data_dir, "full": full}
    reading = support.given(fit=fit, max_value=max_value, pages=pages)
    if preset is None:
        from ganzoo.data import check as check_

        report = check_(data, **options, **reading)
    else:
        support.load_keras()
        from ganzoo.data.survey import LOOKED_AT
        from ganzoo.zoo.asked import check_data

        report = check_data(preset, data, **options, reading=reading, looked_at=LOOKED_AT)
    typer.echo(str(report))
    if report.problems:
        raise typer.Exit(FAILED)


@app.command(
    epilog="Examples: [bold]ganzoo train dcgan-mnist[/bold] trains as the preset was trained; [bold]ganzoo train "
    "dcgan-mnist --data my_photos --image-shape 64x64x3 -o runs/photos[/bold] trains the same model on your images."
)
def train(
    preset: Annotated[
        str,
        typer.Argument(
            metavar="PRESET", show_default=False, help="A preset's name, or the path of a recipe of your own (.yaml)."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The folder for weights, log and sample sheets. Default: runs/PRESET."),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="Instead of the recipe's data: a data set's name, an .npz file, or a folder of images."),
    ] = None,
    data_dir: DataDir = None,
    image_shape: ImageShape = None,
    skip_unreadable: Annotated[
        bool, typer.Option("--skip-unreadable", help="Leave out files that cannot be read, and name them.")
    ] = False,
    fit: Fit = None,
    max_value: MaxValue = None,
    pages: Pages = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Instead of the recipe's.")] = None,
    sample_every: Annotated[int, typer.Option(min=1, help="Epochs from one sample sheet to the next.")] = 1,
    augment: Annotated[
        bool, typer.Option("--augment/--no-augment", help="Augment your own images where they are few.")
    ] = True,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Start afresh, replacing the training in the output folder.")
    ] = False,
) -> None:
    """Train a preset's model from its recipe. Interrupted, it goes on where it was when run again."""
    from ganzoo.zoo import presets

    shape = support.shape(image_shape)
    presets.read_recipe(preset)  # a wrong name or a faulty recipe is told before Keras is loaded
    output = output or Path("runs") / support.stem(preset)
    reading = support.given(skip_unreadable=skip_unreadable or None, fit=fit, max_value=max_value, pages=pages)
    support.load_keras()
    try:
        from ganzoo.zoo.training import train as train_

        train_(
            preset, output, data=data, data_dir=data_dir, image_shape=shape, reading=reading or None,
            epochs=epochs, batch_size=batch_size, seed=seed, sample_every=sample_every,
            augment=augment, resume=not overwrite,
        )  # fmt: skip
    except KeyboardInterrupt:
        typer.echo("\nganzoo: stopped. To resume, run the same command again.", err=True)
        raise typer.Exit(INTERRUPTED) from None


@app.command(
    epilog="Examples: [bold]ganzoo evaluate dcgan-mnist[/bold]; [bold]ganzoo evaluate samples.npz --data mnist "
    "--protocol extended -o numbers.json[/bold]"
)
def evaluate(
    source: Annotated[
        str,
        typer.Argument(
            metavar="PRESET|FILE",
            show_default=False,
            help="A preset's name, a .keras file, the folder of a finished training, or an .npz file of images.",
        ),
    ],
    protocol: Annotated[
        str,
        typer.Option(
            help="What is measured, on how much: standard (distances, precision, recall, coverage), extended (also "
            "copies, diversity, patches, path length), conditional (label accuracy, within-class distance), paired "
            "(PSNR, SSIM, L1 to the true images), inception (FID, KID), literature (FID of 50 000 images against "
            "the training split), or losses (the model's own, and the discriminator's accuracy)."
        ),
    ] = "standard",
    data: Annotated[
        str | None,
        typer.Option(help="A data set's name, an .npz file, or a folder of images. Default: what the preset learned."),
    ] = None,
    data_dir: DataDir = None,
    num_images: Annotated[int | None, typer.Option(min=1, help="Instead of the protocol's.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="How many samples of images, instead of five.")] = None,
    weights: Annotated[str, typer.Option(help="ema (the averaged generator) or raw.")] = "ema",
    extractor: Annotated[
        str | None, typer.Option(help="Whose features are compared, e.g. mnist or inception. Default: the data set's.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A .json file to write the numbers to, as a card holds them.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Measure a model on images that it has not seen, under a protocol that names all that moves a number."""
    if output is not None:
        support.check_free(output, overwrite)
    is_file = Path(source).suffix == ".npz"
    data = data or (None if is_file else support.dataset_of(source))
    support.load_keras()
    if protocol == "losses":
        if num_images or seeds or extractor or weights != "ema":
            raise ValueError(
                "The protocol losses takes --data and --data-dir alone: it measures all of the test split."
            )
        from ganzoo.zoo.opening import open_model

        model = open_model(source)
        results = model.evaluate(support.parts(model, source, str(data), data_dir))
        measured = [{"name": name, "value": float(value), "std": None} for name, value in results.items()]
    else:
        from ganzoo import metrics

        measured = metrics.evaluate(
            source, data, protocol=protocol, num_images=num_images, num_seeds=seeds, weights=weights,
            extractor=extractor, data_dir=data_dir,
        )  # fmt: skip
        typer.echo(f"protocol  {measured[0]['protocol']}")
    width = max(len(metric["name"]) for metric in measured)
    for metric in measured:
        spread = "" if metric["std"] is None else f"  +- {metric['std']:.2g}"
        typer.echo(f"{metric['name']:{width}}  {metric['value']:.5g}{spread}")
    if output is not None:
        from ganzoo import plot

        output.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(measured, indent=2) + "\n"
        plot.write_beside(output, lambda file: file.write(text.encode()))


@app.command(epilog="Example: [bold]ganzoo export dcgan-mnist -o dcgan[/bold]")
def export(
    preset: Preset,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The folder to write. Default: PRESET in this folder.")
    ] = None,
    format: Annotated[str, typer.Option(help="The file format.")] = "tf_saved_model",
    of: Annotated[
        str | None, typer.Option(help="Of a model of several generators: the input of the one to write.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a generator for other programs: a file that runs without ganzoo and without Keras."""
    output = output or Path(support.stem(preset))
    if output.exists() and not overwrite:
        support.check_free(output, overwrite)
    support.load_keras()
    from ganzoo.zoo.opening import open_model

    model = open_model(preset)
    with support.working("Exporting, reloading and comparing"):
        from ganzoo.engine.export import export as export_

        path = export_(model, output, format=format, overwrite=overwrite, verbose=False, of=of)
    typer.echo(f"Wrote {path}")


def main() -> None:
    """Runs the `ganzoo` command; the console script's entry point."""
    app(prog_name="ganzoo")


def _report(error: Any) -> int:
    """Prints one line to stderr (the traceback too under GANZOO_DEBUG=1) and returns the exit code."""
    if os.environ.get("GANZOO_DEBUG") == "1":
        traceback.print_exception(error)
    usage = hasattr(error, "format_message")  # what typer raises for a wrong option or argument
    message = quiet.printable(
        re.sub(r"//[^\s/'\"]*@", "//", " ".join((error.format_message() if usage else str(error))[:MOST].split()))
    )
    if usage and getattr(error, "ctx", None) is not None:
        message = f"{message.rstrip('.')}. Try '{error.ctx.command_path} --help'."
    kinds = {kind.__name__ for kind in type(error).__mro__}  # WeightsError by name: its module takes long to import
    expected = usage or isinstance(error, (ValueError, OSError, ImportError)) or "WeightsError" in kinds
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT) and "make room" not in message:
        message = f"The disk is full: make room, or write elsewhere. {message}"
    if isinstance(error, MemoryError):
        message = f"There is not enough memory: ask for less at a time. {message}"
        expected = True
    if not expected:
        message = f"{type(error).__name__}: {message} (GANZOO_DEBUG=1 shows where)"
    typer.echo(f"ganzoo: {message}", err=True)
    return BAD_INPUT if expected else FAILED
