"""Measures whether a night costs more after 400 days of history than after 30.

`.venv/bin/python -m benchmarks.history --requests-a-day 5000`

Two companies have the same last days: one has logged calls and received bills for 30 days, the other for 400. Each runs
a first night over all its history but the last day, then the night that counts: the log of one more day, and a new
delivery of the running month's bill, with that day in it and the three days before it restated. That night is whole: it
lands, builds, checks, looks ahead, publishes and writes the weekly report. Then a third night finds nothing new.
Each pair of nights is run in this process, `--rounds` times; the fastest counts.

What belongs here: the companies, their nights and the clock. What must not: how calls and costs are drawn
(`generated_lake`).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb

from benchmarks.generated_lake import GeneratedLake, Shape, open_lake
from benchmarks.measuring import Measured, empty_folder, measure
from pipelines.config.load import load_config
from pipelines.defs.session import NightSession
from pipelines.night.run import Night, NightRequest, load_models
from pipelines.warehouse.models import ModelSet

RESTATED_DAYS = 3
_CONFIG = """
home: home
identity: {pseudonymise: false}
sources:
  - {name: bill, connector: focus_files, path: bills, delivered_at_pattern: '(?P<delivered_at>\\d{8}T\\d{6})'}
  - name: calls
    connector: request_files
    path: calls
    pattern: "*.parquet"
    columns: {%s}
tags: {feature: [feature]}
"""
_CALLS = (
    "started_at ended_at provider_request_id trace_id provider sub_account_id region_id model service_tier status "
    "user_id tenant customer team feature endpoint workflow agent agent_step environment session_id from_zone to_zone "
    "uncached_input_tokens cache_read_tokens cache_write_5m_tokens output_tokens request_bytes response_bytes"
).split()
_BILL = {
    "BilledCost": "billed_cost * factor",
    "EffectiveCost": "effective_cost * factor",
    "ListCost": "list_cost",
    "ContractedCost": "contracted_cost",
    "BillingAccountId": "billing_account_id",
    "SubAccountId": "sub_account_id",
    "BillingCurrency": "billing_currency",
    "BillingPeriodStart": "billing_period_start",
    "BillingPeriodEnd": "billing_period_end",
    "ChargePeriodStart": "charge_period_start",
    "ChargePeriodEnd": "charge_period_end",
    "ChargeCategory": "charge_category",
    "ChargeFrequency": "charge_frequency",
    "ServiceName": "service_name",
    "SkuMeter": "sku_meter",
    "SkuId": "sku_id",
    "RegionId": "region_id",
    "ConsumedQuantity": "consumed_quantity",
    "ConsumedUnit": "consumed_unit",
    "ProviderName": "service_provider_name",
    "InvoiceIssuerName": "invoice_issuer_name",
    "Tags": "case when x_tag_feature is not null then '{\"feature\": \"' || x_tag_feature || '\"}' end",
}


@dataclass(frozen=True)
class Company:
    """The last days of a lake, as files that vendors and services deliver."""

    folder: Path
    lake: GeneratedLake
    first_day: date
    last_day: date

    def write_config(self) -> None:
        """The config, and the folders that it names."""
        columns = ", ".join(f"{name}: {name}" for name in _CALLS)
        (self.folder / "everycent.yml").write_text(_CONFIG % columns)
        (self.folder / "calls").mkdir()
        (self.folder / "bills").mkdir()

    def log_calls(self, start: date, end: date) -> None:
        """One file a day, from `start` to before `end`."""
        for day in _days(start, end):
            (file,) = self.lake.requests.files[day.isoformat()]
            (self.folder / "calls" / file.path.name).hardlink_to(file.path)

    def bill(self, month: str, until: date, delivered: datetime, *, is_restated: bool) -> None:
        """A delivery of a month's bill with the days before `until`, the last of them at other prices if restated."""
        target = self.folder / "bills" / f"{delivered:%Y%m%dT%H%M%S}" / f"{month}.parquet"
        target.parent.mkdir(exist_ok=True)
        tail = until - timedelta(days=RESTATED_DAYS + 1)
        columns = ", ".join(f'{expression} as "{name}"' for name, expression in _BILL.items())
        factor = "cast(1.25 as decimal(3, 2))" if is_restated else "cast(1 as decimal(3, 2))"
        (file,) = self.lake.charges.files[month]
        duckdb.execute(
            f"copy (select {columns} from (select *, case when charge_period_start >= '{tail}' then {factor} else 1 "
            f"end as factor from read_parquet('{file.path}') where charge_period_start >= '{self.first_day}' "
            f"and charge_period_start < '{until}')) to '{target}' (format parquet)"
        )

    def run_night(self, today: date, models: ModelSet) -> tuple[Measured, int]:
        """A whole night of three in the morning, and how many partitions it made."""
        config = load_config(self.folder / "everycent.yml", environment={})
        now = datetime.combine(today, datetime.min.time()) + timedelta(hours=3)
        with measure() as measured, Night(NightRequest(config, config.home, today, now), models) as night:
            session = NightSession(night)
            session.publish()
            session.write_report()
            result = night.result()
            if result.source_faults:
                raise SystemExit(
                    f"a source did not land, so the figures mean nothing: {result.source_faults}"
                )
            measured.seconds_by_model = {name: r.seconds for name, r in night.build.results.items()}
            made = sum(len(built.partitions_built) for built in night.build.results.values())
        return measured, made


