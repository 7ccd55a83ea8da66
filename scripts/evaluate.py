"""Measures a preset, or generated images in a file, under the zoo's protocol (ganzoo/metrics/protocol.py).

python scripts/evaluate.py dcgan-mnist --data-dir ../shared/data --seeds 0 1 2 3 4
python scripts/evaluate.py samples.npz --dataset mnist --json
"""

from __future__ import annotations

import argparse
import json
import sys

from ganzoo import metrics


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="a preset's name, or an .npz file with uint8 images under the key `images`")
    parser.add_argument("--dataset", help="what to compare with; default: what the preset learned")
    parser.add_argument("--data-dir", help="folder with the data set's original files, where it cannot be downloaded")
    parser.add_argument("--num-images", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--json", action="store_true", help="print what a card holds, instead of a table")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    try:
        measured = metrics.evaluate(
            args.source, args.dataset, num_images=args.num_images, seeds=args.seeds, data_dir=args.data_dir
        )
    except ValueError as error:
        print(f"evaluate: {error}", file=sys.stderr)
        sys.exit(2)
    if args.json:
        print(json.dumps(measured, indent=2))
        return
    print(f"protocol {measured[0]['protocol']}")
    for metric in measured:
        spread = "" if metric["std"] is None else f"  +- {metric['std']:.2g}"
        print(f"{metric['name']:18}{metric['value']:10.5g}{spread}")


if __name__ == "__main__":
    main()
