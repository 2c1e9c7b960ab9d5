"""The command `everycent`: exit codes, sentences for errors, output at 80 and 100 columns, a light start."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
import typer
from rich.console import Console

from connectors.common.identity import Identity
from pipelines import arguments, cli
from pipelines.config import load_config
from pipelines.progress import PlainProgress
from pipelines.results import ConservationLine, ExitCode, NightlyResult
from pipelines.terminal.console import exact_text, money_text, safe_text, sentence_text
from pipelines.terminal.nightly_summary import print_nightly
from pipelines.terminal.progress_bar import BarProgress, make_bar
from pipelines.weekly_report import describe_unused_labels, read_labels
from tests.conftest import ROOT
from tests.unit.release_fixture import DAY, FIRST, HOSTILE_FEATURE, SECOND, THIRD, build_home

HEAVY = ("dagster", "polars", "pyarrow", "sqlglot", "altair", "duckdb", "numpy", "pydantic", "statsforecast")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that its tests only read."""
    return build_home(tmp_path_factory.mktemp("cli") / "home")


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in an empty folder, with no config named and a terminal of 100 columns."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EVERYCENT_CONFIG", raising=False)
    monkeypatch.delenv("EVERYCENT_DEBUG", raising=False)
    monkeypatch.delenv("EVERYCENT_IDENTITY_KEY", raising=False)
    monkeypatch.setenv("COLUMNS", "100")


def rewrite(home: Path, relation: str, select: str) -> None:
    """Replace the file of a relation by a SELECT from `whole`, which is what it held."""
    file = home / "warehouse" / "tables" / relation / "all" / "0123.parquet"
    duckdb.sql(f"copy (with whole as (select * from '{file}') {select}) to '{file}.new' (format parquet)")
    os.replace(f"{file}.new", file)


def everycent(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


def test_help_names_every_command_and_exit_code() -> None:
    done = everycent("--help")
    assert done.returncode == 0
    for word in (
        "nightly",
        "report",
        "query",
        "sources",
        "explain",
        "releases",
        "rollback",
        "export",
        "Exit codes",
    ):
        assert word in done.stdout
    assert everycent().stdout == done.stdout


def test_the_page_lists_every_command_and_exit_code() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    commands = [command.name or command.callback.__name__ for command in cli.app.registered_commands]
    assert len(commands) >= 7
    assert all(f"`everycent {command}" in page for command in [*commands, "export duckdb", "identity hash"])
    assert all(f"| {int(code)} |" in page for code in ExitCode)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from pipelines import cli; code = cli.run(['--help']);"
        f"heavy = sorted(name for name in {HEAVY!r} if name in sys.modules); print(heavy, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert "Usage" in done.stdout
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nighty"], "Did you mean 'nightly'"),
        (["nightly", "--confg", "x"], "--config"),
        (["nightly", "--today", "yesterday"], "2026-11-19"),
        (["nightly", "--as-of", "noon"], "UTC"),
        (["report", "--week", "2026-W60"], "2026-W47"),
        (["nightly"], "there is no config"),
        (["query", "select 1"], "there is no config"),
        (["explain", "--feature", "search"], "Give --config FILE, or --home DIR"),
        (["sources"], "or --home DIR"),
        (["explain", "--home", "x"], "say what to explain"),
        (["nightly", "--config", "absent.yml"], "no such file"),
        (["query", "select 1", "--limit", "-1", "--home", "x"], "limit"),
    ],
)
def test_a_wrong_argument_ends_with_3_and_a_sentence(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(words) == 3
    captured = capsys.readouterr()
    assert sentence in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""


def test_a_config_error_ends_with_3_and_lists_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "everycent.yml").write_text("hom: x\nreporting_currency: usd\n")
    assert cli.run(["nightly"]) == 3
    message = capsys.readouterr().err
    assert "3 problems" in message
    assert "Did you mean 'home'?" in message
    assert "export EVERYCENT_IDENTITY_KEY" in message


def test_nothing_to_read_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (
        ["query", "select 1"],
        ["rollback"],
        ["explain", "--cell-id", "x"],
        ["export", "duckdb", "--out", "x"],
    ):
        assert cli.run([*words, "--home", str(tmp_path / "none")]) == 1
        assert "release" in capsys.readouterr().err


