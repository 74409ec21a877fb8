"""What may be asked of the bridge: limits, keys, and what is safe."""

import pytest

from rtmp_bridge.errors import SettingsError
from rtmp_bridge.settings import (
    LONGEST_KEY,
    SHORTEST_PUBLIC_KEY,
    BridgeSettings,
    Limits,
    StreamSettings,
)


def listening(host="127.0.0.1", key="key", name="door"):
    return StreamSettings(name, f"rtmp://{host}:1935/live/{key}", listen=True)


def test_more_streams_than_the_limit_are_refused():
    limits = Limits(streams=2)
    streams = [StreamSettings(f"s{number}", "clip.mp4", limits=limits) for number in range(3)]
    assert len(BridgeSettings(tuple(streams[:2])).streams) == 2
    with pytest.raises(SettingsError, match="at most 2 streams, came 3"):
        BridgeSettings(tuple(streams))


def test_a_key_fits_into_the_packet_in_which_publishers_send_it():
    assert listening(key="k" * LONGEST_KEY).key == "k" * LONGEST_KEY
    with pytest.raises(SettingsError, match=f"at most {LONGEST_KEY} characters"):
        listening(key="k" * (LONGEST_KEY + 1))


def test_a_stream_that_others_reach_has_a_key_that_nobody_guesses():
    long_enough = "k" * SHORTEST_PUBLIC_KEY
    assert listening("0.0.0.0", long_enough).key == long_enough
    for key, name in ((long_enough[1:], "door"), (long_enough, long_enough)):
        with pytest.raises(SettingsError, match="expected a key"):
            listening("0.0.0.0", key, name)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_on_loopback_any_key_will_do(host):
    assert listening(host, "a").endpoint[1] == 1935


def test_keys_are_in_no_representation():
    assert "secret" not in repr(listening(key="secret"))
