"""Films as a part of a model's data: the last frames, as the channels of one image."""

from __future__ import annotations

import keras
import numpy as np

from ganzoo.data.films import as_channels, load_films
from ganzoo.data.preprocessing import MODES, check_positive
from ganzoo.engine.parts import Images

__all__ = ["Frames"]


@keras.saving.register_keras_serializable("ganzoo")
class Frames(Images):
    """The last frames of a film as the channels of one image, the oldest first; the target is the frame that follows.

    Args:
        shape: (height, width, num_frames * channels of a frame).
        num_frames: int.
        group, derived: see `Part`.

    Example:
        >>> data = {"source": Frames((64, 64, 12), num_frames=4), "target": Images((64, 64, 3))}
    """

    def __init__(self, shape, num_frames: int, group: str = "", derived: bool = False):
        check_positive(num_frames=num_frames)
        super().__init__(shape, group, derived)
        if shape[2] % num_frames:
            raise ValueError(f"{num_frames} frames have {num_frames} times a frame's channels. Received: shape={shape}")
        self.num_frames = int(num_frames)

    def frames_of(self, values):
        """(n, height, width, channels) of each frame, the oldest first."""
        return np.split(values, self.num_frames, axis=-1)

    def read(self, text, name, **reading):
        if ignored := sorted(set(reading) - {"fit", "max_value"}):
            raise ValueError(f"Films are read whole, all pages of them. Received: {', '.join(ignored)} for {name}")
        mode = MODES.get(self.shape[2] // self.num_frames)
        films = load_films(text, None if None in self.shape else self.shape[:2], mode, **reading)
        if short := [len(film) for film in films if len(film) < self.num_frames]:
            raise ValueError(f"A film has at least {self.num_frames} frames. Received: {name}={text} of {short[0]}")
        return np.concatenate([as_channels(film[None, -self.num_frames :]) for film in films])

    def get_config(self):
        return {**super().get_config(), "num_frames": self.num_frames}
