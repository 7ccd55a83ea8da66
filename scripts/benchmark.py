"""Measures ganzoo beside plain PyTorch loops of the same networks and algorithm.

python scripts/benchmark.py speed
python scripts/benchmark.py speed --model wgan_gp --backends tensorflow,torch --output speed.json
python scripts/benchmark.py speed --model pix2pix --batch-size 16 --steps 3
python scripts/benchmark.py quality --output runs/quality --data-dir ../shared/data
python scripts/benchmark.py modes --output runs/modes --tasks ring,grid

modes: how many of the modes of the ring, the grid and Stacked MNIST each variant reaches.

quality: the plain DCGAN, trained on MNIST and on Fashion-MNIST, and the zoo's presets, under one protocol.

speed: training on each backend. Each contestant is a process of its own that is started once, compiled and warmed up.
Then they take turns: only one computes at a time, and what slows the machine for a while slows all of them. ganzoo
trains under `fit` on an array of uint8 images, timed within an epoch; the plain loops get float images that lie ready
in order. Pix2Pix draws images of 128x128, the others of 28x28, all with a width of 64; jitter is left out on both
sides. Ratios are taken between turns of the same round. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

BACKENDS, PRECISIONS = ("tensorflow", "jax", "torch"), ("float32", "mixed_bfloat16")
MIN_ALTERNATIONS, WARM_UPS = 7, 2
IMAGES_PER_STEP = {"dcgan": 128, "cgan": 128, "wgan_gp": 5 * 64, "pix2pix": 1, "projection": 64, "biggan": 64}
IMAGES_PER_STEP |= {"sngan": 5 * 64, "r3gan": 64}
BASE, RIVAL = "plain float32", "plain autocast channels-last"
PLAIN_FORMS = {  # arguments of the loops in plain_torch.py
    BASE: {},
    "plain float32 reuse": {"reuse": True},
    "plain float32 channels-last": {"channels_last": True},
    "plain autocast": {"autocast": True},
    RIVAL: {"autocast": True, "channels_last": True},
    f"{RIVAL} reuse": {"autocast": True, "channels_last": True, "reuse": True},
}
# Processes that share an accelerator must not take all of its memory.
ENVIRONMENT = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}

# The workers ---------------------------------------------------------------------------------------------------------


class Turns:
    """A worker's side of the protocol: it says "ready", then answers each "go" with a line of two numbers.

    They are the seconds of the turn, and the share of a core that the worker used in all its waits so far.
    """

    def __init__(self):
        self.answers = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)  # what a framework prints is no answer
        self.start, self.idle, self.idle_cpu = None, 0.0, 0.0

    def wait(self) -> None:
        """Answers, and waits for the next turn. Ends the process when there is none."""
        answer = "ready" if self.start is None else f"{time.perf_counter() - self.start} {self.idle_cpu / self.idle}"
        print(answer, file=self.answers, flush=True)
        cpu, clock = time.process_time(), time.perf_counter()
        if sys.stdin.readline() != "go\n":
            sys.exit()
        self.start = time.perf_counter()
        self.idle, self.idle_cpu = self.idle + self.start - clock, self.idle_cpu + time.process_time() - cpu


def run_plain(model: str, steps: int, form: dict, batch_size: int | None = None) -> None:
    turns = Turns()
    loop = plain_loop(model)(**form, batch_size=batch_size)
    batches = [loop.random_batch() for _ in range(steps)]
    while True:
        turns.wait()
        for batch in batches:
            loop.step(*batch)
        float(next(loop.generator.parameters()).detach().sum())  # waits for an accelerator


def plain_loop(model: str) -> type:
    """The class of the plain loop."""
    from plain_torch import LOOPS
    from plain_torch_conditional import PlainBigGAN, PlainProjection
    from plain_torch_pix2pix import PlainPix2Pix
    from plain_torch_unconditional import PlainR3GAN, PlainSNGAN

    others = {"projection": PlainProjection, "biggan": PlainBigGAN, "sngan": PlainSNGAN, "r3gan": PlainR3GAN}
    return {**LOOPS, **others, "pix2pix": PlainPix2Pix}[model]


def run_ganzoo(model: str, steps: int, backend: str, precision: str, batch_size: int | None = None) -> None:
    turns = Turns()
    os.environ["KERAS_BACKEND"] = backend
    import keras

    class TakeTurns(keras.callbacks.Callback):
        # Not `on_train_batch_end`: with a callback that defines it, Keras waits for the logs of every step.
        def on_train_batch_begin(self, batch, logs=None):
            if batch % steps == 0:
                if backend == "jax":
                    self.model.jax_state_sync()
                # The average is what a step writes last: reading it waits for all asynchronous work.
                keras.ops.convert_to_numpy(self.model.generator_ema.weights[0])
                turns.wait()

    gan, usual = build_ganzoo(model, precision)
    data = random_data(gan)
    gan.fit(*data, batch_size=batch_size or usual, steps_per_epoch=10**6, verbose=0, callbacks=[TakeTurns()])


def build_ganzoo(model: str, precision: str = "float32", size: int = 128, width: int = 64):
    """ganzoo's model of the same networks as the plain loop's, and its batch size; `size` is that of Pix2Pix."""
    import ganzoo

    settings: dict = {"width": width, "dtype": precision}
    if model == "pix2pix":  # no jitter
        shape = (size, size, 3)
        return ganzoo.Pix2Pix(source_shape=shape, target_shape=shape, enlarge=1, flip=False, **settings), 1
    settings["image_shape"] = (28, 28, 1)
    if model == "wgan_gp":
        return ganzoo.WGANGP(latent_dim=128, **settings), 64
    if model == "sngan":
        return ganzoo.SNGAN(latent_dim=128, **settings), 64
    if model == "r3gan":
        return ganzoo.R3GAN(latent_dim=64, **settings), 64
    if model == "projection":
        return ganzoo.ProjectionGAN(num_classes=10, latent_dim=128, **settings), 64
    if model == "biggan":
        return ganzoo.BigGAN(num_classes=10, latent_dim=120, discriminator_steps=1, **settings), 64
    if model == "cgan":
        return ganzoo.CGAN(num_classes=10, latent_dim=100, **settings), 128
    return ganzoo.DCGAN(latent_dim=100, **settings), 128


def random_data(gan) -> tuple:
    """What `fit` takes, at random: uint8 images, and labels."""
    import numpy as np

    rng = np.random.default_rng(0)
    if "source" in gan.data:
        return tuple(rng.integers(0, 256, (200, *part.shape), "uint8") for part in gan.data.values())
    images = rng.integers(0, 256, (60_000, *gan.image_shape), "uint8")
    return (images, rng.integers(0, 10, 60_000)) if "labels" in gan.data else (images,)


# The parent ----------------------------------------------------------------------------------------------------------


class Contestant:
    """A worker as the parent sees it, with its images per second at each alternation."""

    def __init__(self, name: str, task: dict):
        self.name, self.rates, self.idle_share = name, [], 0.0
        self.images = task["steps"] * (task.get("batch_size") or IMAGES_PER_STEP[task["model"]])
        command = [sys.executable, __file__, "worker", json.dumps(task)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(command, env={**os.environ, **ENVIRONMENT}, **pipes)

    def answer(self) -> str:
        if line := self.process.stdout.readline():
            return line
        raise RuntimeError(f"A contestant ended early; what it printed says why. Received: {self.name!r}")

    def turn(self, counts: bool = True) -> None:
        with contextlib.suppress(BrokenPipeError):  # the answer tells
            print("go", file=self.process.stdin, flush=True)
        seconds, self.idle_share = map(float, self.answer().split())
        if counts:
            self.rates.append(self.images / seconds)

    def ratio_to(self, other: Contestant) -> dict[str, float]:
        """How many times as fast as the other, from the turns of the same rounds."""
        return spread([mine / its for mine, its in zip(self.rates, other.rates)])


def spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def line_up(args: argparse.Namespace) -> dict[str, dict]:
    """Who takes part: from name to the worker's task."""
    tasks = {name: {"form": form} for name, form in PLAIN_FORMS.items() if name == BASE or not args.quick}
    if args.model not in ("dcgan", "cgan", "pix2pix"):  # whose algorithms draw new latents
        tasks = {name: task for name, task in tasks.items() if "reuse" not in task["form"]}
    for backend in args.backends:
        for precision in args.precisions:
            tasks[f"ganzoo {backend} {precision}"] = {"backend": backend, "precision": precision}
    common = {"model": args.model, "steps": args.steps, "batch_size": args.batch_size}
    return {name: {**common, **task} for name, task in tasks.items()}


