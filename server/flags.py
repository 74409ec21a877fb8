"""The launcher's configuration: Triton's own flags over this project's defaults.

Every flag of `tritonserver` may be given; it replaces the default of the same name. Some are the
launcher's own to set, since a mistake there opens the server to others: keys, certificates, and the
front ends of other platforms, which ask for no key. `HEALTH_FLAGS` are like those of a front end.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from server.admin_key import find_admin_key
from server.endpoints import Endpoint
from server.errors import FlagError, MissingRepositoryError
from server.runtime import REPOSITORIES
from server.tls import Tls, find_tls

ADMIN_HEADER = "admin-key"
#: Endpoints that change the server or map its memory.
RESTRICTED_ENDPOINTS = "model-repository,shared-memory,trace,logging"
#: Triton looks for a restricted gRPC endpoint's key under its name with this prefix.
GRPC_HEADER_PREFIX = "triton-grpc-protocol-"
#: The flags of `tritonserver` whose values hold the key.
SECRET_FLAGS = ("--http-restricted-api", "--grpc-restricted-protocol")

#: Flags of the launcher that take a value.
_OPTIONS = (
    "admin-key-file",
    "tls-certificate",
    "tls-key",
    "tls-client-ca",
    "tls-probe-certificate",
    "tls-probe-key",
)
#: Flags of the launcher that accept a risk.
_ALLOW_HTTP = "allow-unsafe-http"
_ALLOW_PLAINTEXT = "allow-plaintext-grpc"
_ALLOW_OPEN_INFERENCE = "allow-open-http-inference"
_ALLOWANCES = (_ALLOW_HTTP, _ALLOW_PLAINTEXT, _ALLOW_OPEN_INFERENCE)

_KEY_IN_ARGV = "every user of this machine could read the key there: use --admin-key-file=FILE"
_LAUNCHERS_OWN = "use --tls-certificate, --tls-key and --tls-client-ca"
_KEYLESS = "that front end asks for no admin key (CVE-2026-24207)"
_REFUSED = {
    "admin-key": _KEY_IN_ARGV,
    "http-restricted-api": _KEY_IN_ARGV,
    "grpc-restricted-protocol": _KEY_IN_ARGV,
    "grpc-use-ssl": _LAUNCHERS_OWN,
    "grpc-use-ssl-mutual": _LAUNCHERS_OWN,
    "grpc-server-cert": _LAUNCHERS_OWN,
    "grpc-server-key": _LAUNCHERS_OWN,
    "grpc-root-cert": _LAUNCHERS_OWN,
    "allow-sagemaker": _KEYLESS,
    "allow-vertex-ai": _KEYLESS,
}

#: Defaults that not every release of `tritonserver` knows.
_NEWER_DEFAULTS = {
    # In bytes: the longest film and the longest sound that `recognize` takes.
    "http-max-input-size": str(96 << 20),
    # On by itself where AIP_MODE is set.
    "allow-vertex-ai": "false",
}

#: The launcher's own, for the address where it says how the server is.
HEALTH_FLAGS = ("allow-health", "health-address", "health-port")

Flag = tuple[str, str | None]


@dataclass(frozen=True)
class Settings:
    """What one launch serves and where.

    Attributes:
        arguments: The flags for `tritonserver`, without those that belong to a single launch.
        http: The HTTP front end.
        grpc: The gRPC front end, None when it is off.
        metrics: The metrics front end, None when it is off.
        health: The launcher's own address, None when it is off.
        tls: The gRPC front end's certificates; None serves in the clear.
        http_headers: What the restricted HTTP endpoints ask for.
        grpc_headers: What the restricted gRPC endpoints ask for.
        reloads_models: Whether a single model can be loaded again (explicit model control).
        exit_seconds: How long in-flight requests may take when the server stops.
        own_backends: Whether the launcher builds the backend directory.
    """

    arguments: tuple[str, ...]
    http: Endpoint
    grpc: Endpoint | None
    metrics: Endpoint | None
    health: Endpoint | None
    tls: Tls | None
    http_headers: dict[str, str]
    grpc_headers: dict[str, str]
    reloads_models: bool
    exit_seconds: int
    own_backends: bool

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The front ends that are on, and the launcher's own address."""
        endpoints = (self.grpc, self.http, self.metrics, self.health)
        return tuple(e for e in endpoints if e is not None)


