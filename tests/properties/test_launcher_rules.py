"""Whatever flags are given, the launcher has settings or one sentence."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from server.errors import LauncherError
from server.flags import parse_settings

NAMES = (
    "http-port", "grpc-port", "metrics-port", "http-address", "grpc-address", "allow-http",
    "allow-grpc", "allow-metrics", "admin-key", "model-repository", "model-store", "load-model",
    "model-control-mode", "exit-timeout-secs", "http-restricted-api", "grpc-restricted-protocol",
    "grpc-use-ssl", "grpc-use-ssl-mutual", "backend-directory", "log-info",
)  # fmt: skip
values = st.sampled_from(
    ("", "0", "1", "true", "false", "8000", "-1", "99999999", "x", "0.0.0.0", "::", "explicit",
     "none", "s3://bucket", "/nowhere", ".", "a:b=c", "a:=", ":", "=", "\u0663", "*")
)  # fmt: skip
flags = st.builds("--{}={}".format, st.sampled_from(NAMES), values | st.text(max_size=20))
arguments = st.lists(
    flags | values | st.sampled_from(NAMES).map("--{}".format) | st.text(max_size=20)
)


@example(["--http-port", "8000", "stray"])
@given(arguments)
def test_any_flags_give_settings_or_a_sentence(argv):
    assert_settings_or_sentence(argv)


@given(st.integers(256, 6_000))
def test_a_repository_that_no_folder_can_be_called_is_refused(size):
    assert_settings_or_sentence([f"--model-repository={'a' * size}"])


def assert_settings_or_sentence(argv: list[str]):
    try:
        settings = parse_settings(argv)
    except LauncherError as error:
        assert len(str(error).splitlines()) <= 1 or "\n" in "".join(argv)
        return
    assert all(argument.startswith("--") for argument in settings.arguments)
    assert settings.http and isinstance(settings.exit_seconds, int)
    given_names = {argument[2:].partition("=")[0] for argument in argv if argument.startswith("--")}
    passed_names = {argument[2:].partition("=")[0] for argument in settings.arguments}
    own = {"admin-key", "model-store"}
    assert given_names - passed_names <= own | {"load-model"}
    assert "admin-key" not in passed_names
