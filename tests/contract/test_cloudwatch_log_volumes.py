"""What log groups took in and how busy SageMaker endpoints were: by moto's CloudWatch and SageMaker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import boto3
import pyarrow.parquet as pq
import pytest

from connectors.common import registry
from connectors.common.contract import LandingContext, Severity, SourceReport
from tests.servers.s3 import S3Server

NOW = datetime(2026, 11, 20, 3)
DAY = datetime(2026, 11, 18)
GROUP = "/aws/eks/prod/search"


def land(connector: str, server: S3Server, context: LandingContext, **more: Any) -> SourceReport:
    settings = {
        "name": "cloudwatch",
        "connector": connector,
        "account_id": "123456789012",
        "regions": ["us-east-1"],
        "endpoint": server.url,
        "first_day": "2026-11-17",
        **more,
    }
    loaded = registry.load_settings_class(connector).model_validate(settings)
    return registry.land(loaded, context)


def read_rows(report: SourceReport) -> list[dict[str, Any]]:
    return [
        row
        for file in report.current_files
        for row in pq.read_table(file.path, partitioning=None).to_pylist()
    ]


def put(
    server: S3Server,
    namespace: str,
    metric: str,
    values: Mapping[datetime, float],
    *,
    region: str = "us-east-1",
    **dimensions: str,
) -> None:
    client = boto3.client("cloudwatch", endpoint_url=server.url, region_name=region)
    for moment, value in values.items():
        client.put_metric_data(
            Namespace=namespace,
            MetricData=[
                {
                    "MetricName": metric,
                    "Dimensions": [{"Name": n, "Value": v} for n, v in dimensions.items()],
                    "Timestamp": moment,
                    "Value": value,
                }
            ],
        )


def put_logs(server: S3Server, values: Mapping[datetime, float], group: str = GROUP, **more: str) -> None:
    put(server, "AWS/Logs", "IncomingBytes", values, LogGroupName=group, **more)
    put(
        server,
        "AWS/Logs",
        "IncomingLogEvents",
        {m: v // 100 for m, v in values.items()},
        LogGroupName=group,
        **more,
    )


@pytest.fixture
def context(lake_context: LandingContext) -> LandingContext:
    return replace(lake_context, now=NOW)


def test_hours_of_log_groups(s3_server: S3Server, context: LandingContext) -> None:
    put_logs(
        s3_server, {DAY + timedelta(hours=3, minutes=5): 1000, DAY + timedelta(hours=3, minutes=50): 500}
    )
    put_logs(s3_server, {DAY - timedelta(minutes=1): 700, DAY + timedelta(days=1): 900})
    rows = read_rows(land("cloudwatch_log_volumes", s3_server, context))
    assert [(row["window_start"], row["volume_bytes"], row["volume_count"]) for row in rows] == [
        (DAY - timedelta(hours=1), 700, 7),
        (DAY + timedelta(hours=3), 1500, 15),
        (DAY + timedelta(days=1), 900, 9),
    ]
    assert {(row["provider"], row["account_id"], row["signal"], row["workload_ref"]) for row in rows} == {
        ("aws", "123456789012", "log", GROUP)
    }
    assert all(row["window_end"] - row["window_start"] == timedelta(hours=1) for row in rows)


def test_many_log_groups_are_asked_for_in_pages(s3_server: S3Server, context: LandingContext) -> None:
    client = boto3.client("cloudwatch", endpoint_url=s3_server.url, region_name="us-east-1")
    for first in range(0, 600, 100):
        client.put_metric_data(
            Namespace="AWS/Logs",
            MetricData=[
                {
                    "MetricName": "IncomingBytes",
                    "Dimensions": [{"Name": "LogGroupName", "Value": f"/group/{number}"}],
                    "Timestamp": DAY,
                    "Value": number + 1,
                }
                for number in range(first, first + 100)
            ],
        )
    rows = read_rows(land("cloudwatch_log_volumes", s3_server, context))
    assert len(rows) == 600
    assert sum(row["volume_bytes"] for row in rows) == 600 * 601 // 2


def test_a_day_is_read_again_until_it_is_old(s3_server: S3Server, context: LandingContext) -> None:
    put_logs(s3_server, {DAY + timedelta(hours=1): 100})
    first = land("cloudwatch_log_volumes", s3_server, context)
    again = land("cloudwatch_log_volumes", s3_server, context)
    assert len(again.deliveries) == len(first.deliveries) == 3
    put_logs(s3_server, {DAY + timedelta(hours=1, minutes=30): 50})
    later = replace(context, now=NOW + timedelta(days=1))
    assert [row["volume_bytes"] for row in read_rows(land("cloudwatch_log_volumes", s3_server, later))] == [
        150
    ]
    put_logs(s3_server, {DAY + timedelta(hours=1, minutes=40): 50})
    old = replace(context, now=NOW + timedelta(days=30))
    rows = read_rows(land("cloudwatch_log_volumes", s3_server, old))
    assert [row["volume_bytes"] for row in rows] == [200]
    put_logs(s3_server, {DAY + timedelta(hours=1, minutes=45): 50})
    rows = read_rows(land("cloudwatch_log_volumes", s3_server, replace(old, now=old.now + timedelta(days=1))))
    assert [row["volume_bytes"] for row in rows] == [200]


def test_a_region_that_refuses_does_not_stop_the_others(
    s3_server: S3Server, context: LandingContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_logs(s3_server, {DAY: 10})
    put_logs(s3_server, {DAY: 20}, region="eu-central-1")
    rows = read_rows(
        land("cloudwatch_log_volumes", s3_server, context, regions=["us-east-1", "eu-central-1"])
    )
    assert sorted(row["volume_bytes"] for row in rows) == [10, 20]
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    report = land("cloudwatch_log_volumes", s3_server, replace(context, now=NOW + timedelta(days=1)))
    (fault,) = [finding for finding in report.findings if finding.severity is Severity.FAULT]
    assert "no AWS credentials are found" in fault.message
    assert len(read_rows(report)) == 2


def test_the_check_lists_log_groups(s3_server: S3Server) -> None:
    put_logs(s3_server, {DAY: 10})
    settings = {
        "name": "cloudwatch",
        "connector": "cloudwatch_log_volumes",
        "account_id": "123456789012",
        "regions": ["us-east-1", "eu-west-1"],
        "endpoint": s3_server.url,
    }
    loaded = registry.load_settings_class("cloudwatch_log_volumes").model_validate(settings)
    steps = [(step.name, step.is_ok) for step in registry.check(loaded)]
    assert steps == [
        ("us-east-1 list", True),
        ("us-east-1 read", True),
        ("eu-west-1 list", False),
        ("eu-west-1 read", None),
    ]


def test_hours_of_sagemaker_endpoints(s3_server: S3Server, context: LandingContext) -> None:
    client = boto3.client("sagemaker", endpoint_url=s3_server.url, region_name="us-east-1")
    client.create_model(ModelName="m", ExecutionRoleArn="arn:aws:iam::123456789012:role/r")
    client.create_endpoint_config(
        EndpointConfigName="c",
        ProductionVariants=[
            {
                "VariantName": "AllTraffic",
                "ModelName": "m",
                "InitialInstanceCount": 2,
                "InstanceType": "ml.g4dn.xlarge",
            }
        ],
    )
    client.create_endpoint(EndpointName="Llama-Prod", EndpointConfigName="c")
    names = {"EndpointName": "Llama-Prod", "VariantName": "AllTraffic"}
    minutes = [DAY + timedelta(minutes=number) for number in range(60)]
    for _ in range(2):
        put(s3_server, "/aws/sagemaker/Endpoints", "CPUUtilization", dict.fromkeys(minutes, 5.0), **names)
    put(s3_server, "/aws/sagemaker/Endpoints", "GPUUtilization", {minutes[0]: 40, minutes[30]: 20}, **names)
    put(s3_server, "AWS/SageMaker", "Invocations", {minutes[0]: 3, minutes[1]: 1}, **names)
    put(s3_server, "AWS/SageMaker", "ModelLatency", {minutes[0]: 90_000_000, minutes[1]: 2_500_000}, **names)
    report = land("sagemaker_capacity", s3_server, context, models={"Llama-Prod": "llama"})
    (row,) = read_rows(report)
    assert row["resource_id"] == "arn:aws:sagemaker:us-east-1:123456789012:endpoint/llama-prod"
    assert (row["replica_id"], row["model"], row["hour_start"]) == ("Llama-Prod", "llama", DAY)
    assert (row["provisioned_seconds"], row["busy_seconds"], row["requests"]) == (3600, 62, 4)
    assert row["utilisation_share"] == Decimal("0.3")
