"""Triton's flags over the launcher's defaults."""

from __future__ import annotations

import pytest

from server.errors import FlagError, MissingRepositoryError
from server.flags import parse_settings
from server.runtime import REPOSITORIES


def test_by_default_both_repositories_are_served_on_loopback():
    settings = parse_settings([])
    served = [a for a in settings.arguments if a.startswith("--model-repository=")]
    assert served == [f"--model-repository={repository}" for repository in REPOSITORIES]
    assert [e.url for e in settings.endpoints] == [
        "127.0.0.1:8001",
        "127.0.0.1:8000",
        "127.0.0.1:8002",
    ]


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
    settings = parse_settings(["--admin-key=secret"])
    assert settings.http_headers == {"admin-key": "secret"}
    assert settings.grpc_headers == {"triton-grpc-protocol-admin-key": "secret"}
    assert not any(argument.startswith("--admin-key") for argument in settings.arguments)


def test_the_key_is_random_unless_given():
    keys = {parse_settings([]).http_headers["admin-key"] for _ in range(2)}
    assert len(keys) == 2
    assert all(len(key) >= 24 for key in keys)


def test_a_restriction_of_ones_own_replaces_the_default():
    settings = parse_settings(["--http-restricted-api=model-repository:who=me"])
    assert settings.http_headers == {"who": "me"}


def test_models_cannot_be_reloaded_outside_explicit_control():
    settings = parse_settings(["--model-control-mode=none"])
    assert not settings.reloads_models
    assert "--load-model=*" not in settings.arguments


def test_an_endpoint_that_is_off_is_not_listed():
    settings = parse_settings(["--allow-grpc=false", "--allow-metrics=0"])
    assert settings.endpoints == (settings.http,)


def test_a_server_bound_to_every_address_is_reached_over_loopback():
    assert parse_settings(["--http-address=0.0.0.0"]).http.url == "127.0.0.1:8000"
    assert parse_settings(["--http-address=::"]).http.url == "[::1]:8000"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["8000"], "'8000' is no flag"),
        (["--http-port=http"], "--http-port must be a whole number, not 'http'"),
        (["--allow-http=false"], "--allow-http is off"),
    ],
)
def test_a_flag_that_cannot_be_used_is_named(flags, words):
    with pytest.raises(FlagError, match=words):
        parse_settings(flags)


def test_a_repository_that_does_not_exist_is_named():
    with pytest.raises(MissingRepositoryError, match="'/no/such/folder' is no folder"):
        parse_settings(["--model-repository=/no/such/folder"])
