"""`ganzoo translate`: a picture, or a folder of them, through an image-to-image model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ganzoo.cli import support
from ganzoo.cli.options import Inputs, MaxValue, Overwrite, Preset
from ganzoo.engine import quiet

EPILOG = (
    "Examples: [bold]ganzoo translate pix2pix-facades map.png facade.png[/bold]; [bold]ganzoo translate "
    "cyclegan-summer2winter winter/ summer/ --of target[/bold]. Exit code 1 if files could not be translated."
)


def translate(
    preset: Preset,
    source: Annotated[
        Path, typer.Argument(metavar="IN", show_default=False, help="An image file of any size, or a folder of them.")
    ],
    output: Annotated[
        Path, typer.Argument(metavar="OUT", show_default=False, help="The .png file to write; of a folder, a folder.")
    ],
    inputs: Inputs = None,
    of: Annotated[
        str | None,
        typer.Option(help="Of a model of several generators, which input the images are: target for the way back."),
    ] = None,
    tile: Annotated[
        int | None, typer.Option(min=1, help="Height and width of a tile. Default: 256, or what the model is made for.")
    ] = None,
    overlap: Annotated[
        int | None, typer.Option(min=0, help="Pixels that neighbouring tiles share. Default: a quarter of a tile.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of what is drawn by chance.")] = 0,
    max_value: MaxValue = None,
    overwrite: Overwrite = False,
) -> None:
    """Translate images of any size, by tiles. Interrupted, it goes on where it was when run again."""
    texts = support.split(inputs or [])
    if options := sorted({"of", "tile", "overlap", "max_value", "overwrite"} & set(texts)):
        raise ValueError(f"That is an option: --{options[0].replace('_', '-')}. Received: {options[0]}=...")
    if not source.exists():
        raise ValueError(f"There is no such file or folder. Received: {source}")
    support.load_keras()
    from ganzoo.zoo.opening import open_model
    from ganzoo.zoo.translating import translate_files

    with support.working("Loading the model"):
        model = open_model(preset)
        found, _ = support.inputs(model, preset, texts, 1, {})
    if max_value is None:
        max_value = support.learned_reading(preset).get("max_value")
    given: dict[str, Any] = {name: found[name] for name in texts}
    try:
        done = translate_files(
            model, source, output, of=of, tile=tile, overlap=overlap, seed=seed,
            max_value=max_value, overwrite=overwrite, **given,
        )  # fmt: skip
    except KeyboardInterrupt:
        typer.echo("\nganzoo: stopped. To go on, run the same command again.", err=True)
        raise typer.Exit(130) from None
    written = str(done.written[0]) if len(done.written) == 1 else f"{len(done.written)} images to {output}"
    typer.echo(f"Wrote {written}" + (f"; {len(done.skipped)} were there already" if done.skipped else ""))
    for file, error in done.failed.items():
        typer.echo(f"ganzoo: {quiet.printable(f'{file} cannot be translated: {error}')}", err=True)
    if done.failed:
        raise typer.Exit(1)