def measure(args: argparse.Namespace) -> list[Contestant]:
    contestants: list[Contestant] = []
    try:
        for name, task in line_up(args).items():
            print(f"warming up: {name}", file=sys.stderr)
            contestants.append(Contestant(name, task))
            contestants[-1].answer()
            for _ in range(WARM_UPS):
                contestants[-1].turn(counts=False)
        for i in range(args.alternations):
            print(f"alternation {i + 1} of {args.alternations}", file=sys.stderr)
            for contestant in contestants[:: -1 if i % 2 else 1]:  # there and back: nobody always comes after the same
                contestant.turn()
    finally:
        for contestant in contestants:
            with contextlib.suppress(BrokenPipeError):
                contestant.process.stdin.close()
        for contestant in contestants:
            with contextlib.suppress(subprocess.TimeoutExpired):
                contestant.process.wait(timeout=30)
            contestant.process.kill()
    return contestants


def report(args: argparse.Namespace, contestants: list[Contestant]) -> dict:
    """What was measured and with what, for the table and the file. Names no machine."""
    by_name = {c.name: c for c in contestants}
    base, rival = by_name[BASE], by_name.get(RIVAL)
    best = max((c for c in contestants if c.name.startswith("ganzoo")), key=lambda c: statistics.median(c.rates))
    versions = {"python": platform.python_version()}
    for package in ("keras-ganzoo", "keras", "numpy", *BACKENDS):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        **{key: getattr(args, key) for key in ("model", "batch_size", "alternations", "steps")},
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
        "versions": versions,
        "contestants": {
            c.name: {
                "images_per_second": {**spread(c.rates), "all": c.rates},
                "ratio_to_plain_float32": c.ratio_to(base),
                "idle_share": c.idle_share,
            }
            for c in contestants
        },
        "best": best.name,
        "best_to_autocast_channels_last": best.ratio_to(rival) if rival else None,
    }


