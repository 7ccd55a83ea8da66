"""`ganzoo web`."""

from __future__ import annotations

from typing import Annotated

import typer

from ganzoo.cli import support

EPILOG = "Examples: [bold]ganzoo web[/bold]; [bold]ganzoo web runs/photos --port 9000 --no-show[/bold]"


def web(
    preset: Annotated[
        str | None,
        typer.Argument(
            metavar="[PRESET]",
            show_default=False,
            help="What the page opens with: a preset's name, a .keras file, or the folder of a finished training.",
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen at; 0.0.0.0 lets other machines in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen at.")] = 8080,
    show: Annotated[bool, typer.Option("--show/--no-show", help="Open a browser.")] = True,
) -> None:
    """Open a page on which presets draw, translate, and follow your brush."""
    support.load_keras()
    from ganzoo.web import serve

    serve(preset, host, port, show)
