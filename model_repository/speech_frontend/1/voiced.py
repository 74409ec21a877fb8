"""Where in a recording somebody speaks: windows of 2 s, each brought to one channel and level.

A window begins at each whole second, and what becomes of it depends on its own 2 s alone. So a
stream that is cut into chunks gives the windows that the whole recording gives, and silence before,
after and between gives none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from bounded_worker import Leash, no_leash
from contract import LIMITS, MESSAGES, SPEECH_STRIDE, SPEECH_WINDOW, MediaError, SpeechStatus
from mel import HOP, SAMPLE_RATE
from vad import SURE, VOICED, VoiceDetector, levels

WINDOW, STRIDE = SPEECH_WINDOW * SAMPLE_RATE, SPEECH_STRIDE * SAMPLE_RATE
#: Less sound than this after the last whole window, in seconds, holds no syllable.
LEAST_REST = 0.1
#: Seconds of sure voice with which a window counts, or the share of a recording that is shorter.
LEAST_VOICE, LEAST_SHARE = 0.32, 0.5
#: Seconds that are kept before and after what is voiced: consonants and breath belong to speech.
MARGIN = 0.25
#: The root mean square of what is voiced after it is brought to one level, full scale being 1.
LEVEL = 0.05
#: Voice in one of a window's two seconds counts so much beside voice in both.
ONE_SIDED = 0.03

#: The mean's power beside the channels': 1 when they are the same, a part when they have nothing in
#: common, 0 when they cancel out. From here on they agree.
AGREEMENT = 0.8
#: A channel so much fainter than the loudest, as a ratio of powers, is dead.
DEAD = 1e-4
#: A channel with so much of the most voice found in any is as good, and the clearest one is taken.
AS_MUCH = 0.8
#: Decibels by which a channel must be clearer than the mean to be taken in its place.
CLEARER = 3.0


class Window(NamedTuple):
    """A window as it was cut: its begin in seconds, and its sound float32 [32000, channels]."""

    time: float
    sound: np.ndarray


class Voiced(NamedTuple):
    """The windows of a recording in which somebody speaks; N of them, at least 1.

    Attributes:
        sound: float32 [N, 32000]: one channel, from where the voice begins; after it there is 0.
        times: Begin of each window in seconds of the recording, float32 [N].
        voice: How much each counts by its voice, 0 to 1, see `weight`; float32 [N].
    """

    sound: np.ndarray
    times: np.ndarray
    voice: np.ndarray


def voiced_windows(
    recording: np.ndarray, detector: VoiceDetector, leash: Leash = no_leash
) -> Voiced:
    """Find the windows in which somebody speaks.

    Args:
        recording: Samples float32 [S, channels] at 16 kHz, S >= 1; or [S].
        detector: Of voice.
        leash: Is asked before each window; what it raises ends the work.

    Raises:
        MediaError: There is no voice.
    """
    least = enough_voice(len(recording))
    found = []
    for window in windows(recording):
        leash()
        sound, probabilities = loudest_voice(window.sound, detector)
        if np.count_nonzero(probabilities >= SURE) >= least:
            voiced = probabilities >= VOICED
            found.append((speech(sound, voiced), window.time, weight(voiced)))
    if not found:
        raise no_voice()
    sounds, times, voice = zip(*found, strict=True)
    return Voiced(np.stack(sounds), np.array(times, np.float32), np.array(voice, np.float32))


def no_voice() -> MediaError:
    """Return the error of sound in which nobody speaks, in the words for who did not."""
    return MediaError(SpeechStatus.NO_VOICE, MESSAGES[SpeechStatus.NO_VOICE][0])


def enough_voice(samples: int) -> float:
    """Return how many 10 ms of sure voice make a window of a recording of so many samples count."""
    return min(LEAST_VOICE, LEAST_SHARE * samples / SAMPLE_RATE) * SAMPLE_RATE / HOP


def windows(recording: np.ndarray) -> Iterator[Window]:
    """Cut a recording into windows of 2 s, one a second, at most `LIMITS.windows`.

    A rest of `LEAST_REST` or more has a window of its own, which ends with zeros as that of a
    recording under 2 s does.

    Args:
        recording: Samples [S, channels] at 16 kHz, S >= 1; or [S].
    """
    recording = np.atleast_2d(recording.T).T
    rest = max(0, len(recording) - WINDOW + STRIDE - int(LEAST_REST * SAMPLE_RATE))
    for number in range(min(1 + rest // STRIDE, LIMITS.windows)):
        sound = recording[number * STRIDE : number * STRIDE + WINDOW]
        padding = ((0, WINDOW - len(sound)), (0, 0))
        yield Window(float(number * SPEECH_STRIDE), np.pad(sound, padding))


def loudest_voice(sound: np.ndarray, detector: VoiceDetector) -> tuple[np.ndarray, np.ndarray]:
    """Choose what carries the voice: the mean of the channels, or one of them.

    The mean is taken where the channels agree. Where they do not, each is asked for voice.

    Args:
        sound: A window, float32 [S, channels].
        detector: Of voice.

    Returns:
        The samples float32 [S], their mean 0, and the probability of voice for each 10 ms.
    """
    sound = sound - sound.mean(axis=0)
    mean = sound.mean(axis=1)
    powers = np.square(sound, dtype=np.float64).mean(axis=0)
    if np.square(mean, dtype=np.float64).mean() >= AGREEMENT * powers.mean():
        return mean, detector(mean)
    live = np.flatnonzero(powers > DEAD * powers.max())
    candidates = [mean, *np.ascontiguousarray(sound.T[live])]
    probabilities = [detector(each) for each in candidates]
    amounts = np.array([np.count_nonzero(each >= VOICED) for each in probabilities])
    clearness = np.array([_clearness(each) for each in candidates])
    clearness[0] += CLEARER
    best = int(np.where(amounts >= AS_MUCH * amounts.max(), clearness, -np.inf).argmax())
    return candidates[best], probabilities[best]


def speech(sound: np.ndarray, voiced: np.ndarray) -> np.ndarray:
    """Bring a window to one level and its voice to its begin; nothing else is left of it.

    Args:
        sound: Samples float32 [S].
        voiced: Whether each 10 ms is voiced, [S // 160]; at least one is.

    Returns:
        float32 [S].
    """
    inside = sound.reshape(-1, HOP)[voiced]
    gain = LEVEL / np.sqrt(np.square(inside, dtype=np.float64).mean())
    places = np.flatnonzero(voiced)
    margin = round(MARGIN * SAMPLE_RATE)
    kept = sound[max(0, places[0] * HOP - margin) : (places[-1] + 1) * HOP + margin]
    return np.pad(kept * np.float32(gain), (0, sound.size - kept.size))


def weight(voiced: np.ndarray) -> float:
    """Return how much a window counts: the harmonic mean of its two seconds' shares of voice.

    Voice that is in one of the seconds alone is in the middle of the window beside it as well, or
    there is no more of it than that. Then it counts `ONE_SIDED` of its share, so that a sentence
    that silence follows is weighed as one that is cut off.

    Args:
        voiced: Whether each 10 ms is voiced.
    """
    first, second = voiced.reshape(2, -1).mean(axis=1)
    share = (first + second) / 2
    return float(max(first * second / share, ONE_SIDED * share)) if share else 0.0


def _clearness(sound: np.ndarray) -> float:
    """Return decibels between a window's loud and faint parts: noise fills a voice's pauses."""
    faint, loud = np.percentile(levels(sound), (10, 95))
    return float(20 * np.log10(loud / max(faint, loud * 1e-3))) if loud else 0.0
