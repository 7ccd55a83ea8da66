"""The folder of a training: its record, its log, and what may be written there."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ganzoo import plot
from ganzoo.zoo.recipes import Recipe

RECORD, BACKUP, LOG, SAMPLES = "training.json", "backup.safetensors", "log.csv", "samples"
WEIGHTS, MODEL, SHEET, BEST = "weights.safetensors", "model.keras", "samples.png", "best.safetensors"


def check_folder(folder: Path) -> None:
    """Refuses a folder that holds anything but a training, before time is spent on data."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"The output must be a folder. Received: output_dir={str(folder)!r}, a file")
    visible = [path for path in folder.glob("*") if not path.name.startswith(".")]
    if visible and not (folder / RECORD).is_file():
        raise ValueError(
            "The output folder holds files that are no training of ganzoo: choose an empty or a new one. "
            f"Received: output_dir={str(folder)!r}"
        )


def begun(folder: Path, record: dict[str, Any]) -> dict[str, Any] | None:
    """The record of the training that the folder holds, if it came to anything; refused if it is not this one."""
    if not (folder / RECORD).is_file():
        return None
    before = read_record(folder)
    if not before["finished"] and not any((folder / name).exists() for name in (BACKUP, LOG, SAMPLES)):
        return None
    if changes := differences(normal(before["settings"]), normal(record["settings"])):
        raise ValueError(
            f"The training in {folder} was begun with other settings: {'; '.join(changes)}. Go on with those, "
            "choose another folder, or start afresh with resume=False (on the command line --overwrite)."
        )
    return before


def read_record(folder: str | Path) -> dict[str, Any]:
    """Reads the `training.json` of a training folder.

    Raises:
        ValueError: The folder holds no training, or the record cannot be read.
    """
    path = Path(folder) / RECORD
    if not path.is_file():
        raise ValueError(f"There is no training in that folder: it has no {RECORD}. Received: {str(folder)!r}")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(record, dict) or not {"settings", "finished"} <= set(record):
        raise ValueError(f"{path} is not the record of a training. Received: {str(record)[:80]}")
    return record


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Writes the record of a training, whole or not at all."""
    text = json.dumps(record, indent=2) + "\n"
    plot.write_beside(folder / RECORD, lambda file: file.write(text.encode()))


def clear(folder: Path) -> None:
    """Deletes what a training writes, the record last, and nothing else."""
    for name in (BACKUP, LOG, WEIGHTS, MODEL, SHEET, BEST):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / SAMPLES, ignore_errors=True)
    (folder / RECORD).unlink(missing_ok=True)


def settings(recipe: Recipe) -> dict[str, Any]:
    """Returns what of a recipe decides the outcome of a training."""
    decisive = {"model", "arguments", "training", "begin_with"}
    return recipe.model_dump(mode="json", include=decisive, exclude_none=True)


def normal(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with every default written out or left out, whichever version of ganzoo wrote them."""

    def written_out(optimizer: Mapping[str, Any]) -> dict[str, Any]:
        given = {key: value for key, value in optimizer.items() if value is not None and value != {}}
        adam = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
        name = given.pop("class_name", "Adam")
        return {"class": name, **(adam if name == "Adam" else {}), **given}

    training = {key: value for key, value in settings.get("training", {}).items() if value is not None}
    chosen = training.get("optimizer") or {}
    training["optimizer"] = {player: written_out(optimizer) for player, optimizer in chosen.items()}
    return {**{key: value for key, value in settings.items() if value not in (None, [])}, "training": training}


def differences(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Returns a phrase for each setting that differs, such as `"training.epochs was 30, now 40"`."""
    changes = []
    for key in sorted({*before, *now}):
        old, new = before.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            changes += differences(old, new, f"{prefix}{key}.")
        elif old != new:
            changes.append(f"{prefix}{key} was {old!r}, now {new!r}")
    return changes


def rows(log: Path) -> list[dict[str, str]]:
    """The log's rows. An interruption can make an epoch run, and be logged, twice: the first, of the whole, holds."""
    rows: dict[str, dict[str, str]] = {}
    if log.is_file():
        with log.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                rows.setdefault(row["epoch"], row)
    return list(rows.values())


def once_per_epoch(log: Path) -> None:
    """Rewrites the log with one row for each epoch."""
    kept = rows(log)
    text = io.StringIO()
    writer = csv.DictWriter(text, kept[0] if kept else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(kept)
    plot.write_beside(log, lambda file: file.write(text.getvalue().encode()))


def commit() -> str | None:
    """The checkout's commit, with `+` where tracked files were changed; None outside a checkout of ganzoo."""
    here = Path(__file__).resolve()

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(here.parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", here.name)  # installed into another project's checkout: not ours
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None
