"""A company of a few lines in vendors' own formats, and whole nights on it.

What belongs here: writing its files, running a night over them, and reading what was published. What must not:
assertions. Its days lie weeks before the nights, so that no night spends seconds on forecasting.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from connectors.common.contract import Finding
from pipelines.config.load import load_config
from pipelines.night.run import Night, NightRequest, load_models
from pipelines.results import NightlyResult
from pipelines.warehouse.models import ModelSet

NOW = datetime(2026, 12, 20, 3)
CONFIG = """
home: home
identity: {pseudonymise: false}
sources:
  - {name: aws_bill, connector: focus_files, path: aws}
  - {name: azure_bill, connector: focus_files, path: azure}
  - name: calls
    connector: request_files
    path: calls
    columns: {started_at: time, provider: provider, model: model, user_id: user, feature: feature,
              input_tokens: input, output_tokens: output}
  - {name: spans, connector: otel_genai, path: spans}
  - {name: flows, connector: transfer_files, path: flows}
tags: {feature: [feature]}
fx_rates: [{from_currency: EUR, to_currency: USD, rate_date: 2026-01-01, rate: "1.1"}]
"""
LINE = {
    "BilledCost": "10",
    "EffectiveCost": "9",
    "ListCost": "12",
    "ContractedCost": "10",
    "BillingAccountId": "acct-aws",
    "BillingCurrency": "USD",
    "BillingPeriodStart": "2026-11-01T00:00:00Z",
    "BillingPeriodEnd": "2026-12-01T00:00:00Z",
    "ChargePeriodStart": "2026-11-01T00:00:00Z",
    "ChargePeriodEnd": "2026-11-02T00:00:00Z",
    "ChargeCategory": "Usage",
    "ChargeFrequency": "Usage-Based",
    "ServiceName": "Amazon EC2",
    "ServiceCategory": "Compute",
    "SkuMeter": "BoxUsage",
    "AvailabilityZone": "us-east-1a",
    "ResourceId": "i-1",
    "ProviderName": "AWS",
    "InvoiceIssuerName": "Amazon Web Services, Inc.",
    "Tags": '{"feature": "search"}',
}
AZURE = {
    "BillingAccountId": "acct-azure",
    "BillingCurrency": "EUR",
    "ServiceName": "Virtual Machines",
    "ProviderName": "Microsoft",
    "InvoiceIssuerName": "Microsoft",
    "BilledCost": "100",
    "EffectiveCost": "100",
    "ListCost": "100",
}
CALL = {
    "time": "2026-11-01T10:00:00Z",
    "provider": "openai",
    "model": "gpt-4o",
    "user": "ann",
    "feature": "search",
    "input": "1000",
    "output": "100",
}
FLOW = {
    "window_start": "2026-11-01T10:00:00Z",
    "window_end": "2026-11-01T11:00:00Z",
    "provider": "aws",
    "traffic_kind": "inter_az",
    "from_zone": "use1-az1",
    "to_zone": "use1-az2",
    "bytes": "5000",
}
_NIGHT_READS_LATE = (
    "staging.ledger_forecasts",
    "staging.ledger_budget_forecasts",
    "staging.ledger_anomalies",
    "staging.ledger_estimates",
)

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What a night said and published."""

    result: NightlyResult
    findings: tuple[Finding, ...]
    release: Path

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Rows of the release that is current after the night."""
        with duckdb.connect(str(self.release / "everycent.duckdb"), read_only=True) as connection:
            return connection.execute(sql).to_arrow_table().to_pylist()

    def billed(self) -> dict[str, Decimal]:
        """Billed cost by bill of record in the cost mart."""
        rows = self.query(
            "select bill_of_record, sum(billed_cost) as billed from marts.cost_daily "
            "where bill_of_record is not null group by bill_of_record"
        )
        return {row["bill_of_record"]: row["billed"] for row in rows}

    def requests(self) -> int:
        """Requests counted by the cost mart."""
        return self.query("select coalesce(sum(requests), 0) as n from marts.cost_daily")[0]["n"]

    def told(self, kind: str) -> Finding:
        """The one finding of a kind; fails when there is none or there are several."""
        found = [finding for finding in self.findings if finding.kind == kind]
        known = [(finding.kind, finding.message) for finding in self.findings]
        assert len(found) == 1, f"wanted one finding {kind}, got {known}"
        return found[0]

    def completeness(self, source: str) -> set[tuple[str | None, str]]:
        """(finding, state) of a source in marts.data_completeness; without finding the state of the source itself."""
        rows = self.query("select source, finding, state from marts.data_completeness")
        return {(row["finding"], row["state"]) for row in rows if row["source"] == source}


@dataclass
class Company:
    """The company's folder; nights follow each other by a day."""

    folder: Path
    nights: int = 0

    def night(self) -> Outcome:
        """Run a whole night, publish, and return what came of it."""
        config = load_config(self.folder / "everycent.yml", environment={})
        now = NOW + timedelta(days=self.nights)
        self.nights += 1
        with Night(NightRequest(config, config.home, now.date(), now), models()) as night:
            for source in config.sources:
                night.land(source)
            night.gather()
            late = _late_models()
            for name in models().order:
                if name not in late:
                    night.run_model(name)
            night.look_ahead()
            for name in late:
                night.run_model(name)
            night.publish()
            assert night.release is not None
            return Outcome(night.result(), tuple(night.findings), night.release.path)

    def write_bill(
        self, name: str, lines: Iterable[Mapping[str, str]], columns: Iterable[str] = LINE
    ) -> Path:
        """Write a FOCUS bill such as `aws/bill.csv`."""
        return write_csv(self.folder / name, [{**LINE, **line} for line in lines], columns)

    def write_calls(self, calls: Iterable[Mapping[str, str]], name: str = "calls/calls.csv") -> Path:
        """Write the request log."""
        return write_csv(self.folder / name, [{**CALL, **call} for call in calls], CALL)

    def write_spans(self, spans: Iterable[Mapping[str, Any]], name: str = "spans/spans.jsonl") -> Path:
        """Write OTLP JSON lines, one resource with all spans."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        scopes = [{"scope": {"name": "test"}, "spans": list(spans)}]
        content = {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": scopes}]}
        path.write_text(json.dumps(content) + "\n")
        return path


def write_company(folder: Path) -> Company:
    """Write the whole company, sound."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "everycent.yml").write_text(CONFIG)
    company = Company(folder)
    company.write_bill(
        "aws/bill.csv",
        [{}, {"ChargePeriodStart": "2026-11-02T00:00:00Z", "ChargePeriodEnd": "2026-11-03T00:00:00Z"}],
    )
    company.write_bill("azure/bill.csv", [AZURE])
    company.write_calls([{}, {"user": "bob", "input": "50"}])
    company.write_spans([span("root"), span("call", parent="root", model="gpt-4o", input=700, output=70)])
    write_csv(folder / "flows" / "flows.csv", [FLOW], FLOW)
    return company


