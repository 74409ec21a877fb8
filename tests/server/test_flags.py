"""Triton's flags over the launcher's defaults."""

from __future__ import annotations

import pytest

from server.errors import FlagError, MissingRepositoryError
from server.flags import parse_settings
from server.runtime import REPOSITORIES

KEY = "a-key-for-tests-alone"


def test_by_default_both_repositories_are_served_on_loopback():
    settings = parse_settings([])
    served = [a for a in settings.arguments if a.startswith("--model-repository=")]
    assert served == [f"--model-repository={repository}" for repository in REPOSITORIES]
    assert settings.http.url == "127.0.0.1:8000"
    assert settings.grpc.url == "127.0.0.1:8001"
    assert settings.metrics.url == "127.0.0.1:8002"


def test_a_given_flag_replaces_the_default_of_its_name(tmp_path):
    settings = parse_settings(
        [f"--model-repository={tmp_path}", "--http-port", "9000", "--log-info=1"]
    )
    assert [a for a in settings.arguments if "model-repository=" in a] == [
        f"--model-repository={tmp_path}"
    ]
    assert settings.http.url == "127.0.0.1:9000"
    assert "--log-info=1" in settings.arguments
    assert "--log-info=false" not in settings.arguments


def test_endpoints_that_change_the_server_are_restricted_by_a_key():
    settings = parse_settings([], environment={"RECOGNISER_ADMIN_KEY": KEY})
    assert settings.http_headers == {"admin-key": KEY}
    assert settings.grpc_headers == {"triton-grpc-protocol-admin-key": KEY}
    restricted = "model-repository,shared-memory,trace,logging"
    assert f"--grpc-restricted-protocol={restricted}:admin-key={KEY}" in settings.arguments
    assert f"--http-restricted-api=inference,{restricted}:admin-key={KEY}" in settings.arguments


def test_inference_over_http_is_opened_by_a_flag_alone():
    settings = parse_settings(["--allow-open-http-inference"])
    assert not any("inference" in argument for argument in settings.arguments)


def test_the_key_is_random_unless_given():
    keys = {parse_settings([]).http_headers["admin-key"] for _ in range(2)}
    assert len(keys) == 2
    assert all(len(key) >= 24 for key in keys)


def test_a_key_file_that_does_not_exist_is_made_for_its_owner(tmp_path):
    file = tmp_path / "key"
    keys = {
        parse_settings([f"--admin-key-file={file}"]).http_headers["admin-key"] for _ in range(2)
    }
    assert keys == {file.read_text().strip()}
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_key_file_that_is_open_to_others_is_refused(tmp_path):
    file = tmp_path / "key"
    file.write_text(KEY)
    file.chmod(0o644)
    with pytest.raises(FlagError, match=r"open to every user of this machine \(mode 0644\)"):
        parse_settings([f"--admin-key-file={file}"])


@pytest.mark.parametrize("key", ["", "short", "a key with spaces in it", "k" * 20 + ":,"])
def test_a_key_that_does_not_fit_is_refused_without_being_shown(key):
    with pytest.raises(FlagError, match=rf"came {len(key)} characters$"):
        parse_settings([], environment={"RECOGNISER_ADMIN_KEY": key})


@pytest.mark.parametrize(
    "flag",
    [
        "--admin-key=secret",
        "--http-restricted-api=trace:a=b",
        "--grpc-restricted-protocol=trace:a=b",
    ],
)
def test_a_key_on_the_command_line_is_refused(flag):
    with pytest.raises(FlagError, match="use --admin-key-file=FILE"):
        parse_settings([flag])


def test_models_cannot_be_reloaded_outside_explicit_control():
    settings = parse_settings(["--model-control-mode=none"])
    assert not settings.reloads_models
    assert "--load-model=*" not in settings.arguments


def test_an_endpoint_that_is_off_is_not_listed():
    settings = parse_settings(["--allow-grpc=false", "--allow-metrics=0"])
    assert settings.grpc is None
    assert settings.metrics is None


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_loopback_needs_no_flag(address):
    names = ("http", "grpc", "metrics")
    settings = parse_settings([f"--{name}-address={address}" for name in names])
    bound = (settings.http, settings.grpc, settings.metrics)
    assert {endpoint.address for endpoint in bound} == {address}


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "10.0.0.1", "unix:/tmp/http", "example.org"])
@pytest.mark.parametrize(
    ("flag", "allowance"),
    [
        ("--http-address", "--allow-unsafe-http"),
        ("--metrics-address", "--allow-unsafe-http"),
        ("--grpc-address", "--allow-plaintext-grpc"),
    ],
)
def test_an_address_that_others_reach_needs_the_flag_named_for_the_risk(flag, allowance, address):
    with pytest.raises(FlagError, match=allowance):
        parse_settings([f"{flag}={address}"])
    settings = parse_settings([f"{flag}={address}", allowance])
    assert address in {endpoint.address for endpoint in settings.endpoints}
    assert allowance not in settings.arguments


def test_a_server_bound_to_every_address_is_reached_over_loopback():
    allowed = "--allow-unsafe-http"
    assert parse_settings(["--http-address=0.0.0.0", allowed]).http.url == "127.0.0.1:8000"
    assert parse_settings(["--http-address=::", allowed]).http.url == "[::1]:8000"


def test_the_beginning_of_a_flag_is_refused_although_the_server_would_take_it():
    with pytest.raises(FlagError, match="--http-addr is no flag of this tritonserver"):
        parse_settings(["--http-addr=0.0.0.0"], known_flags={"http-address"})


def test_what_only_newer_releases_know_is_passed_to_them_alone():
    newer = parse_settings([], known_flags={"http-max-input-size"}).arguments
    assert "--http-max-input-size=100663296" in newer
    assert not any("max-input" in argument for argument in parse_settings([]).arguments)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["8000"], "'8000' is no flag"),
        (["--http-port=http"], "--http-port must be a whole number, not 'http'"),
        (["--allow-http=false"], "--allow-http is off"),
        (["--http-address="], "--http-address needs an address"),
        (["--grpc-address"], "--grpc-address needs an address"),
        (["--allow-unsafe-http=yes"], "--allow-unsafe-http takes no value"),
        (["--admin-key-file"], "--admin-key-file needs a file"),
        (["--admin-key-file=/no/such/folder/key"], "cannot make /no/such/folder/key"),
        ([f"--admin-key-file={'a' * 256}"], "cannot make a.*: File name too long"),
        (["--grpc-use-ssl=true"], "use --tls-certificate"),
        (["--allow-sagemaker=true"], "asks for no admin key"),
    ],
)
def test_a_flag_that_cannot_be_used_is_named(flags, words):
    with pytest.raises(FlagError, match=words):
        parse_settings(flags)


def test_a_repository_that_does_not_exist_is_named():
    with pytest.raises(MissingRepositoryError, match="'/no/such/folder' is no folder"):
        parse_settings(["--model-repository=/no/such/folder"])
