"""Bills that restate, over whole nights: the order of arrival does not show, all correction styles end alike, a bill
may go down to nothing, and two clouds at fault never touch the third."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.common.contract import LandingContext
from connectors.common.identity import Identity
from connectors.common.registry import land
from pipelines.config.load import load_config
from tests.integration.mini_company import LINE, Outcome, write_csv
from tests.integration.restating_company import NOW, Restating, changes, charge, write_restating

START = datetime(2026, 11, 20, 6)
FEW = settings(
    max_examples=2, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
"""Each example is two or three whole nights: a dozen would take minutes and prove little more."""

CENTS = st.integers(-500, 5000).map(lambda cents: f"{Decimal(cents) / 100:f}")
LINES = st.builds(
    charge,
    CENTS,
    st.integers(1, 9).map(str),
    st.integers(1, 5),
    ResourceId=st.sampled_from(["i-1", "i-2"]),
    SkuMeter=st.sampled_from(["BoxUsage", "DataTransfer-Out-Bytes"]),
    ChargeCategory=st.sampled_from(["Usage", "Usage", "Tax", "Credit"]),
)
SNAPSHOTS = st.lists(st.lists(LINES, min_size=1, max_size=6), min_size=2, max_size=4)

_HISTORY = frozenset({"core.restatements", "marts.restatements", "staging.restatements"})
_BY_CELL = (
    "select charge_date, service_name, cost_driver, charge_category, sum(billed_cost) as billed, "
    "sum(effective_cost) as effective from marts.cost_daily group by all having billed <> 0 or effective <> 0 "
    "order by all"
)


def tables_of(night: Outcome) -> dict[str, Any]:
    """The digests of every table of a release, and the rows of its history but for the names of runs."""
    manifest = json.loads((night.release / "manifest.json").read_text())
    found: dict[str, Any] = {
        name: [file["digest"] for part in relation["partitions"].values() for file in part["files"]]
        for name, relation in manifest["relations"].items()
        if relation["kind"] == "table" and name not in _HISTORY
    }
    assert found["core.charges"]
    return {**found, "history": night.query("select * from marts.restatements order by all")}


def land_all(company: Restating, now: datetime) -> None:
    """Land what lies there, and build nothing."""
    config = load_config(company.folder / "everycent.yml", environment={})
    context = LandingContext(config.home / "lake", now, Identity.switched_off(), {})
    for source in config.sources:
        assert not land(source, context).has_fault


@FEW
@given(snapshots=SNAPSHOTS, data=st.data())
def test_the_order_and_repetition_of_snapshots_do_not_show(
    snapshots: Sequence[Sequence[dict[str, str]]], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(snapshots))))
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        straight, shuffled = write_restating(Path(one)), write_restating(Path(two))
        for number, lines in enumerate(snapshots):
            straight.deliver("aws", START + timedelta(days=number), lines)
        for step, number in enumerate(order):
            shuffled.deliver("aws", START + timedelta(days=number), snapshots[number])
            for _ in range(data.draw(st.integers(1, 2))):
                land_all(shuffled, NOW - timedelta(hours=10 - step))
        expected = straight.night()
        assert expected.billed() == {"aws": sum(Decimal(line["BilledCost"]) for line in snapshots[-1])}
        assert tables_of(shuffled.night()) == tables_of(expected)


@dataclass(frozen=True)
class Fact:
    """What was used of a resource on a day."""

    cost: Decimal
    quantity: int


FACTS = st.dictionaries(
    st.tuples(
        st.integers(1, 4), st.sampled_from(["i-1", "i-2"]), st.sampled_from(["BoxUsage", "EBS:Volume"])
    ),
    st.builds(Fact, st.integers(1, 5000).map(lambda cents: Decimal(cents) / 100), st.integers(1, 50)),
    min_size=2,
    max_size=6,
)
Key = tuple[int, str, str]


def as_line(key: Key, fact: Fact, sign: int = 1, charge_class: str = "Correction") -> dict[str, str]:
    number, resource, meter = key
    cost, quantity = f"{sign * fact.cost:f}", str(sign * fact.quantity)
    return charge(cost, quantity, number, ResourceId=resource, SkuMeter=meter, ChargeClass=charge_class)


def build_styles(before: dict[Key, Fact], after: dict[Key, Fact]) -> dict[str, list[list[dict[str, str]]]]:
    """Two deliveries of the same truth in each of FOCUS's correction styles."""
    original = [as_line(key, fact, charge_class="") for key, fact in before.items()]
    changed = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    nothing = Fact(Decimal(0), 0)
    delta = []
    for key in changed:
        old, new = before.get(key, nothing), after.get(key, nothing)
        more = Fact(new.cost - old.cost, new.quantity - old.quantity)
        delta.append(as_line(key, more))
    reversal = [as_line(key, before[key], -1) for key in changed if key in before]
    entry = [as_line(key, after[key]) for key in changed if key in after]
    return {
        "replacement": [original, [as_line(key, fact, charge_class="") for key, fact in after.items()]],
        "delta": [original, delta],
        "ledger": [original, [*reversal, *entry]],
    }


