"""`ganzoo latent`: what a generator's latents know, as sheets and animations."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganzoo.cli import support
from ganzoo.cli.options import Fit, Inputs, MaxValue, Overwrite, Preset, Scale, Seed, Sheet

if TYPE_CHECKING:
    import numpy as np

    from ganzoo.engine.gan import GAN

app = typer.Typer(
    help="Walk through the latent space of a generator: interpolate, truncate, add, change a code, find directions, "
    "find the latents of an image.",
    invoke_without_command=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def start(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command(epilog="Example: [bold]ganzoo latent interpolate dcgan-mnist --paths 6 -o paths.png[/bold]")
def interpolate(
    preset: Preset,
    inputs: Inputs = None,
    paths: Annotated[int, typer.Option(min=1, help="Rows.")] = 8,
    steps: Annotated[int, typer.Option(min=2, help="Images in a row.")] = 10,
    path: Annotated[
        str | None, typer.Option(help="spherical or linear. Default: spherical of plain Gaussian latents, else linear.")
    ] = None,
    seed: Seed = 0,
    output: Sheet = None,
    scale: Scale = 1,
    overwrite: Overwrite = False,
) -> None:
    """From one image to another, step by step."""
    model, given, output = _open(preset, inputs, output, "paths", overwrite)
    from ganzoo import latent

    images = latent.interpolate(model, steps, paths, seed, path, **given)
    _write(output, images, steps, scale)


@app.command(epilog="Example: [bold]ganzoo latent truncate biggan-fashion_mnist labels=8[/bold]")
def truncate(
    preset: Preset,
    inputs: Inputs = None,
    thresholds: Annotated[
        str, typer.Option(help="In standard deviations, with commas between them; a row for each.")
    ] = "2,1.5,1,0.7,0.4,0.1",
    columns: Annotated[int, typer.Option(min=1, help="Images in a row.")] = 8,
    seed: Seed = 0,
    output: Sheet = None,
    scale: Scale = 1,
    overwrite: Overwrite = False,
) -> None:
    """Latents nearer and nearer to their mean."""
    numbers = _numbers(thresholds, "--thresholds")
    model, given, output = _open(preset, inputs, output, "truncated", overwrite)
    from ganzoo import latent

    _write(output, latent.truncate(model, numbers, columns, seed, **given), columns, scale)


@app.command(
    epilog="Example: [bold]ganzoo latent arithmetic dcgan-mnist '3,7,9 - 1,2,5 + 4,6,8'[/bold], numbers of the images "
    "that [bold]ganzoo generate dcgan-mnist -n 64 --seed 0[/bold] writes, counted from 0."
)
def arithmetic(
    preset: Preset,
    expression: Annotated[
        str, typer.Argument(metavar="SUM", show_default=False, help="Groups of images with + or - between them.")
    ],
    inputs: Inputs = None,
    number: Annotated[int, typer.Option("--number", "-n", min=1, help="Of how many images, as for generate.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Of these images, as for generate.")] = 0,
    noise: Annotated[float, typer.Option(min=0, help="How far around the sum the other images are.")] = 0.25,
    output: Sheet = None,
    scale: Scale = 1,
    overwrite: Overwrite = False,
) -> None:
    """Add and subtract what images have in common: the first row is each group's mean, the second the sum."""
    groups = _groups(expression, number)
    texts = support.split(inputs or [])
    model, given, output = _open(preset, inputs, output, "sum", overwrite)
    if missing := [name for name in model.conditions() if name not in texts]:
        raise ValueError(
            f"The images of the sum are of one {missing[0]}: say it, {missing[0]}=3, here and to `ganzoo generate`."
        )
    import numpy as np

    from ganzoo import latent
    from ganzoo.latent.own import drawn_with

    drawn, name = drawn_with(model, number, seed, None, given)
    plus = [drawn[name][rows] for sign, rows in groups if sign == "+"]
    minus = [drawn[name][rows] for sign, rows in groups if sign == "-"]
    found = latent.arithmetic(model, plus, minus, max(9, len(groups)), noise, seed, **given)
    blank = np.full((len(found.images) - len(groups), *found.images.shape[1:]), 255, "uint8")
    _write(output, np.concatenate([found.groups, blank, found.images]), len(found.images), scale)


