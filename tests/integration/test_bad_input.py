"""Bad input, one kind a test, through a whole night after a sound one: it is told, and it harms nobody else.

Each test asserts what the owner reads (which file, which column, what to do), the exit code, the row of
`marts.data_completeness`, and that the other sources' totals are what they were.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from connectors.common.contract import ConnectorError, Severity
from pipelines.results import ExitCode
from tests.integration.mini_company import (
    AZURE,
    CALL,
    CONFIG,
    LINE,
    Company,
    Outcome,
    span,
    write_company,
    write_csv,
)

SOUND = {"aws_bill": Decimal(20), "azure_bill": Decimal(100)}
SOUND_REQUESTS = 3
OK = (None, "ok")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Company:
    """A sound company after its first night; tests work on copies."""
    company = write_company(tmp_path_factory.mktemp("base") / "company")
    outcome = company.night()
    assert outcome.result.exit_code is ExitCode.OK
    assert outcome.billed() == SOUND
    assert outcome.requests() == SOUND_REQUESTS
    _assert_conserved(outcome)
    return company


@pytest.fixture
def company(base: Company, tmp_path: Path) -> Company:
    """A copy of the sound company, its first night included."""
    shutil.copytree(base.folder, tmp_path / "company", symlinks=True)
    return Company(tmp_path / "company", base.nights)


def test_a_missing_folder_keeps_the_last_good_bill(company: Company) -> None:
    shutil.rmtree(company.folder / "aws")
    outcome = company.night()
    finding = outcome.told("missing_path")
    assert str(company.folder / "aws") in finding.message
    assert "create it or correct `path`" in finding.message
    assert ("missing_path", "fault") in outcome.completeness("aws_bill")
    _assert_fault(outcome, "aws_bill")


def test_a_file_that_cannot_be_opened_keeps_the_last_good_bill(company: Company) -> None:
    (company.folder / "aws" / "more.csv").symlink_to(company.folder / "gone.csv")
    outcome = company.night()
    finding = outcome.told("unreadable_file")
    assert finding.file == "more.csv" and "correct or remove it" in finding.message
    _assert_fault(outcome, "aws_bill")


def test_a_part_of_a_bill_that_cannot_be_opened_takes_nothing_away(company: Company) -> None:
    later = {"ChargePeriodStart": "2026-11-05T00:00:00Z", "ChargePeriodEnd": "2026-11-06T00:00:00Z"}
    part = company.write_bill("aws/part.csv", [{**later, "BilledCost": "7", "ResourceId": "i-7"}])
    whole = {**SOUND, "aws_bill": Decimal(27)}
    assert company.night().billed() == whole
    part.unlink()
    part.symlink_to(company.folder / "gone.csv")
    outcome = company.night()
    assert outcome.told("unreadable_file").file == "part.csv"
    assert outcome.billed() == whole
    assert outcome.result.exit_code is ExitCode.SOURCE_AT_FAULT


def test_a_landing_that_the_disk_refuses_keeps_the_last_good_bill(company: Company) -> None:
    artifacts = company.folder / "home" / "lake" / "raw" / "aws_bill" / "artifacts"
    shutil.rmtree(artifacts)
    artifacts.write_text("in the way")
    company.write_bill("aws/bill.csv", [{"BilledCost": "99"}])
    outcome = company.night()
    assert str(artifacts) in outcome.told("source_failed").message
    _assert_fault(outcome, "aws_bill")


def test_a_torn_index_is_made_again(company: Company) -> None:
    (company.folder / "home" / "lake" / "raw" / "aws_bill" / "seen.json").write_text('{"files"')
    outcome = company.night()
    assert outcome.billed() == SOUND
    assert outcome.result.exit_code is ExitCode.OK


def test_a_damaged_delivery_record_publishes_nothing(company: Company) -> None:
    record = next((company.folder / "home" / "lake" / "raw" / "aws_bill" / "deliveries").glob("*.json"))
    record.write_text("")
    with pytest.raises(ConnectorError, match=f"{record.name}.*Restore it from a backup"):
        company.night()


def test_an_empty_folder_keeps_the_last_good_log(company: Company) -> None:
    (company.folder / "calls" / "calls.csv").unlink()
    outcome = company.night()
    finding = outcome.told("empty_folder")
    assert "calls" in finding.message and "deliver one" in finding.message
    assert ("empty_folder", "fault") in outcome.completeness("calls")
    _assert_fault(outcome, "calls")


def test_an_unreadable_gzip_stops_its_source_only(company: Company) -> None:
    (company.folder / "aws" / "november.csv.gz").write_bytes(b"\x1f\x8b not really gzip")
    outcome = company.night()
    finding = outcome.told("unreadable_file")
    assert finding.file == "november.csv.gz"
    assert "november.csv.gz" in finding.message and "deliver it again" in finding.message
    assert ("unreadable_file", "fault") in outcome.completeness("aws_bill")
    _assert_fault(outcome, "aws_bill")


def test_a_bill_of_only_a_header_is_an_empty_bill(company: Company) -> None:
    """Bills go down, also to nothing: the account's period is replaced by what was delivered."""
    company.write_bill("aws/bill.csv", [])
    outcome = company.night()
    finding = outcome.told("header_only")
    assert "bill.csv" in finding.message and "acct-aws|2026-11 is now delivered as empty" in finding.message
    assert outcome.result.exit_code is ExitCode.OK
    assert outcome.billed() == {"azure_bill": Decimal(100)}
    assert outcome.requests() == SOUND_REQUESTS
    assert ("header_only", "ok") in outcome.completeness("aws_bill")
    _assert_conserved(outcome)


