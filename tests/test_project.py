"""What a user gets: the wheel, and a README that tells the truth."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import ganzoo
from ganzoo import metrics
from ganzoo.metrics import protocol
from ganzoo.zoo import gallery, presets, publishing

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()

OFFLINE = """
import socket

def refuse(*args, **kwargs):
    raise OSError("no network here")

socket.socket.connect = refuse
import ganzoo, pathlib
assert pathlib.Path(ganzoo.__file__).parts[-3] == "wheel", ganzoo.__file__
for name in ganzoo.list_presets(pretrained=True):
    assert ganzoo.info(name).card.golden.difference(ganzoo.load(name)) <= 1, name
"""


@pytest.mark.backend_free
def test_the_wheel_holds_all_it_needs_to_draw_offline(tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", tmp_path, ROOT]
    subprocess.run(command, check=True, cwd=tmp_path)
    (wheel,) = tmp_path.glob("keras_ganzoo-*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "wheel")
    (about,) = (tmp_path / "wheel").glob("keras_ganzoo-*.dist-info/METADATA")
    asked = re.findall(r"^Requires-Dist: ([\w.-]+)", about.read_text(), re.MULTILINE)
    assert "keras" in asked and "ganzoo" not in asked, "on the package index that is another's"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "wheel"), "GANZOO_HOME": str(tmp_path / "home")}
    result = subprocess.run(
        [sys.executable, "-c", OFFLINE], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr[-3000:]


# No protocol is for domains without pairs, attributes, features, or conditions that a model makes itself.
MEASURED_BY_SCRIPTS = ("cyclegan-", "deocclusion-", "perceptual_gan-", "simgan-", "srgan-", "srresnet-", "stargan-")


@pytest.mark.backend_free
def test_the_gallery_is_that_of_the_cards_and_shows_every_preset_with_weights():
    page = (ROOT / "zoo_configs" / "README.md").read_text()
    assert page == gallery.gallery(), "python scripts/publish.py --gallery"
    for name in ganzoo.list_presets(pretrained=True):
        assert f"### {name}\n" in page and f"`ganzoo generate {name} " in page
    for picture in re.findall(r"\]\((samples/[^)]+)\)", page):
        assert (ROOT / "zoo_configs" / picture).is_file()


@pytest.mark.backend_free
@pytest.mark.parametrize("name", ganzoo.list_presets(pretrained=True))
def test_a_card_reports_the_last_weights_and_the_best_under_protocols(name):
    card = presets.read_card(name)
    numbers = {metric["name"]: metric for metric in card.metrics}
    if name.startswith(MEASURED_BY_SCRIPTS):
        assert not numbers
        return
    assert len({metric["protocol"] for metric in card.metrics}) == 1
    if card.dataset not in metrics.extractor_names():
        assert {"psnr", "ssim", "l1"} <= set(numbers)
        return
    assert {"frechet_distance", "kernel_distance", "coverage", "authenticity", "ms_ssim_diversity"} <= set(numbers)
    assert "labels" not in card.golden.inputs or {"label_accuracy", "within_class_frechet_distance"} <= set(numbers)
    assert all(len(metric["values"]) >= 5 and metric["std"] is not None for metric in card.metrics)
    assert metrics.extractor(card.dataset).id in card.metrics[0]["protocol"]
    assert card.metrics[0]["protocol"].startswith(f"extended-v{protocol.VERSION}/{card.dataset}-test10000-")
    assert card.best is None or {metric["protocol"] for metric in card.best["metrics"]} != {card.metrics[0]["protocol"]}


@pytest.mark.backend_free
def test_the_readme_names_files_and_commands_that_exist():
    text = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (ROOT / target).exists(), target
    commands = set(re.findall(r"^ganzoo (?:--backend \w+ )?(\w+)", README, re.MULTILINE))
    help_text = subprocess.run([sys.executable, "-m", "ganzoo.cli", "--help"], capture_output=True, text=True).stdout
    assert commands and all(command in help_text for command in commands)


@pytest.mark.backend_free
@pytest.mark.parametrize("name", ["digits", "tests"])
def test_each_set_up_is_one_command(name):
    block = re.search(rf"<!-- {name} -->\n```sh\n(.*?)\n```\n<!-- end -->", README, re.DOTALL)
    assert block and "\n" not in block[1] and block[1].startswith("python3 -m venv .venv && ")


@pytest.mark.parametrize("name", ganzoo.list_presets(pretrained=True))
def test_a_preset_draws_what_its_card_holds(name):
    """uint8 images from a fixed seed, within one grey level of those that were published, on every backend."""
    card = presets.read_card(name)
    model = ganzoo.load(name)
    assert card.golden.difference(model) <= 1
    assert card.bytes <= publishing._limit(model)
    assert (ROOT / "zoo_configs" / "samples" / f"{name}.png").is_file()
