"""Nobody pays for calls of another account, region, tier or length of prompt: random bills made of random calls.

What belongs here: bills of known calls at known prices, and what each user must pay of each line.
What must not: conservation over bills that say anything at all (`test_allocation`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sql.chain import Chain, Inputs
from tests.sql.small_bill import ALIASES, COMPLETE, NOVEMBER, call, tokens

ACCOUNTS = ("111111111111", "222222222222")
REGIONS = ("us-east-1", "eu-west-1")
TIERS = ("standard", "batch")
CLASSES = {"uncached_input_tokens": "input-tokens", "output_tokens": "output-tokens"}
LONG = 200_001
UNIT = Decimal("1e-12")
EPSILON = Decimal("0.0005")

some = settings(max_examples=5, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


@dataclass(frozen=True)
class Used:
    """A call as drawn; `is_logged` false is one that went past every log."""

    user: str
    account: str
    region: str
    tier: str
    prompt: int
    answer: int
    is_logged: bool

    @property
    def place(self) -> tuple[str, str, str, bool]:
        """What its price depends on."""
        return self.account, self.region, self.tier, self.prompt >= LONG


_CALLS = st.builds(
    Used,
    st.sampled_from(["ann", "bob", "cyd"]),
    st.sampled_from(ACCOUNTS),
    st.sampled_from(REGIONS),
    st.sampled_from(TIERS),
    st.sampled_from([1, 7, 1_000, LONG - 1, LONG, 1_000_003]),
    st.integers(1, 10**9),
    st.just(True),
)
_BYPASS = st.builds(lambda used, logged: Used(**{**vars(used), "is_logged": logged}), _CALLS, st.booleans())

Key = tuple[tuple[str, str, str, bool], str]


@some
@given(st.lists(_CALLS, min_size=2, max_size=40))
def test_with_complete_logs_everybody_pays_for_their_own_tokens(calls: list[Used]) -> None:
    """Tokens × unit price, to the last digit but one, whatever the others' prices are."""
    quantities, paid = _quantities(calls), _paid(calls)
    assert {key for key, _ in paid} == set(quantities)
    for key, by_user in quantities.items():
        for user, count in by_user.items():
            with localcontext(prec=60):
                assert abs(paid.pop((key, user)) - count * _price(key)) <= UNIT, (key, user)
    assert not paid, "somebody pays who did not call"


@some
@given(st.lists(_BYPASS, min_size=2, max_size=40))
def test_what_no_log_holds_is_nobodys_in_its_own_place_alone(calls: list[Used]) -> None:
    """Gaps of one place stay there: what is missing of a line is a residual of that line, by its own tokens."""
    logged = _quantities(used for used in calls if used.is_logged)
    paid = _paid(calls)
    for key, by_user in _quantities(calls).items():
        billed, known = sum(by_user.values()), logged.get(key, {})
        missing = billed - sum(known.values())
        with localcontext(prec=60):
            if known and Decimal(missing) / billed <= EPSILON:
                assert (key, "unlogged_usage") not in paid
            elif missing:
                assert abs(paid.pop((key, "unlogged_usage")) - missing * _price(key)) <= UNIT
                assert all(
                    abs(paid[key, user] - count * _price(key)) <= UNIT for user, count in known.items()
                )
        assert {who for found, who in paid if found == key} == set(known)


def _quantities(calls: Iterable[Used]) -> dict[Key, dict[str, int]]:
    found: dict[Key, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for used in calls:
        found[used.place, "uncached_input_tokens"][used.user] += used.prompt
        found[used.place, "output_tokens"][used.user] += used.answer
    return found


def _price(key: Key) -> Decimal:
    """A price of one token that no other place has."""
    (account, region, tier, is_long), token_class = key
    place = (
        ACCOUNTS.index(account) + 2 * REGIONS.index(region) + 4 * TIERS.index(tier) + 8 * is_long
    ) * 2 + sorted(CLASSES).index(token_class)
    return Decimal("0.000001") * (3**place % 1009)


def _meter(key: Key) -> str:
    (_, _, tier, is_long), token_class = key
    ends = ["long-context"] * is_long + ["batch"] * (tier == "batch")
    return "-".join(["USE1-Claude4.5Sonnet", CLASSES[token_class], *ends])


def _paid(calls: list[Used]) -> dict[tuple[Key, str], Decimal]:
    """What each user, or residual, pays of each line: place and class → cost."""
    charges, keys = [], {}
    for number, (key, by_user) in enumerate(_quantities(calls).items()):
        (account, region, _, _), _ = key
        count = sum(by_user.values())
        meter = _meter(key)
        keys[account, region, meter] = key
        charges.append(
            tokens(
                str(number),
                str(count * _price(key)),
                count,
                sku_meter=meter,
                sub_account_id=account,
                region_id=region,
            )
        )
    requests = [
        call(
            used.user,
            used.prompt,
            number,
            output_tokens=used.answer,
            sub_account_id=used.account,
            region_id=used.region,
            service_tier=used.tier,
        )
        for number, used in enumerate(calls)
        if used.is_logged
    ]
    found = _run({"charges": charges, "requests": requests, "model_aliases": list(ALIASES)})
    paid: dict[tuple[Key, str], Decimal] = defaultdict(Decimal)
    for row in found:
        key = keys[row["sub_account_id"], row["region_id"], row["sku_meter"]]
        paid[key, row["residual_reason"] or row["user_id"]] += row["effective_cost"]
    return paid


def _run(lake: Mapping[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    delivery = {
        "source": "bill",
        "billing_account_id": "payer",
        "billing_period_start": datetime(2026, 11, 1),
        "snapshot_id": "s1",
        "delivered_at": COMPLETE + timedelta(days=1),
        "watermark_at": COMPLETE,
    }
    with Chain(Inputs(lake, [delivery]), NOVEMBER, ("core.direct_costs", "core.direct_owners")) as chain:
        assert not chain.failed_checks()
        return chain.rows(
            "select cells.sub_account_id, cells.region_id, cells.sku_meter, f.residual_reason, owners.user_id, "
            "f.effective_cost from core.direct_costs as f "
            "inner join core.cells as cells using (charge_date, cell_id) "
            "left join core.direct_owners as owners on f.charge_date = owners.charge_date "
            "and f.owner_id = owners.owner_id"
        )
