"""What `everycent sources check` tries for a Google Cloud billing source.

What belongs here: one step a right or setting, in plain words. What must not: landing anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from connectors.common.contract import CheckStep, ConnectorError
from connectors.common.stores.open import open_store
from connectors.gcp_billing import prices_and_accounts, schema
from connectors.gcp_billing.extracted_files import build_groups
from connectors.gcp_billing.google_clients import RETRY, AccessDeniedError, GoogleClients, in_words
from connectors.gcp_billing.settings import Settings
from connectors.gcp_billing.table_reader import QUERIER, VIEWER, TableReader, Window

_NOT_TRIED = "not tried: an earlier step failed"


def check_source(settings: Settings) -> Iterator[CheckStep]:
    """Yield the steps in the order in which they depend on each other."""
    clients = GoogleClients(settings)
    if settings.table or settings.accounts or settings.budgets or settings.catalog:
        signed_in = _try("credentials", lambda: _describe_credentials(clients))
        yield signed_in
        if settings.table:
            yield from _check_table(clients, settings, is_possible=bool(signed_in.is_ok))
    if settings.location:
        yield _try("location", lambda: _describe_location(settings))
    if settings.accounts or settings.budgets:
        yield _try("billing account", lambda: _describe_accounts(clients, settings))
    if settings.budgets:
        yield _try("budgets", lambda: _describe_budgets(clients, settings))
    if settings.catalog:
        yield _try("price catalogue", lambda: _describe_catalog(clients))


def _try(name: str, step: Callable[[], str]) -> CheckStep:
    try:
        return CheckStep(name, True, step())
    except ConnectorError as error:
        return CheckStep(name, False, str(error))


def _describe_credentials(clients: GoogleClients) -> str:
    from google.auth.transport.requests import Request

    credentials = clients.credentials
    with in_words("sign in to Google Cloud", "a service account"):
        if not credentials.valid:
            credentials.refresh(Request())
    account = getattr(credentials, "service_account_email", None)
    return f"application default credentials{f' of {account}' if account else ''}"


def _check_table(clients: GoogleClients, settings: Settings, *, is_possible: bool) -> Iterator[CheckStep]:
    names = ("table", "read rows", "newest export")
    if not is_possible:
        yield from (CheckStep(name, None, _NOT_TRIED) for name in names)
        return
    reader = TableReader(clients, settings)
    table = _try("table", lambda: _describe_table(reader, settings))
    yield table
    if not table.is_ok:
        yield from (CheckStep(name, None, _NOT_TRIED) for name in names[1:])
        return
    yield _try("read rows", lambda: _describe_reading(clients, reader, settings))
    if settings.kind != "focus":
        yield _try("newest export", lambda: _describe_newest(clients, settings))


def _describe_table(reader: TableReader, settings: Settings) -> str:
    facts = reader.describe()
    if settings.kind == "focus":
        told = "a FOCUS export"
        missing = [name for name in ("BillingPeriodStart", "BilledCost") if name not in facts.columns]
    else:
        missing = [name for name in schema.REQUIRED if name not in facts.columns]
        told = "a detailed export"
    if missing:
        raise ConnectorError(
            f"{settings.table} has no column {missing[0]}: it is not {told}; state the table that Billing export writes"
        )
    if told == "a detailed export" and any(name not in facts.columns for name in schema.DETAILED_ONLY):
        told = "a standard export: costs are complete, but no line names its resource, and pods cannot be told apart"
    rows = "" if facts.rows is None else f", {facts.rows:,} rows"
    return f"{told}{rows}, in {facts.location}"


def _describe_reading(clients: GoogleClients, reader: TableReader, settings: Settings) -> str:
    if settings.read_api == "storage":
        try:
            reader.open_session(
                ("billing_account_id",) if settings.kind != "focus" else (), _nothing(settings)
            )
        except AccessDeniedError as denied:
            with in_words(
                f"{denied}. Without it a query is tried, which failed too", f"{QUERIER} and {VIEWER}"
            ):
                _dry_run(clients, settings)
            return f"by query over REST; the faster way is closed: {denied}"
        else:
            return "by the BigQuery Storage Read API"
    with in_words(f"query {settings.table}", f"{QUERIER} and {VIEWER}"):
        _dry_run(clients, settings)
    return "by query over REST, as the settings ask"


def _nothing(settings: Settings) -> Window | None:
    """A window without rows: a session of it costs nothing."""
    never = datetime(1970, 1, 1)  # noqa: DTZ001 (times in the lake are naive UTC)
    return None if settings.kind == "focus" else Window("export_time", None, never)


def _dry_run(clients: GoogleClients, settings: Settings) -> Any:
    from google.cloud import bigquery

    table = ".".join(settings.table_parts)
    config = bigquery.QueryJobConfig(dry_run=True, use_query_cache=False)
    statement = f"select * from `{table}`"  # noqa: S608 - the name is checked by the settings
    return clients.bigquery.query(statement, job_config=config, retry=RETRY)


def _describe_newest(clients: GoogleClients, settings: Settings) -> str:
    """Look at when the table changed last: that needs no query, and Google writes several times a day."""
    with in_words(f"look at table {settings.table}", VIEWER):
        modified = clients.bigquery.get_table(settings.table, retry=RETRY).modified
    if modified is None:
        return "unknown: BigQuery does not say when the table changed"
    hours = (datetime.now(UTC) - modified).total_seconds() / 3600
    if hours > 72:
        raise ConnectorError(
            f"the last row was written {hours / 24:.0f} days ago; look whether Billing export still writes this table"
        )
    return f"written {hours:.0f} hours ago"


def _describe_location(settings: Settings) -> str:
    store = open_store(settings.build_store_settings())
    groups, _ = build_groups(store.list_objects(), settings)
    if not groups:
        raise ConnectorError(f"no extracted shard lies under {settings.location}; extract the table there")
    shards = sum(len(group.objects) for group in groups)
    newest = f"{groups[-1].delivered_at:%Y-%m-%d %H:%M} UTC"
    return f"{shards} shards in {len(groups)} deliveries, the newest of {newest}; with {store.find_credentials()}"


def _describe_accounts(clients: GoogleClients, settings: Settings) -> str:
    found = prices_and_accounts.find_billing_accounts(clients, settings.billing_account)
    if not found:
        raise ConnectorError(f"no billing account is visible; grant {prices_and_accounts.VIEWER}")
    return f"{len(found)} visible: {', '.join(account.name.rpartition('/')[2] for account in found[:5])}"


def _describe_budgets(clients: GoogleClients, settings: Settings) -> str:
    found = prices_and_accounts.find_billing_accounts(clients, settings.billing_account)
    count = 0
    for account in found:
        with in_words("list budgets", prices_and_accounts.BUDGET_VIEWER):
            count += sum(1 for _ in clients.budgets.list_budgets(parent=account.name, retry=RETRY))
    return f"{count} budgets"


def _describe_catalog(clients: GoogleClients) -> str:
    with in_words("list services of the price catalogue", prices_and_accounts.CATALOG_NEEDS):
        first = next(iter(clients.catalog.list_services(request={"page_size": 1}, retry=RETRY)), None)
    return "readable" if first is not None else "readable, and empty"
