"""The server of the page."""

from __future__ import annotations

import os
import tempfile

__all__ = ["serve"]

LOOPBACK = ("localhost", "127.0.0.1")


def serve(source: str | None = None, host: str = "127.0.0.1", port: int = 8080, show: bool = True) -> None:
    """Opens the page, prints its address, and answers until it is stopped (Ctrl-C).

    The address followed by `?preset=NAME` opens it with another preset.

    Args:
        source: what it opens with: a preset's name, a `.keras` file, the folder of a training.
        host: the address that it listens at; "0.0.0.0" lets other machines in.
        port: and the port.
        show: whether a browser is opened.

    Raises:
        ValueError: NiceGUI is not installed; there is no such preset; the port is taken.

    Example:
        >>> ganzoo.web.serve("dcgan-mnist")     # doctest: +SKIP
    """
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("NICEGUI_STORAGE_PATH", folder)  # of which nothing is kept here
        try:
            from nicegui import app, ui
            from starlette.middleware.trustedhost import TrustedHostMiddleware
        except ModuleNotFoundError as error:
            raise ValueError("The page needs NiceGUI: pip install 'keras-ganzoo[web]'.") from error
        from ganzoo.web.page import build
        from ganzoo.web.studio import Studio

        studio = Studio()
        check_port(host, port)
        if source is not None:
            studio.open(source)

        if host in LOOPBACK:  # another site's name that leads here is not answered
            app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(LOOPBACK))

        shown = "localhost" if host in ("127.0.0.1", "0.0.0.0", "::") else f"[{host}]" if ":" in host else host
        app.on_startup(lambda: print(f"ganzoo: http://{shown}:{port}/ (Ctrl-C stops it)", flush=True))

        @ui.page("/")
        def page(preset: str | None = None) -> None:
            build(studio, source, preset)

        ui.run(
            host=host, port=port, show=show, reload=False, title="ganzoo", show_welcome_message=False,
            favicon="🎨", dark=None, tailwind=True,
        )  # fmt: skip


def check_port(host: str, port: int) -> None:
    """Refuses a port that somebody listens at."""
    import socket

    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ValueError(f"{host}:{port} cannot be used ({error.strerror}): choose another --port.") from error
