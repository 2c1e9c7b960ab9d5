"""Writes the lake of a generated company: N model calls over some days, and the bill that belongs to them.

What belongs here: deterministic data in the lake's own schemas, made by DuckDB and kept between runs. What must
not: measuring. The simulator makes a company that looks real; this one has a given size and shape.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb

from connectors.common.contract import Delivery
from connectors.common.datasets import CHARGES, DATASETS, REQUESTS, Dataset
from pipelines.night.inputs import RATE_CARD_DAY_SCHEMA
from pipelines.warehouse.relations import DataFile, Relation, duckdb_columns, read_digest

GENERATOR_VERSION = 2
"""Raise it when the generated rows change: kept lakes are then made anew."""

FIRST_DAY = date(2026, 10, 1)
SOURCE = "generated"
BILLING_ACCOUNT = "614205530871"

_MODELS = """
(values
    (0, 'anthropic.claude-haiku-4-5-20251001-v1:0', 'Claude4.5Haiku', '480917223654', 0.0011, 1.000),
    (1, 'anthropic.claude-sonnet-4-5-20250929-v1:0', 'Claude4.5Sonnet', '480917223654', 0.0033, 1.000),
    (2, 'anthropic.claude-sonnet-4-6-v1:0', 'Claude4.6Sonnet', '480917223654', 0.0033, 1.020),
    (3, 'anthropic.claude-opus-4-5-v1:0', 'Claude4.5Opus', '733150998421', 0.0055, 1.000),
    (4, 'anthropic.claude-opus-4-6-v1:0', 'Claude4.6Opus', '733150998421', 0.0055, 0.990)
) as models (model_number, model, meter_name, sub_account_id, price_per_thousand, billed_share)
"""
_CLASSES = """
(values
    ('uncached_input_tokens', 'input-tokens', 1.00),
    ('cache_read_tokens', 'cache-read-input-token-count', 0.10),
    ('cache_write_5m_tokens', 'cache-write-input-token-count', 1.25),
    ('output_tokens', 'output-tokens', 5.00)
) as classes (token_class, meter, price_factor)
"""


@dataclass(frozen=True)
class Shape:
    """The size of the company: requests, rows of its daily rollup, days."""

    rows: int
    rollup_rows: int
    days: int

    @property
    def last_day(self) -> date:
        """The first day after the last request."""
        return FIRST_DAY + timedelta(days=self.days)

    @property
    def keys_a_day(self) -> int:
        """Distinct attribution and price keys on every day."""
        return self.rollup_rows // self.days

    @property
    def rows_a_day(self) -> int:
        """Requests on every day."""
        return self.rows // self.days


@dataclass(frozen=True)
class GeneratedLake:
    """Files of the generated company as relations, and the delivery of its bill."""

    requests: Relation
    reports: Relation  # what the core reads: the requests, or these and the same calls as the provider's log has them
    charges: Relation
    bill_deliveries: tuple[Delivery, ...]


def open_lake(
    home: Path, shape: Shape, say: Callable[[str], None], *, is_seen_twice: bool = False
) -> GeneratedLake:
    """The lake of this shape below `home`, generated when it is not there yet.

    With `is_seen_twice` the provider's log reports every call too: its id, time, model and tokens, and no owner.
    """
    name = f"v{GENERATOR_VERSION}-{shape.rows}-requests-{shape.rollup_rows}-keys-{shape.days}-days"
    folder = home / "generated" / name
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        say(f"generating {shape.rows:,} requests in {folder}")
        with duckdb.connect() as connection:
            connection.execute("set timezone = 'UTC'")
            _write_requests(connection, folder / "requests", shape)
            _write_charges(connection, folder, shape)
        (folder / "complete").touch()
    charges = _relation(CHARGES, folder / "charges")
    requests = _relation(REQUESTS, folder / "requests")
    return GeneratedLake(
        requests,
        _seen_again(requests, folder / "provider_log") if is_seen_twice else requests,
        charges,
        tuple(_bill_delivery(month, files[0]) for month, files in charges.files.items()),
    )


def _write_requests(connection: duckdb.DuckDBPyConnection, folder: Path, shape: Shape) -> None:
    folder.mkdir(parents=True)
    connection.execute(f"create table models as from {_MODELS}")
    connection.execute(f"create table profiles as {_profile_sql(shape)}")
    for number in range(shape.days):
        day = FIRST_DAY + timedelta(days=number)
        target = folder / f"{day.isoformat()}.parquet"
        columns = _typed_columns(REQUESTS, _request_columns())
        connection.execute(
            f"copy (select {columns} from ({_call_sql(shape, number)}) as calls) "
            f"to '{target}' (format parquet, compression zstd)"
        )


def _seen_again(requests: Relation, folder: Path) -> Relation:
    folder.mkdir(exist_ok=True)
    known = "request_id provider_request_id provider region_id model service_tier status usage_source".split()
    known += [name for name in requests.columns if name.endswith("_tokens")]
    expressions = {name: name for name in known} | {
        "x_source": "'provider_log'",
        "x_snapshot_id": "'provider_log'",
        "emitter_kind": "'provider_log'",
        "trace_id": "request_id",
        "started_at": "started_at + to_microseconds(700000)",
    }
    columns = _typed_columns(REQUESTS, expressions)
    for file in requests.all_files:
        target = folder / file.path.name
        if not target.exists():
            rows = f"select {columns} from read_parquet('{file.path}')"
            duckdb.execute(f"copy ({rows}) to '{target}' (format parquet, compression zstd)")
    again = _relation(REQUESTS, folder)
    files = {key: (*requests.files[key], *again.files[key]) for key in requests.files}
    return replace(requests, files=files)


def _profile_sql(shape: Shape) -> str:
    """Who calls what with which model: one row a key, users and models drawn with a long tail."""
    users = max(shape.keys_a_day // 2, 50)
    return f"""
        with drawn as (
            select
                range as profile,
                cast(floor({users} * power(hash(range, 1) % 1000000 / 1000000.0, 2)) as bigint) as person,
                cast(floor(12 * power(hash(range, 2) % 1000000 / 1000000.0, 1.5)) as bigint) as feature_number,
                hash(range, 3) % 3 as part,
                hash(range, 4) % 3 as agent_number,
                hash(range, 5) % 4 as step_number,
                cast(floor(5 * power(hash(range, 6) % 1000000 / 1000000.0, 1.6)) as bigint) as model_number,
                hash(range, 7) % 3 as zone_number,
                hash(range, 8) % 100 as percent
            from range({shape.keys_a_day})
        )
        select
            drawn.profile,
            models.model,
            models.sub_account_id,
            case when percent < 5 then 'batch' else 'standard' end as service_tier,
            percent >= 92 as is_long,
            'u_2c2d_' || left(md5('user ' || person), 20) as user_id,
            'tenant-' || person % 40 as tenant,
            'customer-' || person % 200 as customer,
            'team-' || feature_number % 5 as team,
            'feature_' || feature_number as feature,
            '/v1/feature_' || feature_number || '/' || part as endpoint,
            'workflow_' || feature_number || '_' || part as workflow,
            'agent_' || feature_number || '_' || agent_number as agent,
            case when step_number > 0 then 'step_' || step_number end as agent_step,
            case when percent % 20 = 7 then 'staging' else 'production' end as environment,
            'use1-az' || (zone_number + 1) as from_zone,
            case when step_number > 1 then 'use1-az' || (step_number + 1) end as to_zone
        from drawn
        inner join models on drawn.model_number = models.model_number
    """


def _call_sql(shape: Shape, number: int) -> str:
    """The calls of one day: every profile once, spread over the day, the rest drawn with a long tail."""
    stride = max(shape.rows_a_day // shape.keys_a_day, 1)
    first = number * shape.rows_a_day
    day = FIRST_DAY + timedelta(days=number)
    return f"""
        with numbered as (
            select
                range as position,
                {first} + range as call_number,
                hash({first} + range, 11) as dice,
                hash({first} + range, 12) as other_dice
            from range({shape.rows_a_day})
        ),
        drawn as (
            select
                numbered.*,
                case
                    when position % {stride} = 0 and position // {stride} < {shape.keys_a_day}
                        then position // {stride}
                    else cast(floor({shape.keys_a_day} * power(dice % 1000000 / 1000000.0, 2)) as bigint)
                end as profile
            from numbered
        )
        select
            drawn.call_number,
            md5('call ' || drawn.call_number) as digest,
            md5('trace ' || drawn.call_number // 3) as trace_id,
            timestamp '{day.isoformat()} 00:00:00'
                + to_microseconds(position * (86400000000 // {shape.rows_a_day})) as started_at,
            500 + other_dice % 90000 as milliseconds,
            case when is_long then 40000 + dice % 60000 else 200 + dice % 9000 end as uncached_input_tokens,
            case when service_tier = 'batch' then 0 else 1 + (dice // 7) % 12000 end as cache_read_tokens,
            case when service_tier = 'batch' then 0 else 1 + (dice // 11) % 2500 end as cache_write_5m_tokens,
            20 + other_dice % 1800 as output_tokens,
            case when other_dice % 50 = 0 then 'error' else 'ok' end as status,
            profiles.*
        from drawn
        inner join profiles on drawn.profile = profiles.profile
    """


def _request_columns() -> dict[str, str]:
    owners = "user_id tenant customer team feature endpoint workflow agent agent_step environment".split()
    plain = (
        "trace_id started_at sub_account_id model service_tier status uncached_input_tokens cache_read_tokens "
        "cache_write_5m_tokens output_tokens from_zone to_zone"
    ).split()
    return {name: name for name in (*owners, *plain)} | {
        "request_id": "'response:msg_bdrk_' || left(digest, 24)",
        "x_source": f"'{SOURCE}'",
        "x_snapshot_id": f"'{SOURCE}'",
        "emitter_kind": "'span'",
        "provider_request_id": "'msg_bdrk_' || left(digest, 24)",
        "span_id": "left(digest, 16)",
        "ended_at": "started_at + to_milliseconds(milliseconds)",
        "duration_seconds": "milliseconds / 1000.0",
        "provider": "'aws.bedrock'",
        "region_id": "'us-east-1'",
        "request_model": "model",
        "usage_source": "'reported'",
        "session_id": "'s-' || left(trace_id, 10)",
        "cache_write_1h_tokens": "0",
        "reasoning_tokens": "0",
        "request_bytes": "4 * uncached_input_tokens",
        "response_bytes": "4 * output_tokens",
    }


def _write_charges(connection: duckdb.DuckDBPyConnection, folder: Path, shape: Shape) -> None:
    """One line per day, model and its account, tier and token class; others that no request explains."""
    (folder / "charges").mkdir()
    requests = f"read_parquet('{folder / 'requests'}/*.parquet')"
    connection.execute(
        f"create table lines as {_token_line_sql(requests)} union all by name {_other_line_sql(shape)}"
    )
    columns = _typed_columns(CHARGES, _charge_columns())
    months = connection.execute(
        "select distinct date_trunc('month', charge_date)::date from lines order by 1"
    )
    for (month,) in months.fetchall():
        target = folder / "charges" / f"{month.isoformat()[:7]}.parquet"
        connection.execute(
            f"copy (select {columns} from lines where date_trunc('month', charge_date) = '{month.isoformat()}' "
            f"order by digest) to '{target}' (format parquet, compression zstd)"
        )


def _token_line_sql(requests: str) -> str:
    return f"""
        with logged as (
            select cast(started_at as date) as charge_date, model, service_tier,
                sum(uncached_input_tokens) as uncached_input_tokens, sum(cache_read_tokens) as cache_read_tokens,
                sum(cache_write_5m_tokens) as cache_write_5m_tokens, sum(output_tokens) as output_tokens
            from {requests} group by all
        ),
        by_class as (
            unpivot logged on uncached_input_tokens, cache_read_tokens, cache_write_5m_tokens, output_tokens
            into name token_class value tokens
        )
        select
            by_class.charge_date,
            models.sub_account_id,
            'Amazon Bedrock' as service_name,
            'USE1-' || models.meter_name || '-' || classes.meter
                || case when service_tier = 'batch' then '-batch' else '' end as sku_meter,
            'Tokens' as consumed_unit,
            cast(round(tokens * models.billed_share) as decimal(38, 12)) as consumed_quantity,
            cast(models.price_per_thousand * classes.price_factor
                * case when service_tier = 'batch' then 0.5 else 1.0 end as decimal(18, 6)) as unit_price,
            cast(null as varchar) as feature,
            md5(charge_date || models.model || service_tier || by_class.token_class) as digest
        from by_class
        inner join models on by_class.model = models.model
        inner join {_CLASSES} on by_class.token_class = classes.token_class
        where tokens > 0
    """


def _other_line_sql(shape: Shape) -> str:
    return f"""
        select
            date '{FIRST_DAY.isoformat()}' + cast(days.range as integer) as charge_date,
            case when hosts.range % 2 = 0 then '480917223654' else '733150998421' end as sub_account_id,
            'Amazon Elastic Compute Cloud' as service_name,
            'USE1-BoxUsage:m7i.xlarge' as sku_meter,
            'Hours' as consumed_unit,
            cast(24 as decimal(38, 12)) as consumed_quantity,
            cast(201.6 as decimal(18, 6)) as unit_price,
            case when hosts.range % 3 = 0 then 'feature_' || hosts.range % 12 end as feature,
            md5('host ' || days.range || ' ' || hosts.range) as digest
        from range({shape.days}) as days, range(40) as hosts
    """


def _charge_columns() -> dict[str, str]:
    """Negotiated 5 % off the list price."""
    thousands = "cast(consumed_quantity as decimal(16, 0)) * cast(0.001 as decimal(4, 3))"
    exact = f"{thousands} * cast(unit_price as decimal(12, 6))"
    net = f"{exact} * cast(0.95 as decimal(3, 2))"
    return {name: name for name in ("sub_account_id", "service_name", "sku_meter", "consumed_unit")} | {
        "charge_id": "digest || '-1'",
        "x_line_key": "digest",
        "x_occurrence": "1",
        "x_source": f"'{SOURCE}'",
        "x_snapshot_id": f"'{SOURCE}'",
        "x_source_file": "'generated.parquet'",
        "billed_cost": net,
        "effective_cost": net,
        "contracted_cost": net,
        "list_cost": exact,
        "billing_account_id": f"'{BILLING_ACCOUNT}'",
        "billing_currency": "'USD'",
        "billing_period_start": "date_trunc('month', charge_date)",
        "billing_period_end": "date_trunc('month', charge_date) + interval 1 month",
        "charge_category": "'Usage'",
        "charge_frequency": "'Usage-Based'",
        "charge_period_start": "cast(charge_date as timestamp)",
        "charge_period_end": "cast(charge_date as timestamp) + interval 1 day",
        "consumed_quantity": "consumed_quantity",
        "invoice_issuer_name": "'Amazon Web Services, Inc.'",
        "list_unit_price": "unit_price",
        "region_id": "'us-east-1'",
        "service_provider_name": "'AWS'",
        "sku_id": "upper(left(md5(sku_meter), 16))",
        "x_tag_feature": "feature",
    }


def _typed_columns(dataset: Dataset, expressions: Mapping[str, str]) -> str:
    kinds = duckdb_columns(dataset.schema)
    unknown = set(expressions) - set(kinds)
    if unknown:
        raise ValueError(f"{dataset.name} has no columns {sorted(unknown)}")
    return ", ".join(
        f"cast({expressions.get(name, 'null')} as {kind}) as {name}" for name, kind in kinds.items()
    )


def _relation(dataset: Dataset, folder: Path) -> Relation:
    files = {}
    for path in sorted(folder.glob("*.parquet")):
        rows = duckdb.execute(f"select count(*) from read_parquet('{path}')").fetchall()[0][0]
        files[path.stem] = (DataFile(path, read_digest(path), rows, path.stem),)
    unit = dataset.partition[1] if dataset.partition else None
    return Relation(f"lake.{dataset.name}", duckdb_columns(dataset.schema), unit, files)


def _bill_delivery(month: str, file: DataFile) -> Delivery:
    start = datetime.fromisoformat(f"{month}-01")
    delivered_at = start + timedelta(days=40)
    return Delivery(
        source=SOURCE,
        dataset="charges",
        scope=f"{BILLING_ACCOUNT}|{month}",
        period=month,
        snapshot_id=SOURCE,
        delivered_at=delivered_at,
        fetched_at=delivered_at,
        rows=file.rows,
        typed_files=(),
        billing_account_id=BILLING_ACCOUNT,
        is_current=True,
    )


def restate_month(lake: GeneratedLake, month: str, folder: Path) -> GeneratedLake:
    """The same lake after the month's bill was delivered once more: the same lines, every cost a tenth higher."""
    folder.mkdir(parents=True)
    costs = ("billed_cost", "effective_cost", "contracted_cost", "list_cost")
    higher = ", ".join(f"cast({c} * cast(1.1 as decimal(2, 1)) as decimal(38, 12)) as {c}" for c in costs)
    target = folder / f"{month}.parquet"
    files = ", ".join(f"'{file.path}'" for file in lake.charges.files[month])
    snapshot = f"'{SOURCE}-again' as x_snapshot_id"
    duckdb.execute(
        f"copy (select * replace ({higher}, {snapshot}) from read_parquet([{files}]) order by charge_id) "
        f"to '{target}' (format parquet, compression zstd)"
    )
    rows = sum(file.rows for file in lake.charges.files[month])
    again = DataFile(target, read_digest(target), rows, month)
    deliveries = tuple(
        replace(
            delivery, snapshot_id=f"{SOURCE}-again", delivered_at=delivery.delivered_at + timedelta(days=1)
        )
        if delivery.period == month
        else delivery
        for delivery in lake.bill_deliveries
    )
    charges = replace(lake.charges, files={**lake.charges.files, month: (again,)})
    return replace(lake, charges=charges, bill_deliveries=deliveries)


def empty_relations() -> dict[str, Relation]:
    """Every canonical dataset, and the days of own hardware and of live bills, as a typed relation without rows."""
    columns = duckdb_columns(RATE_CARD_DAY_SCHEMA)
    days = {"reference.rate_card_days": "month", "reference.recent_days": "day"}
    return {name: Relation(name, columns, unit, {}) for name, unit in days.items()} | {
        f"lake.{name}": Relation(
            f"lake.{name}",
            duckdb_columns(dataset.schema),
            dataset.partition[1] if dataset.partition else None,
            {},
        )
        for name, dataset in DATASETS.items()
    }