def test_the_config_is_found_beside_then_by_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert arguments.find_config_file(None) is None
    monkeypatch.setenv("EVERYCENT_CONFIG", "/named.yml")
    assert arguments.find_config_file(None) == Path("/named.yml")
    (tmp_path / "everycent.yml").write_text("{}")
    assert arguments.find_config_file(None) == Path("everycent.yml")
    assert arguments.find_config_file(Path("given.yml")) == Path("given.yml")


def test_reading_needs_no_identity_key(
    tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "everycent.yml").write_text(f"home: {home}\n")
    assert cli.run(["query", "select 40 + 2 as answer"]) == 0
    assert "42" in capsys.readouterr().out


def test_debug_shows_the_traceback() -> None:
    done = everycent("query", "select 1", "--home", "absent", EVERYCENT_DEBUG="1")
    assert "Traceback" in done.stderr
    assert done.returncode != 0


def test_arguments_are_read_exactly() -> None:
    assert arguments.parse_week("2026-w47") == "2026-W47"
    assert arguments.parse_day("2026-11-19") == date(2026, 11, 19)
    assert str(arguments.parse_moment("2026-11-19T06:00+02:00")) == "2026-11-19 04:00:00"
    assert str(arguments.parse_moment("2026-11-19T06:00Z")) == "2026-11-19 06:00:00"
    with pytest.raises(typer.BadParameter):
        arguments.parse_week("2025-W53")


