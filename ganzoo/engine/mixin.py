"""What the parts of `ganzoo.engine.base.BaseGAN` are to type checkers: the `keras.Model` that they are mixed into."""

from typing import TYPE_CHECKING

import keras

if TYPE_CHECKING:
    Mixin = keras.Model
else:
    Mixin = object
