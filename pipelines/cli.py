"""The command `everycent`: arguments in, the right call, an exit code out.

What belongs here: commands, their options and help, and turning errors into sentences. What must not: work
(it is imported inside each command, so that `--help` is there at once) or how results look (`terminal/`).
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.arguments import (
    choose_home,
    choose_release,
    choose_release_as_of,
    choose_release_if_any,
    parse_day,
    parse_moment,
    parse_week,
    read_config,
    read_config_if_any,
)
from pipelines.results import ExitCode

if TYPE_CHECKING:
    from pipelines.warehouse.release import Release

EXIT_CODES = (
    "Exit codes: 0 all is well; 1 nothing was published, or there is nothing to read; "
    "2 published, with a source at fault; 3 the config or an argument is wrong."
)

app = typer.Typer(
    name="everycent",
    help="Traces every cent of a cloud and AI bill to the behaviour that caused it.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
export_app = typer.Typer(help="Write a release in a form that others read.", no_args_is_help=True)
app.add_typer(export_app, name="export")
sources_app = typer.Typer(invoke_without_command=True)
app.add_typer(sources_app, name="sources")
identity_app = typer.Typer(help="User ids, and the hashes that stand for them.", no_args_is_help=True)
app.add_typer(identity_app, name="identity")

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", help="Config file. Default: ./everycent.yml, else $EVERYCENT_CONFIG.", metavar="FILE"
    ),
]
HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="Folder of lake/ and warehouse/; wins over the config.", metavar="DIR"),
]
ReleaseOption = Annotated[
    str | None,
    typer.Option("--release", help="Read this release instead of the current one.", metavar="NAME"),
]
AsOfOption = Annotated[
    datetime | None,
    typer.Option(
        "--as-of", parser=parse_moment, metavar="TIME", help="Know only what was delivered by then (UTC)."
    ),
]


class OutputFormat(StrEnum):
    """How `query` writes its result."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


class FocusVersion(StrEnum):
    """Versions of FOCUS that `export focus` writes."""

    V1_2 = "1.2"
    V1_3 = "1.3"
    V1_4 = "1.4"


class FocusFormat(StrEnum):
    """Kinds of files that `export focus` writes."""

    PARQUET = "parquet"
    CSV = "csv"


@app.command(epilog=EXIT_CODES)
def nightly(
    config: ConfigOption = None,
    home: HomeOption = None,
    today: Annotated[
        date | None,
        typer.Option(parser=parse_day, metavar="DATE", help="Business day. Default: the day of as-of."),
    ] = None,
    as_of: AsOfOption = None,
    since: Annotated[
        date | None, typer.Option(parser=parse_day, metavar="DATE", help="Build again from this day on.")
    ] = None,
) -> None:
    """Land what is new, attribute it, publish a release and write the weekly report."""
    settings = read_config(config, is_identity_key_needed=True)
    from pipelines.defs.nightly import run_nightly
    from pipelines.terminal.console import output_console
    from pipelines.terminal.nightly_summary import print_nightly
    from pipelines.terminal.progress_bar import terminal_progress

    with terminal_progress() as progress:
        result = run_nightly(
            settings,
            home=(home or settings.home).absolute(),
            today=today,
            as_of=as_of,
            since=since,
            progress=progress,
        )
    print_nightly(result, output_console())
    raise typer.Exit(int(result.exit_code))


