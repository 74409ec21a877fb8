import csv
import importlib.util
import json
import sys
import types
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import pytest

from clients import Moment, Recognition, TimelineError
from clients.contract import EMOTIONS
from clients.timeline import COLUMNS, check, timeline
from tests.clients.fake_triton import DOCUMENT

ANSWER = Recognition(DOCUMENT)
MOMENTS = [
    Moment(0.0, 1.0, ANSWER, total=3.0),
    Moment(1.0, 2.0, refusal="nobody <there> & nothing -->\nheard", total=3.0),
    Moment(2.0, 3.0, ANSWER, total=3.0),
]


def written(path: Path, media: Path | None = None) -> Path:
    with timeline(path, "a film.mp4", media) as write:
        for moment in MOMENTS:
            write(moment)
    return path


def test_a_table_has_a_row_a_moment(tmp_path):
    with written(tmp_path / "new/film.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(COLUMNS)
    assert [(row["begin"], row["end"]) for row in rows] == [
        ("0.0", "1.0"),
        ("1.0", "2.0"),
        ("2.0", "3.0"),
    ]
    assert [float(rows[0][name]) for name in EMOTIONS] == pytest.approx([0.7, *[0.05] * 6])
    assert (rows[0]["top"], rows[0]["age"], rows[0]["female"]) == ("happiness", "31.5", "0.75")
    assert (rows[0]["speech_weight"], rows[0]["video_error_code"]) == ("0.3", "0")
    assert (rows[1]["top"], rows[1]["refusal"]) == ("", MOMENTS[1].refusal)


def test_lines_of_json_hold_the_same(tmp_path):
    lines = written(tmp_path / "film.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert [list(row) for row in rows] == [list(COLUMNS)] * 3
    assert [row["confidence"] for row in rows] == [0.7, None, 0.7]
    assert rows[0]["recording"] == "a film.mp4"


@pytest.mark.parametrize("ending", ["csv", "jsonl", "vtt"])
def test_a_row_is_on_the_disk_as_soon_as_its_moment(tmp_path, ending):
    path = tmp_path / f"film.{ending}"
    with timeline(path, "film") as write:
        write(MOMENTS[0])
        assert "happiness" in path.read_text(encoding="utf-8").splitlines()[-1]


def test_players_read_the_cues(tmp_path):
    text = written(tmp_path / "film.vtt").read_text(encoding="utf-8")
    head, *cues = text.strip().split("\n\n")
    assert head == "WEBVTT"
    assert cues[0] == "00:00:00.000 --> 00:00:01.000\nhappiness 0.70, age 32, female 0.75"
    assert cues[1].splitlines()[1:] == ["nobody &lt;there&gt; &amp; nothing --&gt; heard"]
    assert len(cues) == 3


REFUSED = Moment(
    0.0,
    1.0,
    refusal="no modality can be used: text (error_code 1): No words; came none. "
    "Please speak.; speech (error_code 5): No voice was heard.; video (error_code 77): New.",
)


def test_a_refused_moment_has_the_codes_of_its_refusal(tmp_path):
    with timeline(tmp_path / "film.jsonl", "film") as write:
        write(REFUSED)
    values = json.loads((tmp_path / "film.jsonl").read_text(encoding="utf-8"))
    codes = [values[f"{name}_error_code"] for name in ("text", "speech", "video")]
    assert (codes, values["top"], values["refusal"]) == ([1, 5, 77], None, REFUSED.refusal)


def test_a_cue_of_a_refused_moment_is_short(tmp_path):
    with timeline(tmp_path / "film.vtt", "film") as write:
        write(REFUSED)
        write(Moment(1.0, 2.0, refusal="AUDIO " + "is broken " * 20))
    first, second = (tmp_path / "film.vtt").read_text(encoding="utf-8").strip().split("\n\n")[1:]
    named = "speech: no voice, video: error_code 77"
    assert first.splitlines()[1].endswith(named)
    assert first.splitlines()[1].startswith("text: ")
    assert second.splitlines()[1].startswith("AUDIO is broken")
    assert len(second.splitlines()[1]) <= 60


def test_a_moment_that_is_not_sure_enough_names_no_emotion(tmp_path):
    unsure = Moment(0.0, 1.0, Recognition(DOCUMENT | {"undecided": True}))
    for ending in ("jsonl", "vtt", "eaf"):
        with timeline(tmp_path / f"film.{ending}", "film") as write:
            write(unsure)
    values = json.loads((tmp_path / "film.jsonl").read_text(encoding="utf-8"))
    assert (values["top"], values["undecided"], values["conflict"]) == ("happiness", True, 0.25)
    assert "undecided (happiness 0.70)" in (tmp_path / "film.vtt").read_text(encoding="utf-8")
    tiers = ElementTree.parse(tmp_path / "film.eaf").findall("TIER[@TIER_ID='emotion']")
    assert [value.text for value in tiers[0].iter("ANNOTATION_VALUE")] == ["undecided"]


def test_hours_are_written_as_players_want_them(tmp_path):
    with timeline(tmp_path / "film.vtt", "film") as write:
        write(Moment(3661.5, 3662.9996, ANSWER))
    assert "01:01:01.500 --> 01:01:03.000" in (tmp_path / "film.vtt").read_text(encoding="utf-8")


def test_elan_finds_a_valid_document(tmp_path):
    film = tmp_path / "a film.mp4"
    film.touch()
    document = ElementTree.parse(written(tmp_path / "out/film.eaf", film)).getroot()
    assert document.tag == "ANNOTATION_DOCUMENT"
    assert (document.get("FORMAT"), document.get("VERSION")) == ("3.0", "3.0")
    assert set(document.keys()) >= {"AUTHOR", "DATE", "FORMAT", "VERSION"}
    # The schema's sequence.
    order = ["HEADER", "TIME_ORDER", "TIER", "LINGUISTIC_TYPE"]
    places = [order.index(child.tag) for child in document]
    assert places == sorted(places)
    descriptor = document.find("HEADER/MEDIA_DESCRIPTOR")
    assert Path(unquote(urlsplit(descriptor.get("MEDIA_URL")).path)) == film.resolve()
    assert descriptor.get("MIME_TYPE") == "video/mp4"
    assert descriptor.get("RELATIVE_MEDIA_URL") == "../a film.mp4"
    slots = {
        slot.get("TIME_SLOT_ID"): int(slot.get("TIME_VALUE"))
        for slot in document.find("TIME_ORDER")
    }
    assert list(slots.values()) == sorted(slots.values())
    types_known = {one.get("LINGUISTIC_TYPE_ID") for one in document.iter("LINGUISTIC_TYPE")}
    annotations = list(document.iter("ALIGNABLE_ANNOTATION"))
    names = [one.get("ANNOTATION_ID") for one in annotations]
    assert len(set(names)) == len(names)
    used = [one.get(f"TIME_SLOT_REF{end}") for one in annotations for end in (1, 2)]
    assert sorted(used) == sorted(slots)
    for tier in document.iter("TIER"):
        assert tier.get("LINGUISTIC_TYPE_REF") in types_known
        spans = [
            (slots[one.get("TIME_SLOT_REF1")], slots[one.get("TIME_SLOT_REF2")])
            for one in tier.iter("ALIGNABLE_ANNOTATION")
        ]
        assert spans in ([(0, 1000), (2000, 3000)], [])
    emotion = document.find("TIER[@TIER_ID='emotion']")
    assert [one.text for one in emotion.iter("ANNOTATION_VALUE")] == ["happiness", "happiness"]


def test_parquet_holds_the_same_table(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="Parquet needs pyarrow")
    table = parquet.read_table(written(tmp_path / "film.parquet"))
    assert table.column_names == list(COLUMNS)
    assert table["top"].to_pylist() == ["happiness", None, "happiness"]
    assert table["video_error_code"].to_pylist() == [0, None, 0]


def test_parquet_is_written_in_groups_of_rows(tmp_path, monkeypatch):
    written_rows = []
    arrow, parquet = types.ModuleType("pyarrow"), types.ModuleType("pyarrow.parquet")
    arrow.schema, arrow.parquet = list, parquet
    arrow.Table = types.SimpleNamespace(from_pylist=lambda rows, schema: len(rows))

    class Writer:
        def __init__(self, path, schema):
            assert [name for name, _ in schema] == list(COLUMNS)

        def __enter__(self):
            return types.SimpleNamespace(write_table=written_rows.append)

        def __exit__(self, *error):
            pass

    parquet.ParquetWriter = Writer
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "pyarrow" or find(name))
    monkeypatch.setitem(sys.modules, "pyarrow", arrow)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", parquet)
    with timeline(tmp_path / "film.parquet", "film") as write:
        for index in range(2_500):
            write(Moment(float(index), index + 1.0, ANSWER))
    assert written_rows == [1_000, 1_000, 500]


def test_a_missing_package_is_named_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(TimelineError, match="pyarrow: pip install -r requirements/t"):
        written(tmp_path / "film.parquet")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_ending_is_refused_with_those_that_are_known():
    with pytest.raises(
        TimelineError, match=r"\.csv, \.jsonl, \.parquet, \.vtt, \.eaf, came a\.txt"
    ):
        check(Path("a.txt"))
