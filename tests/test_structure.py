"""The shape of the project: who imports whom, what importing costs, how much there is to read."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "ganzoo"
FRAMEWORKS = {"tensorflow", "jax", "torch"}
ORDER = (  # each part imports only from parts further up
    {"engine.quiet"},
    {"engine.backend", "engine.schedules", "engine.before", "engine.mixin", "engine.remedies"},
    {"engine.phases", "zoo.registry", "zoo.transfer"},
    {"losses", "engine.optimizer", "data", "zoo.recipes"},
    {"layers"},
    {"networks", "engine.parts", "zoo.download"},
    {
        "engine.naming",
        "engine.attributes",
        "engine.frames",
        "engine.saving",
        "engine.drawing",
        "engine.resuming",
        "engine.export",
        "zoo.weights",
    },
    {"engine.feed", "plot", "zoo.perceptual"},
    {"engine.evaluating", "engine.checks", "engine.advice"},
    {"engine.base"},
    {"engine.gan"},
    {"callbacks", "models", "latent", "features"},
    {"editing"},
    {"zoo.presets", "zoo.reading", "zoo.records", "zoo.synthetic"},
    {"zoo.opening", "zoo.gallery"},
    {"metrics"},
    {"zoo.watching", "zoo.asked", "zoo.translating"},
    {"zoo.training"},
    {"zoo.publishing", "web"},
    {"cli"},
)
ROOMS = ("engine", "zoo")  # folders whose files are parts of their own


def module_imports(path: Path):
    """(module imported, whether when the module itself is imported) of a file."""
    tree = ast.parse(path.read_text())
    lazy = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.If))  # `if TYPE_CHECKING`, or the choice of a backend
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            yield name, id(node) not in lazy


def part(path: Path) -> str:
    return part_of(path.relative_to(PACKAGE).with_suffix("").parts)


def part_of(pieces) -> str:
    return ".".join(pieces[: 2 if pieces[0] in ROOMS else 1])


@pytest.mark.backend_free
def test_imports_point_in_one_direction():
    rank = {name: i for i, names in enumerate(ORDER) for name in names}
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.stem in ("__init__", "__main__") and path.parent.name in ("ganzoo", *ROOMS):
            continue
        for name, at_import in module_imports(path):
            package, *pieces = name.split(".")
            if package != "ganzoo" or not pieces or not at_import:
                continue
            imported = part_of(pieces)
            if imported != part(path) and imported in rank:
                assert rank[imported] < rank[part(path)], f"{path.relative_to(ROOT)} imports {name}"
    parts = {part(path) for path in PACKAGE.rglob("*.py")}
    assert parts - {"__init__", "__main__", "engine.__init__", "zoo.__init__"} == set(rank)


@pytest.mark.backend_free
def test_no_circle_of_files():
    """Not even through imports inside functions."""
    paths = [(".".join(path.relative_to(ROOT).with_suffix("").parts), path) for path in PACKAGE.rglob("*.py")]
    files = {name.removesuffix(".__init__"): path for name, path in paths}
    uses = {name: set(imported_files(path, files)) - {name, "ganzoo"} for name, path in files.items()}
    done: set[str] = set()

    def visit(name, way):
        assert name not in way, " -> ".join((*way[way.index(name) :], name))
        for used in sorted(uses[name]) if name not in done else ():
            visit(used, (*way, name))
        done.add(name)

    for name in files:
        visit(name, ())


def imported_files(path: Path, files):
    tree = ast.parse(path.read_text())
    checked = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)]
    for_types = {id(inner) for node in checked for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and id(node) not in for_types and (node.module or "").startswith("ganzoo"):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in files else node.module for name in names)


@pytest.mark.backend_free
def test_only_the_backend_imports_frameworks():
    for path in sorted(PACKAGE.rglob("*.py")):
        if part(path) in ("engine.backend", "engine.export"):
            continue
        for name, _ in module_imports(path):
            assert name.split(".")[0] not in FRAMEWORKS, f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.backend_free
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
@pytest.mark.parametrize("variant", ["dcgan", "vanilla_gan", "wgan_gp", "pix2pix"])
def test_a_variant_reads_in_450_lines_of_four_files(variant, backend):
    losses = "wasserstein" if variant == "wgan_gp" else "entropy"
    path = [PACKAGE / "engine/backend" / f"{backend}.py", PACKAGE / "engine/gan.py", PACKAGE / f"losses/{losses}.py"]
    lengths = [num_lines(file) for file in (*path, PACKAGE / "models" / f"{variant}.py")]
    assert sum(lengths) <= 450, lengths


@pytest.mark.backend_free
def test_files_are_short():
    for path in sorted(PACKAGE.rglob("*.py")):
        assert num_lines(path) <= 450, path
    for path in sorted((PACKAGE / "models").glob("*.py")):
        assert num_lines(path) <= 125, path


def num_lines(path: Path) -> int:
    return len(path.read_text().splitlines())


WITHOUT_TENSORFLOW = """
import sys
import numpy as np
import ganzoo
from PIL import Image

