"""Where somebody speaks: Silero's detector of voice, asked about one window at a time.

The network (Silero VAD 6.2.3, MIT licence, see ../README.md) tells for every 32 ms how likely it is
that somebody speaks. It remembers what it heard; here it begins each window with nothing, so that a
window's answer depends on nothing but its own sound.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from mel import HOP, SAMPLE_RATE

#: What the network takes at a time, and what it wants to hear again of the samples before.
FRAME, CONTEXT = 512, 64
#: From here on a frame is voice.
THRESHOLD = 0.5
#: Seconds of voice with which a window needs no second look.
ENOUGH = 0.32
#: How much slower the second look plays. The network misses some high voices, shouts of women
#: above all; an octave or so lower it knows them, and is taken in by no more of what is no voice.
SLOWER = 1.5
#: What the network hears: the root mean square of the loud parts, full scale being 1.
LOUDNESS = 0.1
#: Parts of a window, in per cent, that are not as loud as its loud parts.
QUIETER = 95
#: Loudness below which there is nothing but rounding, far below the last of 16 bits.
NOTHING = 1e-6


class VoiceDetector:
    """Tells which parts of a window are voiced.

    Args:
        network: The ONNX file.
    """

    def __init__(self, network: Path) -> None:
        """Load the network, for one thread."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            network, options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, window: np.ndarray) -> np.ndarray:
        """Tell where somebody speaks, however loud or faint.

        Args:
            window: Samples float32 [S] at 16 kHz, S a multiple of 160, without an offset from 0.

        Returns:
            Whether each 10 ms is voiced, bool [S // 160].
        """
        level = loudness(window)
        if level < NOTHING:
            return np.zeros(window.size // HOP, bool)
        heard = np.clip(window * (LOUDNESS / level), -1, 1)
        first = self._voiced(heard, 1.0)
        if first.sum() * HOP >= ENOUGH * SAMPLE_RATE:
            return first
        second = self._voiced(heard, SLOWER)
        return max(first, second, key=np.count_nonzero)

    def _voiced(self, window: np.ndarray, slower: float) -> np.ndarray:
        """Play a window so many times slower; bool for each 10 ms of it as it was."""
        if slower != 1:
            times = np.arange(0, window.size - 1, 1 / slower)
            played = np.interp(times, np.arange(window.size), window)
        else:
            played = window
        voiced = self._probabilities(played) >= THRESHOLD
        middles = (np.arange(window.size // HOP) + 0.5) * HOP * slower
        return voiced[(middles / FRAME).astype(int)]

    def _probabilities(self, samples: np.ndarray) -> np.ndarray:
        """Return the probability of voice for each `FRAME`; the last one ends with zeros."""
        count = -(-samples.size // FRAME)
        padded = np.zeros(CONTEXT + count * FRAME, np.float32)
        padded[CONTEXT : CONTEXT + samples.size] = samples
        frames = np.lib.stride_tricks.sliding_window_view(padded, CONTEXT + FRAME)[::FRAME]
        silence = np.zeros((1, 1, 128), np.float32)
        fed = {"input": np.ascontiguousarray(frames), "h": silence, "c": silence}
        return self._session.run(["speech_probs"], fed)[0].reshape(-1)


def loudness(window: np.ndarray) -> float:
    """Return the root mean square of a window's loud parts, so that silence makes it no fainter."""
    return float(np.percentile(levels(window), QUIETER))


def levels(window: np.ndarray) -> np.ndarray:
    """Return the root mean square of each 10 ms, [S // 160]."""
    return np.sqrt(np.square(window.reshape(-1, HOP), dtype=np.float64).mean(axis=1))
