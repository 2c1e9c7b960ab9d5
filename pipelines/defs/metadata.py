"""What Dagster shows of a model: types and meanings of columns, their lineage, counts and checks.

What belongs here: turning our records into Dagster's metadata. What must not: assets, or running anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dagster as dg

from connectors.common.contract import SourceReport
from pipelines.warehouse.errors import ModelError
from pipelines.warehouse.manifest import CheckResult
from pipelines.warehouse.models import Model, ModelSet, column_lineage
from pipelines.warehouse.runner import ModelResult

GRAIN_CHECKS = {
    "grain_is_unique": "The grain names one row.",
    "grain_is_not_null": "No column of the grain is null.",
}


def asset_key(name: str) -> dg.AssetKey:
    """The key of a relation: `marts.cost_daily` is [marts, cost_daily]."""
    return dg.AssetKey(name.split("."))


def build_check_specs(model: Model) -> list[dg.AssetCheckSpec]:
    """The automatic grain checks and the header's own; a check that forbids a release is blocking."""
    key = asset_key(model.name)
    specs = []
    if not model.is_view and model.header.grain:
        specs = [
            dg.AssetCheckSpec(name, asset=key, description=text, blocking=True)
            for name, text in GRAIN_CHECKS.items()
        ]
    return specs + [
        dg.AssetCheckSpec(
            check.name, asset=key, description=check.description, blocking=check.severity == "fail"
        )
        for check in model.checks
    ]


def build_check_results(model: Model, checks: Sequence[CheckResult]) -> list[dg.AssetCheckResult]:
    """Each check with its count of violations and up to five violating rows."""
    return [
        dg.AssetCheckResult(
            passed=check.passed,
            asset_key=asset_key(model.name),
            check_name=check.name,
            severity=dg.AssetCheckSeverity.ERROR if check.severity == "fail" else dg.AssetCheckSeverity.WARN,
            metadata={"violations": check.violations, **_sample(check.sample)},
        )
        for check in checks
    ]


def _sample(rows: Sequence[Mapping[str, str | None]]) -> dict[str, dg.MetadataValue]:
    if not rows:
        return {}
    records = [dg.TableRecord({name: value or "NULL" for name, value in row.items()}) for row in rows]
    columns = [dg.TableColumn(name, "string") for name in rows[0]]
    return {"sample": dg.MetadataValue.table(records, dg.TableSchema(columns=columns))}


def build_model_metadata(models: ModelSet, model: Model, has_lineage: bool) -> dict[str, dg.MetadataValue]:
    """Definition metadata: column types with meanings, the relation's name, and lineage if asked for (slow)."""
    metadata: dict[str, dg.MetadataValue] = {
        "dagster/column_schema": dg.MetadataValue.table_schema(
            dg.TableSchema(
                columns=[
                    dg.TableColumn(name, kind, description=model.meanings.get(name))
                    for name, kind in model.columns.items()
                ]
            )
        ),
        "dagster/relation_identifier": dg.MetadataValue.text(model.name),
        "grain": dg.MetadataValue.text(", ".join(model.header.grain) or "none"),
    }
    if has_lineage:
        metadata["dagster/column_lineage"] = _build_lineage(models, model)
    return metadata


def _build_lineage(models: ModelSet, model: Model) -> dg.MetadataValue:
    try:
        lineage = column_lineage(models, model.name)
    except ModelError:
        lineage = {}
    return dg.MetadataValue.column_lineage(
        dg.TableColumnLineage(
            {
                column: [
                    dg.TableColumnDep(asset_key=asset_key(relation), column_name=name)
                    for relation, name in sources
                ]
                for column, sources in lineage.items()
            }
        )
    )


def build_result_metadata(result: ModelResult, rows: int | None) -> dict[str, dg.MetadataValue]:
    """What running a model did; the row count is the whole table's, whatever days the run covers."""
    metadata: dict[str, dg.MetadataValue] = {
        "partitions_built": dg.MetadataValue.int(len(result.partitions_built)),
        "partitions_reused": dg.MetadataValue.int(result.partitions_reused),
        "seconds": dg.MetadataValue.float(round(result.seconds, 3)),
    }
    if rows is not None:
        metadata["dagster/row_count"] = dg.MetadataValue.int(rows)
    return metadata


def build_source_metadata(report: SourceReport) -> dict[str, dg.MetadataValue]:
    """How much a source carries now, when it last delivered, and what is wrong with it."""
    current = [delivery for delivery in report.deliveries if delivery.is_current]
    metadata: dict[str, dg.MetadataValue] = {
        "deliveries": dg.MetadataValue.int(len(report.deliveries)),
        "dagster/row_count": dg.MetadataValue.int(sum(file.rows for file in report.current_files)),
    }
    if current:
        newest = max(delivery.delivered_at for delivery in current)
        metadata["last_delivered_at"] = dg.MetadataValue.text(newest.isoformat(sep=" "))
    if report.findings:
        records = [
            dg.TableRecord(
                {
                    "severity": str(finding.severity),
                    "kind": finding.kind,
                    "count": finding.count,
                    "message": finding.message,
                }
            )
            for finding in report.findings[:50]
        ]
        metadata["findings"] = dg.MetadataValue.table(records)
    return metadata
