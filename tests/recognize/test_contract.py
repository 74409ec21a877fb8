"""The contract's messages."""

from __future__ import annotations

import re

import pytest
from contract import MESSAGES, SpeechStatus, TextStatus, VideoStatus

STATUSES = [*TextStatus, *SpeechStatus, *VideoStatus]


def test_every_status_has_messages_and_nothing_else_has():
    assert [(type(status), status) for status in MESSAGES] == [(type(s), s) for s in STATUSES]
    assert len(MESSAGES) == len(list(MESSAGES.values())) == 18


def test_what_is_well_says_nothing_and_everything_else_its_own_in_both_languages():
    bad = [MESSAGES[status] for status in STATUSES if status != 0]
    assert {MESSAGES[status] for status in STATUSES if status == 0} == {("", "")}
    assert len(set(bad)) == len(bad)
    for english, korean in bad:
        assert english.isascii() and re.search("[가-힣]", korean)


def test_silence_is_not_told_as_a_dark_picture():
    assert "heard" in MESSAGES[SpeechStatus.SILENT][0]
    assert "picture" in MESSAGES[VideoStatus.BLURRED][0]
    assert "letters" in MESSAGES[TextStatus.EMPTY][0]


def test_a_bare_number_is_no_status():
    with pytest.raises(KeyError):
        MESSAGES[2]
