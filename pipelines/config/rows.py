"""The tables that may stand inside the config: one model a row.

What belongs here: budgets, prices, rates, aliases and classification rules, typed, with the checks that a
single row allows. What must not: reading files of such rows (a connector does that).
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Literal, Self

from pydantic import Field, model_validator

from connectors.common.dataset_types import TrafficKind
from pipelines.config.fields import (
    ConfigPath,
    Currency,
    FxRateNumber,
    Moment,
    Money,
    Pattern,
    Rate,
    Section,
    Text,
)

TokenClass = Literal[
    "uncached_input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
]
CostDriver = Literal[
    "inference",
    "training",
    "egress",
    "monitoring",
    "retrieval",
    "storage",
    "database",
    "compute",
    "networking",
    "security",
    "platform",
    "support",
    "other",
]


class BudgetRow(Section):
    """What may be spent in a period by whatever the row names; a key left out means any."""

    budget_id: Text = Field(description="Name of the budget.")
    parent_id: Text | None = Field(default=None, description="The budget that this one is part of.")
    owner: Text | None = Field(default=None, description="Who answers for it.")
    feature: Text | None = Field(default=None, description="Only this feature.")
    team: Text | None = Field(default=None, description="Only this team.")
    environment: Text | None = Field(default=None, description="Only this environment.")
    cost_driver: CostDriver | None = Field(default=None, description="Only this cost driver.")
    period_start: date = Field(description="First day.")
    period_end: date = Field(description="The day after the last day.")
    amount: Money = Field(ge=0, description="The amount.")
    currency: Currency = Field(description="Its currency.")
    measure: Literal["effective_cost", "billed_cost", "list_cost"] = Field(
        default="effective_cost", description="Which cost counts against it."
    )

    @model_validator(mode="after")
    def _check_period(self) -> Self:
        if self.period_end <= self.period_start:
            raise ValueError(
                "period_end is the day after the last day, so it must be later than period_start"
            )
        return self


class PriceOverride(Section):
    """A price that holds for you instead of the price book's."""

    provider: Text = Field(
        description="Provider as OpenTelemetry names it, such as `openai` or `aws.bedrock`."
    )
    model: Text = Field(description="Model as the price book names it.")
    token_class: TokenClass = Field(description="The token class that it prices.")
    service_tier: Text = Field(default="standard", description="The tier that it prices.")
    valid_from: Moment | None = Field(default=None, description="From this moment (UTC); left out: always.")
    valid_to: Moment | None = Field(default=None, description="Before this moment (UTC); left out: still.")
    price_per_mtok: Rate = Field(description="Price of a million tokens.")
    currency: Currency = Field(default="USD", description="Its currency.")
    region_id: Text | None = Field(
        default=None, description="Only requests of this region, as logs name it; left out: any."
    )
    published_at: Moment | None = Field(
        default=None,
        description="When it became known (UTC): calls before keep their price. Left out: `valid_from`.",
    )
    wrong_from_start: bool = Field(
        default=False,
        description="The price known before was never right: past requests are priced again, visibly.",
    )

    @model_validator(mode="after")
    def _check_validity(self) -> Self:
        _check_moments(self.valid_from, self.valid_to)
        return self


class PriceContract(Section):
    """A percentage that a contract takes off a provider's list prices, for as long as it runs."""

    name: Text = Field(description="Name of the contract, shown with each price that it sets.")
    provider: Text = Field(
        description="Provider as OpenTelemetry names it, such as `openai` or `aws.bedrock`."
    )
    model: Text | None = Field(
        default=None, description="Only this model, as the price book names it; left out: all."
    )
    token_class: TokenClass | None = Field(default=None, description="Only this token class; left out: all.")
    service_tier: Text | None = Field(default=None, description="Only this tier; left out: all.")
    discount_pct: Rate = Field(le=100, description="Percent off the list price, 0 to 100.")
    valid_from: Moment | None = Field(default=None, description="From this moment (UTC); left out: always.")
    valid_to: Moment | None = Field(default=None, description="Before this moment (UTC); left out: still.")
    published_at: Moment | None = Field(
        default=None,
        description="When it became known (UTC): calls before keep their price. Left out: `valid_from`.",
    )
    wrong_from_start: bool = Field(
        default=False,
        description="It held from its first day, though it is told of only now: past requests are priced again.",
    )

    @model_validator(mode="after")
    def _check_validity(self) -> Self:
        _check_moments(self.valid_from, self.valid_to)
        return self


