"""A tiny release on disk, in the layout of real ones: immutable Parquet below `tables/`, a catalogue of views.

One inference cell of 10.00 USD that two people used 3 : 1 and a tenth of which no log shows, one credit cell.
"""

# ruff: noqa: E501 (tables read better in whole lines)

from __future__ import annotations

import json
from pathlib import Path

import duckdb

DAY = "2026-11-19"
FIRST = "20261118T030000Z-aaaaaaaa"
SECOND = "20261119T030000Z-bbbbbbbb"
THIRD = "20261120T030000Z-cccccccc"
SIDE = "asof-20261117T030000Z-dddddddd"
HOSTILE_FEATURE = '=HYPERLINK("http://x")'

_MONEY = "decimal(38, 12)"
_OWNERS = ("feature", "user_id", "tenant", "customer", "team", "endpoint", "workflow", "agent", "agent_step")
_SEGMENT = ", ".join(
    f"cast(null as varchar) as {name}"
    for name in (
        "sub_account_id",
        "region_id",
        "service_tier",
        "context_min_tokens",
        "time_of_day_start",
        "from_zone",
        "to_zone",
    )
)
_CELL = (
    "provider, service_name, model, token_class, traffic_kind, cost_driver, charge_category, cost_state, "
    "billing_currency"
)

