"""Sheets of what the generator draws while it is trained."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from pathlib import Path
from typing import Any

import keras

from ganzoo import plot


class SampleGrid(keras.callbacks.Callback):
    """Writes a sheet of images from the EMA generator after each epoch, and an animation of them at the end.

    The latents are the same each time, so that every place of the sheet shows one image in the making. Models that are
    told a class have a row for each, those that translate images show source | drawn | target: see
    `ganzoo.plot.sample_sheet`. Of models of vectors (toy data of one or two dimensions) the sheet is a histogram or a
    scatter plot. Sheets are `epoch_0001.png`, `epoch_0002.png` ...; a training that is resumed goes on with the number
    where it stopped, and `samples.gif` shows all of them.

    Args:
        directory: Where to write; made at the beginning of training where it does not exist.
        every: Epochs from one sheet to the next. The last epoch always has one.
        num_images: How many; `None` for 64 images, or 2000 points of a toy; see `ganzoo.plot.sample_sheet` for others.
        seed: Of the latents.
        columns: Images in a row, or groups of source | drawn | target; `None` for a sheet that is about as high as
            wide, or for 8 images of each class.
        scale: How many pixels of the file, in each direction, make one of the image.
        animation: Whether to write `samples.gif`.
        data: A few examples as for `fit`, which the sheets are drawn from; only models that take more than latents and
            a class need them.

    Raises:
        ValueError: A number that is not positive; or, at the beginning of training, a model whose samples are neither
            images nor points in one or two dimensions, or that draws from what `data` does not have.
        OSError: At the beginning of training: the directory cannot be written to.

    Example:
        >>> model.fit(images, epochs=20, callbacks=[ganzoo.callbacks.SampleGrid("samples", every=2)])
        >>> grid = ganzoo.callbacks.SampleGrid("samples", data=(maps[:8], photos[:8]))
        >>> pix2pix.fit(maps, photos, batch_size=1, callbacks=[grid])
    """

    def __init__(
        self,
        directory: str | os.PathLike,
        every: int = 1,
        num_images: int | None = None,
        seed: int = 0,
        columns: int | None = None,
        scale: int = 2,
        animation: bool = True,
        data: Any = None,
    ):
        super().__init__()
        for name, value in {"every": every, "num_images": num_images, "columns": columns, "scale": scale}.items():
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise ValueError(f"`{name}` is a whole number from 1 on. Received: {name}={value!r}")
        self.directory = Path(directory).expanduser()
        self.every, self.num_images, self.seed = every, num_images, seed
        self.columns, self.scale, self.animation, self.data = columns, scale, animation, data
        self._epochs = self._drawn = 0  # also where a training that is resumed after its end never begins

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._epochs = self._drawn = 0
        shape = self.model.image_shape
        if not plot.drawable(shape):
            raise ValueError(
                "SampleGrid draws images and points in 1 or 2 dimensions: leave it out. "
                f"Received: a model with image_shape={shape}"
            )
        plot.sheet_inputs(self.model, self.num_images, self.data, self.columns)  # refuses what cannot be drawn from
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            plot.remove_leftovers(self.directory, r"epoch_[0-9]+\.png|samples\.gif")
            tempfile.TemporaryFile(dir=self.directory).close()  # better to fail now than after an epoch
        except OSError as error:
            raise OSError(
                f"SampleGrid cannot write to its directory ({error.strerror}): name another. "
                f"Received: directory={str(self.directory)!r}"
            ) from error

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epochs = epoch + 1
        if self._epochs % self.every == 0:
            self._draw()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._drawn < self._epochs:
            self._draw()
        if self.animation and self._epochs:
            self.animate(self._epochs)

    def animate(self, last: int) -> None:
        """Writes `samples.gif` of the sheets up to the epoch `last`, if there are any."""
        if sheets := self._sheets(last):
            plot.save_gif(self.directory / "samples.gif", sheets)

    def _draw(self) -> None:
        path = self.directory / f"epoch_{self._epochs:04d}.png"
        layout = {"columns": self.columns, "scale": self.scale}
        title = f"epoch {self._epochs}"
        plot.save_samples(path, self.model, self.num_images, self.seed, title=title, data=self.data, **layout)
        self._drawn = self._epochs

    def _sheets(self, last: int) -> list[Path]:
        """Those of this training, resumed or not: none after the last epoch, of another size, or torn."""
        from PIL import Image

        found = ((re.fullmatch(r"epoch_(\d+)\.png", path.name), path) for path in self.directory.iterdir())
        numbered = sorted((int(match[1]), path) for match, path in found if match and int(match[1]) <= last)
        sizes = {}
        for _, path in numbered:
            with contextlib.suppress(OSError, SyntaxError), Image.open(path) as sheet:
                sheet.load()
                sizes[path] = sheet.size, sheet.mode
        return [path for path in sizes if sizes[path] == list(sizes.values())[-1]]