@app.command(epilog=EXIT_CODES)
def report(
    config: ConfigOption = None,
    home: HomeOption = None,
    week: Annotated[
        str | None,
        typer.Option(
            parser=parse_week, metavar="YYYY-Www", help="ISO week. Default: the newest that is settled."
        ),
    ] = None,
    as_of: AsOfOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of the report. Default: <home>/reports/weekly; with --as-of, inside the side release.",
        ),
    ] = None,
) -> None:
    """Write the weekly report from the current release, or as it was known at a time."""
    from pipelines.people import find_identity
    from pipelines.terminal.progress_bar import terminal_progress
    from pipelines.weekly_report import describe_unused_labels, write_weekly_report

    settings = read_config(config, is_identity_key_needed=as_of is not None)
    store_home = (home or settings.home).absolute()
    with terminal_progress() as progress:
        release = choose_release_as_of(settings, store_home, as_of, progress)
        progress.step("Write the weekly report")
        folder = out or (release.path / "reports" if release.is_side else None)
        path = write_weekly_report(release, week, folder, settings.report, find_identity(settings))
    if warning := describe_unused_labels(settings):
        typer.echo(warning, err=True)
    typer.echo(path)


@app.command(epilog=EXIT_CODES)
def query(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One SELECT; '-' reads it from standard input.")],
    config: ConfigOption = None,
    home: HomeOption = None,
    release: ReleaseOption = None,
    output_format: Annotated[
        OutputFormat | None,
        typer.Option("--format", help="Default: table; with --out, what the file's name ends in."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write here instead of the terminal.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="ROWS",
            help="Most rows. Default: 50 as a table, else all; lists of tables and columns whole.",
        ),
    ] = None,
) -> None:
    """Run one SELECT on a release; nothing can be changed, and nothing else on the machine read.

    Schemas: marts, core, staging. Example: everycent query "select * from marts.cost_daily".
    "show tables" lists all tables with what they mean.
    """
    from pipelines.terminal.query_output import write_query

    text = sys.stdin.read() if sql == "-" else sql
    write_query(choose_release(config, home, release), text, output_format, out, limit)


@sources_app.callback(epilog=EXIT_CODES)
def sources(
    context: typer.Context,
    config: ConfigOption = None,
    home: HomeOption = None,
    release: ReleaseOption = None,
) -> None:
    """Show each source: what is configured, how fresh it is, its rows against the usual, and what is wrong.

    Ends with 2 when a source is at fault, also when all else is well; warnings end with 0.
    """
    if context.invoked_subcommand is not None:
        context.obj = config
        return
    from pipelines.source_overview import read_source_overview
    from pipelines.terminal.console import output_console
    from pipelines.terminal.source_tables import print_sources

    settings = read_config_if_any(config, home)
    chosen = choose_release_if_any(config, home, release)
    overview = read_source_overview(settings, chosen)
    print_sources(overview, output_console())
    if overview.is_at_fault:
        raise typer.Exit(int(ExitCode.SOURCE_AT_FAULT))


@sources_app.command("check", epilog=EXIT_CODES)
def check_sources_command(
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Sources to try. Default: all.")
    ] = None,
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the steps as JSON, at the end.")] = False,
) -> None:
    """Try a source's connection: credentials, listing, reading, and say in plain words what is missing.

    Nothing is landed. Ends with 2 when something is missing.
    """
    from pipelines.source_check import UnknownSource, choose_sources, is_all_well, try_source
    from pipelines.terminal.check_output import print_conclusion, print_source, render_json
    from pipelines.terminal.console import output_console

    settings = read_config(config or context.obj, is_identity_key_needed=False)
    try:
        chosen = choose_sources(settings, names or [])
    except UnknownSource as error:
        raise typer.BadParameter(str(error)) from None
    if as_json:
        results = {source.name: list(try_source(source)) for source in chosen}
        typer.echo(render_json(results, {source.name: source.connector for source in chosen}))
    else:
        console = output_console()
        results = {
            source.name: print_source(source.name, source.connector, try_source(source), console)
            for source in chosen
        }
        print_conclusion(results, console)
    if not all(is_all_well(steps) for steps in results.values()):
        raise typer.Exit(int(ExitCode.SOURCE_AT_FAULT))


