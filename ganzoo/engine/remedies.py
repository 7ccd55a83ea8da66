"""What an error says to do, in the words of the framework that the data come from."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["framework_of", "translated"]

# NumPy's way, and that of a tensor.
TENSORFLOW = (
    (r"(\w+)\.transpose\(([\d, ]+)\)", r"tf.transpose(\1, (\2))"),
    (r"(\w+)\.reshape\(\(([-\d, ]+)\)\)", r"tf.reshape(\1, (\2))"),
    (r"(\w+)\.repeat\((\d+), axis=-1\)", r"tf.repeat(\1, \2, -1)"),
    (r"(\w+)\.astype\('(\w+)'\)", r"tf.cast(\1, '\2')"),
    (r"np\.clip\((\w+), -1, 1\)", r"tf.clip_by_value(\1, -1, 1)"),
)
TORCH = (
    (r"(\w+)\.transpose\(([\d, ]+)\)", r"\1.permute(\2)"),
    (r"(\w+)\.repeat\((\d+), axis=-1\)", r"\1.repeat_interleave(\2, -1)"),
    (r"(\w+)\.astype\('(?:float32)'\)", r"\1.float()"),
    (r"(\w+)\.astype\('(\w+)'\)", r"\1.to(torch.\2)"),
    (r"np\.clip\((\w+), -1, 1\)", r"\1.clip(-1, 1)"),
)
WAYS = {"tensorflow": TENSORFLOW, "torch": TORCH}
WHERE = {
    "tensorflow": " Do it to the batches: `dataset.map(...)`.",
    "torch": " Do it where its batches are made: in the DataLoader's data set or `collate_fn`.",
    "": " Do it where the batches are made.",
}


def framework_of(values: Any) -> str:
    """ "tensorflow" or "torch" of their tensors and data sets; "" of all else."""
    name = type(values).__module__.partition(".")[0]
    return name if name in WAYS else ""


def translated(message: str, framework: str, in_batches: bool = False) -> str:
    """An error about arrays, whose remedies apply as they stand to a framework's tensors.

    Example:
        >>> translated("use `x.transpose(0, 2, 3, 1)`.", "torch")
        'use `x.permute(0, 2, 3, 1)`.'
    """
    for numpy_way, other in WAYS.get(framework, ()):
        message = re.sub(numpy_way, other, message)
    head, received, tail = message.partition(" Received:")
    return head + (WHERE[framework] if in_batches else "") + received + tail
