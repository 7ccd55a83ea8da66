"""The zoo's presets: recipes read and checked, cards, `load`, `list_presets` and `info`.

A preset `<model>-<dataset>` is a recipe `zoo_configs/<preset>.yaml`, written by hand: what to build and how to train
it. Once trained and published it has a card `<preset>.card.json` too, written by `scripts/publish.py`: which weights
file belongs to it (by hash), how that came to be, and what it must draw. Nothing here imports Keras until a model is
built.
"""

from __future__ import annotations

import base64
import inspect
import json
import re
import types
import typing
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
import yaml

from ganzoo.zoo import registry
from ganzoo.zoo.registry import suggestion

if typing.TYPE_CHECKING:
    import numpy as np

    from ganzoo.engine.gan import GAN

Fraction = Annotated[float, pydantic.Field(ge=0, le=1)]
Rate = Annotated[float, pydantic.Field(ge=0, lt=1)]


class _Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Dataset(_Strict):
    """What a preset is trained on: a name that `ganzoo.data.load` knows, the split, and the data's licence."""

    name: str
    split: str = "train"
    licence: str | None = None


class Adam(_Strict):
    """The Adam settings of one player; what is left out is Keras' default."""

    learning_rate: pydantic.PositiveFloat
    beta_1: Rate = 0.9
    beta_2: Rate = 0.999
    epsilon: pydantic.PositiveFloat = 1e-7


class Schedule(_Strict):
    """Learning rates: constant for the fraction `hold` of the steps, then falling in a line to zero."""

    hold: Fraction


class Training(_Strict):
    """How a preset is trained. The model's own `compile()` defaults apply where nothing is said."""

    epochs: pydantic.PositiveInt
    batch_size: pydantic.PositiveInt
    seed: pydantic.NonNegativeInt = 0
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    optimizer: dict[str, Adam] = {}
    schedule: Schedule | None = None


class Recipe(_Strict):
    """A preset's recipe: the content of `zoo_configs/<preset>.yaml`.

    Args:
        model: The model's name in the registry, e.g. `"dcgan"`.
        arguments: Arguments of the model's constructor.
        description: One line for `ganzoo list`.
        paper: Authors, year and arXiv id.
        departures: Where the recipe departs from the paper, one sentence each.
        dataset: What it is trained on.
        training: How it is trained.
        licence: The licence of the trained weights.
    """

    model: str
    arguments: dict[str, Any] = {}
    description: str
    paper: str
    departures: list[str] = []
    dataset: Dataset
    training: Training
    licence: str = "Apache-2.0"


class Golden(_Strict):
    """What a preset draws from a fixed seed: `generate(count, seed=seed)` within one grey level on every backend."""

    seed: pydantic.NonNegativeInt
    shape: list[pydantic.PositiveInt]
    images: str

    @classmethod
    def of(cls, images: np.ndarray, seed: int) -> Golden:
        """Packs uint8 `images` (count, height, width, channels), drawn from `seed`."""
        packed = base64.b64encode(zlib.compress(images.tobytes(), 9)).decode()
        return cls(seed=seed, shape=list(images.shape), images=packed)

    def array(self) -> np.ndarray:
        """Returns the images, uint8 of shape (count, height, width, channels)."""
        import numpy as np

        return np.frombuffer(zlib.decompress(base64.b64decode(self.images)), "uint8").reshape(self.shape)

    def difference(self, model: GAN) -> int:
        """Returns by how many grey levels `model` differs from these images, at the worst pixel."""
        import numpy as np

        drawn = model.generate(self.shape[0], seed=self.seed)
        return int(np.max(np.abs(drawn.astype(int) - self.array().astype(int))))


class Card(_Strict):
    """A published preset's card, written by `scripts/publish.py`: the weights file, its origin and what it draws.

    `sha256` and `bytes` bind the weights file `file`; `half_precision_error` is the mean difference, in grey levels,
    of images drawn with that file from those drawn with the weights as trained; `steps` counts generator updates;
    `commit` is the project's at training, with `+` where tracked files had been changed; `alarms` are those of
    `ganzoo.callbacks.HealthMonitor`, `{"step", "kind"}`; `metrics`, of these weights, which are those of the last step,
    is a list of `{"name", "value", "std", "values", "protocol"}` as `ganzoo.metrics.evaluate` returns it; `best` is
    `{"epoch", "chosen_by", "metrics"}` of the epoch that was best by its distance to training images.
    """

    preset: str
    file: str
    sha256: Annotated[str, pydantic.Field(pattern=r"^[0-9a-f]{64}$")]
    bytes: pydantic.PositiveInt
    half_precision_error: pydantic.NonNegativeFloat | None = None
    seed: pydantic.NonNegativeInt
    steps: pydantic.PositiveInt
    epochs: pydantic.PositiveInt
    batch_size: pydantic.PositiveInt
    backend: str
    precision: str
    keras: str
    commit: str | None
    trained_at: str | None = None
    alarms: list[dict[str, Any]] = []
    metrics: list[dict[str, Any]] = []
    best: dict[str, Any] | None = None
    golden: Golden
    licence: str
    dataset: str
    dataset_licence: str | None


