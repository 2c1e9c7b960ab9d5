"""How far attribution is from a known truth: measures on two sets of frames, the release's and the answer key's.

What belongs here: reading both sides into one shape, and each measure as a function that also names its worst cells.
What must not: simulating, running nights, or thresholds.

Money is compared in billing currency, exactly as delivered; a cell is (day, account, model, tier, token class), and
finer by feature and user. Estimated rows have no bill and are left out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import duckdb
import polars as pl

CLASSES = (
    "uncached_input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
)
FAMILIES = (
    "sonnet-4-5",
    "haiku-4-5",
    "gpt-4.1-mini",
    "gpt-4.1-nano",
    "gpt-5-mini",
    "gpt-5-nano",
    "gemini-2.5-flash",
    "gemini-2.5-pro",
    "llama-3.1-8b",
)
CELL = ("day", "account", "model", "tier", "token_class")
MEASURED_TRAFFIC = ("inter_az", "inter_region", "internet", "nat")
UNSETTLED_DAYS = 5
FULL_COVERAGE = 0.99
EPSILON_SHARE = 0.0006  # what the coverage rule may round away (0.0005), and bills' own rounding
EPSILON_COST = 1e-4  # of the billing currency, a cell: cents that vendors round to

_FACT = """
    select
        f.charge_date as day, c.provider, c.sub_account_id, c.billing_account_id, c.billing_currency as currency,
        c.charge_category, c.cost_driver, c.traffic_kind, c.model, c.service_tier, c.token_class, c.resource_id,
        c.region_id, c.sku_meter, c.bill_of_record, c.coverage_share, o.feature, o.user_id, f.from_zone, f.to_zone,
        f.residual_reason, f.method_id, f.evidence,
        cast(cast(f.billed_cost as decimal(25, 12)) * cast(1000000000000 as decimal(13, 0)) as bigint) as billed,
        cast(cast(f.effective_cost as decimal(25, 12)) * cast(1000000000000 as decimal(13, 0)) as bigint) as effective,
        f.requests, f.input_tokens, f.output_tokens, f.bytes
    from core.attributed_costs as f
    join core.cells as c on f.charge_date = c.charge_date and f.cell_id = c.cell_id
    left join core.owners_daily as o on f.charge_date = o.charge_date and f.owner_id = o.owner_id
    where f.cost_state <> 'estimated'
"""


@dataclass(frozen=True)
class Truth:
    """The answer key of one world."""

    calls: pl.DataFrame
    sightings: pl.DataFrame
    shares: pl.DataFrame
    other: pl.DataFrame
    bills: pl.DataFrame
    habits: pl.DataFrame
    start: date
    end: date
    has_habits: bool

    @property
    def settled_until(self) -> date:
        """The last day whose use is whole on all bills: the newest days are metered in part, and late rows to come."""
        return self.end - timedelta(days=UNSETTLED_DAYS) if self.has_habits else self.end


@dataclass(frozen=True)
class Facts:
    """What the release says: the fact, the bill's totals and the reconciliation."""

    rows: pl.DataFrame
    bill: pl.DataFrame
    reconciliation: pl.DataFrame


def name_family(column: str) -> pl.Expr:
    """The short name of a model that both sides share, from whatever a bill or a price book calls it."""
    family = pl.lit(None, dtype=pl.String)
    for name in reversed(FAMILIES):
        is_it = pl.col(column).str.to_lowercase().str.contains(name, literal=True)
        family = pl.when(is_it).then(pl.lit(name)).otherwise(family)
    return family


def read_truth(folder: Path) -> Truth:
    """Read what `simulator.truth` wrote; costs stay integers of 1e-12."""
    facts = json.loads((folder / "company.json").read_text())
    calls = pl.read_parquet(folder / "calls.parquet").with_columns(
        model=name_family("model"),
        account=pl.col("account_id"),
        tier=pl.col("service_tier"),
    )
    return Truth(
        calls=calls,
        sightings=pl.read_parquet(folder / "sightings.parquet"),
        shares=pl.read_parquet(folder / "shares.parquet"),
        other=pl.read_parquet(folder / "other_costs.parquet"),
        bills=pl.read_parquet(folder / "bills.parquet"),
        habits=pl.read_parquet(folder / "habits.parquet").with_columns(model=name_family("model")),
        start=date.fromisoformat(facts["start"]),
        end=date.fromisoformat(facts["end"]),
        has_habits=any(facts["habits"].values()),
    )


