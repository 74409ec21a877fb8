"""The command line: `python -m rtmp_bridge --help`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from clients import Connection
from rtmp_bridge.bridge import Bridge
from rtmp_bridge.errors import BridgeError, SettingsError
from rtmp_bridge.logs import configure_logs
from rtmp_bridge.settings import (
    NAME,
    BridgeSettings,
    Buffering,
    JsonLinesSettings,
    Limits,
    PageSettings,
    Patience,
    StreamSettings,
    WebhookSettings,
    is_live,
    parts_of,
)

OK, FAILED, USAGE = range(3)
EPILOG = """\
An address may have a name before it (NAME=ADDRESS); without one the stream is called by the last
part of the address. A YAML file for --config holds the same options by their long names, and:

  streams:
    - address: rtmp://127.0.0.1:1935/live/front
    - {name: door, listen: "rtmp://127.0.0.1:1936/live/KEY", subtitles: door.srt}

exit codes: 0 every stream ended or a signal came, 1 a stream failed, 2 wrong usage
"""
#: What a stream of the YAML file may say.
STREAM_KEYS = frozenset({"name", "address", "listen", "subtitles", "buffering"})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit code.
    """
    try:
        settings, options = parse(arguments)
        configure_logs(options.log_format == "json", options.log_level.upper())
        return OK if asyncio.run(run_until_signal(settings)) else FAILED
    except (BridgeError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return USAGE


async def run_until_signal(settings: BridgeSettings) -> bool:
    """Run the bridge; SIGINT and SIGTERM end it in order.

    Returns:
        Whether no stream failed.
    """
    loop, running = asyncio.get_running_loop(), asyncio.current_task()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, running.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        return await Bridge(settings).run()
    return True


def parse(
    arguments: Sequence[str] | None = None,
) -> tuple[BridgeSettings, argparse.Namespace]:
    """Read the command line and the YAML file.

    Raises:
        SettingsError: They make no sense, or are not safe.
    """
    parser = _parser()
    config = parser.parse_args(arguments).config
    document = {} if config is None else _read_yaml(config)
    streams = document.pop("streams", None) or []
    _set_defaults(parser, document)
    options = parser.parse_args(arguments)
    shared = _shared_settings(options)
    listed = [_named({"address": address}) for address in options.address]
    listed += [_named({"listen": address}) for address in options.listen]
    if options.subtitles and len(listed) != 1:
        raise SettingsError("--subtitles goes with one stream; name them in the YAML file")
    settings = BridgeSettings(
        streams=tuple(_stream(one, shared) for one in [*streams, *listed]),
        connection=Connection(
            options.url, options.timeout, token=_secret(options.server_token_file)
        ),
        page=_page(options),
        json_lines=_json_lines(options),
        webhook=_webhook(options),
    )
    return settings, options


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"cannot read {path}: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("streams") or [], list):
        raise SettingsError(f"{path}: expected options and a list of streams")
    return document


def _set_defaults(parser: argparse.ArgumentParser, document: dict[str, Any]) -> None:
    """Let the YAML file's values stand where the command line says nothing."""
    actions = {
        action.option_strings[0].removeprefix("--"): action
        for action in parser._actions
        if action.option_strings and action.dest not in ("help", "config", "listen")
    }
    if unknown := document.keys() - actions.keys():
        raise SettingsError(f"unknown in the YAML file: {', '.join(sorted(unknown))}")
    for name, value in document.items():
        action = actions[name]
        if action.nargs == 0:
            valid = isinstance(value, bool)
        else:
            value = str(value)  # argparse reads defaults that are strings as it reads arguments
            valid = action.choices is None or value in action.choices
        if not valid:
            raise SettingsError(f"{name}: came {value!r} in the YAML file")
        parser.set_defaults(**{action.dest: value})


def _shared_settings(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "subtitles": options.subtitles,
        "buffering": options.buffering,
        "hop": options.hop,
        "window": options.window,
        "limits": Limits(
            options.max_pixels, options.max_bitrate, options.max_cores, options.max_streams
        ),
        "patience": replace(Patience(), attempts=options.attempts),
    }


def _named(stream: dict[str, str]) -> dict[str, str]:
    """Take NAME=ADDRESS apart."""
    ((kind, address),) = stream.items()
    name, sign, rest = address.partition("=")
    return {"name": name, kind: rest} if sign and NAME.fullmatch(name) else stream


def _stream(stream: Any, shared: dict[str, Any]) -> StreamSettings:
    if not isinstance(stream, dict) or not all(isinstance(one, str) for one in stream.values()):
        raise SettingsError(f"streams: expected names with texts, came {stream!r}")
    if unknown := stream.keys() - STREAM_KEYS:
        raise SettingsError(f"streams: unknown are {', '.join(sorted(unknown))}")
    if ("address" in stream) == ("listen" in stream):
        raise SettingsError("streams: expected an address or listen for each")
    address = stream.get("address") or stream["listen"]
    listen = "listen" in stream
    buffering = stream.get("buffering") or shared["buffering"]
    live = listen or is_live(address)
    subtitles = stream.get("subtitles") or shared["subtitles"]
    given = {
        "subtitles": Path(subtitles) if subtitles else None,
        "buffering": _buffering(buffering, live),
    }
    name = stream.get("name") or default_name(address)
    return StreamSettings(name, address, listen, **(shared | given))


def _buffering(name: str | None, live: bool) -> Buffering:
    if name is None:
        return Buffering.DROP_OLDEST if live else Buffering.WAIT
    try:
        return Buffering(name)
    except ValueError:
        expected = ", ".join(one.value for one in Buffering)
        raise SettingsError(f"buffering: expected one of {expected}, came {name!r}") from None


def default_name(address: str) -> str:
    """Return what a stream is called by its address alone: its last part."""
    return Path(parts_of(address).path).name


def _page(options: argparse.Namespace) -> PageSettings | None:
    if options.page == "none":
        return None
    host, _, port = options.page.rpartition(":")
    if not host or not port.isdecimal():
        raise SettingsError(f"--page: expected HOST:PORT or none, came {options.page!r}")
    return PageSettings(host.strip("[]"), int(port), _secret(options.token_file))


def _json_lines(options: argparse.Namespace) -> JsonLinesSettings | None:
    if options.jsonl is None:
        return None
    path = None if options.jsonl == "-" else Path(options.jsonl)
    return JsonLinesSettings(path, options.jsonl_bytes, options.jsonl_files, options.jsonl_fsync)


def _webhook(options: argparse.Namespace) -> WebhookSettings | None:
    if options.webhook is None:
        return None
    if parts_of(options.webhook).scheme not in ("http", "https"):
        raise SettingsError("--webhook: expected an address that begins with http or https")
    if options.spool is None:
        raise SettingsError("--webhook: give a folder for what waits with --spool")
    token = _secret(options.webhook_token_file)
    return WebhookSettings(options.webhook, options.spool, token=token)


def _secret(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read {path}: {error}") from error


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, came {text}")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a positive number, came {text}")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rtmp_bridge",
        description="Recognise live streams: a result every second.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    streams = parser.add_argument_group("streams, at least one of")
    streams.add_argument(
        "address", nargs="*", help="what FFmpeg opens: rtmp://HOST/APP/KEY, a file, ..."
    )
    streams.add_argument(
        "--listen",
        metavar="ADDRESS",
        action="append",
        default=[],
        help="wait for a publisher at rtmp://HOST:PORT/APP/KEY; again for another port",
    )
    streams.add_argument("--config", metavar="FILE", type=Path, help="a YAML file, see below")
    streams.add_argument(
        "--subtitles", metavar="FILE", type=Path, help="what is said, as SRT or WebVTT"
    )
    streams.add_argument(
        "--buffering",
        choices=[one.value for one in Buffering],
        help="when the server is slower: wait (default for files) or drop_oldest (live streams)",
    )
    streams.add_argument(
        "--hop", type=_count, default=1, help="seconds from result to result (default 1)"
    )
    streams.add_argument(
        "--window", type=_count, default=6, help="seconds a result speaks for (default 6)"
    )
    streams.add_argument(
        "--attempts",
        type=_count,
        help="connections without anything until a live stream has failed (default: no end)",
    )
    limits = parser.add_argument_group("limits of a live stream; one that passes them is cut off")
    limits.add_argument(
        "--max-pixels", type=_count, default=Limits.pixels, help="of a picture (%(default)s)"
    )
    limits.add_argument(
        "--max-bitrate",
        type=_count,
        default=Limits.bits_per_second,
        help="bits a second (%(default)s)",
    )
    limits.add_argument(
        "--max-cores",
        type=_seconds,
        default=Limits.cores,
        help="processor seconds a second to read it (%(default)s)",
    )
    limits.add_argument(
        "--max-streams", type=_count, default=Limits.streams, help="in all (%(default)s)"
    )
    server = parser.add_argument_group("recogniser")
    server.add_argument("--url", default=Connection.url, help="host:port (default %(default)s)")
    server.add_argument(
        "--timeout",
        type=_seconds,
        default=5.0,
        help="seconds for a live chunk with its retries (default 5)",
    )
    server.add_argument("--server-token-file", metavar="FILE", type=Path, help="sent to the server")
    output = parser.add_argument_group("output")
    output.add_argument(
        "--page",
        metavar="HOST:PORT",
        default="127.0.0.1:8080",
        help="where the page, events and metrics are, or none (default %(default)s)",
    )
    output.add_argument(
        "--token-file", metavar="FILE", type=Path, help="what the page asks visitors for"
    )
    output.add_argument("--jsonl", metavar="FILE", help="a JSON document a line; - for stdout")
    output.add_argument(
        "--jsonl-bytes",
        type=_count,
        default=JsonLinesSettings.most_bytes,
        help="size at which the file is rotated (default %(default)s)",
    )
    output.add_argument(
        "--jsonl-files",
        type=_count,
        default=JsonLinesSettings.files,
        help="rotated files that are kept (default %(default)s)",
    )
    output.add_argument(
        "--jsonl-fsync", action="store_true", help="have each line on the disk before going on"
    )
    output.add_argument("--webhook", metavar="URL", help="one POST a chunk, retried")
    output.add_argument("--spool", metavar="FOLDER", type=Path, help="where undelivered POSTs wait")
    output.add_argument(
        "--webhook-token-file", metavar="FILE", type=Path, help="sent to the webhook"
    )
    output.add_argument(
        "--log-format", choices=["text", "json"], default="text", help="of stderr (default text)"
    )
    output.add_argument(
        "--log-level",
        choices=["debug", "info", "warning", "error"],
        default="info",
        help="default info",
    )
    return parser