def test_a_log_of_only_a_header_is_an_empty_log(company: Company) -> None:
    company.write_calls([])
    outcome = company.night()
    finding = outcome.told("no_rows")
    assert "calls.csv" in finding.message and finding.severity is Severity.WARN
    assert outcome.result.exit_code is ExitCode.OK
    assert outcome.billed() == SOUND
    assert outcome.requests() == 1
    assert ("no_rows", "ok") in outcome.completeness("calls")


def _without_column(company: Company) -> None:
    company.write_bill("aws/bill.csv", [{}], [name for name in LINE if name != "BilledCost"])


def _with_renamed_column(company: Company) -> None:
    columns = ["Billed_Cost" if name == "BilledCost" else name for name in LINE]
    company.write_bill("aws/bill.csv", [{"Billed_Cost": "10"}], columns)


def _with_text_for_numbers(company: Company) -> None:
    company.write_bill("aws/bill.csv", [{"BilledCost": "ten"}, {"BilledCost": "eleven"}])


def _with_a_day_beyond_every_calendar(company: Company) -> None:
    company.write_bill("aws/bill.csv", [{}, {"ChargePeriodEnd": "2126-11-02T00:00:00Z"}])


def _with_a_cost_beyond_exact_splitting(company: Company) -> None:
    company.write_bill("aws/bill.csv", [{}, {"EffectiveCost": "-10000000000"}])


def _with_one_bad_number(company: Company) -> None:
    company.write_bill("aws/bill.csv", [{}, {"BilledCost": "10,5"}])


@pytest.mark.parametrize(
    ("damage", "kind", "said"),
    [
        (_without_column, "missing_column", "the required column BilledCost is missing"),
        (_with_renamed_column, "missing_column", "'Billed_Cost' looks like it: was it renamed?"),
        (_with_text_for_numbers, "type_flip", "column BilledCost changed its type: no value is a number"),
        (_with_one_bad_number, "unparsable_value", "line 3, column BilledCost: not a number"),
        (_with_a_day_beyond_every_calendar, "impossible_value", "line 3, column ChargePeriodEnd: outside"),
        (_with_a_cost_beyond_exact_splitting, "impossible_value", "line 3, column EffectiveCost: at least"),
    ],
    ids=["missing", "renamed", "number to text", "one bad number", "clock in the future", "absurd cost"],
)
def test_a_changed_column_of_a_bill_is_never_half_loaded(
    company: Company, damage: Callable[[Company], None], kind: str, said: str
) -> None:
    damage(company)
    outcome = company.night()
    finding = outcome.told(kind)
    assert said in finding.message
    assert finding.file == "bill.csv" and "bill.csv" in finding.message and "deliver" in finding.message
    assert (kind, "fault") in outcome.completeness("aws_bill")
    _assert_fault(outcome, "aws_bill")