def keep_settled(facts: Facts, truth: Truth) -> tuple[Facts, Truth]:
    """Both sides without the newest days; what stands for a whole bill (its total, tax, credits) keeps all of them."""
    last = truth.settled_until
    is_settled = pl.col("day") <= last
    is_whole = pl.col("cause").is_in(["tax", "credits"]) | (pl.col("charge_date") <= last)
    return (
        replace(
            facts, rows=facts.rows.filter(is_settled), reconciliation=facts.reconciliation.filter(is_whole)
        ),
        replace(
            truth,
            calls=truth.calls.filter(is_settled),
            shares=truth.shares.filter(is_settled),
            habits=truth.habits.filter(is_settled),
        ),
    )


def read_facts(release: Path) -> Facts:
    """Read a release's fact, bill totals by day and currency, and reconciliation."""
    with duckdb.connect(str(release), read_only=True) as connection:
        rows = connection.sql(_FACT).pl()
        bill = connection.sql(
            "select billing_currency as currency, sum(billed_cost) as billed, sum(effective_cost) as effective "
            "from core.charges group by billing_currency order by 1"
        ).pl()
        reconciliation = connection.sql("select * from marts.reconciliation").pl()
    rows = rows.with_columns(
        account=pl.col("sub_account_id").str.replace("/subscriptions/", "", literal=True),
        model=name_family("model"),
        tier=pl.col("service_tier"),
    )
    return Facts(rows, bill, reconciliation)


def direct_costs(truth: Truth) -> pl.DataFrame:
    """True cost of every call by token class: CELL, feature, user, tokens, cost, `is_logged`; no web searches."""
    keys = ["call_index", "day", "account", "model", "tier", "feature", "user_id", "currency", "is_logged"]
    paid = truth.calls.filter(pl.col("cost").is_not_null())
    frames = [
        paid.select(
            *keys,
            pl.lit(name).alias("token_class"),
            pl.col(name).alias("tokens"),
            pl.col(name.removesuffix("_tokens") + "_cost").alias("cost"),
        ).filter(pl.col("tokens") > 0)
        for name in CLASSES
    ]
    return pl.concat(frames)


def token_rows(facts: Facts) -> pl.DataFrame:
    """The fact's rows that bill tokens by class."""
    return facts.rows.filter(
        (pl.col("cost_driver") == "inference")
        & pl.col("token_class").is_in(CLASSES)
        & pl.col("model").is_not_null()
    )


def _relative(attributed: str, true: str) -> pl.Expr:
    difference = (pl.col(attributed) - pl.col(true)).abs().cast(pl.Float64)
    return difference / pl.max_horizontal(pl.col(true).abs(), pl.lit(10**3)).cast(pl.Float64)


