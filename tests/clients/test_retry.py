import pytest

from clients.errors import InputRefusedError, ServerUnavailableError
from clients.retry import Attempts, Backoff

BUSY = ServerUnavailableError("busy")


def test_pauses_grow_and_stay_bounded():
    backoff = Backoff(attempts=10, first=0.1, factor=2, longest=1)
    for failures, bound in ((1, 0.1), (2, 0.2), (3, 0.4), (4, 0.8), (5, 1), (9, 1)):
        assert bound / 2 <= backoff.pause(failures) <= bound


def test_pauses_differ_from_client_to_client():
    assert len({Backoff().pause(1) for _ in range(20)}) > 1


def test_there_is_no_pause_when_the_attempts_are_used_up():
    attempts = Attempts(Backoff(attempts=2), timeout=100)
    attempts.failures = 1
    assert attempts.pause_after(BUSY) > 0
    attempts.failures = 2
    assert attempts.pause_after(BUSY) is None


def test_no_pause_outlasts_the_request():
    attempts = Attempts(Backoff(first=10, longest=10), timeout=1)
    attempts.failures = 1
    assert attempts.pause_after(BUSY) is None


def test_there_is_no_pause_for_what_waiting_cannot_mend():
    attempts = Attempts(Backoff(), timeout=100)
    attempts.failures = 1
    assert attempts.pause_after(InputRefusedError("no", "no")) is None


def test_a_policy_without_attempts_is_refused():
    with pytest.raises(ValueError, match="attempts: expected at least 1, came 0"):
        Backoff(attempts=0)