def show(measured: dict) -> None:
    from rich.console import Console
    from rich.table import Table

    def cells(values: dict, digits: int) -> tuple[str, str]:
        return f"{values['median']:.{digits}f}", f"{values['min']:.{digits}f}-{values['max']:.{digits}f}"

    size = f" of batch {measured['batch_size']}" if measured["batch_size"] else ""
    title = "{model}{size}: {alternations} turns of {steps} steps, {cores} cores".format(size=size, **measured)
    table = Table("contestant", title=title)
    for heading in ("images/s", "min-max", "ratio", "min-max"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, row in measured["contestants"].items():
        digits = 0 if row["images_per_second"]["median"] >= 100 else 2
        table.add_row(name, *cells(row["images_per_second"], digits), *cells(row["ratio_to_plain_float32"], 2))
    console = Console(width=None if sys.stdout.isatty() else 100, highlight=False)
    console.print(table)
    console.print(f"ratio: to {BASE!r} in the same round")
    if ratio := measured["best_to_autocast_channels_last"]:
        console.print("best: {} at {} ({}) times {!r}".format(measured["best"], *cells(ratio, 2), RIVAL))
    idle_share = max(row["idle_share"] for row in measured["contestants"].values())
    console.print(f"a waiting process used at most {idle_share:.1%} of a core")


# Command line --------------------------------------------------------------------------------------------------------


class Parser(argparse.ArgumentParser):
    def error(self, message):  # one line, without the usage
        self.exit(2, f"benchmark: {message}\n")


def arguments() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="speed|quality|modes")
    speed = commands.add_parser("speed", help="images per second of training")
    speed.add_argument("--model", default="dcgan", help="dcgan, cgan, wgan_gp or pix2pix")
    speed.add_argument("--batch-size", type=int, help="of pix2pix, 1 by default; the others have the paper's")
    speed.add_argument("--alternations", type=int, default=MIN_ALTERNATIONS, help="turns of each contestant")
    speed.add_argument("--steps", type=int, default=25, help="training steps in a turn")
    speed.add_argument("--backends", help="separated by commas; default: all that are installed")
    speed.add_argument("--precisions", default=",".join(PRECISIONS), help="separated by commas")
    speed.add_argument("--output", type=Path, help="a JSON file for the figures")
    speed.add_argument("--quick", action="store_true", help="a trial: any number of turns, one plain loop; no figures")
    quality = commands.add_parser("quality", help="images of trained models, under one protocol")
    quality.add_argument("--output", type=Path, default=Path("runs/quality"), help="a folder; what it holds is kept")
    quality.add_argument("--data-dir", help="folder with the data sets' original files")
    quality.add_argument("--epochs", type=int, default=15, help="of the plain loop")
    quality.add_argument("--seed", type=int, default=0, help="of the plain loop")
    quality.add_argument("--seeds", type=int, default=5, help="samples of each preset")
    modes = commands.add_parser("modes", help="how many modes of a distribution each variant reaches")
    modes.add_argument("--output", type=Path, default=Path("runs/modes"), help="a folder; what it holds is kept")
    modes.add_argument("--data-dir", help="folder with the data sets' original files")
    modes.add_argument("--tasks", default="ring,grid,stacked_mnist", help="separated by commas")
    modes.add_argument("--variants", default="gan,dcgan,wgan_gp", help="separated by commas")
    modes.add_argument("--seeds", type=int, default=3, help="trainings of each variant on each task")
    commands.add_parser("worker").add_argument("task", type=json.loads)  # for this script itself
    return parser.parse_args()