def _compare(attributed: pl.DataFrame, true: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    left = attributed.group_by(keys).agg(pl.col("effective").sum().alias("attributed"))
    right = true.group_by(keys).agg(pl.col("cost").sum().alias("true"))
    joined = left.join(right, on=keys, how="full", coalesce=True, nulls_equal=True)
    return joined.with_columns(pl.col("attributed", "true").fill_null(0)).with_columns(
        error=_relative("attributed", "true")
    )


def largest_error(compared: pl.DataFrame) -> float:
    """The largest `error` of a comparison. Raises ValueError where nothing was compared."""
    if compared.is_empty():
        raise ValueError("nothing was compared: the release or the answer key is empty")
    return float(compared.select(pl.col("error").max()).item())


def compare_direct(facts: Facts, truth: Truth) -> pl.DataFrame:
    """Per user × feature × day: what token charges cost by the fact and truly, and the relative `error`."""
    keys = ["day", "feature", "user_id", "currency"]
    return _compare(token_rows(facts), direct_costs(truth), keys).sort("error", descending=True)


def compare_direct_cells(facts: Facts, truth: Truth) -> pl.DataFrame:
    """The same by account, model, tier and class: where a difference comes from."""
    keys = [*CELL, "feature", "user_id"]
    return _compare(token_rows(facts), direct_costs(truth), keys).sort("error", descending=True)


def compare_searches(facts: Facts, truth: Truth) -> pl.DataFrame:
    """Per user × feature × day: what server-tool requests cost by the fact and truly."""
    rows = facts.rows.filter(
        (pl.col("provider") == "anthropic")
        & pl.col("token_class").is_null()
        & (pl.col("charge_category") != "Tax")
    )
    true = truth.calls.filter(pl.col("web_search_cost") > 0).with_columns(cost=pl.col("web_search_cost"))
    keys = ["day", "feature", "user_id", "currency"]
    return _compare(rows, true, keys).sort("error", descending=True)


def compare_pools(facts: Facts, truth: Truth) -> pl.DataFrame:
    """Per day, kind of pool, cloud and feature (capacity: and user): pool × use ÷ total, beside the fact."""
    used = truth.shares.with_columns(
        cost=pl.col("pool_cost").cast(pl.Float64)
        * (pl.col("busy_us") / pl.col("provisioned_us"))
        * (pl.col("used") / pl.col("total")),
    )
    true = used.group_by("day", "pool_kind", "cloud", "currency", "feature").agg(
        pl.col("cost").sum().round(0).cast(pl.Int64)
    )
    is_capacity = pl.col("method_id") == "capacity_seconds"
    is_egress = (pl.col("cost_driver") == "egress") & pl.col("traffic_kind").is_in(MEASURED_TRAFFIC)
    kind = (
        pl.when(is_capacity)
        .then(pl.lit("capacity"))
        .when(is_egress | (pl.col("cost_driver") == "monitoring"))
        .then(pl.col("cost_driver"))
    )
    rows = facts.rows.with_columns(
        pool_kind=kind,
        cloud=pl.col("provider").replace({"google": "gcp", "own hardware": "own"}),
    ).filter(
        pl.col("pool_kind").is_not_null()
        & (pl.col("charge_category") == "Usage")
        & ~pl.col("sku_meter").fill_null("").str.contains("TimedStorage")
        & ~pl.col("residual_reason").fill_null("").is_in(["idle_capacity", "unmeasured_capacity"])
    )
    keys = ["day", "pool_kind", "cloud", "currency", "feature"]
    return _compare(rows, true, keys).sort("error", descending=True)


def covered_cells(truth: Truth) -> pl.DataFrame:
    """Cells of which at least FULL_COVERAGE of the billed tokens stand in some log, by the truth."""
    cells = (
        direct_costs(truth)
        .group_by(CELL)
        .agg(
            pl.col("tokens").sum().alias("billed"), pl.col("tokens").filter("is_logged").sum().alias("logged")
        )
    )
    return cells.filter(pl.col("logged") >= FULL_COVERAGE * pl.col("billed")).select(CELL)


def measure_wape(facts: Facts, truth: Truth, dimension: str) -> float:
    """Weighted absolute error of `dimension` × day on the cells that are covered, nobody's cost aside."""
    cells = covered_cells(truth)
    attributed = (
        token_rows(facts).filter(pl.col("residual_reason").is_null()).join(cells, on=list(CELL), how="semi")
    )
    true = direct_costs(truth).join(cells, on=list(CELL), how="semi")
    compared = _compare(attributed, true, ["day", dimension, "currency"]).filter(
        pl.col(dimension).is_not_null()
    )
    total = compared["true"].sum()
    return float((compared["attributed"] - compared["true"]).abs().sum()) / float(total) if total else 0.0


def measure_residual(facts: Facts, truth: Truth) -> tuple[float, float, float]:
    """Relative error of the residual, its dollars and the truly unlogged dollars, of charges by the token."""
    is_missing = pl.col("residual_reason") == "unlogged_usage"
    rows = facts.rows.filter(is_missing & pl.col("token_class").is_in(CLASSES))
    residual = float(rows["effective"].sum()) / 1e12
    unlogged = direct_costs(truth).filter(~pl.col("is_logged"))
    true = float(unlogged["cost"].sum()) / 1e12
    return abs(residual - true) / max(true, 1e-9), residual, true


def measure_wrong_users(facts: Facts, truth: Truth) -> tuple[float, pl.DataFrame]:
    """Dollars that users pay beyond what they used of a model, tier and class on a day, above epsilon; and the cells.

    Accounts are not told apart: where no log states the account, a user's calls are paid from all that bill the model,
    at their price. A call whose clock was wrong around midnight may stand on the day that its log states: both are its
    own.
    """
    keys = ["day", "model", "tier", "token_class", "currency", "user_id"]
    rows = token_rows(facts).filter(pl.col("user_id").is_not_null())
    attributed = rows.group_by(keys).agg(pl.col("effective").sum().alias("attributed"))
    costs = direct_costs(truth).filter(pl.col("user_id").is_not_null())
    stated = truth.calls.select(
        "call_index", stated=(pl.col("started_at") + pl.duration(milliseconds="clock_skew_ms")).dt.date()
    )
    both = costs.join(stated, on="call_index")
    either = pl.concat(
        [
            both.drop("stated"),
            both.filter(pl.col("stated") != pl.col("day")).with_columns(day="stated").drop("stated"),
        ]
    )
    true = either.group_by(keys).agg(pl.col("cost").sum().alias("true"))
    joined = attributed.join(true, on=keys, how="left").with_columns(pl.col("true").fill_null(0))
    allowed = pl.col("true").cast(pl.Float64) * (1 + EPSILON_SHARE) + EPSILON_COST * 1e12
    beyond = joined.with_columns(beyond=pl.col("attributed").cast(pl.Float64) - allowed).filter(
        pl.col("beyond") > 0
    )
    return float(beyond["beyond"].sum()) / 1e12, beyond.sort("beyond", descending=True)


CAPACITY_FAMILIES = ("gpt-4.1-nano", "llama-3.1-8b")


def expected_tokens(truth: Truth) -> pl.DataFrame:
    """Tokens that logs hold, by model, class, and the feature and user that some log names: the logged truth.

    Models that are paid by the hour have no classes in the fact: their tokens are `input` and `output`.
    """
    told = truth.sightings.group_by("call_index").agg(pl.col("tells_feature", "tells_user").any())
    logged = truth.calls.join(told, on="call_index", how="inner")
    named = logged.with_columns(
        user_id=pl.when("tells_user").then("user_id"), feature=pl.when("tells_feature").then("feature")
    )
    tokens = named.unpivot(
        CLASSES, index=["model", "feature", "user_id"], variable_name="token_class", value_name="tokens"
    )
    wide = pl.when(pl.col("token_class") == "output_tokens").then(pl.lit("output")).otherwise(pl.lit("input"))
    is_capacity = pl.col("model").is_in(CAPACITY_FAMILIES)
    tokens = tokens.with_columns(token_class=pl.when(is_capacity).then(wide).otherwise(pl.col("token_class")))
    return tokens.group_by("model", "token_class", "feature", "user_id").agg(pl.col("tokens").sum())


def fact_tokens(facts: Facts) -> pl.DataFrame:
    """Tokens of the fact in the same shape. Cells of capacity name their model or are known by their resource."""
    rows = facts.rows.filter(pl.col("method_id") != "residual")
    classed = rows.filter(pl.col("token_class").is_in(CLASSES)).with_columns(
        tokens=pl.col("input_tokens").fill_null(0) + pl.col("output_tokens").fill_null(0)
    )
    is_ptu = pl.col("resource_id").fill_null("").str.contains("ptu")
    hourly = rows.filter(pl.col("method_id") == "capacity_seconds").with_columns(
        model=pl.when(is_ptu).then(pl.lit("gpt-4.1-nano")).otherwise(pl.lit("llama-3.1-8b"))
    )
    sides = [
        hourly.with_columns(token_class=pl.lit(side), tokens=pl.col(f"{side}_tokens").fill_null(0))
        for side in ("input", "output")
    ]
    keys = ["model", "token_class", "feature", "user_id"]
    return (
        pl.concat([classed, *sides], how="diagonal").group_by(keys).agg(pl.col("tokens").sum().cast(pl.Int64))
    )


def compare_tokens(facts: Facts, truth: Truth) -> pl.DataFrame:
    """Per model, class, feature and user: tokens of the fact beside the logged truth, those that differ."""
    keys = ["model", "token_class", "feature", "user_id"]
    joined = fact_tokens(facts).join(
        expected_tokens(truth).rename({"tokens": "logged"}),
        on=keys,
        how="full",
        coalesce=True,
        nulls_equal=True,
    )
    joined = joined.with_columns(pl.col("tokens", "logged").fill_null(0))
    joined = joined.with_columns(difference=pl.col("tokens") - pl.col("logged"))
    return joined.filter(pl.col("difference") != 0).sort(pl.col("difference").abs(), descending=True)


def measure_double_counted(facts: Facts, truth: Truth) -> int:
    """Tokens that the fact holds beyond those that were logged, by model and class over all owners."""
    keys = ["model", "token_class"]
    fact = fact_tokens(facts).group_by(keys).agg(pl.col("tokens").sum())
    true = expected_tokens(truth).group_by(keys).agg(pl.col("tokens").sum().alias("logged"))
    joined = fact.join(true, on=keys, how="full", coalesce=True, nulls_equal=True)
    beyond = pl.col("tokens").fill_null(0) - pl.col("logged").fill_null(0)
    return int(joined.select(pl.max_horizontal(beyond, pl.lit(0)).sum()).item())


def bill_difference(facts: Facts, truth: Truth) -> pl.DataFrame:
    """Per currency, all days: what the fact and the delivered bills differ by; every row must be 0."""
    fact = facts.rows.group_by("currency").agg(pl.col("billed").sum(), pl.col("effective").sum())
    bill = truth.bills.group_by("currency").agg(
        pl.col("billed").sum().alias("bill_billed"), pl.col("effective").sum().alias("bill_effective")
    )
    return fact.join(bill, on="currency", how="full", coalesce=True).with_columns(
        billed_difference=pl.col("billed") - pl.col("bill_billed"),
        effective_difference=pl.col("effective") - pl.col("bill_effective"),
    )


def sum_differences(compared: pl.DataFrame) -> float:
    """The absolute differences of `bill_difference`, in units of the currencies: 0 where the fact is the bill."""
    differences = compared.select(
        pl.col("billed_difference", "effective_difference").fill_null(10**12).abs().sum()
    )
    return float(sum(differences.row(0))) / 1e12
