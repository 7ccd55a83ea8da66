"""Recipes and cards: what a preset is made of, read and checked.

A recipe `zoo_configs/<preset>.yaml` is written by hand: what to build and how to train it. A card
`<preset>.card.json` is written by `scripts/publish.py`: which weights file belongs to the preset (by hash), how that
came to be, and what it must draw. Nothing here imports Keras.
"""

from __future__ import annotations

import base64
import json
import re
import types
import typing
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
import yaml

from ganzoo.zoo.registry import suggestion

if typing.TYPE_CHECKING:
    import numpy as np

    from ganzoo.engine.gan import GAN

MAX_TEXT, MAX_VALUES = 4_000_000, 100_000  # bytes of a recipe or card, values of a recipe
MAX_EPOCHS = 10**9

Fraction = Annotated[float, pydantic.Field(ge=0, le=1)]
Rate = Annotated[float, pydantic.Field(ge=0, lt=1)]


class _Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Few(_Strict):
    """How many labelled examples of each class a training has, and the number of the draw that chose them."""

    per_class: pydantic.PositiveInt
    draw: pydantic.NonNegativeInt = 0


class Dataset(_Strict):
    """What a preset is trained on: a name that `ganzoo.data.load_parts` knows, the split, and the data's licence.

    `parts` says what the data set calls a part of the model, where that is another name; `derive` which function of
    `ganzoo.zoo.reading.DERIVED` makes a part of the target; `image_shape` what the images are brought to;
    `reading` how the files of a folder are read (`fit`, `max_value`, ... of `ganzoo.data.load_folder`); `shown`
    whether its images may be shown, which is false of those that may not be redistributed; `few` keeps so many
    examples of each class of the parts that labels belong to, where the images have a group of their own.
    """

    name: str
    split: str = "train"
    parts: dict[str, str] = {}
    derive: dict[str, str] = {}
    image_shape: list[pydantic.PositiveInt] | None = None
    reading: dict[str, Any] = {}
    licence: str | None = None
    shown: bool = True
    few: Few | None = None


class Optimizer(_Strict):
    """The optimizer of one player: a class of `keras.optimizers` and its arguments; what is left out is Keras' default.

    Arguments that few optimizers have stand under `arguments`.
    """

    class_name: str = pydantic.Field("Adam", alias="class")
    learning_rate: pydantic.PositiveFloat
    beta_1: Rate | None = None
    beta_2: Rate | None = None
    epsilon: pydantic.PositiveFloat | None = None
    rho: Rate | None = None
    momentum: Rate | None = None
    nesterov: bool | None = None
    centered: bool | None = None
    amsgrad: bool | None = None
    weight_decay: pydantic.NonNegativeFloat | None = None
    clipnorm: pydantic.PositiveFloat | None = None
    clipvalue: pydantic.PositiveFloat | None = None
    arguments: dict[str, Any] = {}

    def settings(self) -> dict[str, Any]:
        """The arguments of the class."""
        given = self.model_dump(exclude={"class_name", "arguments"}, exclude_none=True)
        return {**given, **self.arguments}


class Schedule(_Strict):
    """Learning rates: constant for the fraction `hold` of the steps, then falling in a line to zero."""

    hold: Fraction


class Augment(_Strict):
    """Through what the discriminator sees images in training: a class of `ganzoo.layers` and its arguments."""

    class_name: Literal["DiffAugment", "AdaptiveAugment", "Consistency", "Invariance"] = pydantic.Field(alias="class")
    arguments: dict[str, Any] = {}


