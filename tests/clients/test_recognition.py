import pytest

from clients import Recognition
from clients.contract import EMOTIONS, MESSAGES, SpeechStatus, TextStatus, VideoStatus
from tests.clients.fake_triton import DOCUMENT, REPORT, RESULT
from tests.clients.fake_triton import EMOTIONS as CODES

PERSON = {"id": 4, "main": False, "seconds": 2.0, "boxes": [{"time": 1.0, "box": [1, 2, 3, 4]}]}
VIDEO = REPORT | {
    "result": RESULT | {"20000_low": 25.0, "20000_high": 40.0},
    "people": [PERSON | {"id": 3, "main": True, "result": RESULT}, PERSON],
}


@pytest.fixture
def answer():
    return Recognition(DOCUMENT | {"modalities": DOCUMENT["modalities"] | {"video": VIDEO}})


def test_an_answer_speaks_by_name(answer):
    assert tuple(answer.emotion) == EMOTIONS
    assert answer.emotion["happiness"] == answer.confidence == 0.7
    assert answer.top == "happiness"
    assert answer.age == 31.5
    assert answer.gender == {"male": 0.25, "female": 0.75}


@pytest.mark.parametrize("undecided", [True, False, None])
def test_an_answer_that_is_not_sure_enough_names_no_emotion(undecided):
    answer = Recognition(DOCUMENT | {"undecided": undecided})
    assert answer.undecided is bool(undecided)
    assert answer.named == ("undecided (happiness 0.70)" if undecided else "happiness 0.70")
    assert (answer.top, answer.conflict) == ("happiness", 0.25)


def test_a_modality_speaks_for_itself(answer):
    assert list(answer.by_modality) == ["text", "speech", "video"]
    assert answer["video"].age_interval == (25, 40)
    assert (answer["video"].weight, answer["video"].error_code) == (0.5, 0)
    assert (answer["text"].top, answer["text"].age, answer["text"].gender) == (
        "happiness",
        None,
        {},
    )


def test_what_is_not_known_is_empty_or_none():
    silent = {"error_code": 2, "message": "silent", "message_ko": "", "count": 0}
    document = {"result": CODES, "modalities": {"speech": silent}, "weights": {}}
    answer = Recognition(document)
    assert (answer.age, answer.gender, answer.people) == (None, {}, ())
    speech = answer["speech"]
    assert (speech.emotion, speech.top, speech.confidence) == ({}, None, None)
    assert (speech.error_code, speech.message) == (2, "silent")


def test_people_are_listed_with_their_boxes_and_answers(answer):
    main, other = answer.people
    assert (main.id, main.main, main.top) == (3, True, "happiness")
    assert (other.id, other.main, other.emotion) == (4, False, {})
    assert other.boxes == [(1.0, [1, 2, 3, 4])]


def test_a_modality_that_the_request_did_not_bring_is_named(answer):
    with pytest.raises(KeyError, match=r"text, speech, video.*came 'smell'"):
        answer["smell"]


def test_every_status_of_every_modality_has_its_own_words_in_both_languages():
    statuses = [status for kind in (TextStatus, SpeechStatus, VideoStatus) for status in kind]
    assert set(map(repr, MESSAGES)) == set(map(repr, statuses))
    for language in (0, 1):
        words = [MESSAGES[status][language] for status in statuses if status]
        assert all(one.strip() for one in words)
        assert len(set(words)) == len(words)
    assert all(MESSAGES[kind(0)] == ("", "") for kind in (TextStatus, SpeechStatus, VideoStatus))
    assert any("가" <= letter <= "힣" for letter in MESSAGES[SpeechStatus.SILENT][1])
