"""Factories of assets: a source, a model, the look ahead, the release, the weekly report.

What belongs here: one function per kind of asset. What must not: what an asset does (`session` and
`pipelines.night`). Annotations are not postponed in this module: Dagster reads them at run time.
"""

from collections.abc import Iterable

import dagster as dg

from connectors.common.datasets import DATASETS
from connectors.common.settings import SourceSettings
from pipelines.defs.metadata import (
    asset_key,
    build_check_results,
    build_check_specs,
    build_model_metadata,
    build_result_metadata,
    build_source_metadata,
)
from pipelines.defs.partitions import DAILY, build_mapping
from pipelines.defs.session import LEDGER_PREFIX, NightSession
from pipelines.night.run import OUTLOOK_READS
from pipelines.warehouse.headers import Reading
from pipelines.warehouse.models import Model, ModelSet

NIGHT = "night"
OUTLOOK_KEY = dg.AssetKey(["ledger", "outlook"])
RELEASE_KEY = dg.AssetKey(["warehouse", "release"])
REPORT_KEY = dg.AssetKey(["reports", "weekly_report"])
CONNECTOR_GROUP = "connectors"

CONNECTOR_DATASETS: dict[str, tuple[str, ...]] = {
    "focus_files": ("charges",),
    "aws_data_exports": ("charges", "aws_cur_lines", "aws_cur_enrichment_lines"),
    "oci_cost_reports": ("charges",),
    "otel_genai": ("requests", "spans"),
    "request_files": ("requests",),
    "litellm": ("requests",),
    "langfuse": ("requests", "spans"),
    "helicone": ("requests",),
    "transfer_files": ("transfers",),
    "telemetry_files": ("telemetry",),
    "workload_files": ("workloads",),
    "zone_files": ("zones",),
    "budget_files": ("budgets",),
    "gcp_billing": ("gcp_cost_lines", "charges", "sku_prices", "accounts", "budgets"),
    "invoice_files": ("invoices",),
    "billing_period_files": ("billing_periods",),
    "aws_inventory": ("workloads", "zones", "accounts"),
    "azure_cost_exports": ("charges", "azure_cost_lines", "budgets"),
    "azure_inventory": ("workloads", "zones", "accounts"),
    "google_asset_files": ("workloads", "zones", "accounts"),
    "kubernetes_files": ("workloads", "zones"),
    "aws_flow_logs": ("transfers",),
    "gcp_flow_logs": ("transfers",),
    "azure_flow_logs": ("transfers",),
    "capacity_files": ("capacity",),
    "capacity_metrics": ("capacity",),
    "cloudwatch_log_volumes": ("telemetry",),
    "datadog_usage": ("telemetry",),
    "otel_collector_counts": ("telemetry",),
    "sagemaker_capacity": ("capacity",),
    "event_files": ("events",),
    "kubernetes_events": ("events",),
    "opencost_files": ("capacity",),
    "azure_ptu_metrics": ("capacity",),
    "rate_card_files": ("rate_cards",),
    "openai": ("provider_usage", "charges"),
    "anthropic": ("provider_usage", "charges"),
    "bedrock_invocation_logs": ("requests",),
    "bedrock_metrics": ("provider_usage",),
    "azure_apim_logs": ("requests",),
    "vertex_request_logs": ("requests",),
    "openrouter": ("charges", "provider_usage"),
    "openrouter_generations": ("requests",),
}
"""Which datasets a connector lands: the edges between sources and staging tables."""

_RUN_INPUTS = frozenset(
    {
        "lake.deliveries",
        "lake.bill_deliveries",
        "lake.restatements",
        "lake.findings",
        "lake.source_status",
        "lake.source_days",
    }
)
"""What a run says about all of its sources together."""


def source_key(source: SourceSettings) -> dg.AssetKey:
    """The key of a configured source."""
    return dg.AssetKey([CONNECTOR_GROUP, source.name])


def _is_source_daily(source: SourceSettings) -> bool:
    partitions = [DATASETS[name].partition for name in CONNECTOR_DATASETS.get(source.connector, ())]
    return bool(partitions) and all(found is not None and found[1] == "day" for found in partitions)


