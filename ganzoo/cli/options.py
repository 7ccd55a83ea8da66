"""Arguments and options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Preset = Annotated[
    str,
    typer.Argument(
        metavar="PRESET",
        show_default=False,
        help="A preset's name (see [bold]ganzoo list[/bold]), a .keras file, or the folder of a finished training.",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there already.")]
DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder with the data set's original files, where it cannot be downloaded (or GANZOO_DATA)."),
]
ImageShape = Annotated[
    str | None,
    typer.Option(metavar="HxWxC", help="Size of the images, e.g. 64x64x3. Default: the recipe's, or the data's."),
]
Fit = Annotated[
    str | None, typer.Option(help="Images of other proportions: crop (the middle), pad or stretch. Default: crop.")
]
MaxValue = Annotated[
    float | None, typer.Option(help="The value of white in files of more than 8 bits, e.g. 4095 for 12 bits.")
]
Pages = Annotated[
    str | None,
    typer.Option(help="Of files with several, as animations: first, all, or as channels. Default: first."),
]
Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME=VALUE]...",
        show_default=False,
        help="What else the generator is told, as for [bold]ganzoo generate[/bold]: labels=3.",
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Of the latents.")]
Scale = Annotated[int, typer.Option(min=1, max=32, help="Enlarge the pixels this many times.")]
Sheet = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="The sheet to write, .png; .gif shows its columns one after the other."),
]