def parse_settings(
    argv: Sequence[str],
    known_flags: Collection[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Lay the given flags over the defaults.

    Args:
        argv: Flags as `--name=value`, `--name value` or `--name`.
        known_flags: What `tritonserver` takes, without dashes; empty when that does not matter.
        environment: Where the admin key may be.

    Raises:
        FlagError: A flag is unknown, malformed or unsafe, or the supervisor cannot work with it.
        MissingRepositoryError: A model repository's folder does not exist.
    """
    given = _split_flags(argv)
    given = [("model-repository" if n == "model-store" else n, value) for n, value in given]
    own, given = _split_own(given)
    _check_names(given, known_flags)
    admin_key = find_admin_key(own.get("admin-key-file"), environment or {})
    tls = find_tls(*(own.get(name) for name in _OPTIONS if name.startswith("tls-")))
    replaced = {name for name, _ in given}
    defaults = _default_flags(admin_key, tls, own, known_flags)
    flags = [flag for flag in defaults if flag[0] not in replaced] + given
    explicit = _last(flags, "model-control-mode") == "explicit"
    if not explicit:
        flags = [flag for flag in flags if flag[0] != "load-model"]
    _check_repositories(flags)
    if not _is_true(_last(flags, "allow-http"), default=True):
        raise FlagError(
            "--allow-http is off, but the launcher watches the server over HTTP: "
            "keep it on loopback with --http-address=127.0.0.1"
        )
    http = _endpoint(flags, "HTTP", "http", default_address="127.0.0.1")
    grpc = _optional_endpoint(flags, "gRPC", "grpc", "127.0.0.1")
    metrics = _optional_endpoint(flags, "metrics", "metrics", http.address)
    health = _optional_endpoint(flags, "health", "health", "127.0.0.1")
    _check_exposure(http, grpc, metrics, tls, own)
    return Settings(
        arguments=tuple(_format(flag) for flag in flags if flag[0] not in HEALTH_FLAGS),
        http=http,
        grpc=grpc,
        metrics=metrics,
        health=health,
        tls=tls,
        http_headers={ADMIN_HEADER: admin_key},
        grpc_headers={GRPC_HEADER_PREFIX + ADMIN_HEADER: admin_key},
        reloads_models=explicit,
        exit_seconds=_integer(flags, "exit-timeout-secs"),
        own_backends="backend-directory" not in replaced,
    )


def _default_flags(
    admin_key: str, tls: Tls | None, own: Mapping[str, str | None], known_flags: Collection[str]
) -> list[Flag]:
    restricted = f"{RESTRICTED_ENDPOINTS}:{ADMIN_HEADER}={admin_key}"
    # The embedded release dies of some bodies, but asks for the key before it reads one.
    closed = restricted if _ALLOW_OPEN_INFERENCE in own else f"inference,{restricted}"
    return [
        *(("model-repository", str(repository)) for repository in REPOSITORIES),
        ("http-address", "127.0.0.1"),
        ("grpc-address", "127.0.0.1"),
        ("http-port", "8000"),
        ("grpc-port", "8001"),
        ("metrics-port", "8002"),
        ("health-port", "8003"),
        ("log-info", "false"),
        ("log-warning", "false"),
        ("allow-gpu-metrics", "false"),
        ("disable-auto-complete-config", None),
        # A model whose process died can only be loaded again in this mode.
        ("model-control-mode", "explicit"),
        ("load-model", "*"),
        ("http-restricted-api", closed),
        ("grpc-restricted-protocol", restricted),
        ("exit-timeout-secs", "30"),
        *(tls.server_flags() if tls else []),
        *((name, value) for name, value in _NEWER_DEFAULTS.items() if name in known_flags),
    ]


def _split_own(given: Iterable[Flag]) -> tuple[dict[str, str | None], list[Flag]]:
    own: dict[str, str | None] = {}
    others = []
    for name, value in given:
        if name in _OPTIONS:
            if not value:
                raise FlagError(f"--{name} needs a file: expected --{name}=FILE")
            own[name] = value
        elif name in _ALLOWANCES:
            if value is not None:
                raise FlagError(f"--{name} takes no value, came {value!r}")
            own[name] = None
        else:
            others.append((name, value))
    return own, others


def _check_names(given: Iterable[Flag], known_flags: Collection[str]) -> None:
    for name, _ in given:
        if name in _REFUSED:
            raise FlagError(f"--{name} cannot be given: {_REFUSED[name]}")
        # tritonserver also takes what a flag begins with, which no check here would recognise.
        if known_flags and name not in known_flags and name not in HEALTH_FLAGS:
            raise FlagError(f"--{name} is no flag of this tritonserver: see --help")


def _check_exposure(
    http: Endpoint,
    grpc: Endpoint | None,
    metrics: Endpoint | None,
    tls: Tls | None,
    own: Collection[str],
) -> None:
    for endpoint in (http, metrics):
        if endpoint and not endpoint.is_loopback and _ALLOW_HTTP not in own:
            raise FlagError(
                f"{endpoint.name} on {endpoint.address} would let others send requests that end "
                f"the server or fill its memory, unencrypted: bind it to 127.0.0.1, or accept the "
                f"risk with --{_ALLOW_HTTP}"
            )
    if grpc and not grpc.is_loopback and not tls and _ALLOW_PLAINTEXT not in own:
        raise FlagError(
            f"gRPC on {grpc.address} would carry media and answers unencrypted: give "
            f"--tls-certificate and --tls-key, or accept the risk with --{_ALLOW_PLAINTEXT}"
        )


def _split_flags(argv: Sequence[str]) -> list[Flag]:
    flags: list[Flag] = []
    for argument in argv:
        if argument.startswith("--"):
            name, equals, value = argument[2:].partition("=")
            flags.append((name, value if equals else None))
        elif flags and flags[-1][1] is None:
            flags[-1] = (flags[-1][0], argument)
        else:
            raise FlagError(f"{argument!r} is no flag: expected --name=value")
    return flags


def _format(flag: Flag) -> str:
    name, value = flag
    return f"--{name}" if value is None else f"--{name}={value}"


def _last(flags: Iterable[Flag], name: str) -> str | None:
    values = [value for flag, value in flags if flag == name]
    return values[-1] if values else None


def _is_true(value: str | None, default: bool) -> bool:
    return default if value is None else value.lower() in ("true", "1")


def _integer(flags: Iterable[Flag], name: str) -> int:
    value = _last(flags, name)
    try:
        return int(value or "")
    except ValueError:
        raise FlagError(f"--{name} must be a whole number, not {value!r}") from None


def _endpoint(flags: Iterable[Flag], name: str, prefix: str, default_address: str) -> Endpoint:
    port = f"{prefix}-port"
    given = [value for flag, value in flags if flag == f"{prefix}-address"]
    address = given[-1] if given else default_address
    if not address:
        raise FlagError(f"--{prefix}-address needs an address, came none")
    return Endpoint(name, f"--{port}", address, _integer(flags, port))


def _optional_endpoint(
    flags: Iterable[Flag], name: str, prefix: str, default_address: str
) -> Endpoint | None:
    if not _is_true(_last(flags, f"allow-{prefix}"), default=True):
        return None
    return _endpoint(flags, name, prefix, default_address)


def _check_repositories(flags: Iterable[Flag]) -> None:
    for repository in (value or "" for name, value in flags if name == "model-repository"):
        # Triton also takes s3://, gs:// and as:// addresses, which are its own to judge.
        if "://" not in repository and not _is_folder(Path(repository)):
            raise MissingRepositoryError(f"the model repository {repository!r} is no folder")


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name too long for any folder
        return False
