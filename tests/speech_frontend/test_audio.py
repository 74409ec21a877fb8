"""Decoding of encoded sound: the same samples from every container, and clear refusals."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest
from audio import SAMPLE_RATE, SILENCE, decode_audio, decode_channels, has_sound_track
from av.stream import Disposition
from contract import MediaError, SpeechStatus

from benchmarks.hostile.odd_sounds import wav, wav_of_channels


def encode(samples: np.ndarray, container: str, codec: str, rate: int = SAMPLE_RATE) -> bytes:
    """Encode samples [channels, S] in [-1, 1]."""
    target = io.BytesIO()
    layout = "mono" if len(samples) == 1 else "stereo"
    with av.open(target, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(
            (samples.T.reshape(1, -1) * 32_767).astype(np.int16), format="s16", layout=layout
        )
        frame.sample_rate = rate
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            output.mux(packet)
    return target.getvalue()


def tone(seconds: float = 2.0, rate: int = SAMPLE_RATE, hertz: float = 440.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)[None]


def status_of(data: bytes) -> SpeechStatus:
    with pytest.raises(MediaError) as caught:
        decode_audio(data)
    return caught.value.status


@pytest.mark.parametrize(
    ("container", "codec", "rate"),
    [("wav", "pcm_s16le", 16_000), ("mp3", "libmp3lame", 44_100), ("ogg", "libopus", 48_000)],
)
def test_every_codec_gives_the_same_tone_at_16_khz(container, codec, rate):
    samples = decode_audio(encode(tone(rate=rate), container, codec, rate))
    assert samples.dtype == np.float32
    assert samples.size == pytest.approx(2 * SAMPLE_RATE, rel=0.05)
    middle = samples[8_000:24_000]
    spectrum = np.abs(np.fft.rfft(middle))
    assert abs(spectrum.argmax() * SAMPLE_RATE / middle.size - 440) <= 1
    assert np.abs(middle).max() == pytest.approx(0.5, rel=0.05)


def test_stereo_becomes_the_mean_of_its_channels():
    left, right = tone(), np.zeros_like(tone())
    samples = decode_audio(encode(np.concatenate([left, right]), "wav", "pcm_s16le"))
    np.testing.assert_allclose(samples, left[0] / 2, atol=1e-3)


@pytest.mark.parametrize("channels", [1, 2, 3, 6, 7, 8, 9, 16, 63, 64])
def test_any_number_of_channels_becomes_their_mean(channels):
    """PyAV counts a plane too many of planar sound from eight channels on."""
    samples = decode_audio(wav_of_channels(tone()[0], channels))
    np.testing.assert_allclose(samples, tone()[0], atol=1e-3)


def test_more_channels_than_can_be_mixed_are_refused():
    assert status_of(wav_of_channels(tone()[0], 65)) is SpeechStatus.UNREADABLE


def test_surround_sound_of_a_film_is_heard():
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as output:
        stream = output.add_stream("aac", rate=48_000, layout="7.1")
        planes = np.repeat(tone(rate=48_000), 8, axis=0).astype(np.float32)
        # Packed, so that the test does not lean on what it checks; the eighth channel is bass only.
        frame = av.AudioFrame(format="flt", layout="7.1", samples=planes.shape[1])
        frame.planes[0].update(np.ascontiguousarray(planes.T).tobytes())
        frame.sample_rate = 48_000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            output.mux(packet)
    samples = decode_audio(target.getvalue())
    assert np.abs(samples[8_000:24_000]).max() == pytest.approx(0.5 * 7 / 8, rel=0.1)


def test_sound_that_changes_its_format_on_the_way_is_heard_to_its_end():
    mono, stereo = tone(1.0, 44_100), np.repeat(tone(1.0, 44_100), 2, axis=0)
    joined = encode(mono, "adts", "aac", 44_100) + encode(stereo, "adts", "aac", 44_100)
    samples = decode_audio(joined)
    assert samples.size == pytest.approx(2 * SAMPLE_RATE, rel=0.1)
    second = samples[int(1.3 * SAMPLE_RATE) : int(1.7 * SAMPLE_RATE)]
    assert np.abs(second).max() == pytest.approx(0.5, rel=0.1)


def test_the_track_that_players_take_is_heard():
    target = io.BytesIO()
    with av.open(target, "w", format="matroska") as output:
        tracks = [output.add_stream("pcm_s16le", rate=SAMPLE_RATE, layout="mono") for _ in range(3)]
        for track, marks in zip(tracks, (0, Disposition.default, 0), strict=True):
            track.disposition = Disposition(marks)
        for track, hertz in zip(tracks, (440, 1_000, 2_000), strict=True):
            samples = (tone(hertz=hertz) * 32_767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.sample_rate = SAMPLE_RATE
            for packet in [*track.encode(frame), *track.encode(None)]:
                output.mux(packet)
    samples = decode_audio(target.getvalue())
    assert np.abs(np.fft.rfft(samples)).argmax() * SAMPLE_RATE / samples.size == 1_000


def test_channels_stay_apart_until_one_of_them_is_chosen():
    left, right = tone(), tone(hertz=700)
    samples = decode_channels(encode(np.concatenate([left, -right]), "wav", "pcm_s16le"))
    np.testing.assert_allclose(samples, np.stack([left[0], -right[0]], 1), atol=1e-3)


def test_a_voice_of_three_steps_of_sixteen_bits_is_not_silent():
    assert decode_audio(encode(tone() * 2 * 1.5 * SILENCE, "wav", "pcm_s16le")).any()


def test_a_sample_rate_at_which_a_few_bytes_are_hours_is_refused_before_resampling():
    with pytest.raises(MediaError, match="1 samples a second, expected 1000 to"):
        decode_audio(wav(np.zeros((50, 1)), rate=1))


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", SpeechStatus.UNREADABLE),
        (b"not sound at all" * 100, SpeechStatus.UNREADABLE),
        (encode(np.zeros((1, 32_000)), "wav", "pcm_s16le"), SpeechStatus.SILENT),
        (encode(tone(0.1), "wav", "pcm_s16le"), SpeechStatus.TOO_SHORT),
        (encode(tone(61), "wav", "pcm_s16le"), SpeechStatus.TOO_LONG),
    ],
)
def test_sound_that_cannot_be_used_has_its_own_status(data, status):
    assert status_of(data) is status


def test_a_header_that_lies_about_its_length_does_not_pass_the_limit():
    wav = bytearray(encode(tone(61), "wav", "pcm_s16le"))
    wav[wav.index(b"data") + 4 : wav.index(b"data") + 8] = (64_000).to_bytes(4, "little")
    ogg = encode(tone(61, 48_000), "ogg", "libopus", 48_000)
    assert decode_audio(bytes(wav)).size <= 60.5 * SAMPLE_RATE
    assert status_of(ogg) is SpeechStatus.TOO_LONG


def test_a_playlist_cannot_make_the_server_open_a_file(tmp_path: Path):
    """The original's clients sent paths on the server's disk."""
    target = tmp_path / "segment.ts"
    target.write_bytes(encode(tone(rate=44_100), "mpegts", "mp2", 44_100))
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\n{target}\n#EXT-X-ENDLIST\n"
    for data in (playlist, f"ffconcat version 1.0\nfile {target}\n", str(target)):
        assert status_of(data.encode()) is SpeechStatus.UNREADABLE


def test_has_sound_track_tells_films_with_sound_from_others(clip):
    assert has_sound_track(clip)
    assert not has_sound_track(b"no container")