@dataclass(frozen=True)
class PresetInfo:
    """A preset's recipe and card; printed, it is a readable summary."""

    name: str
    recipe: Recipe
    card: Card | None

    @property
    def pretrained(self) -> bool:
        """Whether there are published weights."""
        return self.card is not None

    def __str__(self) -> str:
        recipe, training = self.recipe, self.recipe.training
        rows = [
            ("model", " ".join([recipe.model, *(f"{key}={value}" for key, value in recipe.arguments.items())])),
            ("paper", recipe.paper),
            ("data", _with_licence(f"{recipe.dataset.name} ({recipe.dataset.split})", recipe.dataset.licence)),
            ("training", f"{training.epochs} epochs, batches of {training.batch_size}, {training.precision}"),
            *((f"  {player}", _adam(adam)) for player, adam in training.optimizer.items()),
            *([("  rates", _rates(training.schedule))] if training.schedule else []),
            *(("departure", text) for text in recipe.departures),
            *_weights_rows(self.card, recipe),
        ]
        width = max(len(label) for label, _ in rows)
        body = [f"  {label:{width}}  {text}" for label, text in rows]
        return "\n".join([f"{self.name}: {recipe.description}", "", *body, "", *_commands(self)])

    __repr__ = __str__


def load(preset: str, weights: str | Path | None = "pretrained", **arguments: Any) -> GAN:
    """Builds a preset's model and loads its weights.

    The model is built in the ambient `keras.config.dtype_policy()`, whatever precision it was trained in, and can be
    trained on with `fit` at once.

    Args:
        preset: The preset's name (`ganzoo.list_presets()`), or the path of a recipe of your own (`.yaml`).
        weights: `"pretrained"` for the published weights; `None` for fresh ones; or where to take the preset's weights
            file from: a file, a directory, or an `http(s)://` or `hf://` address.
        **arguments: Constructor arguments that replace the recipe's.

    Returns:
        The `GAN`.

    Raises:
        ValueError: No such preset (the message names the close ones), a faulty recipe or an unknown argument.
        WeightsError: The weights cannot be had, or are not the ones that the card names.

    Example:

    ```python
    model = ganzoo.load("dcgan-mnist")
    images = model.generate(16, seed=0)  # uint8 (16, 28, 28, 1)
    ```
    """
    recipe = read_recipe(preset)
    card = read_card(preset)
    if weights is not None and not isinstance(weights, (str, Path)):
        raise ValueError(f'The weights are "pretrained", None, or where their file is. Received: weights={weights!r}')
    if weights == "pretrained" and card is None:
        raise ValueError(
            f"The preset {_name(preset)!r} has no pretrained weights yet. Train it with `ganzoo train {preset}`, or "
            f"take fresh weights with `weights=None`. Received: preset={str(preset)!r}, weights={weights!r}"
        )
    model = build(recipe, **arguments)
    if weights is not None:
        _load_weights(model, card, None if weights == "pretrained" else weights)
    return model


def list_presets(model: str | None = None, dataset: str | None = None, pretrained: bool | None = None) -> list[str]:
    """Returns the names of the presets, sorted.

    Args:
        model: Only presets of this model, e.g. `"dcgan"`.
        dataset: Only presets trained on this data set, e.g. `"mnist"`.
        pretrained: Only presets with (`True`) or without (`False`) published weights.

    Example:

    ```python
    ganzoo.list_presets(dataset="mnist")  # ['dcgan-mnist', 'gan-mnist']
    ```
    """
    found = [info(name) for name in _preset_names()]
    return [
        preset.name
        for preset in found
        if model in (None, preset.recipe.model)
        and dataset in (None, preset.recipe.dataset.name)
        and pretrained in (None, preset.pretrained)
    ]


