"""`everycent sources check`: what is tried, what is said, and with which code it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.common.checking import check_store
from pipelines import cli
from tests.contract.aws_exports import CUR_COLUMNS, cur_line, write_table
from tests.servers.backends import Backend
from tests.servers.rest import Reply, Request, RestServer, Route, pass_on

StartRest = Callable[[Route], RestServer]


def write_config(folder: Path, *sources: str) -> str:
    path = folder / "everycent.yml"
    path.write_text("sources:\n" + "".join(f"  - {{{source}}}\n" for source in sources))
    return str(path)


def test_files_that_are_there_are_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bills").mkdir()
    (tmp_path / "bills" / "a.csv").write_text("x" * 300_000)
    config = write_config(tmp_path, "name: bill, connector: focus_files, path: bills")
    assert cli.run(["sources", "check", "bill", "--config", config]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for part in (
        "bill (focus_files)",
        "✓",
        "1 file of 0.3 MB, all may be opened; a night reads what they hold",
        "All is well",
    ):
        assert part in shown


def test_what_is_missing_is_told_at_the_end_and_ends_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    config = write_config(
        tmp_path,
        "name: gone, connector: focus_files, path: nowhere",
        "name: empty, connector: transfer_files, path: empty, pattern: '*.csv'",
    )
    assert cli.run(["sources", "--config", config, "check"]) == 2
    shown = " ".join(capsys.readouterr().out.split())
    for part in (
        "✗",
        "–",
        "does not exist",
        "no file matches '*.csv'",
        "Not ready: gone (path), empty (files). Each ✗ above says what to do.",
    ):
        assert part in shown
    assert "All is well" not in shown


def test_json_says_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_config(tmp_path, "name: gone, connector: zone_files, path: nowhere")
    assert cli.run(["sources", "check", "--json", "--config", config]) == 2
    (source,) = json.loads(capsys.readouterr().out)
    assert (source["source"], source["connector"], source["is_ok"]) == ("gone", "zone_files", False)
    assert [(step["name"], step["is_ok"]) for step in source["steps"]] == [("path", False), ("files", None)]


def test_a_step_that_is_not_needed_leaves_all_well(
    tmp_path: Path, no_credentials: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A copy of an AWS export on disk: without credentials the export cannot be asked for, and need not be."""
    data, manifest = (
        tmp_path / "copy/bill" / kind / "BILLING_PERIOD=2026-10" for kind in ("data", "metadata")
    )
    data.mkdir(parents=True)
    manifest.mkdir(parents=True)
    (data / "bill-00001.snappy.parquet").write_bytes(write_table([cur_line()], CUR_COLUMNS, "parquet"))
    content = {
        "executionId": "11111111-2222-3333-4444-555555555555",
        "columns": [{"name": name} for name in CUR_COLUMNS],
        "dataFiles": ["s3://bills/bill/data/BILLING_PERIOD=2026-10/bill-00001.snappy.parquet"],
    }
    (manifest / "bill-Manifest.json").write_text(json.dumps(content))
    config = write_config(tmp_path, "name: aws, connector: aws_data_exports, export: bill, location: copy")
    assert cli.run(["sources", "check", "aws", "--config", config]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "landing does not need it" in shown
    assert "All is well" in shown
    assert cli.run(["sources", "check", "aws", "--json", "--config", config]) == 0
    (source,) = json.loads(capsys.readouterr().out)
    assert source["is_ok"] is True
    assert (source["steps"][0]["name"], source["steps"][0]["is_ok"]) == ("export", None)


def test_an_unknown_name_is_an_error_in_the_arguments(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path, "name: bill, connector: focus_files, path: .")
    assert cli.run(["sources", "check", "bil", "--config", config]) == 3
    assert "no source 'bil'; its sources: bill" in capsys.readouterr().err


def test_a_store_is_signed_in_to_listed_and_read(remote_store: Backend) -> None:
    remote_store.put("2026/a.csv", b"x" * 200_000)
    steps = list(check_store(remote_store.settings()))
    assert [(step.name, step.is_ok) for step in steps] == [
        ("credentials", True),
        ("list", True),
        ("read", True),
    ]
    assert "1 object of 0.2 MB" in steps[1].message
    assert steps[2].message == "2026/a.csv is readable"


def test_a_store_that_may_be_listed_but_not_read(remote_store: Backend, rest: StartRest) -> None:
    remote_store.put("a.csv", b"cost\n1\n")
    behind = pass_on(remote_store.url)

    def deny_reading(request: Request) -> Reply:
        is_list = not request.path.endswith("a.csv")
        body = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
        return behind(request) if is_list else Reply(403, body, {"Content-Type": "application/xml"})

    steps = list(check_store(remote_store.settings(rest(deny_reading).url)))
    assert [step.is_ok for step in steps] == [True, True, False]
    assert "access denied" in steps[2].message


def test_an_empty_or_missing_store_is_told(remote_store: Backend) -> None:
    empty, missing = (
        list(check_store(remote_store.settings(bucket=name))) for name in ("company-exports", "no-such")
    )
    assert [step.is_ok for step in empty] == [True, False, None]
    assert "holds nothing that is wanted" in empty[1].message
    assert [step.is_ok for step in missing] == [True, False, None]
    assert "'no-such'" in missing[1].message