class PriceListFile(Section):
    """A price list of a cloud, saved as it was delivered."""

    path: ConfigPath = Field(description="The file.")
    format: Literal["aws_price_list", "azure_retail_prices"] = Field(
        description="An AWS offer file of Bedrock (JSON or CSV), or saved pages of the Azure Retail Prices API."
    )
    deployment: Literal["global", "data_zone", "regional"] = Field(
        default="global", description="Azure only: the type of your deployments, which decides the meter."
    )
    published_at: Moment | None = Field(
        default=None, description="When the list was published (UTC); left out: as the file itself says."
    )


def _check_moments(valid_from: datetime | None, valid_to: datetime | None) -> None:
    if valid_from and valid_to and valid_to <= valid_from:
        raise ValueError("valid_to must be later than valid_from")
    if any(moment.second or moment.microsecond for moment in (valid_from, valid_to) if moment):
        raise ValueError("prices change at whole minutes: state valid_from and valid_to without seconds")


class FxRate(Section):
    """The exchange rate of one day."""

    from_currency: Currency = Field(description="The currency of the bill.")
    to_currency: Currency = Field(description="The reporting currency.")
    rate_date: date = Field(description="The day.")
    rate: FxRateNumber = Field(description="Units of `to_currency` for one of `from_currency`.")


class ModelAlias(Section):
    """Another name of a model."""

    alias: Text = Field(description="The name as a bill, gateway or log writes it.")
    provider: Text = Field(
        description="The provider that the bill or log names, as the price book writes it (`aws`, `azure`, `openai`)."
    )
    model: Text = Field(
        description="The model's name in the price book; a model of another provider as `anthropic/claude-sonnet-4-5`."
    )


class ClassificationRule(Section):
    """What a bill line pays for. All conditions given must hold; patterns search lower-case text.

    Rules are tried in the order of the list, before the shipped ones in `models_sql/reference/`.
    """

    rule_id: Text = Field(description="Name of the rule; `core.charges.rule_id` shows it.")
    charge_category: Literal["Usage", "Purchase", "Tax", "Credit", "Adjustment"] | None = Field(
        default=None, description="Condition: the FOCUS ChargeCategory."
    )
    provider_pattern: Pattern | None = Field(
        default=None, description="Condition: pattern on the provider's name."
    )
    service_pattern: Pattern | None = Field(default=None, description="Condition: pattern on ServiceName.")
    category_pattern: Pattern | None = Field(
        default=None, description="Condition: pattern on `service category/subcategory`."
    )
    operation_pattern: Pattern | None = Field(
        default=None, description="Condition: pattern on the operation, as AWS bills state it."
    )
    meter_pattern: Pattern | None = Field(
        default=None,
        description="Condition: pattern on SkuMeter, ChargeDescription, meter group and instance type.",
    )
    account_pattern: Pattern | None = Field(
        default=None, description="Condition: pattern on `billing account sub account`, by id."
    )
    resource_pattern: Pattern | None = Field(default=None, description="Condition: pattern on ResourceId.")
    tag_pattern: Pattern | None = Field(
        default=None,
        description="Condition: pattern on the configured tags, written `tenant=… customer=… team=… feature=… "
        "endpoint=… workflow=… environment=… ` in this order, empty where a line has none.",
    )
    cost_driver: CostDriver = Field(description="What such lines pay for.")
    traffic_kind: TrafficKind | None = Field(
        default=None, description="Which way the bytes went, for egress."
    )
    token_class: TokenClass | None = Field(
        default=None, description="Which tokens such lines bill, for inference."
    )
    service_tier: Text | None = Field(default=None, description="Which tier such lines bill, for inference.")
    model_pattern: Pattern | None = Field(
        default=None,
        description="Finds the model in SkuMeter and ChargeDescription: its first group is the name.",
    )
    reason: Text = Field(
        default="A rule of the config, which comes before all shipped ones.",
        description="Why the rule says so; `everycent explain` shows it.",
    )

    @model_validator(mode="after")
    def _check_conditions(self) -> Self:
        conditions = (
            self.charge_category,
            self.provider_pattern,
            self.service_pattern,
            self.category_pattern,
            self.operation_pattern,
            self.meter_pattern,
            self.account_pattern,
            self.resource_pattern,
            self.tag_pattern,
        )
        if not any(conditions):
            raise ValueError("a rule without any condition would take every line; give at least one")
        if self.model_pattern and re.compile(self.model_pattern).groups < 1:
            raise ValueError("model_pattern needs a group ( ) around the model's name")
        return self
