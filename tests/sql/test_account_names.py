"""Names of accounts: the bill's own, else what an inventory of the same provider knows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sql.small_bill import line, run

NAMES = "billing_account_id, billing_account_name, sub_account_id, sub_account_name, count(*)"
GROUP = "billing_account_id, billing_account_name, sub_account_id, sub_account_name"


def account(
    account_id: str, name: str | None, provider: str = "aws", source: str = "inventory"
) -> dict[str, Any]:
    """An account as an inventory lists it."""
    return {
        "x_source": source,
        "x_snapshot_id": "s1",
        "provider": provider,
        "account_id": account_id,
        "account_name": name,
    }


ACCOUNTS = [
    account("payer", "Company"),
    account("111", "Shop"),
    account("111", None, source="another"),
    account("111", "Zoo", source="another"),
    account("222", "Search"),
    account("333", None),
    account("111", "a project of that number", provider="google"),
    account("00AA-bb", "Platform", provider="azure"),
    account("00aa-BB", "Second", provider="azure"),
]


def test_an_inventory_names_what_the_bill_does_not() -> None:
    """One name an account, of the bill's own provider; the bill's own name counts, and no line is doubled."""
    lines = [
        line("own", sub_account_name="as billed", billing_account_name="also"),
        line("known"),
        line("known too", sub_account_id="222"),
        line("unnamed", sub_account_id="333"),
        line("unknown", sub_account_id="444"),
        line("none", sub_account_id=None),
    ]
    assert run("core.charge_parts", NAMES, group=GROUP, charges=lines, accounts=ACCOUNTS) == [
        ("payer", "Company", "111", "Shop", 1),
        ("payer", "Company", "222", "Search", 1),
        ("payer", "Company", "333", None, 1),
        ("payer", "Company", "444", None, 1),
        ("payer", "Company", None, None, 1),
        ("payer", "also", "111", "as billed", 1),
    ]


@pytest.mark.parametrize("spelling", ["00aa-bb", "00AA-BB", "/subscriptions/00aa-bb"])
def test_azure_spells_a_subscription_as_it_likes(spelling: str) -> None:
    bill = line(service_provider_name="Microsoft", service_name="Virtual Machines", sub_account_id=spelling)
    found = run("core.charge_parts", NAMES, group=GROUP, charges=[bill], accounts=ACCOUNTS)
    assert found == [("payer", None, spelling, "Platform", 1)]


@pytest.mark.parametrize("version", ["1_2", "1_3", "1_4"])
def test_exports_give_the_names(version: str) -> None:
    names = '"BillingAccountName", "SubAccountName"'
    assert run(f"exports.focus_{version}", names, charges=[line()], accounts=ACCOUNTS) == [
        ("Company", "Shop")
    ]
