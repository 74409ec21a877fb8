import itertools
import logging

import pytest

from clients import InputRefusedError, Recognition
from clients.chunks import Combination
from clients.contract import MESSAGES, SpeechStatus, VideoStatus
from clients.media import Chunk, Span
from clients.protocol import Context
from clients.recognition import Person
from tests.clients.fake_triton import RESULT

GOOD = {"error_code": 0, "message": "", "message_ko": "", "count": 8, "result": RESULT}


def bad(status, **details):
    english, korean = MESSAGES[status]
    report = {"error_code": int(status), "message": english, "message_ko": korean, "count": 0}
    return report | details


def refusal(**statuses):
    causes = "; ".join(
        f"{name} (error_code {int(status)}): {MESSAGES[status][0]}"
        for name, status in statuses.items()
    )
    sentence = f"no modality can be used: {causes}"
    return InputRefusedError(f"recognize refused the input: {sentence}", sentence)


def together(*pieces):
    """Combine (seconds, answer's modalities or refusal), one after the other, into modalities."""
    combination = Combination(Context(), (), context=False)
    begin = 0.0
    for seconds, said in pieces:
        span = Span(begin, seconds)
        chunk = Chunk(audio=b"sound", film=b"film", sound_span=span, picture_span=span)
        if isinstance(said, InputRefusedError):
            combination.refused(chunk, said)
        else:
            combination.add(chunk, Recognition({"result": RESULT, "modalities": said}))
        begin += seconds
    return combination.result().modalities


DARK = bad(VideoStatus.BLURRED, second_error_codes=[2] * 20)
AWAY = bad(VideoStatus.NO_FACE, second_error_codes=[6] * 30)
SEEN = GOOD | {"second_error_codes": [0] * 9 + [3]}


def test_second_codes_are_over_the_whole_length():
    modalities = together((20, {"video": DARK}), (10, {"video": SEEN}), (30, {"video": AWAY}))
    assert modalities["video"]["second_error_codes"] == [2] * 20 + [0] * 9 + [3] + [6] * 30


def test_what_was_left_out_is_told_with_its_seconds_and_cause():
    video = together((20, {"video": DARK}), (10, {"video": SEEN}), (30, {"video": AWAY}))["video"]
    assert [(one["begin"], one["end"], one["error_code"]) for one in video["left_out"]] == [
        (0, 20, 2),
        (29, 30, 3),
        (30, 60, 6),
    ]
    for one in video["left_out"]:
        assert (one["message"], one["message_ko"]) == MESSAGES[VideoStatus(one["error_code"])]


def test_the_gravest_and_the_commonest_cause_are_told():
    video = together((30, {"video": AWAY}), (20, {"video": DARK}), (20, {"video": DARK}))["video"]
    assert (video["worst"]["error_code"], video["worst"]["seconds"]) == (6, 30)
    assert (video["commonest"]["error_code"], video["commonest"]["seconds"]) == (2, 40)
    assert (video["error_code"], video["message"]) == (2, MESSAGES[VideoStatus.BLURRED][0])


def test_a_modality_that_was_good_throughout_has_no_cause():
    speech = together((10, {"speech": GOOD}), (10, {"speech": GOOD}))["speech"]
    assert speech["second_error_codes"] == [0] * 20
    assert (speech["left_out"], speech["worst"], speech["commonest"]) == ([], None, None)
    assert speech["error_code"] == 0


def test_a_chunk_that_was_refused_counts_with_its_seconds_and_codes_by_modality():
    refused = refusal(speech=SpeechStatus.SILENT, video=VideoStatus.NO_FACE)
    answer = {"speech": GOOD, "video": SEEN}
    modalities = together((12, refused), (10, answer))
    assert modalities["speech"]["second_error_codes"] == [2] * 12 + [0] * 10
    assert modalities["video"]["second_error_codes"] == [6] * 12 + [0] * 9 + [3]
    assert modalities["speech"]["worst"]["message"] == MESSAGES[SpeechStatus.SILENT][0]
    assert modalities["speech"]["error_code"] == modalities["video"]["error_code"] == 0