@app.command(epilog=EXIT_CODES)
def explain(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MART] [COLUMN=VALUE]...",
            help="A mart (cost_daily unless named) and its columns, as egress_pairs_daily charge_date=2026-11-19.",
        ),
    ] = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    release: ReleaseOption = None,
    day: Annotated[
        date | None, typer.Option("--date", parser=parse_day, metavar="DATE", help="UTC day.")
    ] = None,
    feature: Annotated[str | None, typer.Option(help="Feature; 'none' for cost without one.")] = None,
    driver: Annotated[str | None, typer.Option(help="Cost driver, such as inference or egress.")] = None,
    user: Annotated[
        str | None,
        typer.Option(
            help="User id as the marts show it, or a person's own id where the key is set; 'none' for without."
        ),
    ] = None,
    endpoint: Annotated[str | None, typer.Option(help="Endpoint.")] = None,
    team: Annotated[str | None, typer.Option(help="Team.")] = None,
    environment: Annotated[str | None, typer.Option(help="Environment.")] = None,
    agent: Annotated[str | None, typer.Option(help="Agent.")] = None,
    model: Annotated[str | None, typer.Option(help="Model.")] = None,
    provider: Annotated[str | None, typer.Option(help="Provider.")] = None,
    service: Annotated[str | None, typer.Option(help="Service, as the bill names it.")] = None,
    residual: Annotated[
        str | None, typer.Option(help="Residual reason, such as no_owner; 'none' for owned.")
    ] = None,
    charge_id: Annotated[
        str | None, typer.Option(help="Start from this bill line; the id's beginning is enough.")
    ] = None,
    cell_id: Annotated[
        str | None, typer.Option(help="Start from this cell; the beginning is enough.")
    ] = None,
    trace_id: Annotated[
        str | None, typer.Option(help="Start from this trace; the beginning is enough.")
    ] = None,
    is_detailed: Annotated[
        bool, typer.Option("--all", help="Its lines, cells, bill lines, logs and requests too.")
    ] = False,
    limit: Annotated[
        int, typer.Option(min=1, max=1000, metavar="ROWS", help="With --all: most rows of each table.")
    ] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Every level as JSON, as with --all.")] = False,
) -> None:
    """Show where a line of a mart comes from: what it pays for, how it was shared and which rules decided.

    With --all its cells, bill lines and calls. Each step down must add up to the one above, to the last digit: where
    one does not, the command says so and ends with 1.
    """
    from pipelines.terminal.console import output_console
    from pipelines.terminal.explanation import print_explanation
    from pipelines.terminal.explanation_json import render_json
    from pipelines.terminal.explanation_levels import describe_open
    from pipelines.warehouse.errors import PublishError
    from pipelines.warehouse.explain import Selection, build_explanation

    dimensions = {
        "feature": feature,
        "cost_driver": driver,
        "user_id": user,
        "endpoint": endpoint,
        "team": team,
        "environment": environment,
        "agent": agent,
        "model": model,
        "provider": provider,
        "service_name": service,
        "residual_reason": residual,
    }
    options = {key: value for key, value in dimensions.items() if value is not None}
    mart, given = _line_asked_for(words or [], options)
    trace_id = given.pop("trace_id", None) or trace_id
    selection = Selection(day, given, charge_id, cell_id, trace_id, mart)
    if selection.is_empty and mart != "budget_status":
        example = (
            f"{mart} trace_id=ID"
            if mart in ("traces", "trace_steps")
            else "--date 2026-11-19 --feature search"
        )
        raise typer.BadParameter(f"say what to explain, for example {example}")
    chosen = choose_release(config, home, release)
    if "user_id" in given:
        known = _find_user(chosen, given["user_id"], config, home)
        selection = replace(selection, dimensions={**given, "user_id": known})
    explanation = build_explanation(chosen, selection, limit, is_detailed=is_detailed or as_json)
    if as_json:
        typer.echo(render_json(explanation))
    else:
        print_explanation(explanation, output_console())
    if not explanation.is_closed:
        raise PublishError(describe_open(explanation.open_levels, explanation.summary.open_cells))