def span(
    name: str, *, trace: str = "trace 1", parent: str | None = None, minute: int = 0, **call: Any
) -> dict[str, Any]:
    """An OTLP span; with `model`, `input`, `output` it is a model call. Names become ids."""
    start = int(datetime(2026, 11, 1, 12, minute).timestamp()) * 10**9
    attributes = []
    if call:
        attributes = [
            _text("gen_ai.operation.name", "chat"),
            _text("gen_ai.provider.name", "openai"),
            _text("gen_ai.request.model", call["model"]),
            {"key": "gen_ai.usage.input_tokens", "value": {"intValue": str(call["input"])}},
            {"key": "gen_ai.usage.output_tokens", "value": {"intValue": str(call["output"])}},
        ]
    return {
        "traceId": _id(trace, 32),
        "spanId": _id(name, 16),
        "parentSpanId": "" if parent is None else _id(parent, 16),
        "name": name,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + 10**9),
        "attributes": attributes,
    }


def write_csv(path: Path, rows: Iterable[Mapping[str, str]], columns: Iterable[str]) -> Path:
    """Write a CSV file with these columns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(columns), extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


@cache
def models() -> ModelSet:
    """The project's models, parsed once a test run."""
    return load_models()


@cache
def _late_models() -> tuple[str, ...]:
    known = models()
    late: list[str] = []
    for name in known.order:
        if name in _NIGHT_READS_LATE or any(ref in late for ref in known[name].dependencies):
            late.append(name)
    return tuple(late)


def _id(name: str, digits: int) -> str:
    return name.encode().hex()[:digits].ljust(digits, "0")


def _text(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": value}}