def test_a_refusal_in_other_words_counts_for_all_that_the_chunk_brought():
    refused = InputRefusedError("refused", "AUDIO is larger than it says")
    modalities = together((5, refused), (5, {"speech": GOOD, "video": GOOD}))
    assert modalities["speech"]["second_error_codes"] == [1] * 5 + [0] * 5
    assert modalities["video"]["worst"]["message"] == "AUDIO is larger than it says"


RARE = bad(VideoStatus.TOO_FEW_FACES, second_error_codes=[0, 5, 5, 0])


def test_good_seconds_of_a_chunk_of_too_few_faces_are_not_left_out():
    video = together((4, {"video": RARE}), (10, {"video": SEEN}))["video"]
    assert video["second_error_codes"][:4] == [0, 5, 5, 0]
    stretches = [(one["begin"], one["end"], one["error_code"]) for one in video["left_out"]]
    assert stretches == [(1, 3, 5), (13, 14, 3)]
    assert (video["worst"]["error_code"], video["commonest"]["seconds"]) == (5, 2)


def test_chunks_of_too_few_faces_keep_their_code_where_every_second_is_well(caplog):
    rare = RARE | {"second_error_codes": [0] * 4}
    video = together((4, {"video": rare}), (4, {"video": rare}))["video"]
    assert (video["error_code"], video["left_out"], video["worst"]) == (5, [], None)
    assert "left out" not in caplog.text


def heard(*times, voice=None):
    return GOOD | {"times": list(times), "voice": voice or [1.0] * len(times)}


def test_a_second_of_sound_is_well_where_a_window_with_voice_covers_it():
    speech = together(
        (6, {"speech": heard(1.0, 4.0, voice=[0.5, 0.0])}),
        (4, refusal(speech=SpeechStatus.SILENT)),
        (3.05, {"speech": heard(0.0, 1.0)}),
    )["speech"]
    assert speech["second_error_codes"] == [5, 0, 0, 5, 5, 5, *[2] * 4, 0, 0, 0]
    stretches = [(one["begin"], one["end"], one["error_code"]) for one in speech["left_out"]]
    assert stretches == [(0, 1, 5), (3, 6, 5), (6, 10, 2)]
    assert speech["left_out"][0]["message"] == MESSAGES[SpeechStatus.NO_VOICE][0]
    assert (speech["worst"]["error_code"], speech["commonest"]["error_code"]) == (2, 2)
    assert speech["error_code"] == 0


@pytest.mark.parametrize("later_says", ["nothing heard", "refused"])
def test_the_second_that_two_pieces_of_sound_share_is_well_if_either_heard_it(later_says):
    combination = Combination(Context(), (), context=False)
    first, second = (Chunk(audio=b"a", sound_span=Span(begin, 5.0)) for begin in (0.0, 4.0))
    combination.add(first, Recognition({"result": RESULT, "modalities": {"speech": heard(3.0)}}))
    if later_says == "refused":
        combination.refused(second, refusal(speech=SpeechStatus.NO_VOICE))
    else:
        modalities = {"speech": heard(3.0)}
        combination.add(second, Recognition({"result": RESULT, "modalities": modalities}))
    codes = combination.result().modalities["speech"]["second_error_codes"]
    assert codes[:5] == [5, 5, 5, 0, 0]
    assert codes[5:7] == [5, 5]