def _line_asked_for(words: list[str], options: dict[str, str]) -> tuple[str, dict[str, str]]:
    """Return the mart and its columns' values that words and options name. Raises typer.BadParameter."""
    from pipelines.warehouse.explain_marts import UnknownLineError, check_columns, check_words

    try:
        mart, given = check_words(words)
        return mart, check_columns(mart, {**given, **options})
    except UnknownLineError as error:
        raise typer.BadParameter(str(error)) from None


def _find_user(release: Release, given: str, config: Path | None, home: Path | None) -> str:
    """Return the id that the release knows a user by: as given, else hashed with the key of the config."""
    from pipelines.people import choose_user, find_identity, is_known_user

    if is_known_user(release, given):
        return given
    return choose_user(release, given, find_identity(read_config_if_any(config, home)))


@app.command(epilog=EXIT_CODES)
def reprice(
    price_book: Annotated[
        date,
        typer.Option(
            "--price-book", parser=parse_day, metavar="DATE", help="Price by what was published then."
        ),
    ],
    config: ConfigOption = None,
    home: HomeOption = None,
    release: ReleaseOption = None,
    since: Annotated[
        date | None, typer.Option(parser=parse_day, metavar="DATE", help="First UTC day. Default: all.")
    ] = None,
    until: Annotated[
        date | None, typer.Option(parser=parse_day, metavar="DATE", help="Last UTC day. Default: all.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, metavar="ROWS", help="Most lines to show.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Every line as JSON.")] = False,
) -> None:
    """Show list cost as booked and as the price book of a day would have it, side by side; changes nothing."""
    from pipelines.night.run import MODELS_FOLDER
    from pipelines.terminal.console import output_console
    from pipelines.terminal.repricing import print_repricing, render_json
    from pipelines.warehouse.reprice import build_repricing

    chosen = choose_release(config, home, release)
    repricing = build_repricing(chosen, price_book, since, until, MODELS_FOLDER)
    if as_json:
        typer.echo(render_json(repricing))
    else:
        print_repricing(repricing, limit, output_console())


@app.command(epilog=EXIT_CODES)
def releases(config: ConfigOption = None, home: HomeOption = None) -> None:
    """List the releases that are kept, newest first."""
    from pipelines.terminal.console import output_console
    from pipelines.terminal.source_tables import print_releases
    from pipelines.warehouse.release import ReleaseStore

    store = ReleaseStore(choose_home(config, home))
    print_releases(store.list(), output_console())


@app.command(epilog=EXIT_CODES)
def rollback(
    config: ConfigOption = None,
    home: HomeOption = None,
    to: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Release to go to. Default: the one before the current one."),
    ] = None,
) -> None:
    """Make an earlier release current again, and list what there is."""
    from pipelines.terminal.console import output_console
    from pipelines.terminal.source_tables import print_releases
    from pipelines.warehouse.release import ReleaseStore

    store = ReleaseStore(choose_home(config, home))
    release = store.rollback(to)
    typer.echo(
        f"Current is now {release.name}. Readers that are open keep the old one until they open again."
    )
    print_releases(store.list(), output_console())


@app.command(epilog=EXIT_CODES)
def prune(
    config: ConfigOption = None,
    home: HomeOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would go.")] = False,
) -> None:
    """Let old snapshots of restated bills go, as every nightly run does; the record of each delivery stays.

    Kept are the last days (retention.every_snapshot_days), then the last snapshot of each day, what kept releases
    and reports were made from, the one that closed the period, and the current one.
    """
    settings = read_config(config, is_identity_key_needed=False)
    from datetime import UTC

    from pipelines.night.retention import plan_home_pruning, prune_home
    from pipelines.terminal.console import output_console
    from pipelines.terminal.pruning import print_pruning
    from pipelines.warehouse.lock import writer_lock

    place = (home or settings.home).absolute()
    now = datetime.now(UTC).replace(tzinfo=None)
    with writer_lock(place):
        pruned = (plan_home_pruning if dry_run else prune_home)(settings, place, now)
    print_pruning(pruned, dry_run, output_console())


@identity_app.command("hash", epilog=EXIT_CODES)
def hash_identity_command(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="User ids as your systems know them.")],
    config: ConfigOption = None,
) -> None:
    """Print the hash that stands for each id in every table: one a line, in the order given.

    It is made with the key of the config, which must be set as for a nightly run; the key is not shown.
    """
    settings = read_config(config, is_identity_key_needed=True)
    from pipelines.people import find_identity

    identity = find_identity(settings)
    for given in ids:
        typer.echo((identity.pseudonymise(given) if identity else None) or "")