class Training(_Strict):
    """How a preset is trained. The model's own `compile()` defaults apply where nothing is said."""

    epochs: Annotated[int, pydantic.Field(gt=0, le=MAX_EPOCHS)]
    batch_size: pydantic.PositiveInt
    seed: pydantic.NonNegativeInt = 0
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    optimizer: dict[str, Optimizer] = {}
    schedule: Schedule | None = None
    augment: Augment | None = None


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


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
        begin_with: A preset, or several, whose networks the training begins with: those that fit, by their names, of
            the last that has them. One without published weights is trained first, in a folder of its own below this
            training's.
        freeze: How many of the discriminator's first layers of weights stay as `begin_with` has them.
        licence: The licence of the trained weights.
    """

    model: str
    arguments: dict[str, Any] = {}
    description: str
    paper: str
    departures: list[str] = []
    dataset: Dataset
    training: Training
    begin_with: Annotated[list[str], pydantic.BeforeValidator(_listed)] = []
    freeze: pydantic.NonNegativeInt = 0
    licence: str = "Apache-2.0"


class Golden(_Strict):
    """What a preset draws from a seed and inputs: `generate(count, seed=seed)` within one grey level on every backend.
    (Of numbers that are no images, such as features, a grey level is 1/127.5.)

    `inputs` holds what the generator is told beside its latents: numbers or sentences, one for each image; of images
    `{"examples": seed}`, the examples that the model's part makes of a seed, which show nothing of any data set.
    """

    seed: pydantic.NonNegativeInt
    shape: list[pydantic.PositiveInt]
    images: str
    inputs: dict[str, Any] = {}
    dtype: Literal["uint8", "float32"] = "uint8"

    @classmethod
    def of(cls, images: np.ndarray, seed: int, inputs: Mapping[str, Any] = {}) -> Golden:
        """Packs `images` (count, height, width, channels), uint8 or float32, drawn from `seed` and `inputs`."""
        packed = base64.b64encode(zlib.compress(images.tobytes(), 9)).decode()
        dtype: Literal["uint8", "float32"] = "uint8" if images.dtype == "uint8" else "float32"
        return cls(seed=seed, shape=list(images.shape), images=packed, inputs=dict(inputs), dtype=dtype)

    @classmethod
    def drawn_by(cls, model: GAN, count: int, seed: int) -> Golden:
        """Has a model draw `count` images, for examples of what it must be told."""
        inputs: dict[str, Any] = {}
        for name in model.conditions():
            examples = model.data[name].examples(count, seed)
            inputs[name] = {"examples": seed} if examples.ndim == 4 else examples.tolist()
        empty = cls(seed=seed, shape=[count], images="", inputs=inputs)
        return cls.of(empty.draw(model), seed, inputs)

    def array(self) -> np.ndarray:
        """Returns the images, (count, height, width, channels)."""
        import numpy as np

        return np.frombuffer(zlib.decompress(base64.b64decode(self.images)), self.dtype).reshape(self.shape)

    def draw(self, model: GAN) -> np.ndarray:
        """Returns what `model` draws from the same seed and inputs."""
        count, given = self.shape[0], dict[str, Any]()
        for name, values in self.inputs.items():
            made = isinstance(values, dict)
            given[name] = model.data[name].examples(count, values["examples"]) if made else values
        return model.generate(count, seed=self.seed, **given)

    def difference(self, model: GAN) -> int:
        """Returns by how many grey levels `model` differs from these images, at the worst pixel."""
        import numpy as np

        worst = np.max(np.abs(self.draw(model).astype(float) - self.array().astype(float)))
        return round(float(worst) * (1 if self.dtype == "uint8" else 127.5))


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
    epochs: Annotated[int, pydantic.Field(gt=0, le=MAX_EPOCHS)]
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


def read_recipe(preset: str | Path) -> Recipe:
    """Reads and checks the recipe of a preset, or the one at the path of a `.yaml` file.

    Raises:
        ValueError: No such preset, or a recipe with an unknown key or a wrong value: the message names the file, the
            key's path, and the nearest right key.
    """
    path = recipe_path(preset)
    try:
        content = yaml.load(_text(path), Loader=_RecipeLoader)
        _check_size(content)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    return _validated(Recipe, content, path)


def read_card(preset: str | Path) -> Card | None:
    """Reads and checks the card of a preset; `None` if it has not been published."""
    path = card_path(preset)
    if not path.is_file():
        return None
    try:
        content = json.loads(_text(path))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from None
    return _validated(Card, content, path)


def _text(path: Path) -> str:
    """A recipe's or card's text, which is short."""
    with path.open("rb") as file:
        content = file.read(MAX_TEXT + 1)
    if len(content) > MAX_TEXT:
        raise ValueError(f"it is larger than {MAX_TEXT / 1e6:g} MB, which no recipe or card is")
    return content.decode("utf-8")


def _check_size(content: Any) -> None:
    """Refuses what is small in a file and large when its anchors are written out."""
    left, open_ = MAX_VALUES, [content]
    while open_:
        left -= 1
        if left < 0:
            raise ValueError(f"it holds more than {MAX_VALUES} values once its anchors are written out")
        value = open_.pop()
        open_ += (
            [*value.keys(), *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
        )


def config_dir() -> Path:
    """Returns the folder of recipes, cards and bundled weights: in the wheel, or beside the package in a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "zoo_configs"
    return installed if installed.is_dir() else package.parent / "zoo_configs"


def recipe_path(preset: str | Path) -> Path:
    """Returns the path of a preset's recipe; a path of a `.yaml` file is returned as it is."""
    name_of(preset)  # which is told where it is none
    preset = str(preset)
    path = Path(preset) if is_recipe_file(preset) else config_dir() / f"{preset}.yaml"
    if path.is_file() and (is_recipe_file(preset) or preset in preset_names()):
        return path
    if is_recipe_file(preset):
        raise ValueError(f"There is no recipe file at that path. Received: preset={str(preset)!r}")
    close = suggestion(preset, preset_names())
    raise ValueError(f"There is no preset of that name.{close} Received: preset={preset!r}")


def card_path(preset: str | Path) -> Path:
    """Returns where a preset's card is, or would be: beside its recipe."""
    return recipe_path(preset).with_name(f"{name_of(preset)}.card.json")


def is_recipe_file(preset: str | Path) -> bool:
    """Returns whether `preset` is the path of a recipe rather than a name."""
    return Path(preset).suffix in (".yaml", ".yml")


def preset_names() -> list[str]:
    """Returns the names of all presets, sorted."""
    return sorted(path.stem for path in config_dir().glob("*.yaml"))


def name_of(preset: str | Path) -> str:
    """Returns the name of a preset, or of the recipe at a path."""
    if not isinstance(preset, (str, Path)):
        raise ValueError(f"A preset is a name, or the path of a recipe. Received: preset={preset!r}")
    return Path(preset).stem if is_recipe_file(preset) else str(preset)


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
    if elsewhere:
        return f" It belongs at {elsewhere[0]!r}."
    return suggestion(key, [field.alias or name for name, field in level.model_fields.items()])


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
