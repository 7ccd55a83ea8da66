"""The page itself: a preset is chosen, and its tabs are what its parts ask for."""

from __future__ import annotations

from typing import Any

from nicegui import run, ui

from ganzoo.web import brush, panels, translation
from ganzoo.web.panels import Panel
from ganzoo.web.studio import Studio, tell
from ganzoo.zoo import presets
from ganzoo.zoo.records import class_names

__all__ = ["build"]

STYLE = """
.picture img, .canvas img, .candidate { image-rendering: pixelated; }
.picture { gap: 0; } .picture .nicegui-interactive-image, .canvas { border: 1px solid #8884; }
.film { width: min(100%, 440px); }
.canvas { cursor: crosshair; touch-action: none; }
.candidate { width: 84px; height: 84px; object-fit: contain; }
.controls, .beside, .candidates { width: 100%; align-items: center; gap: 16px 24px; }
.beside { align-items: flex-start; }
.controls .q-select, .wide { min-width: min(260px, 100%); }
.seed { width: 130px; }
.slider { width: 220px; gap: 0; }
.upload { width: min(280px, 100%); } .upload .q-uploader__list { display: none; }
.sign { width: 100%; }
"""
FIRST = "dcgan-mnist"


def build(studio: Studio, source: str | None, asked: str | None = None) -> None:
    """Fills a page of a visitor.

    Args:
        studio: what draws, for all visitors.
        source: what the page opens with: a preset's name, a `.keras` file, the folder of a training.
        asked: what its address says instead: a preset's name; anything else is not opened.
    """
    ui.add_css(STYLE)
    ui.page_title("ganzoo")
    known = presets.list_presets(pretrained=True)
    options = known if source is None or source in known else [source, *known]
    first = asked if asked in options else source or FIRST
    with ui.column().classes("w-full"):
        with ui.row().classes("controls"):
            ui.label("ganzoo").classes("text-2xl").props("role=heading aria-level=1")
            choice = ui.select(options, value=first, label="preset", with_input=True)
            choice.props('aria-label="preset"').classes("wide")
            about = ui.label()
        tabs = ui.column().classes("w-full")

    async def show() -> None:
        chosen = choice.value
        if chosen is None:
            return
        tabs.clear()
        about.text = ""
        with tabs:
            ui.spinner(size="lg").props('aria-label="loading"')
        try:
            found = await run.io_bound(opened, studio, chosen)
        except Exception as error:
            tabs.clear()
            tell(error, tabs)
            return
        if found is None or tabs.is_deleted or choice.value != chosen:
            return
        model, kinds = found
        tabs.clear()
        about.text = presets.info(chosen).recipe.description if presets.is_preset(chosen) else type(model).__name__
        with tabs:
            fill(studio, model, kinds, [] if presets.is_preset(chosen) else class_names(chosen))

    choice.on_value_change(show)
    ui.timer(0.01, show, once=True)


def opened(studio: Studio, source: str) -> tuple[Any, list[type[Panel]]]:
    """A model, and the kinds of panels that suit it."""
    model = studio.open(source)
    kinds: tuple[type[Panel], ...] = (*translation.PANELS, *panels.PANELS, *brush.PANELS)
    return model, studio.draw(lambda: [kind for kind in kinds if kind.suits(model)])


def fill(studio: Studio, model: Any, kinds: list[type[Panel]], names: list[str]) -> None:
    """The tabs of a model."""
    if not kinds:
        ui.label(f"What {type(model).__name__} draws is not shown on a page: use it in Python.")
        return
    with ui.tabs().props("align=left outside-arrows mobile-arrows").classes("max-w-full") as bar:
        tabs = [ui.tab(kind.title, icon=kind.icon) for kind in kinds]
    built: set[str] = set()
    with ui.tab_panels(bar, value=tabs[0], animated=False).classes("w-full") as pages:
        places = {}
        for kind, tab in zip(kinds, tabs):
            with ui.tab_panel(tab):
                places[kind.title] = ui.column().classes("w-full")

    async def enter() -> None:
        """A panel is made, and draws, when it is first seen."""
        title = str(pages.value)
        if title in built:
            return
        built.add(title)
        kind = next(kind for kind in kinds if kind.title == title)
        ready = await run.io_bound(studio.draw, lambda: (kind.prepare(model),))
        if ready is not None and not places[title].is_deleted:
            with places[title]:
                kind(studio, model, names, places[title], ready[0])

    pages.on_value_change(enter)
    pages.value = kinds[0].title
    ui.timer(0.01, enter, once=True)