def info(preset: str | Path) -> PresetInfo:
    """Returns a preset's recipe and card; printed, a summary with the commands to use it.

    Raises:
        ValueError: No such preset; the message names the close ones.

    Example:

    ```python
    print(ganzoo.info("dcgan-mnist"))
    ganzoo.info("dcgan-mnist").recipe.training.epochs
    ```
    """
    return PresetInfo(_name(preset), read_recipe(preset), read_card(preset))


def build(recipe: Recipe, **arguments: Any) -> GAN:
    """Builds the model of `recipe` with fresh weights; `arguments` replace those of the recipe.

    Raises:
        ValueError: The model or one of the arguments is unknown; the message names the close ones.
    """
    model = registry.get_model(recipe.model)
    arguments = {**recipe.arguments, **arguments}
    known = _constructor_arguments(model)
    for name, value in arguments.items():
        if name not in known:
            raise ValueError(
                f"{model.__name__} has no argument {name!r}.{suggestion(name, known)} Received: {name}={value!r}"
            )
    try:
        return model(**arguments)
    except (TypeError, ValueError) as error:
        received = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        raise ValueError(f"{model.__name__} cannot be built of these arguments ({received}): {error}") from error


def read_recipe(preset: str | Path) -> Recipe:
    """Reads and checks the recipe of a preset, or the one at the path of a `.yaml` file.

    Raises:
        ValueError: No such preset, or a recipe with an unknown key or a wrong value: the message names the file, the
            key's path, and the nearest right key.
    """
    path = recipe_path(preset)
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_RecipeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    return _validated(Recipe, content, path)


def read_card(preset: str | Path) -> Card | None:
    """Reads and checks the card of a preset; `None` if it has not been published."""
    path = card_path(preset)
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from None
    return _validated(Card, content, path)


def config_dir() -> Path:
    """Returns the folder of recipes, cards and bundled weights: in the wheel, or beside the package in a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "zoo_configs"
    return installed if installed.is_dir() else package.parent / "zoo_configs"


def recipe_path(preset: str | Path) -> Path:
    """Returns the path of a preset's recipe; a path of a `.yaml` file is returned as it is."""
    _name(preset)  # which is told where it is none
    preset = str(preset)
    path = Path(preset) if is_recipe_file(preset) else config_dir() / f"{preset}.yaml"
    if path.is_file() and (is_recipe_file(preset) or preset in _preset_names()):
        return path
    if is_recipe_file(preset):
        raise ValueError(f"There is no recipe file at that path. Received: preset={str(preset)!r}")
    close = suggestion(preset, _preset_names())
    raise ValueError(f"There is no preset of that name.{close} Received: preset={preset!r}")


def card_path(preset: str | Path) -> Path:
    """Returns where a preset's card is, or would be: beside its recipe."""
    return recipe_path(preset).with_name(f"{_name(preset)}.card.json")


def is_recipe_file(preset: str | Path) -> bool:
    """Returns whether `preset` is the path of a recipe rather than a name."""
    return Path(preset).suffix in (".yaml", ".yml")


def _preset_names() -> list[str]:
    return sorted(path.stem for path in config_dir().glob("*.yaml"))


def _name(preset: str | Path) -> str:
    if not isinstance(preset, (str, Path)):
        raise ValueError(f"A preset is a name, or the path of a recipe. Received: preset={preset!r}")
    return Path(preset).stem if is_recipe_file(preset) else str(preset)


def _load_weights(model: GAN, card: Card | None, source: str | Path | None) -> None:
    from ganzoo.zoo import weights

    if card is None and source is not None:  # a file of one's own, with no hash to hold it to
        if not Path(source).is_file():
            raise ValueError(
                "The preset has no card to verify weights by, so they can only come from a file on this machine. "
                f"Received: weights={str(source)!r}"
            )
        return weights.load_weights(model, Path(source))
    assert card is not None  # `load` has refused "pretrained" without one
    file = weights.WeightsFile(preset=card.preset, file=card.file, sha256=card.sha256, bytes=card.bytes)
    return weights.load_weights(model, weights.locate(file, source=source))


