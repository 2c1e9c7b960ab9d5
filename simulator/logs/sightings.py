"""Which call stands in which delivered log, and what that log says of its owner.

What belongs here: what the writers of this package write, row for row: `delivered` and the files come from the same
frames. What must not: which calls a log should have seen (`simulator.sightings` draws that), formats.
"""

from __future__ import annotations

import polars as pl

from simulator.world import World

EMITTERS = ("span", "gateway", "provider_log")


def has_provider_id() -> pl.Expr:
    """Whether the provider answered: a throttled attempt has no id of the provider's."""
    return pl.col("provider_request_id").is_not_null()


def find_span_calls(world: World) -> pl.LazyFrame:
    """Calls with a span of their own. The gateway retries by itself: its failed attempts are in its own log only."""
    is_gateways = pl.col("in_gateway") & ~has_provider_id()
    return world.calls.lazy().filter(pl.col("in_span") & ~is_gateways)


def find_gateway_calls(world: World) -> pl.LazyFrame:
    """Calls that the gateway wrote down."""
    return world.calls.lazy().filter("in_gateway")


def find_provider_calls(world: World, provider: str) -> pl.LazyFrame:
    """Calls that the cloud `provider` wrote into its own request log."""
    return world.calls.lazy().filter(pl.col("in_provider_log") & (pl.col("provider") == provider))


def delivered(world: World) -> pl.DataFrame:
    """One row a call and kind of log that holds it.

    Columns: `call_index`, `emitter` (EMITTERS), `copies` (how often it stands there), `tells_feature` and `tells_user`:
    whether that log, with the spans around the call that were delivered, says whose it was.
    """
    told_roots = (
        world.spans.lazy()
        .filter((pl.col("kind") == "server") & pl.col("in_span"))
        .select("trace_id", has_root=pl.lit(value=True))
    )
    spans = find_span_calls(world).join(told_roots, on="trace_id", how="left", maintain_order="left")
    knows = pl.col("has_identity_everywhere") | pl.col("has_root").fill_null(value=False)
    parts = [
        _sighting(spans, "span", "span_copies", knows),
        _sighting(find_gateway_calls(world), "gateway", "gateway_copies", pl.lit(value=True)),
        _sighting(
            world.calls.lazy().filter("in_provider_log"),
            "provider_log",
            "provider_log_copies",
            pl.lit(value=True),
        ),
    ]
    return pl.concat(parts).sort("call_index", "emitter").collect()


def _sighting(calls: pl.LazyFrame, emitter: str, copies: str, knows: pl.Expr) -> pl.LazyFrame:
    return calls.select(
        "call_index",
        pl.lit(emitter).alias("emitter"),
        pl.col(copies).alias("copies"),
        (knows & pl.col("feature").is_not_null()).alias("tells_feature"),
        (knows & pl.col("user_id_as_logged").is_not_null()).alias("tells_user"),
    )


def repeat_copies(frame: pl.DataFrame, copies: str) -> pl.DataFrame:
    """Each row as often as the column `copies` says: an exporter that was not answered sends again."""
    again = frame.filter(pl.col(copies) > 1)
    return pl.concat([frame, again]) if len(again) else frame
