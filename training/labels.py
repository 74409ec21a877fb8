"""The data sets' names of the seven emotions, as indices in code order."""

from training.contract import EMOTIONS

_SYNONYMS = {
    "happiness": ("happy",),
    "anger": ("angry",),
    "sadness": ("sad",),
}
#: Every accepted name of an emotion to its index.
EMOTION_INDEX = {
    name: index
    for index, emotion in enumerate(EMOTIONS)
    for name in (emotion, *_SYNONYMS.get(emotion, ()))
}
#: Every accepted name of a gender to its index.
GENDER_INDEX = {"male": 0, "female": 1}
