"""Publishes a finished training as a preset: weights, card and sample sheet in zoo_configs/ (see ganzoo.publishing)."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the folder of a finished training, e.g. runs/dcgan-mnist")
    parser.add_argument("preset", help="the preset that was trained, e.g. dcgan-mnist")
    parser.add_argument("--metrics", type=Path, help="a JSON file with the list of measurements for the card")
    arguments = parser.parse_args()

    from ganzoo.publishing import publish
    from ganzoo.weights import WeightsError

    try:
        metrics = json.loads(arguments.metrics.read_text()) if arguments.metrics else None
        card = publish(arguments.folder, arguments.preset, metrics)
    except (ValueError, OSError, WeightsError) as error:
        sys.exit(f"publish: {error}")
    print(f"Published {card.preset}: {card.bytes / 1e6:.2f} MB, sha256 {card.sha256}")


if __name__ == "__main__":
    main()