TABLES = {
    "core.cells": f"""
        select date '{DAY}' as charge_date, cell_id, {_CELL}, pool_key, method_id, evidence, residual_reason,
            cast(cost as {_MONEY}) as billed_cost,
            cast(cost as {_MONEY}) as effective_cost, cast(billed_quantity as {_MONEY}) as billed_quantity, cast(coverage as decimal(18, 12)) as coverage_share
        from (values
            ('cell-1', 'openai', 'OpenAI API', 'gpt-x', 'output_tokens', null, 'inference', 'Usage', 'provisional', 'USD',
                'pool-1', 'tokens', 'allocated', null, 1000, 0.9, 10),
            ('cell-2', 'aws', 'AmazonEC2', null, null, null, 'compute', 'Credit', 'provisional', 'USD',
                null, 'residual', 'billed', 'credit', null, null, -2.5)
        ) as v(cell_id, {_CELL}, pool_key, method_id, evidence, residual_reason, billed_quantity, coverage, cost)""",
    "core.charges": f"""
        select charge_id, rule_id, charge_category, charge_description, sku_meter, null as resource_id,
            cast(cost as {_MONEY}) as billed_cost, cast(cost as {_MONEY}) as effective_cost,
            'USD' as billing_currency, 'bill.csv' as x_source_file
        from (values
            ('line-1', 'openai_output', 'Usage', 'gpt-x output', 'output', 7),
            ('line-2', 'openai_output', 'Usage', 'gpt-x output', 'output', 3),
            ('line-3', 'any_credit', 'Credit', chr(27) || '[31mred', 'credit', -2.5)
        ) as v(charge_id, rule_id, charge_category, charge_description, sku_meter, cost)""",
    "reference.classification_rules": """
        select priority, rule_id, reason
        from (values
            (1010, 'openai_output', 'Output of OpenAI.'), (1, 'ours', chr(27) || '[31mmine')
        ) as v(priority, rule_id, reason)""",
    "core.charge_cells": f"""
        select date '{DAY}' as charge_date, charge_id, cell_id, cast(cost as {_MONEY}) as billed_cost,
            cast(cost as {_MONEY}) as effective_cost, 'USD' as billing_currency
        from (values ('line-1', 'cell-1', 7), ('line-2', 'cell-1', 3), ('line-3', 'cell-2', -2.5))
            as v(charge_id, cell_id, cost)""",
    "core.owners_dim": f"""
        select owner_id, feature, user_id, {", ".join(f"cast(null as varchar) as {name}" for name in _OWNERS[2:])},
            cast(null as varchar) as environment
        from (values ('owner-0', null, null), ('owner-1', 'search', 'ann'), ('owner-2', '{HOSTILE_FEATURE}', 'bob'))
            as v(owner_id, feature, user_id)""",
    "core.attributed_costs": f"""
        select date '{DAY}' as charge_date, cell_id, row_id, owner_id, cast(null as varchar) as from_zone, cast(null as varchar) as to_zone,
            residual_reason, cast(cost as {_MONEY}) as billed_cost, cast(cost as {_MONEY}) as effective_cost,
            cast(cost as {_MONEY}) as list_cost, 'USD' as billing_currency, requests, 0::bigint as input_tokens,
            tokens as output_tokens, 0::bigint as bytes, method_id, evidence, 'provisional' as cost_state
        from (values
            ('cell-1', 'row-1', 'owner-1', null, 6.75, 3::bigint, 675::bigint, 'tokens', 'allocated'),
            ('cell-1', 'row-2', 'owner-2', null, 2.25, 1, 225, 'tokens', 'allocated'),
            ('cell-1', 'row-3', 'owner-0', 'unlogged_usage', 1, 0, 0, 'residual', 'billed'),
            ('cell-2', 'row-4', 'owner-0', 'credit', -2.5, 0, 0, 'residual', 'billed')
        ) as v(cell_id, row_id, owner_id, residual_reason, cost, requests, tokens, method_id, evidence)""",
    "core.usage_costs": f"""
        select date '{DAY}' as charge_date, usage_id, owner_id, 'openai' as provider, 'gpt-x' as model,
            'output_tokens' as token_class, 'standard' as service_tier, 'segment-1' as segment_key,
            quantity as quantity_tokens, cast(quantity as {_MONEY}) / 100 as list_cost, 'USD' as list_cost_currency,
            null as unpriced_reason, 'price-1' as price_id,
            cast(null as varchar) as from_zone, cast(null as varchar) as to_zone
        from (values ('usage-1', 'owner-1', 675::bigint), ('usage-2', 'owner-2', 225)) as v(usage_id, owner_id, quantity)""",
    "core.pooled_usage": f"""
        select date '{DAY}' as charge_date, usage_id, owner_id, 'openai' as provider, 'gpt-x' as model,
            'output_tokens' as token_class, 'standard' as service_tier, 'pool-1' as pool_key,
            'pool-1' as leaf_pool_key,
            quantity as quantity_tokens, cast(quantity as {_MONEY}) / 100 as list_cost, 'USD' as list_cost_currency,
            null as unpriced_reason, 'price-1' as price_id,
            cast(null as varchar) as from_zone, cast(null as varchar) as to_zone
        from (values ('usage-1', 'owner-1', 675::bigint), ('usage-2', 'owner-2', 225)) as v(usage_id, owner_id, quantity)""",
    "core.request_usage": f"""
        select date '{DAY}' as charge_date, usage_id, owner_id, 'openai' as provider, 'gpt-x' as model,
            feature, user_id, {_SEGMENT}, {", ".join(f"cast(null as varchar) as {name}" for name in _OWNERS[2:])},
            cast(null as varchar) as environment
        from (values ('usage-1', 'owner-1', 'search', 'ann'), ('usage-2', 'owner-2', '{HOSTILE_FEATURE}', 'bob'))
            as v(usage_id, owner_id, feature, user_id)""",
    "core.capacity_weights": f"""
        select date '{DAY}' as charge_date, '' as pool_key, '' as owner_id, '' as logged_provider,
            '' as logged_model, '' as residual_reason, 0::bigint as weight, 0::bigint as requests where false""",
    "core.priced_requests": f"""
        select date '{DAY}' as charge_date, request_id, 'output_tokens' as token_class,
            cast(cost as {_MONEY}) as list_cost, 'USD' as list_cost_currency
        from (values ('request-1', 6.75), ('request-2', 2.25)) as v(request_id, cost)""",
    "core.trace_usage": f"""
        select date '{DAY}' as charge_date, 'trace-1' as trace_id, 'usage-1' as usage_id, 'owner-1' as owner_id,
            0 as uncached_input_tokens, 0 as cache_read_tokens, 0 as cache_write_5m_tokens,
            0 as cache_write_1h_tokens, 675 as output_tokens""",
    "core.tagged_owners": f"""
        select date '{DAY}' as charge_date, 'cell-9' as cell_id, 'pool-9' as pool_key, 'owner-9' as log_owner_id,
            'owner-8' as owner_id""",
    "core.physical_weights": """
        select date '2026-11-19' as charge_date, '' as pool_key, '' as weight_id, '' as owner_id, '' as feature,
            '' as endpoint, '' as from_zone, '' as to_zone, '' as residual_reason, 0::bigint as bytes where false""",
    "core.identified_requests": f"""
        select date '{DAY}' as charge_date, timestamp '{DAY} 10:00:00' as started_at, request_id, trace_id,
            'openai' as provider, 'gpt-x' as model, 'ok' as status, feature, user_id, 10::bigint as uncached_input_tokens,
            0::bigint as cache_read_tokens, 0::bigint as cache_write_5m_tokens, 0::bigint as cache_write_1h_tokens,
            tokens as output_tokens, 'logs' as x_sources, {_SEGMENT},
            {", ".join(f"cast(null as varchar) as {name}" for name in _OWNERS[2:])},
            cast(null as varchar) as environment
        from (values ('request-1', 'trace-1', 'search', 'ann', 675::bigint),
            ('request-2', 'trace-2', '{HOSTILE_FEATURE}', 'bob', 225)) as v(request_id, trace_id, feature, user_id, tokens)""",
    "marts.traces": "select 'trace-1' as trace_id, 'search' as feature, 1 as calls, 6.75::decimal(38, 12) as total_cost",
    "marts.cost_daily": f"""
        select date '{DAY}' as charge_date, feature, cast(cost as {_MONEY}) as effective_cost, requests
        from (values ('search', 6.75, 3::bigint), ('{HOSTILE_FEATURE}', 2.25, 1), (null, -1.5, 0))
            as v(feature, cost, requests)""",
    "marts.data_completeness": f"""
        select 'bill' as source, 'charges' as dataset, date '{DAY}' as date, 3::bigint as rows,
            cast(0.75 as decimal(18, 12)) as expected_share, null::varchar as finding, null::bigint as finding_count,
            null::varchar as severity, null::varchar as message
        union all select 'bill', 'charges', null, null, null, 'new_column', 1, 'info', 'bill: bill: X is new'
        union all select 'bill', 'charges', null, null, null, 'renamed_column', 2, 'warn', 'bill.csv: column X is new'
        union all select 'agents', 'requests', null, null, null, 'new_column', 1, 'info', 'Y is new'
        union all select 'requests', 'requests', date '{DAY}', null, null, 'over_logged', 8, 'warn', 'More than billed'""",
    "core.source_status": f"""
        select 'bill' as source, 'focus_files' as connector, 'charges' as dataset, 'ok' as state,
            timestamp '{DAY} 22:00:00' as last_delivered_at, date '{DAY}' as last_date, 3::bigint as rows,
            cast(5 as decimal(18, 6)) as age_hours""",
    "staging.deliveries": f"""
        select 'bill' as source, 'charges' as dataset, 'abcdef0123456789' as snapshot_id,
            timestamp '{DAY} 22:00:00' as delivered_at, true as is_current""",
    "staging.findings": """
        select 'bill' as source, 'charges' as dataset, 'warn' as severity, 'renamed_column' as kind,
            'bill.csv: column X is new' as message, 2::bigint as finding_count""",
}


