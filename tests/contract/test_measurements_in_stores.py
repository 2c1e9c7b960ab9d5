"""Measurements in an object store: the rows that a folder gives, objects fetched once, rotated scrapes kept."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from connectors.common import registry
from connectors.common.contract import LandingContext, SourceReport
from tests.servers.backends import BUCKET, S3Backend
from tests.servers.s3 import S3Server

START = datetime(2026, 11, 1, 10)
HOURS = ("2026-11-01T10:00:00Z", "2026-11-01T11:00:00Z")


def build_scrapes() -> dict[str, bytes]:
    """A server of models that is busy for ten of thirty minutes, and a collector that sends ten logs a minute."""
    files = {}
    for minute in range(31):
        name = f"node-1/{START + timedelta(minutes=minute):%Y%m%dT%H%M%SZ}.prom"
        files[name] = (
            f'vllm:num_requests_running{{model_name="llama"}} {int(minute < 10)}\n'
            f'otelcol_exporter_sent_log_records_total{{exporter="datadog"}} {10 * minute}\n'
        ).encode()
    return files


def build_allocations() -> dict[str, bytes]:
    """A node with four GPUs, of which a pod reserved three."""
    common = {
        "window": {"start": HOURS[0], "end": HOURS[1]},
        "start": HOURS[0],
        "end": HOURS[1],
        "gpuCount": 4,
    }
    answer = {
        "data": [
            {
                "node-1/pod": {**common, "gpuHours": 3, "properties": {"node": "node-1"}},
                "node-1/__idle__": {**common, "gpuHours": 1, "properties": {}},
            }
        ]
    }
    return {"day.json.gz": gzip.compress(json.dumps(answer).encode())}


def build_utilisation() -> dict[str, bytes]:
    """A deployment that was used by half for an hour."""
    account = "/subscriptions/s/resourceGroups/g/providers/Microsoft.CognitiveServices/accounts/acme"
    name = "AzureOpenAIProvisionedManagedUtilizationV2"
    series = {
        "metadatavalues": [{"name": {"value": "modeldeploymentname"}, "value": "chat"}],
        "data": [{"timeStamp": HOURS[0], "average": 50}],
    }
    metric = {
        "id": f"{account}/providers/Microsoft.Insights/metrics/{name}",
        "name": {"value": name},
        "timeseries": [series],
    }
    return {"day.json": json.dumps({"interval": "PT1H", "value": [metric]}).encode()}


CASES = {
    "capacity_metrics": (build_scrapes, [("node-1", 1800, 600)]),
    "otel_collector_counts": (build_scrapes, [("node-1", "datadog", 300)]),
    "opencost_files": (build_allocations, [("node-1", 3600, 2700)]),
    "azure_ptu_metrics": (build_utilisation, [("chat", 3600, 1800)]),
}
COLUMNS = {
    "otel_collector_counts": ("workload_ref", "provider", "volume_count"),
    "capacity_metrics": ("resource_id", "provisioned_seconds", "busy_seconds"),
    "opencost_files": ("resource_id", "provisioned_seconds", "busy_seconds"),
    "azure_ptu_metrics": ("replica_id", "provisioned_seconds", "busy_seconds"),
}


def read_rows(connector: str, report: SourceReport) -> list[tuple[Any, ...]]:
    assert report.findings == ()
    tables = [pq.read_table(file.path, partitioning=None) for file in report.current_files]
    return [tuple(row[name] for name in COLUMNS[connector]) for table in tables for row in table.to_pylist()]


@pytest.mark.parametrize("connector", CASES)
def test_measurements_land_from_s3_as_from_a_folder(
    connector: str, s3_server: S3Server, tmp_path: Path, lake_context: LandingContext
) -> None:
    build, expected = CASES[connector]
    files = build()
    store = S3Backend(s3_server)
    for key, content in files.items():
        store.put(key, content)
        (tmp_path / "folder" / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / key).write_bytes(content)
    settings_class = registry.load_settings_class(connector)
    values = store.build_values()
    place = {"path": values.pop("location"), **values}
    remote = settings_class.model_validate({"name": "measured", "connector": connector, **place})
    local = settings_class.model_validate(
        {"name": "measured", "connector": connector, "path": str(tmp_path / "folder")}
    )
    context = replace(lake_context, now=datetime(2030, 1, 1))
    elsewhere = replace(context, lake=tmp_path / "another lake")
    first = registry.land(remote, context)
    assert read_rows(connector, first) == expected
    assert read_rows(connector, registry.land(local, elsewhere)) == expected
    assert [step.is_ok for step in registry.check(remote)] == [True, True, True]
    assert {f.digest for f in registry.land(remote, context).current_files} == {
        f.digest for f in first.current_files
    }


def test_scrapes_that_a_bucket_rotated_away_still_count(
    s3_server: S3Server, tmp_path: Path, lake_context: LandingContext
) -> None:
    store = S3Backend(s3_server)
    files = build_scrapes()
    for key, content in files.items():
        store.put(key, content)
    values = store.build_values()
    config = {"name": "measured", "connector": "capacity_metrics", "path": values.pop("location"), **values}
    settings = registry.load_settings_class("capacity_metrics").model_validate(config)
    context = replace(lake_context, now=datetime(2030, 1, 1))
    registry.land(settings, context)
    for key in sorted(files)[:20]:
        store.client.delete_object(Bucket=BUCKET, Key=f"bills/{key}")
    late = START + timedelta(minutes=32)
    store.put(f"node-1/{late:%Y%m%dT%H%M%SZ}.prom", b'vllm:num_requests_running{model_name="llama"} 0\n')
    again = registry.land(settings, replace(context, now=context.now + timedelta(hours=1)))
    assert read_rows("capacity_metrics", again) == [("node-1", 1920, 600)]
