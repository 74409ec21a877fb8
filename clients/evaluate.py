"""Measure a running server on labelled recordings: `python -m clients.evaluate --help`."""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from clients import command
from clients.contract import EMOTIONS
from clients.errors import ManifestError, RecogniserError
from clients.evaluation import manifest, report
from clients.evaluation.asking import Journal, Outcome, ask_all, read_outcomes
from clients.evaluation.figures import Pairs, classes_of, groups_of
from clients.evaluation.manifest import Sample, read_manifest, select
from clients.retry import Backoff

logger = logging.getLogger("evaluate")

#: More than serving needs; listed in requirements/evaluate.txt.
PACKAGES = ("matplotlib", "tqdm")
#: A server that restarts is back within ten seconds or so; a run shall outlast that.
BACKOFF = Backoff(attempts=10)
INTERRUPTED = 130
JOURNAL = "journal.jsonl"
DESCRIPTION = """\
Measure a running server on labelled recordings.

Writes to --out: report.json, report.txt, pictures, and journal.jsonl, which holds every answer as
soon as it is there; with --resume an interrupted run goes on from it. clients/evaluation/README.md
says what each figure means. Timelines: python -m clients.evaluation.timelines.
"""
EPILOG = f"""\
{manifest.__doc__}
exit codes:
  0    measured
  1    the server denied access
  2    wrong usage, a package is missing, or a file or the manifest cannot be used
  3    nobody answers at the address, or the server stayed too busy, after every retry
  4    no row could be answered
  5    with --strict: measured, but some row had an error
  130  interrupted; go on with --resume
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit code.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    logging.basicConfig(
        level=logging.WARNING, format="%(name)s: %(levelname)s: %(message)s", stream=sys.stderr
    )
    command.check_server_options(parser, options)
    for package in PACKAGES:
        if importlib.util.find_spec(package) is None:
            logger.error("needs %s: pip install -r requirements/evaluate.txt", package)
            return command.USAGE
    try:
        everything = read_manifest(options.manifest, options.group_by)
        samples = select(everything, options.split, options.corpus, options.limit)
        before = _before(samples, options)
        journal = Journal(options.out / JOURNAL, options.manifest, options.resume)
        _ask(samples, journal, options)
        pairs = [(sample, journal.outcomes[sample.media]) for sample in samples]
        result = _write(pairs, before, _classes(everything, options.classes), options)
    except (RecogniserError, OSError) as error:
        logger.error("%s", error)
        return command.exit_code(error)
    except KeyboardInterrupt:
        logger.error("interrupted; go on with --resume")
        return INTERRUPTED
    if not result["rows"]["answered"]:
        logger.error("no row could be answered; the first: %s", result["failures"][0])
        return command.REFUSED
    return command.INCOMPLETE if options.strict and result["failures"] else command.OK


def _ask(samples: Sequence[Sample], journal: Journal, options: argparse.Namespace) -> None:
    from tqdm import tqdm

    waiting = journal.open_samples(samples)
    connection = command.connection(options, BACKOFF)
    total = len({sample.media for sample in samples})
    with tqdm(total=total, initial=total - len(waiting), unit="row") as bar:
        failed = 0

        def done(sample: Sample, outcome: Outcome) -> None:
            nonlocal failed
            journal.add(sample, outcome)
            failed += bool(outcome.errors)
            bar.set_postfix(errors=failed, refresh=False)
            bar.update()

        asyncio.run(ask_all(waiting, connection, options.concurrency, done))


def _before(samples: Sequence[Sample], options: argparse.Namespace) -> Pairs:
    """Return what the run to compare with says of these samples.

    Raises:
        ManifestError: It is of another manifest, or of none of these samples.
    """
    if options.compare is None:
        return []
    outcomes = read_outcomes(options.compare / JOURNAL, options.manifest)
    pairs = [(one, outcomes[one.media]) for one in samples if one.media in outcomes]
    if not pairs:
        raise ManifestError(f"--compare {options.compare}: it has none of the rows selected")
    return pairs


def _write(
    pairs: Pairs,
    before: Pairs,
    classes: dict[str, tuple[str, ...]] | None,
    options: argparse.Namespace,
) -> dict:
    from clients.evaluation.pictures import save_pictures

    origin = {
        "manifest": str(options.manifest),
        "server": options.url,
        "split": options.split,
        "corpora": options.corpus,
        "limit": options.limit,
        "compared with": None if options.compare is None else str(options.compare),
        "compared rows": len(before),
    }
    columns = groups_of(pairs, options.group_by)
    result = report.document(pairs, origin, columns, classes, before)
    (options.out / "report.json").write_text(
        json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )
    table = report.text(result)
    (options.out / "report.txt").write_text(table, encoding="utf-8")
    save_pictures(pairs, options.out)
    print(table, end="")  # noqa: T201
    return result


def _classes(
    samples: Sequence[Sample], chosen: Sequence[str] | None
) -> dict[str, tuple[str, ...]] | None:
    """Return the emotions possible in each corpus: those chosen, or those that occur in it."""
    if chosen is None:
        return None
    occurring = classes_of(samples)
    return {corpus: tuple(chosen) for corpus in occurring} if chosen else occurring


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, came {text!r}")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m clients.evaluate",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("manifest", metavar="MANIFEST.csv", type=Path, help="what to measure on")
    parser.add_argument("--out", metavar="FOLDER", type=Path, required=True, help="the results")
    parser.add_argument(
        "--resume", action="store_true", help="go on with the run in --out, if there is one"
    )
    parser.add_argument("--split", metavar="NAME", help="only its rows, e.g. test")
    parser.add_argument("--corpus", metavar="NAME", nargs="+", default=[], help="only their rows")
    parser.add_argument(
        "--limit", metavar="N", type=_count, help="only N rows, spread evenly over the others"
    )
    parser.add_argument(
        "--classes",
        metavar="EMOTION",
        nargs="*",
        choices=EMOTIONS,
        help="add figures with posteriors restricted to these emotions; without a name, to those "
        "that occur in the row's corpus",
    )
    parser.add_argument(
        "--group-by",
        metavar="COLUMN",
        nargs="+",
        default=[],
        help="give results also by these columns of names, of the manifest's own or any others",
    )
    parser.add_argument(
        "--compare",
        metavar="FOLDER",
        type=Path,
        help="the --out of another run of this manifest: add what changed since, row by row",
    )
    parser.add_argument(
        "--concurrency",
        metavar="N",
        type=_count,
        default=4,
        help="requests under way at once (default %(default)s)",
    )
    parser.add_argument("--strict", action="store_true", help="exit with 5 when a row has an error")
    command.add_server_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
