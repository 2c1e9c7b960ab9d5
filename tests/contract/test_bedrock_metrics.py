"""Bedrock's CloudWatch metrics: real sums of a real server, over UTC days, region by region."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.bedrock_metrics.client import check, land
from connectors.bedrock_metrics.settings import Settings
from connectors.common.contract import Severity, SourceReport
from tests.contract.request_logs import build_context, kinds, read_rows
from tests.servers.rest import Reply, Request, pass_on, run_rest
from tests.servers.s3 import S3Server

NOW = datetime.now(UTC).replace(tzinfo=None, hour=6, minute=0, second=0, microsecond=0)
"""moto lists what is recent by its own clock, so the test's day is today's."""
TODAY = NOW.date()
ACCOUNT = "111122223333"
SONNET = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"


class Company:
    """An account that calls models, and the lake its counts land in."""

    def __init__(self, server: S3Server, root: Path) -> None:
        self.server = server
        self.root = root
        self.options: dict[str, Any] = {"regions": ["us-east-1"], "history_days": 10}

    def count(
        self, metric: str, value: float, days_ago: int, hour: int = 12, model: str = SONNET, region: str = "us-east-1",
        **dimensions: str,
    ) -> None:  # fmt: skip
        import boto3

        client = boto3.client("cloudwatch", endpoint_url=self.server.url, region_name=region)
        moment = datetime(TODAY.year, TODAY.month, TODAY.day, hour, 30, tzinfo=UTC) - timedelta(days=days_ago)
        names = {"ModelId": model, **dimensions}
        client.put_metric_data(
            Namespace="AWS/Bedrock",
            MetricData=[
                {
                    "MetricName": metric,
                    "Dimensions": [{"Name": n, "Value": v} for n, v in names.items()],
                    "Timestamp": moment,
                    "Value": value,
                }
            ],
        )

    def settings(self, url: str | None = None) -> Settings:
        values = {"name": "counts", "account_id": ACCOUNT, "endpoint": url or self.server.url}
        return Settings.model_validate(values | self.options)

    def land(self, now: datetime = NOW, url: str | None = None) -> SourceReport:
        return land(self.settings(url), build_context(self.root, now))


@pytest.fixture
def company(s3_server: S3Server, tmp_path: Path) -> Company:
    return Company(s3_server, tmp_path)


def rows(report: SourceReport) -> list[tuple[Any, ...]]:
    found = read_rows(
        report, "provider_usage", ("bucket_start", "region_id", "model", "usage_kind", "token_class")
    )
    names = ("region_id", "model", "usage_kind", "token_class", "quantity")
    return [((TODAY - row["bucket_start"].date()).days, *(row[n] for n in names)) for row in found]


def test_daily_sums_become_usage(company: Company) -> None:
    for hour, value in ((0, 100), (23, 50)):
        company.count("InputTokenCount", value, 1, hour)
    company.count("CacheReadInputTokenCount", 9000, 1)
    company.count("CacheWriteInputTokenCount", 700, 1)
    company.count("OutputTokenCount", 40, 1)
    company.count("Invocations", 3, 1)
    company.count("InvocationThrottles", 2, 1)
    company.count("InvocationLatency", 1234, 1)
    company.count("OutputTokenCount", 7, 2)
    report = company.land()
    assert rows(report) == [
        (2, "us-east-1", SONNET, "tokens", "output_tokens", Decimal(7)),
        (1, "us-east-1", SONNET, "requests", None, Decimal(3)),
        (1, "us-east-1", SONNET, "throttled_requests", None, Decimal(2)),
        (1, "us-east-1", SONNET, "tokens", "cache_read_tokens", Decimal(9000)),
        (1, "us-east-1", SONNET, "tokens", "cache_write_5m_tokens", Decimal(700)),
        (1, "us-east-1", SONNET, "tokens", "output_tokens", Decimal(40)),
        (1, "us-east-1", SONNET, "tokens", "uncached_input_tokens", Decimal(150)),
    ]
    (first, *_) = read_rows(report, "provider_usage", ("bucket_start",))
    assert first["bucket_end"] - first["bucket_start"] == timedelta(days=1)
    assert (first["provider"], first["sub_account_id"], first["unit"]) == ("aws.bedrock", ACCOUNT, "tokens")
    assert kinds(report) == {"cache_lifetime_assumed": 1}


def test_a_late_count_replaces_its_day_until_the_day_is_final(company: Company) -> None:
    company.count("OutputTokenCount", 40, 1)
    first = company.land()
    assert rows(first) == [(1, "us-east-1", SONNET, "tokens", "output_tokens", Decimal(40))]
    company.count("OutputTokenCount", 2, 1, hour=23)
    second = company.land(now=NOW + timedelta(hours=1))
    assert rows(second) == [(1, "us-east-1", SONNET, "tokens", "output_tokens", Decimal(42))]
    final = company.land(now=NOW + timedelta(days=3))
    assert [r["is_final"] for r in read_rows(final, "provider_usage", ("bucket_start",))] == [True]
    company.count("OutputTokenCount", 1000, 1, hour=22)
    assert rows(company.land(now=NOW + timedelta(days=4)))[0][-1] == Decimal(42)


def test_a_model_that_cloudwatch_forgot_is_asked_for_by_name(company: Company) -> None:
    company.options["model_ids"] = ["amazon.nova-pro-v1:0"]
    company.count("OutputTokenCount", 5, 1, model="amazon.nova-pro-v1:0")

    def route(request: Request) -> Reply:
        forgets = b"ListMetrics" in request.body or "ListMetrics" in str(request.headers.items())
        answer = pass_on(company.server.url)(request)
        return (
            Reply(answer.status, answer.body.replace(b"nova-pro", b"other-pr"), answer.headers)
            if forgets
            else answer
        )

    with run_rest(route) as proxy:
        found = {row[2]: row[-1] for row in rows(company.land(url=proxy.url))}
    assert found == {"amazon.nova-pro-v1:0": Decimal(5)}


def test_sums_under_further_dimensions_do_not_count_twice(company: Company) -> None:
    company.count("OutputTokenCount", 40, 1)
    company.count("OutputTokenCount", 40, 1, ServiceTier="priority")
    company.count("OutputTokenCount", 8, 1, model="detailed-only", ServiceTier="priority")
    report = company.land()
    assert [row[2:] for row in rows(report)] == [(SONNET, "tokens", "output_tokens", Decimal(40))]
    assert kinds(report) == {"uncounted_model": 1}


def test_regions_stand_apart_and_one_that_fails_stops_no_other(company: Company) -> None:
    company.options["regions"] = ["us-east-1", "eu-west-1"]
    company.count("OutputTokenCount", 40, 1)
    company.count("OutputTokenCount", 9, 1, region="eu-west-1")

    def route(request: Request) -> Reply:
        if "/us-east-1/" in (request.headers.get("Authorization") or ""):
            body = {"__type": "AccessDeniedException", "message": "User: arn:aws:iam::1:user/x secret-detail"}
            return Reply(400, body, {"x-amzn-query-error": "AccessDenied;Sender"})
        return pass_on(company.server.url)(request)

    with run_rest(route) as proxy:
        report = company.land(url=proxy.url)
        steps = list(check(company.settings(proxy.url)))
    assert rows(report) == [(1, "eu-west-1", SONNET, "tokens", "output_tokens", Decimal(9))]
    (fault,) = [f for f in report.findings if f.severity is Severity.FAULT]
    assert "AWS in us-east-1: cloudwatch:ListMetrics is not allowed" in fault.message
    assert "secret-detail" not in fault.message
    assert [step.is_ok for step in steps] == [False, None, True, True]
    assert {row[1] for row in rows(company.land())} == {"us-east-1", "eu-west-1"}


def test_a_region_that_nobody_calls_is_told_by_the_check(company: Company) -> None:
    assert [step.is_ok for step in check(company.settings())] == [False, None]
    company.count("OutputTokenCount", 1, 1)
    assert [step.is_ok for step in check(company.settings())] == [True, True]


def test_without_credentials_nothing_is_guessed(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    report = company.land()
    assert kinds(report) == {"unreachable_api": 1}
    assert "no AWS credentials are found" in report.findings[0].message
