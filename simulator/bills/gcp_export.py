"""How Google writes lines: the detailed billing export, a folder of JSON lines a day of export; rows are only added.

What belongs here: fields of the export and its folders. What must not: what is billed (`gcp`).
"""

from __future__ import annotations

import gzip
import os
from datetime import UTC
from hashlib import sha256
from pathlib import Path

import polars as pl

from simulator.bills.exact import write_decimal
from simulator.company import ACCOUNTS, GCP_BILLING_ACCOUNT

SERVICE_IDS = {
    "Vertex AI": "C7E2-9256-1C43",
    "Compute Engine": "6F81-5844-456A",
    "Cloud Logging": "5490-F7B7-8DF6",
    "Cloud SQL": "9662-B51E-5089",
    "Invoice": "",
}


def _text(name: str, value: pl.Expr) -> pl.Expr:
    """A field with a text; null leaves it out. Values hold nothing that JSON escapes."""
    return pl.when(value.is_not_null()).then(pl.format('"{}":"{}"', pl.lit(name), value))


def _number(name: str, value: pl.Expr) -> pl.Expr:
    return pl.when(value.is_not_null()).then(pl.format('"{}":{}', pl.lit(name), value))


def _record(name: str, *fields: pl.Expr) -> pl.Expr:
    return pl.concat_str(pl.lit(f'"{name}":'), _braces(*fields))


def _braces(*fields: pl.Expr) -> pl.Expr:
    return pl.concat_str(pl.lit("{"), pl.concat_str(*fields, separator=",", ignore_nulls=True), pl.lit("}"))


def _number_skus(lines: pl.DataFrame) -> dict[str, str]:
    """Each SKU's id, three groups of four digits as Google has them."""
    digests = {sku: sha256(sku.encode()).hexdigest().upper() for sku in lines["meter"].unique()}
    return {sku: f"{text[:4]}-{text[4:8]}-{text[8:12]}" for sku, text in digests.items()}


def render(lines: pl.DataFrame) -> pl.Series:
    """Return one JSON object a line: what it costs, and its credits (discounts are in the cost)."""
    project = ACCOUNTS["gcp_production"]
    moment = "%Y-%m-%d %H:%M:%S UTC"
    begin = pl.col("day").cast(pl.Datetime("us"))
    finish = (pl.col("day") + pl.duration(days=pl.col("days"))).cast(pl.Datetime("us"))
    is_priced = pl.col("quantity").is_not_null()
    object_ = _braces(
        _text("billing_account_id", pl.lit(GCP_BILLING_ACCOUNT)),
        _record("invoice", _text("month", pl.col("day").dt.strftime("%Y%m"))),
        _text("cost_type", pl.col("kind").replace_strict({"usage": "regular", "tax": "tax"})),
        _record(
            "service",
            _text("id", pl.col("service").replace_strict(SERVICE_IDS)),
            _text("description", pl.col("service")),
        ),
        _record(
            "sku",
            _text("id", pl.col("meter").replace_strict(_number_skus(lines))),
            _text("description", pl.col("meter")),
        ),
        _text("usage_start_time", begin.dt.strftime(moment)),
        _text("usage_end_time", finish.dt.strftime(moment)),
        pl.when(pl.col("account").is_not_null()).then(
            _record(
                "project",
                _text("id", pl.lit(project.account_id)),
                _text("number", pl.lit("417902663118")),
                _text("name", pl.lit(project.name)),
            )
        ),
        _number("labels", pl.col("tags").fill_null("[]")),
        pl.when(pl.col("region").is_not_null()).then(
            _record(
                "location",
                _text("location", pl.col("region")),
                _text("country", pl.lit("US")),
                _text("region", pl.col("region")),
                _text("zone", pl.col("zone")),
            )
        ),
        pl.when(pl.col("resource").is_not_null()).then(
            _record("resource", _text("name", pl.col("resource")), _text("global_name", pl.col("resource")))
        ),
        _number("cost", write_decimal("billed")),
        _text("currency", pl.col("currency")),
        _number("currency_conversion_rate", pl.lit("1")),
        pl.when(is_priced).then(
            _record(
                "usage",
                _number("amount", write_decimal("quantity", "digits")),
                _text("unit", pl.col("unit")),
                _number("amount_in_pricing_units", write_decimal("quantity", "digits")),
                _text("pricing_unit", pl.col("unit")),
            )
        ),
        pl.when(is_priced).then(
            _record(
                "price",
                _number("list_price", write_decimal("list_price")),
                _number("effective_price", write_decimal("price")),
                _text("unit", pl.col("unit")),
            )
        ),
        _number("cost_at_list", write_decimal("list_cost")),
        _number("cost_at_effective_price_default", write_decimal("billed")),
        _number("credits", pl.col("principal").fill_null("[]")),
        _text("export_time", pl.col("known_at").dt.strftime(moment)),
        _text("transaction_type", pl.lit("GOOGLE")),
    )
    return lines.select(object_.alias("row"))["row"]


def write_exports(root: Path, lines: pl.DataFrame) -> None:
    """Write a folder a day of export, each shard with the time at which its newest row was exported."""
    exported = lines.with_columns(pl.col("known_at").dt.date().alias("export_day"))
    for (day,), part in exported.partition_by("export_day", as_dict=True, include_key=True).items():
        newest = max(part["known_at"])
        folder = root / str(day)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "000000000000.json.gz"
        body = "\n".join(render(part)) + "\n"
        path.write_bytes(gzip.compress(body.encode(), 6, mtime=0))
        seconds = newest.replace(tzinfo=UTC).timestamp()
        os.utime(path, (seconds, seconds))
