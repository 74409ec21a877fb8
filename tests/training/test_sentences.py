"""Where sentences come from: near-copies, what is made by rule, and our own that measure."""

from __future__ import annotations

import numpy as np

from training.contract import EMOTIONS
from training.likeness import like_sentences
from training.made_sentences import made_sentences
from training.sentence_kinds import KINDS, own_figures, own_sentences
from training.serving_code import front_end


def test_near_copies_are_one_group_however_they_are_spaced_and_ended():
    texts = [
        "오늘 점심은 뭐 먹었어?",
        "오늘점심은 뭐 먹었어",
        "오늘 점심은 뭘 먹었어?!",
        "집에 가고 싶다",
    ]
    first, second, third, other = like_sentences(texts)
    assert first == second == third != other


def test_a_near_copy_of_a_near_copy_belongs_to_the_group():
    chain = ["가나다라마바사아", "가나다라마바사아자차카", "가나다라마바사아자차카타파하"]
    ends = like_sentences([chain[0], chain[2]], near=0.75)
    assert ends[0] != ends[1]
    assert len(set(like_sentences(chain, near=0.75))) == 1


def test_sentences_of_one_letter_or_none_are_compared_too():
    groups = like_sentences(["네", "네!", "응", "?!"])
    assert groups[0] == groups[1] and len(set(groups)) == 3


def test_what_is_made_by_rule_has_one_emotion_each_and_denies_what_it_says():
    made = list(made_sentences())
    emotions = dict(made)
    assert set(emotions.values()) == set(EMOTIONS)
    assert all(emotions[text] == emotion for text, emotion in made)
    assert emotions["슬퍼"] == "sadness" and emotions["안 슬퍼"] == "neutral"
    assert emotions["배송은 언제 되나요?"] == emotions["환불을 확인하고 있습니다"] == "neutral"


def test_nothing_that_measures_is_learned_from():
    normalise = front_end("text_tokenizer", "normalisation").normalise
    learned = {normalise(text) for text, _ in made_sentences()}
    # Faces are what they are: there is no other way to type them.
    measured = [own for own in own_sentences() if own.kind != "emoji"]
    assert not [own.text for own in measured if normalise(own.text) in learned]


def test_our_own_sentences_are_judged_by_what_would_be_right():
    wanted = {own.text: own.right for own in own_sentences()}
    right = {text: next(iter(names), None) for text, names in wanted.items()}

    def answer(text: str) -> np.ndarray | None:
        name = right[text]
        return None if name is None else np.eye(7)[EMOTIONS.index(name)]

    assert sum(count for _, count in own_figures(answer).values()) == 200
    assert {share for share, _ in own_figures(answer).values()} == {1.0}
    refused = own_figures(lambda text: None)
    assert refused["unknown script"][0] == 1.0 and refused["negation"][0] == 0.0


def test_kinds_of_sentences():
    def kinds(text: str) -> set[str]:
        return {kind for kind, is_so in KINDS.items() if is_so(text)}

    assert kinds("안 가요?") == {"negated", "short", "question", "polite"}
    assert kinds("그 사람이 먼저 그랬어") == {"plain"}
    assert "negated" in kinds("걱정하지 마세요") and "negated" not in kinds("안내해 주세요")