def check(args: argparse.Namespace) -> None:
    """Refuses what cannot be measured, before anything is; makes tuples of the lists."""
    if args.model not in IMAGES_PER_STEP:
        raise ValueError(f"`--model` is one of {', '.join(IMAGES_PER_STEP)}. Received: --model {args.model}")
    if args.batch_size is not None and (args.batch_size < 1 or args.model != "pix2pix"):
        raise ValueError(
            "`--batch-size` is at least 1, and for pix2pix alone: the other loops have one. "
            f"Received: --batch-size {args.batch_size}"
        )
    if args.steps < 1:
        raise ValueError(f"`--steps` must be at least 1. Received: --steps {args.steps}")
    if args.alternations < (least := 1 if args.quick else MIN_ALTERNATIONS):
        fix = "" if args.quick else " (--quick allows fewer, for a trial)"
        raise ValueError(
            f"`--alternations` must be at least {least}{fix}. Received: --alternations {args.alternations}"
        )
    installed = [backend for backend in BACKENDS if importlib.util.find_spec(backend)]
    args.backends = ",".join(installed) if args.backends is None else args.backends
    for option, known in (("backends", BACKENDS), ("precisions", PRECISIONS)):
        given = getattr(args, option)
        if set(given.split(",")) - set(known):
            raise ValueError(f"`--{option}` takes some of {','.join(known)}. Received: --{option} {given}")
        setattr(args, option, tuple(dict.fromkeys(given.split(","))))
    if missing := sorted({"torch", *args.backends} - set(installed)):
        received = ",".join(args.backends)
        raise ValueError(
            f"Install {' and '.join(missing)} (the plain loops need torch). Received: --backends {received}"
        )
    if args.output and (args.output.is_dir() or not args.output.absolute().parent.is_dir()):
        raise ValueError(f"`--output` must be a file in a folder that exists. Received: --output {args.output}")


def main() -> None:
    args = arguments()
    if args.command == "worker":
        (run_plain if "form" in args.task else run_ganzoo)(**args.task)
    try:
        if args.command == "quality":
            import quality

            return quality.show(quality.quality(args.output, args.data_dir, args.epochs, args.seed, args.seeds))
        if args.command == "modes":
            import modes

            tasks, variants = args.tasks.split(","), args.variants.split(",")
            return modes.show(modes.modes(args.output, tasks, variants, args.seeds, args.data_dir))
        check(args)
        measured = report(args, measure(args))
    except (ValueError, OSError, RuntimeError) as error:
        print(f"benchmark: {error}", file=sys.stderr)
        sys.exit(1 if isinstance(error, RuntimeError) else 2)
    show(measured)
    if args.output:
        args.output.write_text(json.dumps(measured, indent=2) + "\n")


if __name__ == "__main__":
    main()
