"""What callers' files, folders and tables may hold, and what a server may answer."""

from __future__ import annotations

import csv
import io
import json
import re

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tritonclient.grpc import InferResult, service_pb2

from clients.chunks import _Packet, parts_of
from clients.contract import EMOTIONS, LIMITS, SCHEMA, SPEECH_ROW, VIDEO_ROW
from clients.errors import ManifestError, UncuttableMediaError, UnexpectedAnswerError
from clients.evaluation.manifest import COLUMNS, OLDEST, read_manifest
from clients.media import frame_files
from clients.protocol import Context, read_faces, read_recognition

names = st.text(st.sampled_from("ab01٣frame_. "), min_size=1, max_size=12).map(lambda s: f"{s}.jpg")


@settings(max_examples=40)
@given(st.sets(names, min_size=1, max_size=12))
def test_a_folders_pictures_come_in_the_order_of_their_numbers(tmp_path_factory, found):
    folder = tmp_path_factory.mktemp("frames")
    for name in found:
        (folder / name).touch()
    files = [path.name for path in frame_files(folder)]
    assert sorted(files) == sorted(found)
    numbers = [int(match[1]) for name in files if (match := re.fullmatch(r"frame(\d+)\.jpg", name))]
    assert numbers == sorted(numbers)


@given(st.lists(st.integers(0, 10**6), unique=True, min_size=1, max_size=12))
def test_frames_numbered_without_zeros_are_in_order(tmp_path_factory, numbers):
    folder = tmp_path_factory.mktemp("frames")
    for number in numbers:
        (folder / f"frame{number}.png").touch()
    assert [int(path.stem[5:]) for path in frame_files(folder)] == sorted(numbers)


cells = st.one_of(
    st.just(""),
    st.sampled_from((*EMOTIONS, "male", "female", "30", "-1", "121", "nan", "inf", "1e9", "1_0")),
    st.text(max_size=20),
)
columns = st.lists(st.sampled_from((*COLUMNS, "other", "")), min_size=1, max_size=8, unique=True)


def table(heading: list[str], rows: list[list[str]]) -> bytes:
    target = io.StringIO(newline="")
    csv.writer(target).writerows([heading, *rows])
    return target.getvalue().encode("utf-8", "replace")


@given(columns, st.lists(st.lists(cells, max_size=9), max_size=6))
def test_a_table_of_any_cells_is_read_or_refused_with_its_name(tmp_path, heading, rows):
    assert_samples_or_reason(tmp_path, table(heading, rows))


@given(st.binary(max_size=300))
def test_a_table_of_any_bytes_is_read_or_refused_with_its_name(tmp_path, data):
    assert_samples_or_reason(tmp_path, b"text\n" + data)


@given(st.binary(max_size=300))
def test_a_table_that_may_have_no_line_is_read_or_refused_with_its_name(tmp_path, data):
    assert_samples_or_reason(tmp_path, data)


@given(st.integers(256, 5_000))
def test_a_cell_that_no_file_can_be_called_is_refused_with_its_row(tmp_path, size):
    assert_samples_or_reason(tmp_path, table(["speech"], [["a" * size]]))


def assert_samples_or_reason(tmp_path, data: bytes):
    file = tmp_path / "manifest.csv"
    file.write_bytes(data)
    try:
        samples = read_manifest(file)
    except ManifestError as error:
        assert "manifest.csv" in str(error)
        return
    assert [sample.row for sample in samples] == list(range(2, 2 + len(samples)))
    for sample in samples:
        assert any(sample.media)
        assert sample.age is None or 0 <= sample.age <= OLDEST
        assert sample.emotion in ("", *EMOTIONS) and sample.gender in ("", "male", "female")


@st.composite
def encoded(draw) -> list[_Packet]:
    steps = draw(st.lists(st.sampled_from((0.0, 0.04, 1.0, 9.0, 61.0)), max_size=80))
    seconds = np.cumsum(steps).tolist()
    sizes = st.sampled_from((1, 1_000, LIMITS.video_bytes // 2, LIMITS.video_bytes))
    weighty = draw(st.booleans())
    return [
        _Packet(second, draw(sizes) if weighty else 1_000, draw(st.booleans()))
        for second in seconds
    ]


@example([_Packet(seconds=0.0, size=1_000, key_frame=True)], 20.0)
@given(encoded(), st.floats(1, LIMITS.seconds))
def test_a_long_film_is_cut_at_key_frames_into_parts_within_the_limits_or_not_at_all(found, goal):
    keys = [index for index, packet in enumerate(found) if packet.key_frame]
    if not keys:
        assert list(parts_of(found, goal)) == []
        return
    try:
        parts = list(parts_of(found, goal))
    except UncuttableMediaError as error:
        assert f"{LIMITS.seconds:g} s" in str(error)
        return
    assert [packet for part in parts for packet in part] == found[keys[0] :]
    for part in parts:
        assert part[0].key_frame
        assert part[-1].seconds - part[0].seconds < LIMITS.seconds
        assert sum(packet.size for packet in part) < LIMITS.video_bytes


@given(st.integers(0, 500), st.integers(0, 500))
def test_of_a_long_past_rows_over_all_of_it_are_kept_in_order(faces, windows):
    video = np.broadcast_to(np.arange(faces, dtype=np.float32)[:, None], (faces, VIDEO_ROW))
    speech = np.broadcast_to(np.arange(windows, dtype=np.float32)[:, None], (windows, SPEECH_ROW))
    kept = Context(video, speech).within_limits()
    for rows, there, most in (
        (kept.video, faces, LIMITS.crops),
        (kept.speech, windows, LIMITS.windows),
    ):
        numbers = rows[:, 0].tolist()
        assert len(numbers) == min(there, most) and numbers == sorted(set(numbers))
        assert not there or (numbers[0], numbers[-1]) == (0, there - 1)
    again = kept.within_limits()
    np.testing.assert_array_equal(again.video, kept.video)


def answer(**tensors: tuple[str, list[int], bytes]) -> InferResult:
    response = service_pb2.ModelInferResponse(model_name="recognize")
    for name, (datatype, shape, content) in tensors.items():
        response.outputs.add(name=name, datatype=datatype, shape=shape)
        response.raw_output_contents.append(content)
    return InferResult(response)


def result(text: bytes) -> InferResult:
    return answer(RESULT=("BYTES", [1], len(text).to_bytes(4, "little") + text))


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.just(SCHEMA),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.binary(max_size=100) | json_values.map(lambda value: json.dumps(value).encode()))
def test_an_answer_of_another_schema_is_named_as_one(text):
    with pytest.raises(UnexpectedAnswerError, match="RESULT"):
        read_recognition(result(text))


@given(st.dictionaries(st.sampled_from(("modalities", "result", "weights")), json_values))
def test_an_answer_of_this_schema_that_lacks_parts_is_named_as_one(parts):
    document = {"schema": SCHEMA, **parts}
    with pytest.raises(UnexpectedAnswerError, match="RESULT"):
        read_recognition(result(json.dumps(document).encode()))


def test_an_answer_without_its_tensors_is_named_as_one():
    for read in (read_recognition, read_faces):
        with pytest.raises(UnexpectedAnswerError):
            read(answer())