def test_the_order_of_chunks_changes_nothing_but_times():
    pieces = [
        (20, {"video": DARK, "speech": GOOD}),
        (10, {"video": SEEN, "speech": bad(SpeechStatus.SILENT)}),
        (30, refusal(video=VideoStatus.NO_FACE, speech=SpeechStatus.SILENT)),
    ]

    def timeless(modalities):
        return {
            name: report
            | {
                "second_error_codes": sorted(report["second_error_codes"]),
                "parts": (),
                "left_out": sorted(
                    (one["end"] - one["begin"], one["error_code"], one["message"])
                    for one in report["left_out"]
                ),
            }
            for name, report in modalities.items()
        }

    def seconds_left_out(report):
        return sum(length for length, *_ in report["left_out"])

    reports = [timeless(together(*order)) for order in itertools.permutations(pieces)]
    for report in reports[1:]:
        for name in ("speech", "video"):
            assert seconds_left_out(report[name]) == seconds_left_out(reports[0][name])
            for key in ("error_code", "message", "worst", "commonest", "second_error_codes"):
                assert report[name][key] == reports[0][name][key]


def test_parts_that_begin_within_a_second_are_laid_on_the_seconds_they_fill_most():
    parts = [
        (7.2, {"video": GOOD | {"second_error_codes": [0] * 8}}),
        (7.2, {"video": bad(VideoStatus.BLURRED, second_error_codes=[2] * 8)}),
        (7.2, {"video": GOOD | {"second_error_codes": [0] * 8}}),
    ]
    codes = together(*parts)["video"]["second_error_codes"]
    assert codes == [0] * 7 + [2] * 7 + [0] * 8


def test_faces_windows_and_people_are_joined_with_times_of_the_recording():
    person = {"id": 0, "main": True, "begin": 1.0, "end": 4.0, "seconds": 3.0}
    person |= {"boxes": [{"time": 1.0, "box": [1, 2, 3, 4]}]}
    video = GOOD | {"faces": [{"time": 0.25, "box": []}], "people": [person], "people_seen": 3}
    speech = GOOD | {"times": [0.0, 1.0], "voice": [0.5, 1.0]}
    modalities = together(
        (10, {"video": video, "speech": speech}),
        (10, {"video": video | {"people_seen": 2}, "speech": speech}),
    )
    assert [face["time"] for face in modalities["video"]["faces"]] == [0.25, 10.25]
    assert modalities["speech"]["times"] == [0, 1, 10, 11]
    assert modalities["speech"]["voice"] == [0.5, 1, 0.5, 1]
    first, second = modalities["video"]["people"]
    assert (first["offset"], first["begin"], first["boxes"][0]["time"]) == (0, 1, 1)
    assert (second["offset"], second["begin"], second["boxes"][0]["time"]) == (10, 11, 11)
    assert [Person(one).offset for one in (first, second)] == [0, 10]
    assert modalities["video"]["people_seen"] == 3
    assert modalities["video"]["parts"] == [0, 10]


def test_a_film_that_ends_before_the_sound_is_not_reported_on_by_rows_alone():
    combination = Combination(Context(), (), context=False)
    film = Chunk(audio=b"a", film=b"f", sound_span=Span(0, 60), picture_span=Span(0, 20))
    sound = Chunk(audio=b"a", sound_span=Span(59, 60))
    combination.add(film, Recognition({"result": RESULT, "modalities": {"video": DARK}}))
    rows_alone = {"video": GOOD, "speech": GOOD}
    combination.add(sound, Recognition({"result": RESULT, "modalities": rows_alone}))
    video = combination.result().modalities["video"]
    assert video["second_error_codes"] == [2] * 20
    assert video["error_code"] == 2
    assert video["result"] == RESULT


def test_one_chunk_says_what_the_server_says():
    assert together((10, {"video": DARK})) == {"video": DARK}


@pytest.mark.parametrize("name", ["speech", "video"])
def test_a_code_of_a_newer_server_is_reported_as_it_came(name, caplog):
    new = {"error_code": 77, "message": "new", "message_ko": "새", "count": 0}
    with caplog.at_level(logging.WARNING):
        report = together((5, {name: new}), (5, {name: GOOD}))[name]
    assert (report["worst"]["error_code"], report["worst"]["message"]) == (77, "new")
    assert "error_code 77: new" in caplog.text
