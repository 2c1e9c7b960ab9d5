"""LiteLLM's database: days replace themselves, only allowed columns are asked for, faults say what to do, no secret."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import adbc_driver_postgresql.dbapi as postgres
import pytest

from connectors.common.contract import ConnectorError, LandingContext, TerminalError, TransientError
from connectors.common.registry import check
from connectors.litellm import client
from connectors.litellm.database import SpendLogTable, build_statement
from connectors.litellm.schema import SPEND_COLUMNS
from connectors.litellm.settings import Settings
from tests.contract.gateway_company import (
    IDENTITY,
    NOW,
    GatewayCompany,
    classes,
    count_kinds,
    read_rows,
    strip,
)
from tests.contract.litellm_proxy import CREATE_SPEND_LOGS, build_insert, build_spend_log
from tests.servers.postgres import PostgresServer

PASSWORD = "s3cret-pässword"
VARIABLE = "LITELLM_READER_URI"
SECRET = "the secret recipe of my grandmother"


@pytest.fixture
def proxy(postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    """LiteLLM's database with an empty table, and a role that may read what the README says."""
    granted = ", ".join(f'"{name}"' for name in (*SPEND_COLUMNS, "metadata") if name != "updated_at")
    postgres_server.run(
        f"create role everycent login password '{PASSWORD}'",
        "create role stranger login password 'x'",
    )
    postgres_server.run(
        CREATE_SPEND_LOGS,
        f'grant select ({granted}) on "LiteLLM_SpendLogs" to everycent',
        database="litellm",
    )
    yield postgres_server
    postgres_server.run(
        'drop table if exists "LiteLLM_SpendLogs"',
        "drop owned by everycent",
        "drop owned by stranger",
        "drop role everycent",
        "drop role stranger",
        database="litellm",
    )


@pytest.fixture
def company(tmp_path: Path, proxy: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> GatewayCompany:
    monkeypatch.setenv(VARIABLE, proxy.uri("litellm", "everycent", "s3cret-p%C3%A4ssword"))
    company = GatewayCompany(tmp_path, "litellm")
    company.options = {"connection_env": VARIABLE, "history_days": 3}
    return company


def insert(server: PostgresServer, *rows: dict[str, object]) -> None:
    server.run(*(build_insert(row) for row in rows), database="litellm")


def test_the_readers_grant_is_enough_and_bodies_are_never_asked_for(
    company: GatewayCompany, proxy: PostgresServer
) -> None:
    row = build_spend_log(
        messages={"content": SECRET}, response={"content": SECRET}, proxy_server_request={"a": SECRET}
    )
    row["metadata"] = row["metadata"] | {"requester_metadata": {"note": SECRET}, SECRET: SECRET}
    insert(proxy, row)
    report = company.land()
    assert report.findings == ()
    (landed,) = read_rows(report)
    assert classes(landed) == (46, 64, None, None, 20)
    assert landed["reported_cost"] == Decimal("0.000225000000")  # the double 0.00022500000000000002
    assert landed["provider_request_id"] == row["request_id"]
    for path in company.lake.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()


def test_a_statement_names_allowed_columns_and_bound_days_only() -> None:
    config: dict[str, object] = {"name": "a", "connector": "litellm", "connection_env": "X"}
    config["places"] = {"feature": ["messages.a", "metadata.it's; drop", "response"]}
    settings = Settings.model_validate(config)
    everything = {*SPEND_COLUMNS, "metadata", "messages", "response", "proxy_server_request"}
    statement = build_statement('"public"."LiteLLM_SpendLogs"', everything, settings, date(2026, 11, 19))
    for forbidden in ('"messages"', '"response"', '"proxy_server_request"', "it's"):
        assert forbidden not in statement
    assert "it''s" in statement
    assert statement.endswith(
        "where \"startTime\" >= timestamp '2026-11-19' and \"startTime\" < timestamp '2026-11-20' "
        'order by "startTime", "request_id"'
    )


def test_days_are_read_again_while_calls_may_be_late_and_replace_themselves(
    company: GatewayCompany, proxy: PostgresServer
) -> None:
    first = build_spend_log()
    insert(proxy, first)
    assert len(read_rows(company.land())) == 1
    late = build_spend_log(request_id="chatcmpl-LateLateLate", startTime="2026-11-19T23:59:59.999")
    insert(proxy, late)
    proxy.run(
        """update "LiteLLM_SpendLogs" set spend = 0.5 where request_id like '%CzK%'""", database="litellm"
    )
    report = company.land(NOW + timedelta(days=1))
    assert [row["reported_cost"] for row in read_rows(report)] == [Decimal("0.5"), Decimal("0.000225")]
    again = company.land(NOW + timedelta(days=2))
    assert strip(read_rows(again)) == strip(read_rows(report))
    days = {d.scope: d.rows for d in again.deliveries if d.is_current}
    assert days == {f"2026-11-{day}": 2 if day == 19 else 0 for day in range(17, 22)}
    proxy.run("""update "LiteLLM_SpendLogs" set spend = 9""", database="litellm")
    settled = company.land(NOW + timedelta(days=5))  # four days after its end a day is final
    assert [row["reported_cost"] for row in read_rows(settled)][0] == Decimal("0.5")


def test_what_the_proxys_retention_removed_stays(company: GatewayCompany, proxy: PostgresServer) -> None:
    insert(proxy, build_spend_log())
    company.land()
    proxy.run('delete from "LiteLLM_SpendLogs"', database="litellm")
    insert(proxy, build_spend_log(request_id="chatcmpl-NextNextNext", startTime="2026-11-20T10:00:00"))
    report = company.land(NOW + timedelta(days=1))
    assert len(read_rows(report)) == 2
    assert count_kinds(report) == {"spend_logs_pruned": 1}


def test_many_rows_come_in_batches(company: GatewayCompany, proxy: PostgresServer) -> None:
    insert(proxy, build_spend_log())
    proxy.run(
        """
        insert into "LiteLLM_SpendLogs" (request_id, call_type, "startTime", "endTime", model, custom_llm_provider,
            prompt_tokens, completion_tokens, total_tokens, spend, status, metadata)
        select 'chatcmpl-' || lpad(n::text, 12, '0'), 'acompletion', timestamp '2026-11-18' + n * interval '1 second',
            timestamp '2026-11-18' + n * interval '1 second', 'gpt-4o', 'openai', n, 1, n + 1, 0.1, 'success',
            jsonb_build_object('filler', repeat('x', 2000)) from generate_series(0, 69999) as n
        """,
        database="litellm",
    )
    rows = read_rows(company.land())
    assert len(rows) == 70_001
    assert sum(row["uncached_input_tokens"] for row in rows) == 69_999 * 35_000 + 46
    assert sum(row["reported_cost"] for row in rows) == Decimal("7000.000225")


def test_hostile_numbers_and_keys_refuse_their_row_alone(
    company: GatewayCompany, proxy: PostgresServer
) -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 1}
    insert(proxy, build_spend_log())
    proxy.run(
        build_insert(build_spend_log(request_id="chatcmpl-HugeHugeHuge", metadata={"usage_object": usage})),
        """update "LiteLLM_SpendLogs" set metadata = '{"usage_object": {"prompt_tokens": 1e400}}', spend = 'NaN'
           where request_id = 'chatcmpl-HugeHugeHuge'""",
        build_insert(build_spend_log(request_id="chatcmpl-MinusMinus", metadata={}, prompt_tokens=-1)),
        database="litellm",
    )
    report = company.land()
    assert len(read_rows(report)) == 1
    assert [finding.count for finding in report.findings] == [1, 1]
    assert all(finding.file == "public.LiteLLM_SpendLogs of 2026-11-19" for finding in report.findings)