def main() -> None:
    """Reads the arguments, runs both companies' nights, prints the figures."""
    arguments = _parse_arguments()
    days = max(arguments.days)
    shape = Shape(arguments.requests_a_day * days, arguments.keys_a_day * days, days)
    lake = open_lake(arguments.home, shape, print)
    models = load_models()
    figures: dict[int, list[tuple[Measured, int, Measured]]] = {number: [] for number in arguments.days}
    for _ in range(arguments.rounds):
        for number in arguments.days:
            figures[number].append(_run_company(arguments.home, lake, shape, number, models))
    best = {number: min(runs, key=lambda run: run[0].seconds) for number, runs in figures.items()}
    _show_models(best[min(best)][0], best[max(best)][0])
    print(json.dumps(_figures(best)))


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.history",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    home = Path(tempfile.gettempdir()) / "everycent-benchmarks"
    parser.add_argument("--requests-a-day", type=int, default=5_000, help="(default 5000)")
    parser.add_argument("--keys-a-day", type=int, default=500, help="attribution keys a day (default 500)")
    parser.add_argument("--days", type=int, nargs=2, default=[30, 400], help="of history (default 30 400)")
    parser.add_argument("--rounds", type=int, default=2, help="times that both are run in turn (default 2)")
    parser.add_argument(
        "--home", type=Path, default=home, help=f"keeps generated data between runs (default {home})"
    )
    return parser.parse_args()


def _run_company(
    home: Path, lake: GeneratedLake, shape: Shape, days: int, models: ModelSet
) -> tuple[Measured, int, Measured]:
    """The night that counts, its partitions, and the night after it that finds nothing new."""
    last = shape.last_day - timedelta(days=1)
    with empty_folder(home / f"history-{days}") as folder:
        company = Company(folder, lake, shape.last_day - timedelta(days=days), last)
        company.write_config()
        company.log_calls(company.first_day, last)
        morning = datetime.combine(last, datetime.min.time())
        for month in sorted({f"{day:%Y-%m}" for day in _days(company.first_day, last)}):
            company.bill(month, last, morning, is_restated=False)
        first, _ = company.run_night(last, models)
        company.log_calls(last, shape.last_day)
        company.bill(f"{last:%Y-%m}", shape.last_day, morning + timedelta(days=1), is_restated=True)
        again, made = company.run_night(shape.last_day, models)
        idle, _ = company.run_night(shape.last_day, models)
    told = f"{first.seconds:.2f} s, one more {again.seconds:.2f} s ({made} partitions), idle {idle.seconds:.2f} s"
    print(f"{days} days: {told}")
    return again, made, idle


def _days(start: date, end: date) -> list[date]:
    return [start + timedelta(days=number) for number in range((end - start).days)]


def _show_models(short: Measured, long: Measured) -> None:
    """Where a long history costs more."""
    for name, seconds in sorted(long.seconds_by_model.items(), key=lambda item: -item[1]):
        less = short.seconds_by_model.get(name, 0.0)
        if seconds - less >= 0.02:
            print(f"{less:8.2f} s {seconds:8.2f} s  {name}")


def _figures(best: dict[int, tuple[Measured, int, Measured]]) -> dict[str, float | int]:
    short, long = min(best), max(best)
    (night, made, idle), (long_night, long_made, long_idle) = best[short], best[long]
    return {
        f"ratio_{long}_to_{short}_days": round(long_night.seconds / night.seconds, 3),
        f"seconds_{short}_days": round(night.seconds, 3),
        f"seconds_{long}_days": round(long_night.seconds, 3),
        f"cpu_ratio_{long}_to_{short}_days": round(long_night.cpu_seconds / night.cpu_seconds, 3),
        f"cpu_seconds_{short}_days": round(night.cpu_seconds, 3),
        f"cpu_seconds_{long}_days": round(long_night.cpu_seconds, 3),
        f"partitions_{short}_days": made,
        f"partitions_{long}_days": long_made,
        f"idle_seconds_{short}_days": round(idle.seconds, 3),
        f"idle_seconds_{long}_days": round(long_idle.seconds, 3),
    }


if __name__ == "__main__":
    main()