images = np.random.default_rng(0).integers(0, 255, (32, 16, 16, 1), dtype="uint8")
for i in range(16):
    Image.fromarray(images[i, :, :, 0]).save(f"{i}.png")
model = ganzoo.DCGAN(image_shape=(16, 16, 1), latent_dim=4, width=4)
callbacks = [ganzoo.callbacks.Backup("b", 2), ganzoo.callbacks.SampleGrid("s")]
model.fit(images, batch_size=8, verbose=0, callbacks=callbacks)
model.fit(ganzoo.data.load_folder(".", 16, "L"), batch_size=8, verbose=0)
model.evaluate(images, verbose=0)
model.generate(4)
ganzoo.info("dcgan-mnist"), ganzoo.list_presets()
assert ganzoo.load("dcgan-mnist").generate(2, seed=0).shape == (2, 28, 28, 1)
assert sys.modules.get("tensorflow") is None
"""


@pytest.mark.skipif(keras.config.backend() == "tensorflow", reason="about the other two backends")
@pytest.mark.parametrize("prefix", ["", "import sys; sys.modules['tensorflow'] = None\n"], ids=["unused", "blocked"])
def test_k27_k32_no_tensorflow_on_other_backends(prefix, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [sys.executable, "-c", prefix + WITHOUT_TENSORFLOW],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-3000:]


def test_importing_adds_little_to_keras():
    """At most 0.3 s on a quiet machine, in processor time, which waiting for others does not count in."""
    code = "import time, keras; t = time.process_time(); import ganzoo; ganzoo.DCGAN; print(time.process_time() - t)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    seconds = [
        float(subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True).stdout)
        for _ in range(3)
    ]
    assert min(seconds) <= 0.3, seconds


MOVED = """
import warnings
warnings.simplefilter("error")
import ganzoo
for name in ("GAN", "DCGAN", "load", "train", "list_models", "export", "presets", "callbacks"):
    getattr(ganzoo, name)  # public names did not move
warnings.simplefilter("always")
with warnings.catch_warnings(record=True) as told:
    import ganzoo.gan
    from ganzoo import backend
    from ganzoo.backend.scope import StepScope
    from ganzoo.registry import register
    from ganzoo.weights import load_weights
    ganzoo.feed
import ganzoo.engine.gan, ganzoo.engine.backend.scope, ganzoo.zoo.registry
assert ganzoo.gan is ganzoo.engine.gan and ganzoo.gan.__spec__.name == "ganzoo.engine.gan"
assert StepScope is ganzoo.engine.backend.scope.StepScope and register is ganzoo.zoo.registry.register
assert {w.category for w in told} == {DeprecationWarning} and all(w.filename == "<string>" for w in told), told
assert "ganzoo.gan is called ganzoo.engine.gan" in str(told[0].message)
"""


@pytest.mark.backend_free
def test_modules_that_moved_are_found_by_their_names_of_before(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", MOVED], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
