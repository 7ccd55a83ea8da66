"""Trains a preset from its recipe: `python scripts/train.py dcgan-mnist`. The same as `ganzoo train`."""

import sys

from ganzoo.cli import app

if __name__ == "__main__":
    app(["train", *sys.argv[1:]], prog_name="ganzoo")
