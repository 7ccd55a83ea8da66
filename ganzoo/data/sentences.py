"""Sentences: their words, which of them a test may hold out, and more of them by keywords."""

from __future__ import annotations

import collections
import hashlib
import re
from collections.abc import Mapping, Sequence

import numpy as np

__all__ = ["held_out", "sentences_of", "words_of"]


def words_of(sentence: str | bytes) -> list[str]:
    """The words of a sentence: runs of letters and digits, in lower case."""
    text = sentence.decode("utf-8", "replace") if isinstance(sentence, bytes) else str(sentence)
    return re.findall(r"[^\W_]+", text.lower())


def held_out(captions: Mapping[str, str], share: float = 0.1, least: int = 2) -> list[str]:
    """Names of the captions that a test may ask for: each of their words stands in others, which remain to train on.

    Names are gone through in the order of their SHA-256. A caption is held out where every word of it stands in at
    least so many that are not, until a share of all captions is; there may be fewer.

    Args:
        captions: by name.
        share: in [0, 1], of the captions, rounded down.
        least: int, captions that remain and have the word.

    Returns:
        Names in the order of `captions`: a function of names and captions alone, whatever their order.

    Example:

    >>> held_out({"a": "red heart", "b": "red book", "c": "blue heart", "d": "blue book"}, share=0.25, least=1)
    ['c']
    """
    words = {name: set(words_of(caption)) for name, caption in captions.items()}
    counts = collections.Counter(word for own in words.values() for word in own)
    chosen: set[str] = set()
    for name in sorted(captions, key=lambda name: hashlib.sha256(name.encode()).hexdigest()):
        if len(chosen) >= int(share * len(captions)):
            break
        if words[name] and all(counts[word] > least for word in words[name]):
            counts.subtract(words[name])
            chosen.add(name)
    return [name for name in captions if name in chosen]


def sentences_of(name: str, caption: str, keywords: Sequence[str]) -> list[str]:
    """Four sentences for one image: its caption, the same behind "a", and twice with one or two keywords behind it.

    Args:
        name: which keywords they are depends on nothing but this and the keywords.
        caption: a sentence.
        keywords: any number, of which those that say nothing new are left out; without any the caption stands alone.
    """
    known = {*words_of(caption)}
    keywords = [each for each in keywords if not {*words_of(each)} <= known]
    rng = np.random.default_rng(int(hashlib.sha256(name.encode()).hexdigest()[:16], 16))
    extended = [
        " ".join([caption, *rng.choice(np.array(keywords, dtype=np.str_), min(num, len(keywords)), replace=False)])
        for num in rng.integers(1, 3, 2)
    ]
    return [caption, f"a {caption}", *extended]
