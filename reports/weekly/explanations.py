"""What the warehouse's code words mean, in plain words for a reader who never saw a table.

What belongs here: fixed texts by code word. What must not: numbers, HTML.
"""

from __future__ import annotations

RESIDUAL_REASONS = {
    "unlogged_usage": "The provider billed more usage than the logs hold: some caller is not logged.",
    "idle_capacity": "Reserved or provisioned capacity was paid for while no request was running on it.",
    "unmeasured_capacity": "Capacity was paid for in time for which nobody measured whether a request was running.",
    "unused_commitment": "A commitment (reservation, savings plan) was paid for and not used.",
    "unknown_workload": "The cost belongs to a resource or address that no workload list names.",
    "no_owner": "The charge carries no tag and matches no log, so nothing says whose it is.",
    "unpriced": "Usage with no known price: its model or meter is not in the price book.",
    "tax": "Tax that no taxed charge of the same invoice explains.",
    "credit": "A credit or refund that names no charge it belongs to. It lowers the total.",
    "over_logged": "The logs hold more usage than was billed.",
    "no_logs": "No request, transfer or telemetry log covers this charge on this day.",
    "no_transfers": "Network traffic was billed, but no transfer record says from where to where.",
    "no_telemetry": "Monitoring was billed, but no record says which workload sent the data.",
    "unknown_model": "The bill names a model that no alias maps to a known one.",
    "negative_pool": "Credits exceed the charges they would be shared with, so nothing was shared.",
    "shared_cost": "Support, platform fees and the like: no rule says how to share them.",
    "rounding": "What is left by rounding at the twelfth decimal.",
}
UNKNOWN_REASON = "The release gives this reason; the report has no longer description for it."

EVIDENCE = {
    "billed": "stands on the bill: for an owner (tag or resource), or as an amount that nobody is named for",
    "allocated": "a bill line split by logged use",
    "priced": "logged use at list price, until the bill arrives",
    "assumed": "split or estimated, with nothing that proves it",
}

RECONCILIATION_CAUSES = {
    "bypass": "calls under a key, role or account that never logs: they go around the gateway",
    "unlogged": "billed, but not in the logs: aborted, sampled or lost calls",
    "over_logged": "the logs hold more than the bill: calls logged twice, or of another organization",
    "cache_class": "the logs count as new what the provider read from its cache, or the reverse",
    "tier": "the logs name another service tier than the bill",
    "timing": "calls near midnight, or a day not fully billed yet",
    "price_version": "the bill's list price is not the price book's",
    "discount": "paid less or more than the bill's own list price",
    "commitment": "paid for in advance, or a payment in advance",
    "fx": "the bill's exchange rate is not ours",
    "rounding": "within the rounding of the vendor's units",
    "credits": "credits and refunds",
    "tax": "tax",
    "capacity": "paid by the hour, not by the token",
    "other_units": "not sold by the token: searches, storage, guardrails",
    "mixed_classes": "a bill line that names no token class, against its model as a whole",
    "not_priced": "the price book has no price, so nothing can be compared",
    "logged_without_bill": "in the logs, but on no bill that has arrived",
    "counted_without_bill": "counted by the provider, on no bill and in no log",
    "retries": "second and later attempts: on the bill and in the logs, no difference",
    "failed_attempts": "failed attempts that used tokens: on the bill and in the logs, no difference",
    "unexplained": "what is left after the other causes",
}


def explain_residual(reason: str | None) -> str:
    """Return one or two plain sentences on why money has no owner."""
    return RESIDUAL_REASONS.get(reason or "", UNKNOWN_REASON)
