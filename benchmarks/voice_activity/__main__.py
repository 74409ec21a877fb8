"""Measure the speech front end on voices and on noises: `python -m benchmarks.voice_activity DATA`.

DATA holds `manifest.csv` with the columns path and corpus, and the clips it names. The noises are
made by arithmetic, twenty of each kind, at peaks from -70 to -3 dB. The clips are drawn evenly and
brought to peaks from -50 to -1 dB; of each five one is as it is, one has noise 10 to 20 dB below
it, one is in one channel beside silence, one has its second channel inverted, and one has noise as
loud as itself in the other channel. Nothing is left to chance: two runs print the same.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
import wave
from collections import Counter
from pathlib import Path

import numpy as np
import onnxruntime

from benchmarks.voice_activity.noises import HARD_KINDS, KINDS, made
from training.serving_code import MODEL_REPOSITORY, front_end

RATE = 16_000
SOUNDS_A_KIND = 20
NOISE_LEVELS = (-3, -20, -40, -55, -70)
VOICE_LEVELS = (-1, -10, -20, -30, -40, -50)
#: How much silence is put beside a clip, in seconds; the last is no whole number.
SILENCES = (1, 5, 20, 2.5)
#: Peak of the faint noise of a room that stands for silence as well, -70 dB.
FAINT = 10 ** (-70 / 20)


class Listener:
    """The served front end and network in this process, on one thread."""

    def __init__(self) -> None:
        """Load both."""
        folder = MODEL_REPOSITORY / "speech_frontend" / "1"
        self._worker = front_end("speech_frontend", "sound_worker")
        self._detector = front_end("speech_frontend", "vad").VoiceDetector(folder / "vad.onnx")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        network = MODEL_REPOSITORY / "speech_cnn" / "1" / "model.onnx"
        self._network = onnxruntime.InferenceSession(network, options)

    def hears_voice(self, samples: np.ndarray) -> bool:
        """Say whether somebody speaks in samples [S, channels] or [S]."""
        return self._worker.hear(wav(samples), None, self._detector).count > 0

    def posterior(self, samples: np.ndarray) -> np.ndarray | None:
        """Return the emotions' mean over the windows by their weight, float [7]; None: no voice."""
        heard = self._worker.hear(wav(samples), None, self._detector)
        if not heard.count:
            return None
        emotion = self._network.run(["EMOTION"], {"MELS": heard.mels})[0]
        return heard.voice @ emotion / heard.voice.sum()


def wav(samples: np.ndarray) -> bytes:
    """Encode samples [S, channels] or [S] with 16 bits."""
    samples = np.atleast_2d(samples.T).T
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((samples.shape[1], 2, RATE, 0, "NONE", ""))
        sound.writeframes(np.rint(samples.clip(-1, 1) * 32_767).astype("<i2").tobytes())
    return file.getvalue()


def at_peak(samples: np.ndarray, decibels: float) -> np.ndarray:
    """Bring samples to a peak, full scale being 0."""
    return samples / np.abs(samples).max() * 10 ** (decibels / 20)


