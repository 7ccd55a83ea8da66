"""The folder of a training: its record, its log, and what may be written there."""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ganzoo import plot
from ganzoo.zoo.recipes import Recipe

RECORD, BACKUP, LOG, SAMPLES, LOCK = "training.json", "backup.safetensors", "log.csv", "samples", ".lock"
WEIGHTS, MODEL, SHEET, BEST = "weights.safetensors", "model.keras", "samples.png", "best.safetensors"


def check_folder(folder: Path) -> None:
    """Refuses a folder that holds anything but a training, before time is spent on data."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"The output must be a folder. Received: output_dir={str(folder)!r}, a file")
    visible = [path for path in folder.glob("*") if not path.name.startswith(".")]
    if visible and not (folder / RECORD).is_file() and not (folder / BACKUP).is_file():
        raise ValueError(
            "The output folder holds files that are no training of ganzoo: choose an empty or a new one. "
            f"Received: output_dir={str(folder)!r}"
        )


def begun(folder: Path, record: dict[str, Any]) -> dict[str, Any] | None:
    """The record of the training that the folder holds, if it came to anything; refused if it is not this one."""
    if not (folder / RECORD).is_file():
        if not (folder / BACKUP).is_file():
            return None
        write_record(folder, record)  # which was lost; the backup itself refuses other settings
        return record
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
    fix = "Begin it afresh with resume=False (on the command line --overwrite)."
    if (path.parent / BACKUP).is_file():
        fix = f"Delete it, and make the same call again: the training goes on from its {BACKUP}."
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not valid JSON: {error}. {fix}") from None
    whole = isinstance(record, dict) and isinstance(record.get("settings"), dict) and "finished" in record
    if not whole or not isinstance(record.get("dataset", {}), dict):
        raise ValueError(f"{path} is not the record of a training. {fix} Received: {str(record)[:80]}")
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
    decisive = {"model", "arguments", "training", "begin_with", "freeze"}
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
    return {**{key: value for key, value in settings.items() if value not in (None, [], 0)}, "training": training}


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
    """The log's rows. An interruption can make an epoch run, and be logged, twice: the first, of the whole, holds.

    A row that was not written to its end, by a full disk or a power cut, is none.
    """
    if not log.is_file():
        return []
    whole = log.read_bytes().rpartition(b"\n")[0].decode("utf-8", "replace")
    found: dict[str, dict[str, str]] = {}
    for row in csv.DictReader(io.StringIO(whole)):
        if None not in row and None not in row.values() and row.get("epoch", "").isdecimal():
            found.setdefault(row["epoch"], row)
    return list(found.values())


def once_per_epoch(log: Path) -> None:
    """Rewrites the log with one row for each epoch, and none that is torn."""
    kept = rows(log)
    if not kept:
        return log.unlink(missing_ok=True)
    text = io.StringIO()
    writer = csv.DictWriter(text, kept[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(kept)
    plot.write_beside(log, lambda file: file.write(text.getvalue().encode()))


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Holds a training's folder for this process, and says what to do where its disk is full.

    Raises:
        ValueError: Another training holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ValueError(
            "Another training writes to this folder at the moment: wait for it, or choose another folder. "
            f"Received: output_dir={str(folder)!r}"
        ) from None
    try:
        plot.remove_leftovers(folder, r".+")
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise OSError(
            error.errno,
            f"The disk of {folder} is full: make room, and train again as before, which goes on from the last backup. "
            f"What was written before is whole. Received: {error}",
        ) from error
    finally:
        with contextlib.suppress(OSError):  # before it is released: nobody else shall hold a file that is gone
            (folder / LOCK).unlink()
        lock.release()
        if not any(folder.iterdir()):  # nothing was begun
            folder.rmdir()


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


def class_names(source: str | Path) -> list[str]:
    """The names of the classes that the training in a folder learned from folders, in the order of their numbers."""
    return read_record(source).get("classes", []) if (Path(source) / RECORD).is_file() else []