@pytest.mark.parametrize(
    ("columns", "row", "kind", "said"),
    [
        ([c for c in CALL if c != "input"], CALL, "missing_column", "input"),
        (
            ["tokens_in" if c == "input" else c for c in CALL],
            CALL | {"tokens_in": "1"},
            "missing_column",
            "input",
        ),
        (list(CALL), CALL | {"input": "many"}, "type_flip", "column input changed its type"),
    ],
    ids=["missing", "renamed", "number to text"],
)
def test_a_changed_column_of_a_log_keeps_the_last_good_log(
    company: Company, columns: list[str], row: dict[str, str], kind: str, said: str
) -> None:
    write_csv(company.folder / "calls" / "calls.csv", [row], columns)
    outcome = company.night()
    finding = outcome.told(kind)
    assert said in finding.message and "calls.csv" in finding.message
    assert (kind, "fault") in outcome.completeness("calls")
    _assert_fault(outcome, "calls")


def test_the_same_delivery_again_adds_nothing(company: Company) -> None:
    bill = company.folder / "aws" / "bill.csv"
    before = _deliveries(company)
    bill.write_bytes(bill.read_bytes())
    os.utime(bill)
    outcome = company.night()
    assert outcome.result.exit_code is ExitCode.OK
    assert outcome.billed() == SOUND
    assert _deliveries(company) == before


def test_a_copy_of_a_bill_beside_it_is_refused_and_does_not_double_it(company: Company) -> None:
    shutil.copy(company.folder / "aws" / "bill.csv", company.folder / "aws" / "bill (1).csv")
    outcome = company.night()
    finding = outcome.told("ambiguous_delivery")
    assert "bill (1).csv" in finding.message and "bill.csv" in finding.message
    assert "remove one file" in finding.message
    _assert_fault(outcome, "aws_bill")


def test_a_vendor_that_reverts_is_believed_each_time(company: Company) -> None:
    """A, B, A: what counts is the newest delivery, not the newest content."""
    bill = company.folder / "aws" / "bill.csv"
    first = bill.read_bytes()
    company.write_bill("aws/bill.csv", [{"BilledCost": "35"}])
    restated = company.night()
    assert restated.billed() == SOUND | {"aws_bill": Decimal(35)}
    bill.write_bytes(first)
    reverted = company.night()
    assert reverted.result.exit_code is ExitCode.OK
    assert reverted.billed() == SOUND
    assert len(_deliveries(company)) == 3
    _assert_conserved(reverted)


def test_identical_lines_are_kept_and_reported(company: Company) -> None:
    company.write_bill("aws/bill.csv", [{}, {}, {}])
    outcome = company.night()
    finding = outcome.told("identical_lines")
    assert finding.count == 2
    assert outcome.result.exit_code is ExitCode.OK
    assert outcome.billed() == SOUND | {"aws_bill": Decimal(30)}
    lines = outcome.query("select count(*) as n, count(distinct charge_id) as ids from core.charges")
    assert lines == [{"n": 4, "ids": 4}]
    assert ("identical_lines", "ok") in outcome.completeness("aws_bill")


