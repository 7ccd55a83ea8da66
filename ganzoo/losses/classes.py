"""Cross-entropy of classes and codes."""

from keras import ops

from ganzoo.losses.numbers import float32


def class_loss(class_logits, labels):
    """Cross-entropy of classes, ``E[-log softmax(logits)[label]]``, in nats.

    Args:
        class_logits: float (batch, classes), scores before any softmax.
        labels: int (batch,), from 0.

    Returns:
        A float32 scalar, at least 0; ``log(classes)`` for equal logits.

    Reference:
        Odena et al. 2016, arXiv:1610.09585, eq. 3 (with the sign turned).
    """
    chosen = ops.one_hot(ops.convert_to_tensor(labels), class_logits.shape[-1], dtype="float32")
    return code_loss(class_logits, chosen)


def code_loss(code_logits, code):
    """Cross-entropy of a categorical code, ``E[-sum_k c_k log softmax(logits)_k]``, in nats.

    Args:
        code_logits: float (batch, categories), scores before any softmax.
        code: float (batch, categories), one-hot.

    Returns:
        A float32 scalar, at least 0. ``log(categories)`` minus it is a lower bound of the mutual information.

    Reference:
        Chen et al. 2016, arXiv:1606.03657, eq. 5, for a uniform categorical code.
    """
    return -ops.mean(ops.sum(ops.convert_to_tensor(code) * ops.log_softmax(float32(code_logits)), axis=-1))


def attribute_loss(logits, labels):
    """Cross-entropy of an attribute, in nats: of one of several values, or of whether something is so.

    Args:
        logits: float (batch, values), before any softmax, as for `class_loss`; or (batch, 1), before any sigmoid.
        labels: int (batch,), from 0; of one logit 1 where it is so.

    Returns:
        A float32 scalar, at least 0; ``log(2)`` for a single logit of 0.

    Reference:
        Choi et al. 2018, arXiv:1711.09020, eq. 2 and 3.
    """
    if logits.shape[-1] > 1:
        return class_loss(logits, labels)
    logit = float32(logits)[:, 0]
    return ops.mean(ops.softplus(logit) - logit * ops.cast(labels, "float32"))