def expect_fault(company: GatewayCompany, kind: type[ConnectorError], words: str) -> str:
    with pytest.raises(kind) as caught:
        company.land()
    message = str(caught.value)
    assert words in message and VARIABLE in message
    for secret in (PASSWORD, "p%C3%A4ssword", "s3cret"):
        assert secret not in message
    return message


def test_a_server_that_is_down_is_told(
    company: GatewayCompany, proxy: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, proxy.uri("litellm", "everycent", "s3cret", host="127.0.0.9"))
    expect_fault(company, TransientError, "cannot be reached")


def test_a_wrong_password_is_told_without_it(
    company: GatewayCompany,
    proxy: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv(VARIABLE, proxy.uri("litellm", "everycent", "s3cret-wrong"))
    expect_fault(company, TerminalError, "password is refused")
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("", "is not set"),
        ("host=127.0.0.1 password=s3cret", "no Postgres URI"),
        ("postgresql://everycent:s3cret@rest@127.0.0.1:1/litellm", "cannot be reached"),
    ],
)
def test_a_connection_string_that_is_none_is_told_without_it(
    company: GatewayCompany, monkeypatch: pytest.MonkeyPatch, uri: str, words: str
) -> None:
    monkeypatch.setenv(VARIABLE, uri)
    message = expect_fault(company, ConnectorError, words)
    assert "rest" not in message.replace("restart", "")


def test_an_absent_database_and_tls_that_is_refused_are_told(
    company: GatewayCompany, proxy: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, proxy.uri("nowhere"))
    expect_fault(company, TerminalError, "no such database")
    monkeypatch.setenv(VARIABLE, f"{proxy.uri('litellm')}?sslmode=require")
    expect_fault(company, TerminalError, "TLS")


