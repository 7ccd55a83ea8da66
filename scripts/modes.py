"""What `benchmark.py modes` does: how many of a distribution's known modes each variant reaches."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

import numpy as np

# Samples, batches, latents and stacked images are as many as in PacGAN, which trains on those for 100 000 steps.
SAMPLES = {"ring": 2500, "grid": 2500, "stacked_mnist": 26_000}
STACKED, BATCH, LATENTS = 128_000, 64, 100
# Updates of the discriminator, so that every variant sees as many real images.
UPDATES = {"ring": 100_000, "grid": 100_000, "stacked_mnist": 6_000}
PUBLISHED = {  # PacGAN, arXiv:1712.04086, tables 1 to 3
    "stacked_mnist": "published: DCGAN 99.0 modes, KL 3.40; ALI 16; Unrolled GAN 48.7; VEEGAN 150; PacDCGAN2 1000",
}


def modes(output: Path, tasks: list[str], variants: list[str], seeds: int, data_dir: str | None) -> dict:
    """Trains each variant on each task from each seed, and counts. What `output` holds already is not done again.

    Returns:
        {task: {variant: {"modes", "kl", "high_quality": one number for each seed}}}
    """
    known = {"tasks": sorted({task for task, _ in BUILDERS}), "variants": sorted({variant for _, variant in BUILDERS})}
    for option, given in {"tasks": tasks, "variants": variants}.items():
        if unknown := sorted(set(given) - set(known[option])):
            raise ValueError(f"`--{option}` takes some of {','.join(known[option])}. Received: {','.join(unknown)}")
    output.mkdir(parents=True, exist_ok=True)
    table: dict = {}
    for task in tasks:
        for variant in variants:
            if (build := BUILDERS.get((task, variant))) is None:
                continue
            rows = []
            for seed in range(seeds):
                path = output / f"{task}-{variant}-{UPDATES[task]}-{seed}.json"
                if not path.is_file():
                    print(f"training {variant} on {task}, seed {seed}", file=sys.stderr)
                    path.write_text(json.dumps(_train(task, build, seed, data_dir)) + "\n")
                rows.append(json.loads(path.read_text()))
            table.setdefault(task, {})[variant] = {key: [row[key] for row in rows] for key in rows[0]}
    (output / "modes.json").write_text(json.dumps(table, indent=2) + "\n")
    return table


def _train(task: str, build, seed: int, data_dir: str | None) -> dict:
    import keras

    from ganzoo import data, metrics
    from ganzoo.data import toys

    keras.utils.set_random_seed(seed)
    model, num = build(seed), SAMPLES[task]
    if task == "stacked_mnist":
        digits = np.asarray(data.load("mnist", data_dir=data_dir))
        rng = np.random.default_rng(seed)
        images = np.concatenate([digits[rng.integers(len(digits), size=STACKED)] for _ in range(3)], axis=-1)
    else:
        toy = {"ring": toys.gaussian_ring, "grid": toys.gaussian_grid}[task]
        images = toy(100_000, seed=seed)
    steps = UPDATES[task] // model.discriminator_steps
    model.fit(images, batch_size=BATCH, epochs=1, steps_per_epoch=steps, verbose=2)
    drawn = model.generate(num, seed=seed)
    if task == "stacked_mnist":
        extractor = metrics.extractor("mnist")
        found = metrics.stacked_modes(*(extractor.logits(drawn[..., i : i + 1]) for i in range(3)))
        counts = metrics.ModeCounts(1000).update(found)
    else:
        centres, std = {"ring": (toys.ring_centres(), 0.02), "grid": (toys.grid_centres(), 0.05)}[task]
        counts = metrics.ModeCounts(len(centres)).update(metrics.nearest_modes(drawn, centres, std))
    return {"modes": counts.num_covered, "kl": counts.kl, "high_quality": counts.high_quality}


def _perceptron(name: str, inputs: int, outputs: int, width: int = 128, num_layers: int = 3):
    import keras

    x = first = keras.Input((inputs,))
    for _ in range(num_layers):
        x = keras.layers.Dense(width, activation="leaky_relu")(x)
    return keras.Model(first, keras.layers.Dense(outputs)(x), name=name)


def _toy(task: str, name: str, rate: float | None = None, **arguments):
    """A variant on points of the plane, with perceptrons of three layers of 128 units.

    With its own optimizers at their rates, or Adam (0, .99) at `rate`, which falls to zero over the second half.
    """

    def build(seed: int):
        import ganzoo

        networks = {"generator": lambda: _perceptron("generator", 16, 2)}
        networks["discriminator"] = lambda: _perceptron("discriminator", 2, 1)
        model = getattr(ganzoo, name)((2,), seed=seed, **networks, **arguments)
        if rate is not None:
            import keras

            from ganzoo.engine.schedules import HoldThenLinear

            steps = UPDATES[task]
            falling = HoldThenLinear(rate, steps // 2, steps)
            model.compile({player: keras.optimizers.Adam(falling, 0.0, 0.99) for player in model.players()})
        return model

    return build


def _stacked(name: str):
    def build(seed: int):
        import ganzoo

        return getattr(ganzoo, name)((28, 28, 3), LATENTS, seed=seed, dtype="mixed_bfloat16")

    return build


def _row(pairing: bool, both: bool):
    """A row of the table in section 3.2 of R3GAN's paper, with networks that are weak enough to lose modes."""

    def build(seed: int):
        import ganzoo
        from ganzoo import losses
        from ganzoo.networks.dcgan import dcgan_discriminator, dcgan_generator

        class Row(ganzoo.R3GAN):
            def discriminator_loss(self, real, fake, training):
                judge = partial(self.discriminate, training=training)
                loss = losses.relativistic_pairing_loss if pairing else losses.non_saturating_discriminator_loss
                penalties = (losses.zero_centred_penalty(judge, images) for images in (real, fake)[: 1 + both])
                return loss(judge(real), judge(fake)) + self.gamma / 2 * sum(penalties)

            def generator_loss(self, real, fake, training):
                if pairing:
                    return super().generator_loss(real, fake, training)
                return losses.non_saturating_generator_loss(self.discriminate(fake, training))

        shape = (28, 28, 3)
        return Row(
            shape,
            LATENTS,
            gamma=ROW_GAMMA,
            generator=lambda: dcgan_generator(shape, LATENTS, ROW_WIDTH),
            discriminator=lambda: dcgan_discriminator(shape, ROW_WIDTH, None),
            seed=seed,
            dtype="mixed_bfloat16",
        )

    return build