@export_app.command("duckdb", epilog=EXIT_CODES)
def export_duckdb_command(
    out: Annotated[Path, typer.Option(metavar="FILE", help="The file to write; it must not exist yet.")],
    config: ConfigOption = None,
    home: HomeOption = None,
    release: ReleaseOption = None,
) -> None:
    """Write a whole release as one portable DuckDB file: tables, not views."""
    from pipelines.terminal.progress_bar import terminal_progress
    from pipelines.warehouse.portable import export_duckdb

    chosen = choose_release(config, home, release)
    with terminal_progress() as progress:
        count = export_duckdb(chosen, out, lambda name, total: progress.step(name))
    typer.echo(f"{out}: {count} tables of release {chosen.name}")


@export_app.command("focus", epilog=EXIT_CODES)
def export_focus_command(
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="Folder of the files; it is new, empty, or holds an earlier export."
        ),
    ],
    version: Annotated[FocusVersion, typer.Option(help="Version of FOCUS.")] = FocusVersion.V1_2,
    output_format: Annotated[
        FocusFormat, typer.Option("--format", help="Kind of the files.")
    ] = FocusFormat.PARQUET,
    since: Annotated[
        date | None,
        typer.Option(
            parser=parse_day, metavar="DATE", help="Only billing periods that end after this day begins."
        ),
    ] = None,
    until: Annotated[
        date | None,
        typer.Option(parser=parse_day, metavar="DATE", help="Only billing periods that begin by this day."),
    ] = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    release: ReleaseOption = None,
) -> None:
    """Write the bill as a FOCUS dataset, split over who caused it: one file a billing period, and a manifest.

    The rows of each charge sum to it exactly, and the files to the bill, else nothing is written.
    """
    from pipelines.terminal.progress_bar import terminal_progress
    from pipelines.warehouse.focus_export import export_focus

    chosen = choose_release(config, home, release)
    with terminal_progress() as progress:
        files = export_focus(
            chosen,
            out,
            version.value,
            output_format.value,
            since,
            until,
            lambda period, total: progress.step(f"Billing period {period}"),
        )
    typer.echo(
        f"{out}: FOCUS {version.value} of release {chosen.name}, {len(files)} billing periods, "
        f"{sum(file.rows for file in files)} rows"
    )
    if not files:
        typer.echo("Warning: no bill of these days is known, so the folder holds a manifest alone.", err=True)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; errors become sentences on the error stream."""
    if os.environ.get("EVERYCENT_DEBUG") != "1":
        logging.getLogger().addHandler(logging.NullHandler())  # libraries log what our messages say in words
    try:
        code = app(list(arguments) or ["--help"], prog_name="everycent", standalone_mode=False)
    except Exception as error:  # noqa: BLE001 (the outermost edge: users get a sentence, not a traceback)
        if os.environ.get("EVERYCENT_DEBUG") == "1":
            raise
        from pipelines.terminal.errors import print_error

        return int(print_error(error))
    return code if isinstance(code, int) else int(ExitCode.OK)


def main() -> None:
    """The console script."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
