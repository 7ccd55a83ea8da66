"""The gallery: what every preset draws, by what it is drawn from, made from recipes and cards."""

from __future__ import annotations

from typing import Any

from ganzoo.zoo import presets, recipes
from ganzoo.zoo.recipes import Golden

__all__ = ["gallery", "table"]

COLUMNS = ("frechet_distance", "precision", "recall", "coverage", "label_accuracy", "psnr")
TOLD = ("frechet_distance", "coverage", "label_accuracy", "psnr")
HEAD = """# The gallery

What the presets with weights draw. `python scripts/publish.py --gallery` makes this page of their recipes and cards;
`ganzoo info PRESET` tells all of one, and [the first page](../README.md#numbers) what the numbers are.
"""


def gallery() -> str:
    """`zoo_configs/README.md`: samples, numbers and commands by family, then the table of all presets."""
    families: dict[str, list[str]] = {}
    for name in presets.list_presets(pretrained=True):
        card = recipes.read_card(name)
        if card is not None:
            families.setdefault(_family(card.golden), []).append(_entry(name))
    parts = [HEAD, *(f"## {family}\n\n" + "\n".join(families[family]) for family in sorted(families))]
    return "\n".join([*parts, "## All presets\n", table(), ""])


def table() -> str:
    """The table of all presets, those without weights too."""
    rows = [["preset", "paper", "trained on", "weights", *(name.replace("_", " ") for name in COLUMNS)]]
    rows.append(["---"] * 4 + ["--:"] * len(COLUMNS))
    for name in presets.list_presets():
        recipe, card = recipes.read_recipe(name), recipes.read_card(name)
        values = {metric["name"]: metric for metric in (card.metrics if card else [])}
        size = f"{card.bytes / 1e6:.1f} MB" if card else "not yet"
        numbers = [_cell(values.get(column)) for column in COLUMNS]
        rows.append([f"`{name}`", _paper(recipe.paper), recipe.dataset.name, size, *numbers])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _entry(name: str) -> str:
    preset = presets.info(name)
    recipe, card = preset.recipe, preset.card
    assert card is not None
    values = {metric["name"]: metric for metric in card.metrics}
    numbers = [f"{metric.replace('_', ' ')} {_cell(values[metric])}" for metric in TOLD if metric in values]
    facts = ", ".join([_paper(recipe.paper), f"{card.bytes / 1e6:.1f} MB", *numbers])
    sample = f"![{recipe.description}](samples/{name}.png)\n\n" if _has_sample(name) else ""
    command = next(line for line in presets.commands(preset) if line.startswith("Draw:")).removeprefix("Draw:").strip()
    return f"### {name}\n\n{recipe.description[0].upper()}{recipe.description[1:]}. {facts}.\n\n{sample}`{command}`\n"


def _family(golden: Golden) -> str:
    values: list[Any] = list(golden.inputs.values())
    if any(isinstance(value, dict) for value in values):
        return "From images"
    if any(isinstance(each, str) for value in values for each in value):
        return "From sentences"
    return "Of a class" if values else "From noise"


def _has_sample(name: str) -> bool:
    return (recipes.config_dir() / "samples" / f"{name}.png").is_file()


def _paper(paper: str) -> str:
    authors, _, arxiv = paper.partition(", arXiv:")
    return f"[{authors}](https://arxiv.org/abs/{arxiv})" if arxiv else paper


def _cell(metric: dict[str, Any] | None) -> str:
    if metric is None:
        return "-"
    spread = "" if metric["std"] is None else f" ± {metric['std']:.1g}"
    return f"{metric['value']:.3g}{spread}"