def disguised(samples: np.ndarray, number: int) -> np.ndarray:
    """Put a clip into what microphones and cables make of it, as the module says."""
    random = np.random.default_rng(number)
    noise = random.standard_normal(samples.size) * np.sqrt(np.mean(samples**2))
    loud = at_peak(samples, -1)
    level = 10 ** ((VOICE_LEVELS[number // 5 % len(VOICE_LEVELS)] + 1) / 20)
    noise = noise * np.abs(loud).max() / np.abs(samples).max()
    silence = np.zeros_like(loud)
    kinds = (
        loud,
        at_peak(loud + noise * 10 ** (-random.uniform(10, 20) / 20), -1),
        np.stack([silence, loud], 1),
        np.stack([loud, -loud], 1),
        np.stack([noise, loud], 1),
    )
    return kinds[number % len(kinds)] * level


def clips_of(data: Path, count: int) -> list[tuple[str, np.ndarray]]:
    """Return (corpus, samples float32 [S]) of so many clips, drawn evenly."""
    decode = front_end("speech_frontend", "audio").decode_audio
    with (data / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    chosen = [rows[at] for at in np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)]
    return [(row["corpus"], decode((data / row["path"]).read_bytes())) for row in chosen]


def moved(one: np.ndarray | None, other: np.ndarray | None) -> float:
    """Return the most that any emotion's posterior differs; 1 where one of the two has none."""
    return 1.0 if one is None or other is None else float(np.abs(one - other).max())


def silence(seconds: float, faint: bool) -> np.ndarray:
    """Return zeros, or the faint noise of a room."""
    size = int(seconds * RATE)
    return np.random.default_rng(size).uniform(-FAINT, FAINT, size) * faint


def report_noises(listener: Listener) -> None:
    """Print how many noises of each kind are taken for speech."""
    for title, kinds in (("of ten kinds", KINDS), ("hard ones", HARD_KINDS)):
        heard = {
            name: sum(
                listener.hears_voice(made(make, number, NOISE_LEVELS[number % len(NOISE_LEVELS)]))
                for number in range(SOUNDS_A_KIND)
            )
            for name, make in kinds.items()
        }
        total = SOUNDS_A_KIND * len(kinds)
        say(f"noises {title}: {sum(heard.values())} of {total} taken for speech {heard}")


def report_voices(listener: Listener, clips: list[tuple[str, np.ndarray]]) -> None:
    """Print how many clips of each corpus are lost."""
    lost: Counter[str] = Counter()
    for number, (corpus, samples) in enumerate(clips):
        lost[corpus] += not listener.hears_voice(disguised(samples, number))
    counts = Counter(corpus for corpus, _ in clips)
    say(f"voices: {lost.total()} of {len(clips)} lost; by corpus {dict(lost)} of {dict(counts)}")


def report_changes(listener: Listener, clips: list[tuple[str, np.ndarray]]) -> None:
    """Print how far levels and silence move the posterior."""
    clips = [samples for _, samples in clips if samples.size >= 2 * RATE]
    plain = [listener.posterior(at_peak(samples, -3)) for samples in clips]
    faint = [listener.posterior(at_peak(samples, -40)) for samples in clips]
    say_moves("-40 dB instead of -3", plain, faint)
    loud = [at_peak(samples, -3) for samples in clips]
    # Two clips one after the other, the first filled up to whole seconds.
    both = [
        np.concatenate([np.pad(one, (0, -one.size % RATE)), two])
        for one, two in zip(loud[::2], loud[1::2], strict=False)
    ]
    places = [-(-one.size // RATE) * RATE for one in loud[::2]]
    together = [listener.posterior(samples) for samples in both]
    for seconds in SILENCES:
        for faint_noise in (False, True):
            quiet = silence(seconds, faint_noise)
            name = f"{seconds:g} s of {'faint noise' if faint_noise else 'zeros'}"
            before = [listener.posterior(np.concatenate([quiet, one])) for one in loud]
            say_moves(f"{name} before", plain, before)
            after = [listener.posterior(np.concatenate([one, quiet])) for one in loud]
            say_moves(f"{name} after", plain, after)
            between = [
                listener.posterior(np.insert(one, at, quiet))
                for one, at in zip(both, places, strict=False)
            ]
            say_moves(f"{name} between two", together, between)


def say_moves(name: str, plain: list, answers: list) -> None:
    """Print the median, the ninth decile and the most that posteriors moved."""
    moves = [moved(*pair) for pair in zip(plain, answers, strict=True)]
    median, decile = np.percentile(moves, (50, 90))
    say(f"{name}: posteriors move {median:.3f}, {decile:.3f} in a tenth, at most {max(moves):.3f}")


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="a folder with manifest.csv and clips")
    parser.add_argument("--clips", type=int, default=500, help="how many voices")
    parser.add_argument("--changed", type=int, default=40, help="how many are changed in each way")
    options = parser.parse_args()
    listener = Listener()
    report_noises(listener)
    report_voices(listener, clips_of(options.data, options.clips))
    report_changes(listener, clips_of(options.data, options.changed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
