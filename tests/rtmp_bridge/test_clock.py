"""A stream's time from whatever timestamps come."""

from fractions import Fraction

from rtmp_bridge.clock import StreamClock

TENTH = Fraction(1, 10)


def told(clock, stamps, track="picture"):
    return [
        (float(time), leapt)
        for time, leapt in (
            clock.tell(track, None if stamp is None else Fraction(stamp).limit_denominator(), TENTH)
            for stamp in stamps
        )
    ]


def test_time_begins_at_the_first_stamp():
    assert told(StreamClock(), [7, 7.1, 7.5]) == [(0.0, False), (0.1, False), (0.5, False)]


def test_both_tracks_begin_at_the_connections_origin():
    clock = StreamClock(Fraction(5))
    assert told(clock, [5.5]) == [(0.5, False)]
    assert told(clock, [5.25], "sound") == [(0.25, False)]


def test_missing_stamps_go_on_at_the_rate():
    assert [time for time, _ in told(StreamClock(), [0, None, None])] == [0.0, 0.1, 0.2]


def test_stamps_that_restart_at_zero_go_on_and_are_told():
    assert told(StreamClock(), [100, 100.1, 0, 0.1]) == [
        (0.0, False),
        (0.1, False),
        (0.2, True),
        (0.3, False),
    ]


def test_the_other_track_follows_to_the_new_origin():
    clock = StreamClock()
    told(clock, [100, 101])
    told(clock, [100, 101], "sound")
    assert told(clock, [0]) == [(1.1, True)]
    assert told(clock, [101.1], "sound") == [(1.1, False)]
    assert told(clock, [0.0], "sound") == [(1.1, True)]
    assert told(clock, [0.1]) == [(1.2, False)]


def test_a_gap_is_time_and_a_leap_is_not():
    assert told(StreamClock(), [0, 5]) == [(0.0, False), (5.0, False)]
    assert told(StreamClock(), [0, 5000]) == [(0.0, False), (0.1, True)]


def test_a_track_that_was_away_for_long_comes_back_where_the_other_is():
    clock = StreamClock()
    told(clock, [0], "sound")
    told(clock, range(61))
    assert told(clock, [60], "sound") == [(60.0, False)]