ROW_WIDTH, ROW_GAMMA = 8, 1.0
BUILDERS = {
    **{(task, "gan"): _toy(task, "VanillaGAN") for task in ("ring", "grid")},
    **{(task, "wgan_gp"): _toy(task, "WGANGP", penalty_weight=0.1) for task in ("ring", "grid")},
    **{(task, "r1"): _toy(task, "R1GAN", 1e-3, gamma=0.1) for task in ("ring", "grid")},
    **{(task, "r3gan"): _toy(task, "R3GAN", 1e-3, gamma=0.1) for task in ("ring", "grid")},
    ("stacked_mnist", "gan"): _stacked("VanillaGAN"),
    ("stacked_mnist", "dcgan"): _stacked("DCGAN"),
    ("stacked_mnist", "wgan_gp"): _stacked("WGANGP"),
    ("stacked_mnist", "pairing+r1+r2"): _row(True, True),
    ("stacked_mnist", "pairing+r1"): _row(True, False),
    ("stacked_mnist", "plain+r1+r2"): _row(False, True),
    ("stacked_mnist", "plain+r1"): _row(False, False),
}


def show(table: dict) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 100, highlight=False)
    for task, rows in table.items():
        shown = Table("variant", "modes", "KL, nats", "high quality", title=task)
        for variant, numbers in rows.items():
            shown.add_row(variant, *(_cell(numbers[key]) for key in ("modes", "kl", "high_quality")))
        console.print(shown)
        if task in PUBLISHED:
            console.print(PUBLISHED[task])


def _cell(values: list[float]) -> str:
    if len(values) == 1 or not np.isfinite(values).all():  # no quality image at all: an infinite KL
        return f"{np.mean(values):.3g}"
    return f"{np.mean(values):.3g} +- {np.std(values, ddof=1):.2g}"
