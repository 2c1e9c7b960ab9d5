"""Settings of an `azure_cost_exports` source.

What belongs here: what the config may say about it. What must not: calling Azure.
"""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from connectors.common.azure_sign_in import AzureSignIn
from connectors.common.settings import SourceSettings
from connectors.common.stores.settings import StoreKind, StoreLocation, StoreOptions, parse_location

_SCOPE = re.compile(
    r"/?(subscriptions/[^/?#]+(/resourceGroups/[^/?#]+)?"
    r"|providers/Microsoft\.Billing/billingAccounts/[^/?#]+"
    r"(/(billingProfiles|invoiceSections|departments|enrollmentAccounts|customers)/[^/?#]+){0,2}"
    r"|providers/Microsoft\.Management/managementGroups/[^/?#]+)/?",
    re.IGNORECASE,
)

GROUP_COLUMNS: dict[str, str] = {
    "ChargeType": "ChargeType",
    "ConsumedService": "ConsumedService",
    "Meter": "MeterName",
    "MeterCategory": "MeterCategory",
    "MeterSubCategory": "MeterSubCategory",
    "PricingModel": "PricingModel",
    "PublisherType": "PublisherType",
    "ResourceGroup": "ResourceGroup",
    "ResourceGroupName": "ResourceGroup",
    "ResourceId": "ResourceId",
    "ResourceLocation": "ResourceLocation",
    "ServiceFamily": "ServiceFamily",
    "ServiceName": "MeterCategory",
    "SubscriptionId": "SubscriptionId",
    "SubscriptionName": "SubscriptionName",
}
"""Dimension of the query API → column of a cost file that says the same."""


class Settings(SourceSettings, StoreOptions, AzureSignIn):
    """A billing scope of Azure, or a place where its exports lie; `endpoint` and the `*_env` keys are the storage's."""

    connector: str = "azure_cost_exports"
    path: Literal["exports", "cost_details", "query"] = Field(
        default="exports",
        description=(
            "How the bill is read: files of Cost Management exports; reports requested each night (accounts without "
            "exports; not for resource groups or management groups); or coarse daily totals of the query API."
        ),
    )
    scope: str | None = Field(
        default=None,
        description=(
            "The scope whose bill it is: /subscriptions/ID[/resourceGroups/NAME], "
            "/providers/Microsoft.Billing/billingAccounts/ID[/billingProfiles/ID]. Needed unless a location is read."
        ),
    )
    exports: tuple[str, ...] = Field(
        default=(),
        description="Names of the exports to read; empty = all bills that the scope or location holds.",
    )
    location: StoreLocation | None = Field(
        default=None,
        description=(
            "Where the exports lie: az://ACCOUNT/CONTAINER/PREFIX (or a folder with a copy). "
            "Default: the destinations that the scope's exports name."
        ),
    )
    trigger: bool = Field(
        default=False, description="Run the named exports before reading; needs Cost Management Contributor."
    )
    backfill: bool = Field(
        default=False,
        description=(
            "Land older runs too, each as known when it was made. Only exports that create new files keep them."
        ),
    )
    budgets: bool = Field(default=False, description="Also read the scope's budgets.")
    months: int = Field(
        default=2,
        ge=1,
        le=13,
        description="cost_details and query: months to read, the current one included.",
    )
    group_by: tuple[str, ...] = Field(
        default=("MeterCategory", "Meter"),
        max_length=2,
        description=f"query: what a day's cost is grouped by, at most two of {', '.join(GROUP_COLUMNS)}.",
    )
    wait_seconds: int = Field(
        default=1800, ge=1, description="How long to wait for a triggered export or a requested report."
    )
    poll_seconds: float = Field(
        default=15, ge=0, description="Seconds between two looks at it, where Azure names none."
    )

    @field_validator("scope")
    @classmethod
    def _check_scope(cls, value: str | None) -> str | None:
        if value is not None and not _SCOPE.fullmatch(value):
            raise ValueError(
                "is no billing scope; write /subscriptions/ID, /subscriptions/ID/resourceGroups/NAME or "
                "/providers/Microsoft.Billing/billingAccounts/ID[/billingProfiles/ID]"
            )
        return None if value is None else "/" + value.strip("/")

    @field_validator("location")
    @classmethod
    def _check_location(cls, value: str | None) -> str | None:
        if value is not None and parse_location(value).kind not in (StoreKind.AZURE_BLOB, StoreKind.LOCAL):
            raise ValueError("Azure's exports lie in Azure storage: write az://ACCOUNT/CONTAINER/PREFIX")
        return value

    @field_validator("group_by")
    @classmethod
    def _check_groups(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in value if name not in GROUP_COLUMNS]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no dimension; choose of {', '.join(GROUP_COLUMNS)}")
        return value

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        needs_scope = [
            name
            for name, is_asked in (
                (f"path: {self.path}", self.path != "exports"),
                ("trigger", self.trigger),
                ("budgets", self.budgets),
            )
            if is_asked
        ]
        if self.scope is None and needs_scope:
            raise ValueError(f"{needs_scope[0]} needs `scope`")
        if self.scope is None and self.location is None:
            raise ValueError("state `scope`, `location` or both")
        if self.trigger and not self.exports:
            raise ValueError("trigger needs the names of the `exports` to run")
        return self
