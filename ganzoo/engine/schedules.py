"""Learning rate schedules."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("ganzoo")
class HoldThenLinear(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that stays constant, then falls in a line to zero.

    For update t (from 0): `initial` while t <= hold_steps, then `initial * (total_steps - t) / (total_steps -
    hold_steps)`, and zero from `total_steps` on. A GAN's two networks stop chasing each other as the rates fall, so
    that the last step is as good as the best.

    Args:
        initial: The learning rate to begin with, positive.
        hold_steps: For how many of the optimizer's updates it stays constant, from 0 to `total_steps`.
        total_steps: How many updates the optimizer makes in all. A discriminator's makes
            `model.discriminator_steps` in each step.

    Raises:
        ValueError: An argument is out of its range.

    Example:

    ```python
    rate = HoldThenLinear(2e-4, hold_steps=1000, total_steps=2000)
    rate(1500)  # 1e-4
    ```
    """

    def __init__(self, initial: float, hold_steps: int, total_steps: int):
        if initial <= 0:
            raise ValueError(f"The learning rate must be positive. Received: initial={initial}")
        if not 0 <= hold_steps <= total_steps or total_steps < 1:
            raise ValueError(
                "The steps must satisfy 0 <= hold_steps <= total_steps, and total_steps at least 1. "
                f"Received: hold_steps={hold_steps}, total_steps={total_steps}"
            )
        self.initial, self.hold_steps, self.total_steps = float(initial), int(hold_steps), int(total_steps)

    def __call__(self, step: Any) -> Any:
        left = self.total_steps - ops.cast(step, "float32")
        falling = max(self.total_steps - self.hold_steps, 1)  # nothing falls where everything is held
        return self.initial * ops.clip(left / falling, 0.0, 1.0)

    def get_config(self) -> dict[str, Any]:
        return {"initial": self.initial, "hold_steps": self.hold_steps, "total_steps": self.total_steps}