@FEW
@given(before=FACTS, after=FACTS)
def test_all_correction_styles_end_in_the_same_totals(
    before: dict[Key, Fact], after: dict[Key, Fact]
) -> None:
    found = {}
    for style, deliveries in build_styles(before, after).items():
        with tempfile.TemporaryDirectory() as folder:
            mode = "replace" if style == "replacement" else "append"
            company = write_restating(Path(folder), {"bill": mode})
            for number, lines in enumerate(deliveries):
                if lines:
                    company.deliver("bill", START + timedelta(days=number), lines)
            night = company.night()
            changed = [row["change"] for row in changes(night)]
            found[style] = (night.query(_BY_CELL), sum(changed))
    assert found["replacement"][1] == sum(fact.cost for fact in after.values())
    assert found["delta"] == found["replacement"]
    assert found["ledger"] == found["replacement"]


def test_a_bill_may_go_down_to_nothing_and_come_back(tmp_path: Path) -> None:
    company = write_restating(tmp_path, {"aws": "replace", "azure": "replace"})
    other = {"BillingAccountId": "acct-azure", "InvoiceIssuerName": "Microsoft", "ProviderName": "Microsoft"}
    company.deliver("azure", START, [{**charge("4"), **other}])
    bill = tmp_path / "aws/bill.csv"
    seen: list[dict[str, Decimal]] = []
    told: list[Decimal] = []
    for number, costs in enumerate((["10", "5"], [], ["7"])):
        lines = [{**LINE, **charge(cost, ResourceId=f"i-{cost}")} for cost in costs]
        write_csv(bill, lines, {**LINE, "PricingQuantity": ""})
        moment = (START + timedelta(days=number)).timestamp()
        os.utime(bill, (moment, moment))
        night = company.night(NOW + timedelta(days=number))
        assert night.result.exit_code == 0
        seen.append(night.billed())
        told = [row["change"] for row in changes(night) if row["source"] == "aws"]
    assert seen == [{"aws": 15, "azure": 4}, {"azure": 4}, {"aws": 7, "azure": 4}]
    assert told == [Decimal(15), Decimal(-15), Decimal(7)]


def test_two_clouds_at_fault_never_touch_the_third(tmp_path: Path) -> None:
    company = write_restating(tmp_path, dict.fromkeys(("aws", "azure", "gcp"), "replace"))
    costs = {"aws": "10", "azure": "20", "gcp": "30"}

    def line(cloud: str, cost: str) -> dict[str, str]:
        return charge(cost, BillingAccountId=f"acct-{cloud}", InvoiceIssuerName=cloud, ProviderName=cloud)

    for cloud, cost in costs.items():
        company.deliver(cloud, START, [line(cloud, cost)])
    before = company.night()
    assert before.result.exit_code == 0
    assert before.billed() == {"aws": 10, "azure": 20, "gcp": 30}

    broken = company.deliver("aws", START + timedelta(days=1), [line("aws", "11")])
    broken.write_bytes(b"\x00\xff not a bill")
    (tmp_path / "azure").rename(tmp_path / "azure.gone")
    company.deliver("gcp", START + timedelta(days=1), [line("gcp", "33")])
    after = company.night(NOW + timedelta(days=1))
    assert after.result.exit_code == 2
    assert after.result.is_published
    assert {fault.split(":")[0] for fault in after.result.source_faults} == {"aws", "azure"}
    assert after.billed() == {"aws": 10, "azure": 20, "gcp": 33}
    kept = "select * from core.charges where bill_of_record <> 'gcp' order by charge_id"
    assert after.query(kept) == before.query(kept)

    broken.unlink()
    company.deliver("aws", START + timedelta(days=1), [line("aws", "11")])
    (tmp_path / "azure.gone").rename(tmp_path / "azure")
    healed = company.night(NOW + timedelta(days=2))
    assert healed.result.exit_code == 0
    assert healed.billed() == {"aws": 11, "azure": 20, "gcp": 33}