def test_a_missing_table_or_column_or_grant_is_told(
    company: GatewayCompany, proxy: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.options["table"] = "Nothing"
    expect_fault(company, TerminalError, "there is no table public.Nothing")
    del company.options["table"]
    proxy.run('revoke select (spend, "endTime") on "LiteLLM_SpendLogs" from everycent', database="litellm")
    message = expect_fault(company, TerminalError, "may not read public.LiteLLM_SpendLogs")
    assert "README" in message and "endTime" in message
    monkeypatch.setenv(VARIABLE, proxy.uri("litellm", "stranger", "x"))
    expect_fault(company, TerminalError, "may not read")
    monkeypatch.setenv(VARIABLE, proxy.uri("litellm"))
    proxy.run('alter table "LiteLLM_SpendLogs" rename column "prompt_tokens" to "tokens"', database="litellm")
    expect_fault(company, TerminalError, "has no column prompt_tokens")


def test_an_older_table_without_new_columns_is_read(company: GatewayCompany, proxy: PostgresServer) -> None:
    row = build_spend_log()
    insert(proxy, row)
    for name in ("litellm_call_id", "session_id", "status", "agent_id", "organization_id"):
        proxy.run(f'alter table "LiteLLM_SpendLogs" drop column "{name}"', database="litellm")
    report = company.land()
    (landed,) = read_rows(report)
    assert landed["call_id"] == row["request_id"] and report.findings == ()


def test_a_connection_that_is_lost_keeps_whole_days_only(
    company: GatewayCompany, proxy: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert(proxy, build_spend_log(request_id="chatcmpl-DayBeforeDay", startTime="2026-11-18T10:00:00"))
    proxy.run(
        """
        insert into "LiteLLM_SpendLogs" (request_id, call_type, "startTime", "endTime", model, metadata)
        select 'chatcmpl-' || n, '', timestamp '2026-11-19' + n * interval '1 second', timestamp '2026-11-19', 'm',
            jsonb_build_object('usage_object', jsonb_build_object('filler', repeat(md5(n::text), 100)))
        from generate_series(0, 39999) as n
        """,
        database="litellm",
    )
    read_day = SpendLogTable.read_day

    def read_until_cut(self: SpendLogTable, day: date) -> Iterator[dict[str, object]]:
        for number, row in enumerate(read_day(self, day)):
            if number == 5 and day == date(2026, 11, 19):
                with (
                    postgres.connect(proxy.uri("litellm"), autocommit=True) as other,
                    other.cursor() as cursor,
                ):
                    cursor.execute(
                        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'everycent'"
                    )
                    cursor.fetchall()
            yield row

    with monkeypatch.context() as patch:  # the cut is real: the server ends the session between two batches
        patch.setattr(SpendLogTable, "read_day", read_until_cut)
        message = expect_fault(company, TransientError, "connection was lost while 2026-11-19 was read")
    assert "the next run goes on there" in message
    assert not list(company.lake.rglob("_tmp-*"))
    report = company.land()
    assert len(read_rows(report)) == 40_001


def test_a_connection_check_tells_each_step(
    company: GatewayCompany, proxy: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = {"name": "gateway", "connector": "litellm"} | company.options
    settings = Settings.model_validate(config)
    insert(proxy, build_spend_log())
    assert [step.is_ok for step in check(settings)] == [True, True, True]
    monkeypatch.setenv(VARIABLE, proxy.uri("litellm", "everycent", "s3cret-wrong"))
    (step,) = list(check(settings))
    assert step.is_ok is False and "password is refused" in step.message and "s3cret" not in step.message


def test_a_run_as_of_a_time_asks_nobody(company: GatewayCompany, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE)
    config = {"name": "gateway", "connector": "litellm"} | company.options
    context = LandingContext(company.lake, NOW, IDENTITY, {}, as_of=datetime(2026, 11, 19))
    assert client.land(Settings.model_validate(config), context).deliveries == ()


def test_a_view_may_stand_for_the_table(company: GatewayCompany, proxy: PostgresServer) -> None:
    insert(proxy, build_spend_log())
    proxy.run(
        """
        create view spend_view as select request_id, spend, "startTime"::timestamptz as "startTime", "endTime", model,
            prompt_tokens, completion_tokens, jsonb_build_object('usage_object', metadata->'usage_object') as metadata
        from "LiteLLM_SpendLogs"
        """,
        'revoke all on "LiteLLM_SpendLogs" from everycent',
        "grant select on spend_view to everycent",
        database="litellm",
    )
    company.options["table"] = "spend_view"
    report = company.land()
    (row,) = read_rows(report)
    proxy.run("drop view spend_view", database="litellm")
    assert classes(row) == (46, 64, None, None, 20) and row["call_id"] == row["provider_request_id"]
    assert row["started_at"] == datetime(2026, 11, 19, 10, 0, 0, 250000) and report.findings == ()
