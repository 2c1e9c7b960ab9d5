"""Rules for cost that nobody causes alone: which cost they take, and who pays for it.

What belongs here: the rows of `shared_costs:` with the checks that a single row allows. What must not: splitting,
which `models_sql/core/shared_weights.sql` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from pipelines.config.fields import Rate, Section, Text
from pipelines.config.problems import SEE_DOCS, Problem, render_choice
from pipelines.config.rows import CostDriver

TAG_KEYS = ("tenant", "customer", "team", "feature", "endpoint", "workflow", "environment")
"""Attribution keys that a tag of a bill line can hold and a rule can ask for; never a user."""


def _tag(value: str) -> str:
    key, sign, wanted = value.partition("=")
    if not sign or not key or not wanted:
        raise ValueError("must be `key=value`, such as team=platform")
    if key not in TAG_KEYS:
        raise ValueError(f"there is no attribution key {key!r}. {render_choice(key, TAG_KEYS, 'keys')}")
    return value


Tag = Annotated[str, Field(min_length=3), AfterValidator(_tag)]
"""An attribution key and its value, such as team=platform."""


class SharedCostMatch(Section):
    """Which cost a rule takes. All conditions given must hold; names are compared whole, whatever their case."""

    provider: Text | None = Field(
        default=None, description="The provider as `core.charges` names it, such as `aws`."
    )
    account: Text | None = Field(default=None, description="Id of the billing account or of the sub account.")
    service: Text | None = Field(default=None, description="FOCUS ServiceName.")
    charge_category: Literal["Usage", "Purchase", "Tax", "Credit", "Adjustment"] | None = Field(
        default=None, description="FOCUS ChargeCategory."
    )
    cost_driver: CostDriver | None = Field(default=None, description="What the line pays for.")
    tag: Tag | None = Field(default=None, description="A configured tag and its value, as `team=platform`.")

    @model_validator(mode="after")
    def _check_conditions(self) -> Self:
        if not any(value for _, value in self):
            raise ValueError("a rule without any condition would take every cost; give at least one")
        return self


class FollowedCost(Section):
    """Which cost a proportional or even split looks at, in the calendar month of the day that is split."""

    measure: Literal["effective_cost", "billed_cost", "list_cost"] = Field(
        default="effective_cost", description="Which of its costs weighs."
    )
    scope: Literal["bill", "account", "all"] = Field(
        default="bill",
        description="Cost of the same bill, of its same sub account, or of all bills (in the reporting currency).",
    )
    cost_driver: CostDriver | None = Field(default=None, description="Only cost of this driver.")
    teams: tuple[Text, ...] = Field(default=(), description="Only cost of these teams; empty: of anybody.")


class SharedCostTarget(Section):
    """Who pays a fixed part: a feature or a team."""

    feature: Text | None = Field(default=None, description="The feature that pays.")
    team: Text | None = Field(default=None, description="The team that pays.")
    percent: Annotated[Rate, Field(gt=0, le=100, decimal_places=4)] = Field(
        description="Its part in percent, with at most 4 decimals; the parts of a rule sum to 100."
    )

    @model_validator(mode="after")
    def _check_target(self) -> Self:
        if (self.feature is None) == (self.team is None):
            raise ValueError("name either a feature or a team")
        return self


class SharedCostRule(Section):
    """A rule for cost such as support and platform fees; of several that fit a cost the first holds.

    Cost that no rule takes stands under `no_owner`, or whatever its line says.
    """

    rule_id: Text = Field(description="Name of the rule; `core.cells.shared_cost_rule_id` shows it.")
    match: SharedCostMatch = Field(description="Which cost it takes.")
    split: Literal["proportional", "even", "fixed"] = Field(
        description="By what others cost, alike for all that cost anything, or by percentages."
    )
    by: FollowedCost = Field(
        default=FollowedCost(), description="The cost that `proportional` and `even` look at."
    )
    among: Literal["features", "teams", "owners"] = Field(
        default="features",
        description="Who shares: features, teams, or all owners down to users (`proportional` only).",
    )
    to: tuple[SharedCostTarget, ...] = Field(default=(), description="Who pays what, for `fixed` only.")

    @model_validator(mode="after")
    def _check_split(self) -> Self:
        if self.split != "fixed":
            if self.to:
                raise ValueError("`to` with percentages belongs to `split: fixed`")
            if self.split == "even" and self.among == "owners":
                raise ValueError("`split: even` is among features or teams: users do not share alike")
            return self
        if self.by != FollowedCost() or "among" in self.model_fields_set:
            raise ValueError("`by` and `among` have no meaning for `split: fixed`; name who pays under `to`")
        named = [(target.feature, target.team) for target in self.to]
        if len(set(named)) != len(named):
            raise ValueError("`to` names one of them twice")
        if (what := _describe_total([target.percent for target in self.to])) is not None:
            raise ValueError(what)
        return self


def _describe_total(percents: Sequence[Decimal]) -> str | None:
    """What is wrong with the parts of a fixed rule together; None when they sum to 100."""
    total = sum(percents, Decimal(0))
    return None if total == 100 else f"the percentages under `to` must sum to 100; they sum to {total}"


def check_shared_costs(raw: Any, problems: list[Problem]) -> None:
    """Add what only a whole rule, or all rules together, can get wrong, where something else in the file is wrong too.

    `raw` is `shared_costs:` as written. The model looks at a rule as a whole only after each key of it is right, so
    that a mistyped name would hide percentages that do not sum to 100, and a rule_id given twice.
    """
    first_use: dict[str, int] = {}
    for index, rule in enumerate(raw if isinstance(raw, list) else []):
        if not isinstance(rule, dict):
            continue
        rule_id = rule.get("rule_id")
        if isinstance(rule_id, str) and first_use.setdefault(rule_id, index) != index:
            what = f"says again what row [{first_use[rule_id]}] says: {rule_id}"
            problems.append(Problem(("shared_costs", index), what, "Keep one of the two rows."))
        percents = _read_percents(rule) if rule.get("split") == "fixed" else None
        what = None if percents is None else _describe_total(percents)
        place = ("shared_costs", index)
        if what is not None and (place, what) not in [(problem.path, problem.what) for problem in problems]:
            problems.append(Problem(place, what, SEE_DOCS))


def _read_percents(rule: dict[str, Any]) -> list[Decimal] | None:
    """The percentages of a rule as written; None when there is one that is no number, which is told by itself."""
    targets = rule.get("to")
    if not isinstance(targets, list) or not all(isinstance(target, dict) for target in targets):
        return None
    try:
        percents = [Decimal(str(target.get("percent"))) for target in targets]
    except InvalidOperation:
        return None
    return percents if all(percent.is_finite() for percent in percents) else None