def build_home(home: Path) -> Path:
    """Make a home with three releases and a side release; the third release is current."""
    for name in (FIRST, SECOND, THIRD, SIDE):
        build_release(home, name)
    (home / "warehouse" / "current").symlink_to(Path("releases") / THIRD)
    return home


def build_release(home: Path, name: str) -> Path:
    """Write one release whose views read Parquet files, and return its folder."""
    folder = home / "warehouse" / "releases" / name
    folder.mkdir(parents=True)
    connection = duckdb.connect(str(folder / "everycent.duckdb"))
    for relation, select in TABLES.items():
        file = home / "warehouse" / "tables" / relation / "all" / "0123.parquet"
        quoted = str(file).replace("'", "''")
        if not file.exists():
            file.parent.mkdir(parents=True)
            connection.execute(f"copy ({select}) to '{quoted}' (format parquet)")
        connection.execute(f"create schema if not exists {relation.partition('.')[0]}")
        connection.execute(f"create view {relation} as select * from read_parquet(['{quoted}'])")
    connection.execute("comment on view marts.cost_daily is 'Cost per day'")
    connection.execute("comment on column marts.cost_daily.effective_cost is 'Net of credits'")
    connection.execute(f"create table marts.release_name as select '{name}' as name")
    connection.close()
    manifest = {"parameters": {"as_of": "2026-11-20T03:00:00"}, "code_version": "test", "relations": {}}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder
