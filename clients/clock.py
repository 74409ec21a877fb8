"""A stream's own time, from timestamps that may be missing, leap or begin anew."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

Track = Literal["picture", "sound"]

#: A longer step forward is a new origin, not a passage of time, in seconds.
LONGEST_GAP = 10
#: A longer step back is a new origin; a shorter one is disorder, in seconds.
LONGEST_STEP_BACK = 1


class StreamClock:
    """Tells when in the stream a frame belongs, from 0 at the start of the connection.

    Pictures and sound share an origin. When one of them leaps, by a publisher who comes back with
    timestamps from 0, it goes on where the stream was; the other follows when it leaps too.
    """

    def __init__(self, origin: Fraction | None = None) -> None:
        """Start before the first frame.

        Args:
            origin: The timestamp that is the start; the first frame's if None.
        """
        self._origin = origin
        self._origins: dict[Track, Fraction] = {}
        self._times: dict[Track, Fraction] = {}

    def tell(
        self, track: Track, stamp: Fraction | None, interval: Fraction
    ) -> tuple[Fraction, bool]:
        """Return the time of a track's next frame, and whether the timestamps began anew.

        Args:
            track: Whose frame it is.
            stamp: Its timestamp in seconds, from any origin.
            interval: Seconds since the frame before, where the timestamps do not tell.
        """
        leapt = False
        if self._origin is None and stamp is not None:
            self._origin = stamp
        if stamp is None:
            time = self._times.get(track, Fraction(0)) + interval
        else:
            leapt = self._find_origin(track, stamp, interval)
            time = stamp - self._origins[track]
        self._times[track] = time
        return time, leapt

    def _find_origin(self, track: Track, stamp: Fraction, interval: Fraction) -> bool:
        own = self._origins.setdefault(track, self._origin)
        if self._follows(track, stamp - own):
            return False
        if not self._follows(track, stamp - self._origin):
            self._origin = stamp - max(self._times.values(), default=Fraction(0)) - interval
        self._origins[track] = self._origin
        return True

    def _follows(self, track: Track, time: Fraction) -> bool:
        """Say whether a time can come next; a track that was away comes back where the other is."""
        furthest = max(self._times.values(), default=Fraction(0))
        last = self._times.get(track, Fraction(0))
        return last - LONGEST_STEP_BACK <= time <= furthest + LONGEST_GAP