@pytest.mark.parametrize("output_format", ["csv", "json", "parquet"])
def test_query_writes_files(
    home: Path, tmp_path: Path, output_format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / f"lines.{output_format}"
    sql = "select feature, effective_cost from marts.cost_daily order by effective_cost desc"
    assert cli.run(["query", sql, "--home", str(home), "--out", str(out), "--limit", "2"]) == 0
    assert "2 rows" in capsys.readouterr().err
    if output_format == "csv":
        rows = list(csv.DictReader(out.open(encoding="utf-8")))
        expected = [("search", "6.750000000000"), (f"'{HOSTILE_FEATURE}", "2.250000000000")]
        assert [tuple(row.values()) for row in rows] == expected
        return
    if output_format == "json":
        rows = [
            tuple(row.values()) for row in json.loads(out.read_text(encoding="utf-8"), parse_float=Decimal)
        ]
    else:
        rows = duckdb.sql(f"select * from read_parquet('{out}')").fetchall()
    assert rows == [("search", Decimal("6.75")), (HOSTILE_FEATURE, Decimal("2.25"))]


def test_query_to_a_pipe_is_clean_csv(home: Path) -> None:
    done = everycent("query", "select 1 as a, '=x' as b", "--format", "csv", "--home", home)
    assert list(csv.reader(io.StringIO(done.stdout))) == [["a", "b"], ["1", "'=x"]]
    assert done.stderr == ""


def test_a_refused_query_ends_with_3_and_leaves_no_file(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "x.csv"
    for sql in ("drop table marts.release_name", "select * from read_csv('/etc/passwd')", "select nothing"):
        assert cli.run(["query", sql, "--home", str(home), "--out", str(out)]) == 3
        assert capsys.readouterr().err.startswith("everycent: ")
    assert list(tmp_path.iterdir()) == []
    assert cli.run(["query", "select 1", "--home", str(home), "--out", "x.txt"]) == 3
    assert "--format" in capsys.readouterr().err


def test_a_table_says_when_rows_are_left_out(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["query", "select range as n from range(60)", "--home", str(home)]) == 0
    captured = capsys.readouterr()
    assert "49" in captured.out
    assert "The first 50 rows" in captured.err


def test_a_cell_cannot_steer_the_terminal(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sql = "select chr(27) || '[2J' as a, '[red]x[/red]' as b, chr(8238) || 'abc' as c"
    assert cli.run(["query", sql, "--home", str(home)]) == 0
    shown = capsys.readouterr().out
    assert "[red]x[/red]" in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_sources_joins_config_and_release(
    tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f"home: {home}\nsources:\n  - {{name: traces, connector: otel_genai, path: t}}\n"
    (tmp_path / "everycent.yml").write_text(text)
    assert cli.run(["sources"]) == 0
    shown = capsys.readouterr().out
    for part in (
        "traces",
        "not landed yet",
        "ok (not configured)",
        "abcdef01",
        "75 %",
        "renamed_column ×2",
        "column X is new",
    ):
        assert part in shown
    assert cli.run(["sources", "--home", str(tmp_path / "new")]) == 0
    assert "nothing landed yet" in capsys.readouterr().out


def test_sources_shows_every_finding_below_its_source_the_worst_first(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["sources", "--home", str(home)]) == 0
    shown = capsys.readouterr().out
    parts = [
        "vs usual",
        "\nbill\n",
        "warn  charges renamed_column",
        "info  charges new_column",
        "        X is new",
    ]
    parts += ["\nrequests\n", f"warn  requests over_logged ×8, newest {DAY}", "\nagents\n", "Y is new"]
    positions = [shown.find(part) for part in parts]
    assert -1 not in positions
    assert positions == sorted(positions)
    assert "bill: X" not in shown


@pytest.mark.parametrize(
    ("relation", "select"),
    [
        ("marts.data_completeness", "* replace (if(severity = 'warn', 'fault', severity) as severity)"),
        ("core.source_status", "* replace ('fault' as state)"),
    ],
)
def test_sources_ends_with_2_when_one_is_at_fault(
    tmp_path: Path, relation: str, select: str, capsys: pytest.CaptureFixture[str]
) -> None:
    own = build_home(tmp_path / "own")
    rewrite(own, relation, f"select {select} from whole")
    assert cli.run(["sources", "--home", str(own)]) == 2
    assert "fault" in capsys.readouterr().out


def test_releases_and_rollback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = build_home(tmp_path / "own")
    assert cli.run(["rollback", "--home", str(own)]) == 0
    assert f"Current is now {SECOND}" in capsys.readouterr().out
    assert cli.run(["rollback", "--home", str(own), "--to", FIRST]) == 0
    assert cli.run(["releases", "--home", str(own)]) == 0
    shown = capsys.readouterr().out
    assert f"→  {FIRST}" in shown
    assert THIRD in shown
    assert cli.run(["rollback", "--home", str(own), "--to", "nope"]) == 1
    assert THIRD in capsys.readouterr().err


def test_export_duckdb(tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "all.duckdb"
    assert cli.run(["export", "duckdb", "--home", str(home), "--out", str(out)]) == 0
    assert "tables of release" in capsys.readouterr().out
    with duckdb.connect(str(out), read_only=True) as portable:
        assert portable.execute("select count(*) from marts.cost_daily").fetchall() == [(3,)]
    assert cli.run(["export", "duckdb", "--home", str(home), "--out", str(out)]) == 3


def test_explain_closes_at_the_cell(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["explain", "--home", str(home), "--date", "2026-11-19", "--feature", "search", "--all"]
    assert cli.run(words) == 0
    shown = capsys.readouterr().out
    for part in (
        "Selected: billed 6.75   effective 6.75 USD",
        "cell_id cell-1",
        "shared by logged tokens",
        "90.00 %",
        "line-1",
        "line-2",
        "(unlogged_usage)",
        "request-1",
        "✓ closes",
    ):
        assert part in shown
    assert "request-2" not in shown
    assert "✗" not in shown


def test_explain_says_which_rule_decided_and_why(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["explain", "--home", str(home), "--cell-id", "cell-1", "--all"]) == 0
    shown = capsys.readouterr().out
    assert "rule     openai_output (shipped rule, 2 bill lines): Output of OpenAI." in shown
    assert shown.count("Output of OpenAI.") == 1
    assert cli.run(["explain", "--home", str(home), "--cell-id", "cell-2"]) == 0
    assert "rule     any_credit (1 bill line): see reference.classification_rules" in capsys.readouterr().out


def test_explain_tells_a_rule_of_the_config_from_a_shipped_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = build_home(tmp_path / "own")
    rewrite(own, "core.charges", "select * replace ('ours' as rule_id) from whole")
    assert cli.run(["explain", "--home", str(own), "--cell-id", "cell-2"]) == 0
    assert "rule     ours (your rule, 1 bill line): \ufffd[31mmine" in capsys.readouterr().out


def test_explain_is_short_unless_all_is_asked_for(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The totals of each class, how they were shared and by which rules, and that both sides close: no more."""
    assert cli.run(["explain", "--home", str(home), "--date", DAY]) == 0
    shown = capsys.readouterr().out
    rows = [line.split() for line in shown.splitlines()]
    assert ["inference", "Usage", "output_tokens", "9.00", "USD"] in rows
    assert ["inference", "Usage", "output_tokens", "unlogged_usage", "1.00", "USD"] in rows
    assert ["compute", "Credit", "credit", "-2.50", "USD"] in rows
    assert "charges  usage 10.00 USD · credit -2.50 USD" in shown
    assert "method   tokens: shared by logged tokens" in shown
    assert "residual credit: A credit or refund" in shown
    assert "✓ bill and attribution close to the last digit in 2 cells" in shown
    assert "the same with --all" in shown
    assert "line-1" not in shown and "cell_id" not in shown
    assert len(rows) < 26


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--feature", "serch"], "It knows no feature 'serch'. Did you mean 'search'?"),
        (["--driver", "inferenc"], "It knows no cost driver 'inferenc'. Did you mean 'inference'?"),
        (["--feature", "search", "--residual", "zzz"], "It knows no residual reason 'zzz'. See which"),
    ],
)
def test_explain_asks_what_was_meant(
    home: Path, words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["explain", "--home", str(home), *words]) == 1
    assert sentence in capsys.readouterr().err


KEY = "a key of tests alone"
ANN = Identity(KEY.encode()).pseudonymise("ann@acme.example") or ""


def _home_of_hashed_users(tmp_path: Path) -> Path:
    """A home where ann stands as her hash, beside a config that tells no key."""
    own = build_home(tmp_path / "own")
    rewrite(
        own, "core.owners_dim", f"select * replace (replace(user_id, 'ann', '{ANN}') as user_id) from whole"
    )
    (tmp_path / "everycent.yml").write_text(f"home: {own}\n")
    return own


def test_explain_finds_a_user_by_the_hash_and_by_the_own_id(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _home_of_hashed_users(tmp_path)
    assert cli.run(["explain", "--user", ANN]) == 0
    by_hash = capsys.readouterr().out
    assert "6.75" in by_hash
    monkeypatch.setenv("EVERYCENT_IDENTITY_KEY", KEY)
    for given in (ANN, " Ann@ACME.example", "mailto:ann@acme.example"):
        assert cli.run(["explain", "--user", given]) == 0
        assert capsys.readouterr().out == by_hash
    assert cli.run(["explain", "--user", "bob"]) == 0  # as it stands, which goes first
    assert "2.25" in capsys.readouterr().out


def test_explain_says_what_is_needed_to_find_a_person(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = _home_of_hashed_users(tmp_path)
    assert cli.run(["explain", "--user", "ann@acme.example"]) == 1
    assert "give --config FILE and set the identity key" in capsys.readouterr().err
    monkeypatch.setenv("EVERYCENT_IDENTITY_KEY", "another key of tests")
    assert cli.run(["explain", "--home", str(own), "--user", "ann@acme.example"]) == 1
    told = capsys.readouterr().err
    other = Identity(b"another key of tests")
    assert f"nor its hash {other.pseudonymise('ann@acme.example')}" in " ".join(told.split())
    assert "another key of tests" not in told


def test_identity_hash_prints_what_stands_in_the_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "everycent.yml").write_text("home: x\n")
    assert cli.run(["identity", "hash", "ann@acme.example"]) == 3
    refused = capsys.readouterr()
    assert (refused.out, "EVERYCENT_IDENTITY_KEY" in refused.err) == ("", True)
    monkeypatch.setenv("EVERYCENT_IDENTITY_KEY", KEY)
    assert cli.run(["identity", "hash", "Ann@acme.example", "bob"]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [ANN, Identity(KEY.encode()).pseudonymise("bob")]
    assert KEY not in shown.out + shown.err


def test_labels_name_users_by_hash_or_by_their_own_id(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    bob = Identity(KEY.encode()).pseudonymise("bob")
    file.write_text(f"user_id,label\nAnn@acme.example,Ann\nbob,Robert\n{bob},Bob\n")
    labels = read_labels(file, Identity(KEY.encode()))
    assert (labels[ANN], labels[bob or ""]) == ("Ann", "Bob")
    config = load_config(_config_of_labels(tmp_path), environment={}, is_identity_key_needed=False)
    assert "Warning: 2 of the labels" in (describe_unused_labels(config) or "")


def _config_of_labels(folder: Path) -> Path:
    file = folder / "labels.yml"
    file.write_text("report: {label_file: people.csv}\n")
    return file


def test_explain_starts_from_a_bill_line_a_cell_or_a_trace(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = {
        ("--charge-id", "line-3"): ("-2.50 USD", "A credit or refund that names no charge"),
        ("--cell-id", "cell-1"): ("billed 10.00", "request-1", "request-2"),
        ("--trace-id", "trace-1"): ("Trace trace-1", "billed 6.75", "request-1"),
        ("--user", "none"): ("billed -1.50", "(unlogged_usage)", "(credit)"),
    }
    for words, parts in expected.items():
        assert cli.run(["explain", "--home", str(home), *words, "--all"]) == 0
        shown = capsys.readouterr().out
        assert all(part in shown for part in parts), words
    assert cli.run(["explain", "--home", str(home), "--feature", "nothing"]) == 1
    assert "no such cost" in capsys.readouterr().err


def test_explain_follows_a_trace_to_the_owner_that_a_tag_of_the_bill_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = build_home(tmp_path / "own")
    renamed = "if(owner_id = 'owner-1', 'owner-9', owner_id)"
    rewrite(own, "core.attributed_costs", f"select * replace ({renamed} as owner_id) from whole")
    assert cli.run(["explain", "--home", str(own), "--trace-id", "trace-1"]) == 0
    assert "No cost was attributed" in capsys.readouterr().out
    tag = "'cell-1' as cell_id, 'pool-1' as pool_key, 'owner-1' as log_owner_id, 'owner-9' as owner_id"
    rewrite(own, "core.tagged_owners", f"select charge_date, {tag} from whole")
    assert cli.run(["explain", "--home", str(own), "--trace-id", "trace-1", "--all"]) == 0
    shown = capsys.readouterr().out
    assert "Selected: billed 6.75 " in shown
    assert "request-1" in shown
    assert cli.run(["explain", "--home", str(own), "--cell-id", "cell-1", "--all"]) == 0
    assert "request-1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "given", "sentence"),
    [
        ("--trace-id", "nope", "holds no trace whose id is or begins with 'nope'"),
        ("--cell-id", "nope", "from core.cells"),
        ("--charge-id", "nope", "from core.charges"),
        ("--charge-id", "line", "3 bill lines of the release"),
        ("--cell-id", "cell", "(cell-1, cell-2). Give more of it."),
    ],
)
def test_explain_says_what_fits_the_id_asked_for(
    home: Path, option: str, given: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["explain", "--home", str(home), option, given]) == 1
    assert sentence in capsys.readouterr().err


def test_every_hint_of_explain_is_a_query_that_runs(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--charge-id", "--cell-id"):
        assert cli.run(["explain", "--home", str(home), option, "nope"]) == 1
        hint = re.search(r'everycent query "(.+)"', capsys.readouterr().err)
        assert hint is not None
        assert cli.run(["query", hint[1], "--home", str(home)]) == 0


def test_explain_takes_the_ids_that_it_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = build_home(tmp_path / "own")
    longer = "case charge_id when 'line-3' then 'b' || repeat('0', 31) else repeat('a', 32) || right(charge_id, 2) end"
    for relation in ("core.charges", "core.charge_cells"):
        rewrite(own, relation, f"select * replace ({longer} as charge_id) from whole")
    assert cli.run(["explain", "--home", str(own), "--date", DAY, "--all"]) == 0
    printed = set(re.findall(r"^ (a{8}\S*|b0\S*)", capsys.readouterr().out, re.MULTILINE))
    assert printed == {"a" * 32 + "-1", "a" * 32 + "-2", "b" + "0" * 11}
    for charge_id in printed:
        assert cli.run(["explain", "--home", str(own), "--charge-id", charge_id, "--all"]) == 0
        assert charge_id in capsys.readouterr().out
    assert cli.run(["explain", "--home", str(own), "--charge-id", "aaaa"]) == 1
    assert "2 bill lines" in capsys.readouterr().err
    assert cli.run(["explain", "--home", str(own), "--charge-id", "b0", "--date", "2026-11-01"]) == 1
    assert "leave out --date" in capsys.readouterr().err


def test_explain_shows_a_side_that_does_not_close(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = build_home(tmp_path / "own")
    rewrite(own, "core.charge_cells", "select * replace (billed_cost + 1 as billed_cost) from whole")
    assert cli.run(["explain", "--home", str(own), "--cell-id", "cell-2"]) == 1
    shown = capsys.readouterr()
    assert "✗ 1 of 1 cells do not close; see --all" in shown.out
    assert "✗ paid by (billed cost): -2.50 USD = -1.50 bill lines" in shown.out
    assert "does not add up" in shown.err and "paid by (billed cost) (by -1.00 USD)" in shown.err
    assert cli.run(["explain", "--home", str(own), "--cell-id", "cell-2", "--all"]) == 1
    assert "✗ open" in capsys.readouterr().out


RESULT = NightlyResult(
    exit_code=ExitCode.SOURCE_AT_FAULT,
    release_path=Path("/home/sample/warehouse/releases") / THIRD,
    is_published=True,
    unchanged=False,
    source_faults=("aws-bill: bills/aws/2026-11.csv lacks the column BilledCost. Ask for it in the export.",),
    failed_checks=(),
    conservation=(
        ConservationLine("USD", Decimal("123456789.012345678901"), Decimal("123456789.012345678901")),
        ConservationLine("EUR", Decimal("10"), Decimal("9.999999999999")),
    ),
    top_lines=(
        {
            "last_date": date(2026, 11, 19),
            "days": 17,
            "cost_driver": "inference",
            "feature": "customer-support-assistant",
            "model": "claude-sonnet-4-5-20250929",
            "requests": 123456,
            "effective_cost": Decimal("-1234567.891"),
            "billing_currency": "USD",
            "residual_reason": None,
        },
        {
            "last_date": date(2026, 11, 19),
            "effective_cost": Decimal("1"),
            "residual_reason": "unlogged_usage",
        },
    ),
    report_path=Path("/home/sample/reports/weekly/weekly-2026-W47.html"),
    seconds=12.34,
)


@pytest.mark.parametrize("width", [80, 100, 140])
def test_the_summary_fits_the_terminal(width: int) -> None:
    console = Console(width=width, file=io.StringIO(), highlight=False)
    print_nightly(RESULT, console)
    shown = console.file.getvalue()
    for part in (
        "-1,234,567.89",
        "123,456,789.012345678901",
        "0.000000000001",
        "lacks the column BilledCost",
        "Published, with a source at fault.",
        "weekly-2026-W47.html",
        THIRD,
        "12.3 s",
    ):
        assert part in shown
    assert max(len(line) for line in shown.splitlines()) <= width
    assert "(unlogged" in shown


@pytest.mark.parametrize("width", [80, 140])
def test_the_summary_prints_a_line_a_warning_and_counts_the_rest(width: int) -> None:
    warnings = tuple(f"{number} over_logged: {'long ' * 40}" for number in range(11, 0, -1))
    console = Console(width=width, file=io.StringIO(), highlight=False)
    print_nightly(replace(RESULT, warnings=warnings), console)
    shown = console.file.getvalue().splitlines()
    verdict = next(index for index, line in enumerate(shown) if "Published, with a source at fault." in line)
    words = [line.split(":")[0] for line in shown[verdict + 1 : verdict + 9]]
    assert words == [f"! {number} over_logged" for number in range(11, 3, -1)]
    assert shown[verdict + 9] == "  and 3 more; in full: everycent sources"
    assert max(map(len, shown)) <= width


def test_the_summary_says_where_a_warning_that_is_cut_stands_in_full() -> None:
    for sentence, is_cut in (("over_logged: short", False), (f"over_logged: {'long ' * 40}", True)):
        console = Console(width=80, file=io.StringIO(), highlight=False)
        print_nightly(replace(RESULT, warnings=(sentence,)), console)
        assert ("  in full: everycent sources\n" in console.file.getvalue()) == is_cut


def test_a_fault_names_its_source_once() -> None:
    console = Console(width=100, file=io.StringIO(), highlight=False)
    fault = "bill: bill: /data does not exist; create it"
    print_nightly(replace(RESULT, source_faults=(fault,)), console)
    assert "  bill: /data does not exist" in console.file.getvalue()
    assert sentence_text("bill: bills: x") == "bill: bills: x"


def test_no_rows_name_the_columns(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    columns = [f"a_rather_long_name_{number}" for number in range(9)]
    sql = "select " + ", ".join(f"1 as {column}" for column in columns) + " where false"
    assert cli.run(["query", sql, "--home", str(home)]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("0 rows")
    assert all(column in shown for column in columns)


@pytest.mark.parametrize("sql", ["show tables", "SHOW ALL TABLES ;"])
def test_show_tables_lists_the_release(home: Path, sql: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["query", sql, "--home", str(home), "--format", "csv"]) == 0
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert rows[0] == ["schema", "name", "comment"]
    assert ["marts", "cost_daily", "Cost per day"] in rows
    assert ["core", "cells", ""] in rows
    assert ["marts", "release_name", ""] in rows


def test_lists_of_tables_and_columns_are_not_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = build_home(tmp_path / "own")
    many = ", ".join(f"{number} as column_{number}" for number in range(60))
    rewrite(own, "core.cells", f"select *, {many} from whole")
    assert cli.run(["query", "/* all */ describe core.cells", "--home", str(own)]) == 0
    shown = capsys.readouterr()
    assert "column_59" in shown.out and shown.err == ""
    assert cli.run(["query", "describe core.cells", "--home", str(own), "--limit", "5"]) == 0
    assert "The first 5 rows" in capsys.readouterr().err
    assert cli.run(["query", "select unnest(range(60)) as n", "--home", str(own)]) == 0
    assert "The first 50 rows" in capsys.readouterr().err


def test_a_row_too_wide_for_the_terminal_becomes_a_block(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = ", ".join(f"{number} as a_rather_long_name_{number}" for number in range(9))
    assert cli.run(["query", f"select {columns}", "--home", str(home)]) == 0
    assert "row 1\na_rather_long_name_0  0\n" in capsys.readouterr().out


def test_an_unreadable_release_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = build_home(tmp_path / "own")
    (own / "warehouse" / "tables" / "core.cells" / "all" / "0123.parquet").write_bytes(b"broken")
    assert cli.run(["explain", "--home", str(own), "--cell-id", "cell-2"]) == 1
    message = capsys.readouterr().err
    assert "cannot be read" in message
    assert "everycent rollback" in message


@pytest.mark.parametrize(
    ("exit_code", "words"), [(0, "Everything is published."), (1, "Nothing was published.")]
)
def test_the_verdict_fits_the_exit_code(exit_code: int, words: str) -> None:
    console = Console(width=80, file=io.StringIO())
    print_nightly(NightlyResult(ExitCode(exit_code), None, exit_code == 0, False), console)
    assert words in console.file.getvalue()


def test_numbers_for_eyes_round_half_up_and_never_invent() -> None:
    assert money_text(Decimal("0.125")) == "0.13"
    assert money_text(Decimal("-0.125")) == "-0.13"
    assert money_text(None) == "–"
    assert exact_text(Decimal("1234.500000000000")) == "1,234.50"
    assert exact_text(Decimal("0E-12")) == "0.00"
    assert safe_text("a\nb\x1b") == "a\ufffdb\ufffd"


def test_plain_progress_is_one_line_a_step() -> None:
    stream = io.StringIO()
    progress = PlainProgress(stream)
    progress.step("Land sources", 3)
    progress.advance()
    progress.note("aws-bill is new")
    assert stream.getvalue() == "Land sources (3)\n  aws-bill is new\n"


def test_transfers_are_shown_in_bytes_on_a_terminal() -> None:
    console = Console(width=100, file=io.StringIO(), force_terminal=True, color_system=None)
    with make_bar(console) as bar:
        progress = BarProgress(bar, console)
        progress.step("Land sources", 2)
        progress.transfers.start("aws-bill", 3_000_000)
        progress.transfers.advance("aws-bill", 1_000_000)
        progress.transfers.start("aws-bill", 1_000_000)
        progress.transfers.advance("aws-bill", 1_000_000)
        progress.advance()
    shown = console.file.getvalue()
    assert re.search(r"Land sources .* 1/2 ", shown)
    assert re.search(r"  Fetch aws-bill .* 2\.0/4\.0 MB ", shown)