def test_an_undeclared_second_feed_of_a_bill_carries_no_cost(company: Company) -> None:
    second = "  - {name: aws_again, connector: focus_files, path: aws_again}\ntags:"
    (company.folder / "everycent.yml").write_text(CONFIG.replace("tags:", second))
    company.write_bill("aws_again/export.csv", [{"BilledCost": "19"}])
    outcome = company.night()
    finding = outcome.told("overlapping_bill")
    assert "aws_again" in finding.message and "carried by aws_bill" in finding.message
    assert "acct-aws" in finding.message and "2026-11" in finding.message
    assert "Remove one of the two sources" in finding.message
    assert ("overlapping_bill", "fault") in outcome.completeness("aws_again")
    states = {state for _, state in outcome.completeness("aws_bill")}
    assert states and states <= {"ok", "stale"}  # late by now, not at fault
    _assert_fault(outcome, "aws_again")


def test_an_availability_zone_that_is_a_price_is_unknown(company: Company) -> None:
    company.write_bill("aws/bill.csv", [{"AvailabilityZone": "0.0116000000"}, {"BilledCost": "10.5"}])
    outcome = company.night()
    finding = outcome.told("zone_is_number")
    assert "bill.csv" in finding.message and "AvailabilityZone" in finding.message and finding.count == 1
    assert outcome.result.exit_code is ExitCode.OK
    zones = outcome.query(
        "select availability_zone as zone, billed_cost as cost from core.charges "
        "where bill_of_record = 'aws_bill' order by cost"
    )
    assert zones == [{"zone": None, "cost": Decimal(10)}, {"zone": "us-east-1a", "cost": Decimal("10.5")}]
    assert ("zone_is_number", "ok") in outcome.completeness("aws_bill")
    _assert_conserved(outcome)


def test_a_currency_without_a_rate_is_unknown_in_the_reporting_currency_not_zero(company: Company) -> None:
    company.write_bill("azure/bill.csv", [AZURE | {"BillingCurrency": "JPY"}])
    outcome = company.night()
    assert outcome.result.exit_code is ExitCode.OK
    assert outcome.billed() == SOUND
    converted = outcome.query(
        "select billing_currency as currency, sum(billed_cost_reporting) as usd from marts.cost_daily "
        "where bill_of_record is not null group by billing_currency order by billing_currency"
    )
    assert converted == [{"currency": "JPY", "usd": None}, {"currency": "USD", "usd": Decimal(20)}]
    assert ("missing_fx_rate", "ok") in outcome.completeness("fx_rates")
    told = outcome.query("select message from marts.data_completeness where finding = 'missing_fx_rate'")
    assert told[0]["message"] == (
        "100.00 JPY not converted: no rate from JPY to USD at the charge dates; figures in USD leave these charges "
        "out; add fx_rates to the config."
    )
    assert "100.00 JPY not converted" in outcome.result.warnings[0]
    _assert_conserved(outcome)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"input": "-5"}, "negative"),
        ({"output": "5000000000"}, "above"),
        ({"time": "2031-01-01T00:00:00Z"}, "five minutes in the future"),
    ],
    ids=["negative tokens", "absurd tokens", "clock in the future"],
)
def test_an_impossible_call_is_refused_alone(company: Company, bad: dict[str, str], reason: str) -> None:
    company.write_calls([{}, bad, {"user": "bob"}])
    outcome = company.night()
    finding = outcome.told("quarantined_row")
    assert "calls.csv" in finding.message and "correct and deliver again" in finding.message
    assert reason in finding.message and "(lines 3)" in finding.message
    assert outcome.result.exit_code is ExitCode.OK
    assert outcome.billed() == SOUND
    assert outcome.requests() == SOUND_REQUESTS
    assert ("quarantined_row", "ok") in outcome.completeness("calls")
    quarantine = company.folder / "home" / "lake" / "raw" / "calls" / "quarantine"
    noted = [path.read_text() for path in quarantine.iterdir()]
    assert len(noted) == 1 and '"line": 3' in noted[0]
    assert next(iter(bad.values())) not in noted[0], "quarantine must not hold content"


def test_a_trace_whose_parent_never_arrives_keeps_its_cost(company: Company) -> None:
    company.write_spans([span("call", parent="lost", model="gpt-4o", input=700, output=70)])
    outcome = company.night()
    assert outcome.result.exit_code is ExitCode.OK
    assert _traces(outcome) == [(1, Decimal("0.002450000000"))]
    _assert_conserved(outcome)


