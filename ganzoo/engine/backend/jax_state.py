"""What Keras' trainer on JAX does with a model's variables, made safe."""


class KeepsState:
    """A model whose variables survive `evaluate`, and a first step that fails."""

    def evaluate(self, *args, **kwargs):
        try:
            return super().evaluate(*args, **kwargs)
        finally:
            self.jax_state_sync()  # Keras does so in `fit`

    def _get_jax_state(self, purge_model_variables=False, **groups):
        # Keras' trainer empties the variables here and remembers their values only after the first step: without this,
        # a model would be lost to a bad batch, or to an interruption, in that step.
        state = super()._get_jax_state(purge_model_variables=purge_model_variables, **groups)
        if purge_model_variables:
            self._jax_state = dict(zip((group for group, wanted in groups.items() if wanted), state))
        return state
