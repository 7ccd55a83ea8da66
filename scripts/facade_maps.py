"""Draws label maps of houses that nobody built: what `pix2pix-facades` is shown with, since its data may not be.

python scripts/facade_maps.py runs/maps            eight maps of 128x128, as PNG files

The colours are those of the CMP facades as the Pix2Pix data set has them, one for each class.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

COLOURS = {
    "background": (0, 0, 222),
    "facade": (0, 48, 254),
    "window": (1, 127, 254),
    "door": (1, 207, 255),
    "cornice": (33, 254, 225),
    "sill": (112, 254, 143),
    "balcony": (192, 255, 63),
    "blind": (254, 240, 2),
    "deco": (255, 159, 1),
    "molding": (254, 80, 1),
    "pillar": (252, 1, 1),
    "shop": (174, 0, 1),
}


def house(seed: int, side: int = 128) -> np.ndarray:
    """One map, uint8 (side, side, 3): a house of three to five storeys with equal windows, as the seed has it."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (side, side), COLOURS["background"])
    draw = ImageDraw.Draw(image)

    def box(what: str, left: float, top: float, width: float, height: float) -> None:
        corners = (left, top, left + max(width, 2) - 1, top + max(height, 2) - 1)
        draw.rectangle([round(each * side / 128) for each in corners], fill=COLOURS[what])

    left, top = int(rng.integers(0, 8)), int(rng.integers(10, 24))
    width, ground = 128 - left - int(rng.integers(0, 8)), int(rng.integers(24, 30))
    storeys, columns = int(rng.integers(3, 5)), int(rng.integers(3, 6))
    box("facade", left, top, width, 128 - top)
    box("molding", left, top, width, 5)
    storey, bay = (128 - ground - top - 8) / storeys, width / columns
    wide, tall = bay * rng.uniform(0.4, 0.55), storey * rng.uniform(0.5, 0.62)
    above, below = (str(rng.choice(names)) for names in (("cornice", "facade", "deco"), ("sill", "balcony", "sill")))
    for row in range(storeys):
        y = top + 8 + row * storey + (storey - tall) / 2
        for column in range(columns):
            x = left + column * bay + (bay - wide) / 2
            box("window", x, y, wide, tall)
            box(above, x - 1, y - 4, wide + 2, 3)
            box(below, x - 2, y + tall, wide + 4, 6 if below == "balcony" else 3)
            if rng.random() < 0.15:
                box("blind", x, y, wide, tall * 0.4)
    box("molding", left, 128 - ground - 2, width, 3)
    door = int(rng.integers(columns))
    for column in range(columns):
        x = left + column * bay
        if column == door:
            box("door", x + bay * 0.28, 128 - ground * 0.8, bay * 0.44, ground * 0.8)
        else:
            box("shop", x + bay * 0.12, 128 - ground * 0.85, bay * 0.76, ground * 0.8)
    return np.asarray(image)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path, help="a folder, made if missing")
    parser.add_argument("-n", "--num", type=int, default=8)
    parser.add_argument("--side", type=int, default=128, help="pixels")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    for seed in range(args.num):
        Image.fromarray(house(seed, args.side)).save(args.output / f"house{seed}.png")


if __name__ == "__main__":
    main()