def test_a_trace_that_loops_keeps_its_cost_and_ends(company: Company) -> None:
    call = span("call", parent="a", model="gpt-4o", input=700, output=70)
    company.write_spans([span("a", parent="b"), span("b", parent="a"), span("self", parent="self"), call])
    outcome = company.night()
    assert outcome.result.exit_code is ExitCode.OK
    assert _traces(outcome) == [(1, Decimal("0.002450000000"))]
    status = outcome.query("select status from marts.traces where trace_id like '7472616365%'")
    assert status == [{"status": "no_root"}]
    _assert_conserved(outcome)


def test_a_workload_or_budget_stated_twice_counts_once(company: Company) -> None:
    """Two statements about one resource must not double what it costs, nor stop the night."""
    more = "  - {name: map, connector: workload_files, path: map.csv}\n"
    more += "  - {name: plan, connector: budget_files, path: plan.csv}\ntags:"
    (company.folder / "everycent.yml").write_text(CONFIG.replace("tags:", more))
    workload = {"workload_ref": "i-1", "ref_kind": "resource", "feature": "chat"}
    write_csv(company.folder / "map.csv", [workload, workload | {"feature": "search"}], workload)
    budget = {"budget_id": "all", "period_start": "2026-11-01", "period_end": "2026-12-01", "currency": "USD"}
    budgets = [budget | {"amount": "7"}, budget | {"amount": "6"}]
    write_csv(company.folder / "plan.csv", budgets, budgets[0])
    outcome = company.night()
    assert outcome.result.exit_code is ExitCode.OK
    assert outcome.billed() == SOUND
    assert outcome.query("select budget from marts.budget_status") == [{"budget": Decimal(6)}]
    _assert_conserved(outcome)


def test_a_day_without_calls_between_others_is_missing(company: Company) -> None:
    company.write_calls([{}, {"time": "2026-11-03T10:00:00Z"}])
    outcome = company.night()
    assert outcome.result.exit_code is ExitCode.OK
    days = outcome.query(
        "select date, rows, state from marts.data_completeness "
        "where source = 'calls' and row_kind = 'day' order by date"
    )
    assert days == [
        {"date": date(2026, 11, 1), "rows": 1, "state": "ok"},
        {"date": date(2026, 11, 2), "rows": 0, "state": "missing"},
        {"date": date(2026, 11, 3), "rows": 1, "state": "ok"},
    ]
    assert outcome.billed() == SOUND
    _assert_conserved(outcome)


def _assert_fault(outcome: Outcome, source: str) -> None:
    """The night was published with one source at fault, and every total is what it was."""
    assert outcome.result.exit_code is ExitCode.SOURCE_AT_FAULT
    assert {finding.source for finding in outcome.findings if finding.severity is Severity.FAULT} == {source}
    assert [said for said in outcome.result.source_faults if said.startswith(f"{source}: ")]
    assert outcome.billed() == SOUND
    assert outcome.requests() == SOUND_REQUESTS
    assert (None, "fault") in outcome.completeness(source)
    _assert_conserved(outcome)


def _assert_conserved(outcome: Outcome) -> None:
    assert outcome.result.conservation
    assert {line.difference for line in outcome.result.conservation} == {Decimal(0)}


def _deliveries(company: Company) -> list[str]:
    folder = company.folder / "home" / "lake" / "raw" / "aws_bill" / "deliveries"
    return sorted(path.name for path in folder.iterdir())


def _traces(outcome: Outcome) -> list[tuple[int, Decimal]]:
    """Attempts and cost of the traces that came as spans (their ids begin with 'trace')."""
    rows = outcome.query(
        "select attempts, total_cost from marts.traces where trace_id like '7472616365%' order by trace_id"
    )
    return [(row["attempts"], row["total_cost"]) for row in rows]