@app.command(epilog="Example: [bold]ganzoo latent traverse infogan-mnist codes:0[/bold]")
def traverse(
    preset: Preset,
    code: Annotated[
        str,
        typer.Argument(
            metavar="CODE[:INDEX]", show_default=False, help="What changes: labels, category, codes:1, latents:12."
        ),
    ],
    inputs: Inputs = None,
    values: Annotated[
        str | None, typer.Option(help="What it becomes, with commas between. Default: all that the model draws.")
    ] = None,
    rows: Annotated[int, typer.Option(min=1, help="Rows, each of other latents.")] = 8,
    seed: Seed = 0,
    output: Sheet = None,
    scale: Scale = 1,
    overwrite: Overwrite = False,
) -> None:
    """Change one code, and nothing else."""
    name, _, index = code.partition(":")
    if index and not index.isdecimal():
        raise ValueError(f"A code is written NAME:NUMBER, as in codes:0. Received: {code}")
    numbers = None if values is None else _numbers(values, "--values")
    model, given, output = _open(preset, inputs, output, name, overwrite, leave=name)
    from ganzoo import latent

    images = latent.traverse(model, name, int(index) if index else None, numbers, rows, seed, **given)
    _write(output, images, len(images) // rows, scale)


@app.command(epilog="Example: [bold]ganzoo latent directions dcgan-mnist --method ganspace[/bold]")
def directions(
    preset: Preset,
    inputs: Inputs = None,
    method: Annotated[str, typer.Option(help="sefa (from the weights) or ganspace (from what a layer computes).")] = (
        "sefa"
    ),
    number: Annotated[
        int | None, typer.Option("--number", "-n", min=1, help="How many: a row for each. Default: 8, or all.")
    ] = None,
    reach: Annotated[float, typer.Option(help="How far to either side, in units of the latents.")] = 3.0,
    steps: Annotated[int, typer.Option(min=2, help="Images in a row.")] = 9,
    seed: Seed = 0,
    output: Sheet = None,
    scale: Scale = 1,
    overwrite: Overwrite = False,
) -> None:
    """Find the directions along which images change most, and walk along them."""
    if method not in ("sefa", "ganspace"):
        raise ValueError(f"The methods are sefa and ganspace. Received: --method {method}")
    model, given, output = _open(preset, inputs, output, method, overwrite)
    from ganzoo import latent

    found = getattr(latent, method)(model, number, **given)
    _write(output, latent.walk(model, found.vectors, reach, steps, seed, **given), steps, scale)
    for row, share in enumerate(found.shares):
        typer.echo(f"row {row}: {share:.1%} of all change")


@app.command(epilog="Example: [bold]ganzoo latent project dcgan-mnist digits/[/bold]")
def project(
    preset: Preset,
    images: Annotated[
        str, typer.Argument(metavar="IMAGES", show_default=False, help="An image file, or a folder of them.")
    ],
    inputs: Inputs = None,
    starts: Annotated[int, typer.Option(min=1, help="Descents for each image.")] = 4,
    steps: Annotated[int, typer.Option(min=1, help="Of a descent.")] = 200,
    method: Annotated[str, typer.Option(help="adam, or lbfgs (which needs fewer steps).")] = "adam",
    seed: Seed = 0,
    fit: Fit = None,
    max_value: MaxValue = None,
    output: Sheet = None,
    scale: Scale = 1,
    overwrite: Overwrite = False,
) -> None:
    """Find the latents of images: a row shows the image, what its latents draw, and the nearest drawn image."""
    model, given, output = _open(preset, inputs, output, "projected", overwrite)
    import numpy as np

    from ganzoo import latent

    wanted = support.value(model, model.target, images, support.given(fit=fit, max_value=max_value))
    with support.working("Finding latents"):
        found = latent.project(model, wanted, starts, steps, seed=seed, method=method, **given)
    rows = np.stack([wanted, found.images, found.nearest], axis=1)
    _write(output, rows.reshape(-1, *rows.shape[2:]), 3, scale)
    for error, nearest in zip(found.error, found.nearest_error):
        typer.echo(f"error {error:.1f} of 255 (root mean square), of the nearest drawn image {nearest:.1f}")


# --- What they share


def _open(
    preset: str, inputs: list[str] | None, output: Path | None, suffix: str, overwrite: bool, leave: str = ""
) -> tuple[GAN, dict[str, Any], Path]:
    """The model, what else it is told (a class is 0 where nothing is said), and the file to write."""
    output = output or Path(f"{support.stem(preset)}-{suffix}.png")
    if output.suffix.lower() not in (".png", ".gif"):
        raise ValueError(f"A sheet is a .png file, an animation a .gif file. Received: -o {output}")
    support.check_free(output, overwrite)
    texts = support.split(inputs or [])
    support.load_keras()
    from ganzoo.zoo.opening import open_model

    with support.working("Loading the model"):
        model = open_model(preset)
    given, _ = support.inputs(model, preset, texts, 1, {})
    given.pop(leave, None)
    return model, given, output


def _write(output: Path, images: np.ndarray, columns: int, scale: int) -> None:
    """A sheet, or an animation with a frame for each column."""
    import tempfile

    from ganzoo import plot

    output.parent.mkdir(parents=True, exist_ok=True)
    if output.suffix.lower() == ".png":
        plot.save_png(output, images, columns=columns, scale=scale)
    else:
        with tempfile.TemporaryDirectory() as folder:
            frames = [Path(folder, f"{column:04}.png") for column in range(columns)]
            for column, frame in enumerate(frames):
                plot.save_png(frame, images[column::columns], scale=scale)
            plot.save_gif(output, frames)
    typer.echo(f"Wrote {output}: {len(images)} images, {columns} in a row")


def _numbers(text: str, option: str) -> list[float]:
    try:
        return [float(number) for number in text.split(",")]
    except ValueError:
        raise ValueError(f"Numbers, with commas between them. Received: {option} {text}") from None


def _groups(text: str, number: int) -> list[tuple[str, list[int]]]:
    """The signs and image numbers of a sum, those added first."""
    compact = re.sub(r"\s", "", text)
    if not re.fullmatch(r"\+?\d+(,\d+)*([+-]\d+(,\d+)*)*", compact):
        raise ValueError(f"A sum is written '3,7,9 - 1,2,5 + 4,6,8', numbers of images. Received: {text}")
    found = [(sign or "+", [int(n) for n in rows.split(",")]) for sign, rows in re.findall(r"([+-]?)([\d,]+)", compact)]
    if (most := max(max(rows) for _, rows in found)) >= number:
        raise ValueError(f"There are the images 0 to {number - 1}: say -n {most + 1}. Received: {text}")
    return sorted(found, key=lambda group: group[0] == "-")
