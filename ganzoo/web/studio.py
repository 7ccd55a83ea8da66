"""The models behind the page: opened once, and one drawing at a time."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from nicegui import run, ui

from ganzoo.zoo.opening import open_model

__all__ = ["Latest", "Studio", "tell"]

MOST_MODELS, MOST_TEXT = 4, 400


class Studio:
    """Opens models and draws with them, for all pages at once.

    Keras' models hold state while they draw: one thread draws at a time, and the others wait for it.
    """

    def __init__(self) -> None:
        self._lock, self._models = threading.Lock(), OrderedDict[str, Any]()

    def open(self, source: str) -> Any:
        """The model of a preset, a `.keras` file or the folder of a training; the last four stay open."""
        with self._lock:
            if source not in self._models:
                self._models[source] = open_model(source)
                if len(self._models) > MOST_MODELS:
                    self._models.popitem(last=False)
            self._models.move_to_end(source)
            return self._models[source]

    def draw(self, work: Callable[[], Any]) -> Any:
        """Does what draws, when nothing else does."""
        with self._lock:
            return work()


class Latest:
    """Does what was asked for last: of all that is asked for while something is being drawn, only that.

    So a slider that is pulled draws as fast as the model can, and ends where it was left.

    Args:
        studio: what draws.
        owner: the element whose results these are; once it is gone, nothing is shown.
    """

    def __init__(self, studio: Studio, owner: ui.element):
        self.studio, self.owner = studio, owner
        self.asked: tuple[Callable[[], Any], Callable[[Any], None]] | None = None
        self.busy = False
        with owner:
            self.sign = ui.linear_progress(show_value=False).props("indeterminate aria-label=drawing").classes("sign")
        self.sign.set_visibility(False)

    async def __call__(self, work: Callable[[], Any], show: Callable[[Any], None]) -> None:
        self.asked = work, show
        if self.busy:
            return
        self.busy = True
        self.sign.set_visibility(True)
        try:
            while self.asked is not None:
                (work, show), self.asked = self.asked, None
                try:
                    found = await run.io_bound(self.studio.draw, work)
                except Exception as error:
                    tell(error, self.owner)
                    continue
                if found is not None and not self.owner.is_deleted:  # None: the server stops
                    with self.owner:
                        show(found)
        finally:
            self.busy = False
            if not self.owner.is_deleted:
                self.sign.set_visibility(False)


def tell(error: Exception, owner: ui.element) -> None:
    """Says on the page what is wrong; what nobody expected goes to the log too."""
    if not isinstance(error, (ValueError, OSError)):
        logging.getLogger("ganzoo").exception("The page could not draw", exc_info=error)
    if not owner.is_deleted:
        with owner:
            ui.notify(str(error)[:MOST_TEXT] or type(error).__name__, type="negative", multi_line=True, timeout=10_000)