def build_source_asset(source: SourceSettings) -> dg.AssetsDefinition:
    """The asset that lands one source; its faults are a check that does not stop the other sources."""
    key = source_key(source)
    is_daily = _is_source_daily(source)

    @dg.asset(
        key=key,
        group_name=CONNECTOR_GROUP,
        description=f"{source.connector}: what {source.name} delivers, as typed Parquet in the lake.",
        kinds={"python", "parquet"},
        partitions_def=DAILY if is_daily else None,
        backfill_policy=dg.BackfillPolicy.single_run() if is_daily else None,
        required_resource_keys={NIGHT},
        check_specs=[
            dg.AssetCheckSpec("has_no_fault", asset=key, description="All that was delivered could be read.")
        ],
    )
    def _land(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        session: NightSession = context.resources.night
        with session.keep_error():
            report = session.land(source)
        session.progress.advance()
        check = dg.AssetCheckResult(
            passed=not report.has_fault, check_name="has_no_fault", severity=dg.AssetCheckSeverity.WARN
        )
        return dg.MaterializeResult(metadata=build_source_metadata(report), check_results=[check])

    return _land


def build_model_asset(
    models: ModelSet, model: Model, sources: Iterable[SourceSettings], has_lineage: bool
) -> dg.AssetsDefinition:
    """The asset of one file of models_sql/, with its checks."""
    is_daily = model.unit == "day"

    @dg.asset(
        key=asset_key(model.name),
        deps=_build_deps(models, model, list(sources)),
        group_name=model.name.split(".")[0],
        description=model.header.description,
        kinds={"duckdb", "view" if model.is_view else "table"},
        partitions_def=DAILY if is_daily else None,
        backfill_policy=dg.BackfillPolicy.single_run() if is_daily else None,
        code_version=model.code_digest[:12],
        metadata=build_model_metadata(models, model, has_lineage),
        required_resource_keys={NIGHT},
        check_specs=build_check_specs(model),
    )
    def _build(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        session: NightSession = context.resources.night
        with session.keep_error():
            result = session.build_model(model.name)
            rows = session.count_rows(result)
        session.progress.advance()
        return dg.MaterializeResult(
            metadata=build_result_metadata(result, rows),
            check_results=build_check_results(model, result.checks),
        )

    return _build


def _build_deps(models: ModelSet, model: Model, sources: list[SourceSettings]) -> list[dg.AssetDep]:
    deps: dict[dg.AssetKey, dg.AssetDep] = {}
    for ref in model.dependencies:
        reading = model.header.reads.get(ref, Reading() if ref in model.refs else Reading("all"))
        for key, is_daily in _upstream(models, ref, sources):
            mapping = build_mapping(reading, is_daily) if model.unit == "day" else None
            deps.setdefault(key, dg.AssetDep(key, partition_mapping=mapping))
    return list(deps.values())


def _upstream(models: ModelSet, ref: str, sources: list[SourceSettings]) -> list[tuple[dg.AssetKey, bool]]:
    """The assets behind a relation that a model reads, and whether they are by day."""
    if ref.startswith(LEDGER_PREFIX):
        return [(OUTLOOK_KEY, False)]
    if ref.startswith("lake."):
        dataset = ref.removeprefix("lake.")
        return [
            (source_key(source), _is_source_daily(source))
            for source in sources
            if ref in _RUN_INPUTS or dataset in CONNECTOR_DATASETS.get(source.connector, ())
        ]
    return [(asset_key(ref), ref in models.models and models[ref].unit == "day")]


def build_outlook_asset() -> dg.AssetsDefinition:
    """The asset that forecasts and finds unusual days, between the cost mart and the readers of the ledger."""

    @dg.asset(
        key=OUTLOOK_KEY,
        deps=[asset_key(name) for name in OUTLOOK_READS],
        group_name="ledger",
        description="Forecasts, landings of budgets and anomaly events, added to the ledger.",
        kinds={"python", "parquet"},
        required_resource_keys={NIGHT},
    )
    def _look_ahead(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        session: NightSession = context.resources.night
        session.progress.step("Look ahead")
        with session.keep_error():
            return dg.MaterializeResult(metadata={"added": session.look_ahead()})

    return _look_ahead


def build_release_asset(models: ModelSet) -> dg.AssetsDefinition:
    """The asset that publishes: it waits for every model and so for every blocking check."""

    @dg.asset(
        key=RELEASE_KEY,
        deps=[OUTLOOK_KEY, *(asset_key(name) for name in models.order)],
        group_name="warehouse",
        description="The catalogue that `warehouse/current` points to: views over the immutable files of a run.",
        kinds={"duckdb"},
        required_resource_keys={NIGHT},
    )
    def _publish(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        session: NightSession = context.resources.night
        session.progress.step("Publish")
        with session.keep_error():
            release = session.publish()
        name = release.path.name if release else "none"
        return dg.MaterializeResult(metadata={"release": name, "is_new": session.night.is_published})

    return _publish


def build_report_asset() -> dg.AssetsDefinition:
    """The asset that renders the newest settled week from the release."""

    @dg.asset(
        key=REPORT_KEY,
        deps=[RELEASE_KEY],
        group_name="reports",
        description="The weekly cost report as one HTML file, of the newest settled week.",
        kinds={"html"},
        required_resource_keys={NIGHT},
    )
    def _report(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        session: NightSession = context.resources.night
        session.progress.step("Write the weekly report")
        with session.keep_error():
            path = session.write_report()
        return dg.MaterializeResult(
            metadata={"report": dg.MetadataValue.path(path) if path else "no settled week"}
        )

    return _report
