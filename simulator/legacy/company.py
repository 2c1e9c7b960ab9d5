"""Who exists: tenants, users, accounts, zones, features, services and models of the sample company.

What belongs here: facts about the company that never change during a run. What must not: what
happens on a day (`behaviour`), what it costs (`bills_aws`, `bills_azure`).
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, datetime, timedelta

COMPANY = "Quillworks"
USERS_COUNT = 150
SPIKE_DAYS_BEFORE_END = 5

TENANTS = (
    "fjordbank",
    "northline-rail",
    "harbour-health",
    "larkspur-retail",
    "tidewater-energy",
    "cobalt-legal",
)
TENANT_WEIGHTS = (30, 22, 18, 14, 10, 6)

GIVEN_NAMES = tuple(
    """
    mara jonas aisha tomas ingrid kofi yuki elena samir greta noah priya luca hanna omar clara ivan zoe
    pablo nadia felix amara emil sofia dario
    """.split()
)
FAMILY_NAMES = tuple(
    """
    lindqvist okafor moreau tanaka novak haddad berger silva kowalski iyer jensen marino petrov diallo
    walsh
    """.split()
)


@dataclass(frozen=True)
class User:
    """A person who uses the product; `user_id` is the id that the application logs."""

    user_id: str
    tenant: str
    weight: float


@dataclass(frozen=True)
class Account:
    """A cloud account or subscription, and the environment that it serves."""

    account_id: str
    name: str
    environment: str


@dataclass(frozen=True)
class Zone:
    """An availability zone as one account names it, and the provider's own id of it."""

    provider: str
    account: Account
    name: str
    zone_id: str
    region: str


@dataclass(frozen=True)
class Model:
    """A model as its cloud names it in responses."""

    key: str
    provider: str
    response_model: str
    request_model: str
    has_cache_writes: bool


@dataclass(frozen=True)
class Period:
    """The days of a run: `start` .. `end`, both inclusive."""

    start: date
    end: date

    @property
    def days(self) -> list[date]:
        """Every day of the run in order."""
        return [self.start + timedelta(days=offset) for offset in range((self.end - self.start).days + 1)]

    @property
    def months(self) -> list[date]:
        """First day of every month that the run touches."""
        return sorted({day.replace(day=1) for day in self.days})

    @property
    def spike_start(self) -> date:
        """First day of the retry loop in `code_review`."""
        return self.end - timedelta(days=SPIKE_DAYS_BEFORE_END)


def next_month(month: date) -> date:
    """First day of the month after `month`."""
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)


def midnight(day: date) -> datetime:
    """The UTC instant at which `day` begins."""
    return datetime(day.year, day.month, day.day)


BILLING_ACCOUNT = "614205530871"
PRODUCTION = Account("480917223654", "quillworks-production", "production")
STAGING = Account("903318476120", "quillworks-staging", "staging")
AZURE_BILLING_ACCOUNT = (
    "/providers/microsoft.billing/billingaccounts/7d1c40f2-quillworks/billingprofiles/qw-eu"
)
AZURE_SUBSCRIPTION = Account("b2f0a4c6-51d3-4f0e-9a7e-3c8d6e1f2a90", "quillworks-eu-production", "production")

AWS_REGION = "us-east-1"
AZURE_REGION = "westeurope"

ZONES = (
    Zone("aws", PRODUCTION, "us-east-1a", "use1-az4", AWS_REGION),
    Zone("aws", PRODUCTION, "us-east-1b", "use1-az6", AWS_REGION),
    Zone("aws", PRODUCTION, "us-east-1c", "use1-az1", AWS_REGION),
    Zone("aws", STAGING, "us-east-1a", "use1-az2", AWS_REGION),
    Zone("aws", STAGING, "us-east-1b", "use1-az4", AWS_REGION),
    Zone("azure", AZURE_SUBSCRIPTION, "westeurope-1", "weu-az1", AZURE_REGION),
    Zone("azure", AZURE_SUBSCRIPTION, "westeurope-2", "weu-az2", AZURE_REGION),
)


def find_zone(account: Account, name: str) -> Zone:
    """The zone that `account` calls `name`."""
    return next(zone for zone in ZONES if zone.account == account and zone.name == name)


SONNET = Model(
    "sonnet",
    "aws.bedrock",
    "anthropic.claude-sonnet-4-5-20250929-v1:0",
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    True,
)
HAIKU = Model(
    "haiku",
    "aws.bedrock",
    "anthropic.claude-haiku-4-5-20251001-v1:0",
    "us.anthropic.claude-haiku-4-5-20251001-v1:0",
    True,
)
GPT_MINI = Model("gpt_mini", "azure.ai.openai", "gpt-4.1-mini-2025-04-14", "gpt-4.1-mini", False)
MODELS = {model.key: model for model in (SONNET, HAIKU, GPT_MINI)}


@dataclass(frozen=True)
class Feature:
    """An agentic product feature: its entry point, the service that runs its agents, its owner."""

    name: str
    endpoint: str
    agents_service: str
    team: str
    share_of_calls: float
    calls_per_action: float
    workflow: str


FEATURES = (
    Feature(
        "support_chat", "/v1/support/chat", "support-agents", "customer-care", 0.28, 3.96, "answer_ticket"
    ),
    Feature("doc_search", "/v1/docs/search", "search-agents", "knowledge", 0.28, 3.42, "retrieve_and_answer"),
    Feature(
        "code_review", "/v1/reviews", "review-agents", "developer-tools", 0.44, 9.9, "review_pull_request"
    ),
)

EDGE_SERVICE = "public-api"
AZURE_SERVICE = "triage"
SERVICE_ZONES = {
    "public-api": ("us-east-1a", "us-east-1b"),
    "support-agents": ("us-east-1a", "us-east-1b", "us-east-1c"),
    "search-agents": ("us-east-1b", "us-east-1c"),
    "review-agents": ("us-east-1a", "us-east-1c"),
    "triage": ("westeurope-1", "westeurope-2"),
}
STAGING_ZONES = ("us-east-1a", "us-east-1b")


def build_users(seed: int) -> list[User]:
    """The users, a few of whom are much busier than the rest (weight ~ 1 / rank)."""
    rng = random.Random(f"{seed}:users")
    names = [f"{given}.{family}" for given in GIVEN_NAMES for family in FAMILY_NAMES]
    chosen = rng.sample(names, USERS_COUNT)
    tenants = rng.choices(TENANTS, TENANT_WEIGHTS, k=USERS_COUNT)
    return [
        User(f"{name}@{tenant}.example", tenant, 1.0 / (rank + 4))
        for rank, (name, tenant) in enumerate(zip(chosen, tenants, strict=True))
    ]
