"""What Keras' TensorFlow trainer is given instead of a `keras.utils.PyDataset`."""

import weakref

import keras
import tensorflow as tf


def pipeline(feed, told: bool = False):
    """A `keras.utils.PyDataset` as a `tf.data.Dataset` without autotuning; anything else as it is.

    What Keras makes of a PyDataset tunes itself, and at the end of each epoch waits until its tuning thread wakes up:
    for as long again as the epoch took, in the worst case, up to a minute.

    Args:
        feed: what is trained or evaluated on, and kept by the caller: TensorFlow never forgets the function of a
            generator, and all that the function holds, a whole model, would stay with it.
        told: whether the feed is told by others when an epoch begins and ends. The order of a training's images
            depends on its step, which the thread of a pipeline reads too late.
    """
    if not isinstance(feed, keras.utils.PyDataset):
        return feed
    count, kept = feed.num_batches, weakref.ref(feed)

    def batches():
        if not told:
            kept().on_epoch_begin()
        for index in range(count):
            yield kept()[index]
        if not told:
            kept().on_epoch_end()

    specs = [tf.nest.map_structure(tf.type_spec_from_value, feed[index]) for index in range(min(2, count))]
    signature = tf.nest.map_structure(_common, specs[0], specs[-1])
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.apply(tf.data.experimental.assert_cardinality(count)).prefetch(2).with_options(options)


def _common(one, other):
    """The spec of two batches: any number of examples, and any size where theirs differ."""
    sizes = [size if size == also else None for size, also in zip(one.shape[1:], other.shape[1:], strict=True)]
    return tf.TensorSpec([None, *sizes], one.dtype)


class Pipelines:
    """`fit` and `evaluate` on a pipeline."""

    def fit(self, x, y=None, *, callbacks=None, validation_data=None, **kwargs):
        telling = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: x.on_epoch_begin(), on_epoch_end=lambda epoch, logs: x.on_epoch_end()
        )
        data, validation = pipeline(x, told=True), pipeline(validation_data)
        held = callbacks.callbacks if isinstance(callbacks, keras.callbacks.CallbackList) else callbacks
        held.insert(0, telling)
        try:
            return super().fit(  # type: ignore[misc]
                data, callbacks=callbacks, validation_data=validation, **kwargs
            )
        finally:
            held.remove(telling)

    def evaluate(self, x=None, y=None, **kwargs):
        return super().evaluate(pipeline(x), **kwargs)