def _constructor_arguments(model: type) -> list[str]:
    """The named arguments of the class and, where it hands on `**kwargs`, of those above it up to Keras' own."""
    names: list[str] = []
    for cls in model.__mro__:
        if "__init__" not in vars(cls):
            continue
        parameters = inspect.signature(vars(cls)["__init__"]).parameters.values()
        names += [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        if cls.__module__.startswith("keras.") or not any(p.kind == p.VAR_KEYWORD for p in parameters):
            break
    return sorted({*names} - {"self"} | {"name"})


# --- Reading: every fault is one ValueError that names the file, the key and the fix.


class _RecipeLoader(yaml.SafeLoader):
    """`yaml.safe_load` that reads `1e-4` as a number (YAML 1.1 wants `1.0e-4`) and refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        merged = "tag:yaml.org,2002:merge"  # "<<", which may stand beside the keys that it brings
        keys = [self.construct_object(key, deep=True) for key, _ in node.value if key.tag != merged]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} is there twice", node.start_mark)
        return super().construct_mapping(node, deep=deep)


_RecipeLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def _validated(schema: type[_Strict], content: object, path: Path) -> Any:
    if not isinstance(content, Mapping):
        raise ValueError(f"{path} must hold a mapping of keys to values. Received: {type(content).__name__}")
    try:
        return schema.model_validate(content)
    except pydantic.ValidationError as error:
        faults = [_fault(schema, fault) for fault in error.errors(include_url=False)]
        raise ValueError(f"{path}: {'; '.join(faults)}") from None


def _fault(schema: type[_Strict], fault: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "missing":
        return f"{where}: this key is missing."
    received = f"Received: {fault['loc'][-1]}={fault['input']!r}"
    if fault["type"] == "extra_forbidden":
        return f"{where}: unknown key.{_nearest_key(schema, fault['loc'])} {received}"
    return f"{where}: {fault['msg'].lower()}. {received}"


def _nearest_key(schema: type[_Strict], location: tuple) -> str:
    *parents, key = location
    level: Any = schema
    for parent in parents:
        level = _inner(level, parent)
    elsewhere = [found for found in _all_keys(schema) if found.split(".")[-1] == key]
    return f" It belongs at {elsewhere[0]!r}." if elsewhere else suggestion(key, level.model_fields)


def _inner(level: Any, key: object) -> Any:
    """The schema under `key` of a schema, a dict of schemas or a list of schemas."""
    if _is_schema(level):
        level = level.model_fields[key].annotation
    else:
        level = typing.get_args(level)[-1]
    if isinstance(level, types.UnionType):
        level = typing.get_args(level)[0]
    return level


def _all_keys(schema: type[_Strict], prefix: str = "") -> Iterator[str]:
    for name in schema.model_fields:
        yield prefix + name
        if _is_schema(inner := _inner(schema, name)):
            yield from _all_keys(inner, f"{prefix}{name}.")


def _is_schema(level: Any) -> bool:
    return isinstance(level, type) and issubclass(level, _Strict)


# --- Printing


def _with_licence(text: str, licence: str | None) -> str:
    return f"{text}, licence: {licence}" if licence else text


def _adam(adam: Adam) -> str:
    return f"Adam({adam.learning_rate:g}, beta_1={adam.beta_1:g}, beta_2={adam.beta_2:g})"


def _rates(schedule: Schedule) -> str:
    return f"constant for {schedule.hold:.0%} of the steps, then in a line to zero"


def _weights_rows(card: Card | None, recipe: Recipe) -> list[tuple[str, str]]:
    if card is None:
        return [("weights", "not published yet")]
    return [
        ("weights", _with_licence(f"{card.file}, {card.bytes / 1e6:.2f} MB", card.licence)),
        ("sha256", card.sha256),
        ("trained", f"{card.steps} steps, seed {card.seed}, {card.backend}, Keras {card.keras}, commit {card.commit}"),
        *(("protocol", protocol) for protocol in dict.fromkeys(metric["protocol"] for metric in card.metrics)),
        *(("metric", _metric(metric)) for metric in card.metrics),
        *([("best", _best(card.best))] if card.best else []),
    ]


def _metric(metric: Mapping[str, Any]) -> str:
    spread = f" +- {metric['std']:.2g}" if metric.get("std") is not None else ""
    return f"{metric['name']} {metric['value']:.4g}{spread}"


def _best(best: Mapping[str, Any]) -> str:
    return f"epoch {best['epoch']} ({best['chosen_by']}): {', '.join(map(_metric, best['metrics']))}"


def _commands(preset: PresetInfo) -> list[str]:
    if preset.pretrained:
        return [
            f"Draw:   ganzoo generate {preset.name} -n 64 --seed 0 -o {preset.name}.png",
            f'Python: images = ganzoo.load("{preset.name}").generate(16, seed=0)',
        ]
    return [f"Train it: ganzoo train {preset.name}"]
