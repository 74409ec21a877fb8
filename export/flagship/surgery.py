"""What is put around a source network so that its tensors are the served ones."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from training.contract import EMOTIONS

#: The video and the text network name the emotions in this order.
ALPHABETICAL = tuple(sorted(EMOTIONS))
#: Where the emotions in code order are among the alphabetical ones.
TO_CODE_ORDER = [ALPHABETICAL.index(emotion) for emotion in EMOTIONS]


def is_posterior(scores: np.ndarray) -> bool:
    """Whether every row is a distribution, so that a network ends with its softmax."""
    return bool((scores >= 0).all() and np.allclose(scores.sum(-1), 1.0, atol=1e-4))


def posterior(scores: tf.Tensor, ready: bool) -> tf.Tensor:
    """Put the softmax where it is missing; `ready` as `is_posterior` says of the network."""
    return scores if ready else tf.nn.softmax(scores)


def both_genders(scores: tf.Tensor) -> tf.Tensor:
    """Turn the probability of a man [N,1] into [male, female] [N,2]."""
    return tf.concat([scores, 1.0 - scores], axis=1)


def softmax(scores: np.ndarray) -> np.ndarray:
    """Do in numpy what TensorFlow does in the served graph."""
    raised = np.exp(scores - scores.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True)
