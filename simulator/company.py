"""Who exists: tenants, users, accounts, zones, features, services and models of the sample company.

What belongs here: facts about the company that never change during a run. What must not: what happens on a
day (`behaviour`, `volumes`), what it costs (`prices`), or how a vendor writes it (`bills`, `logs`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np

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

    @property
    def lost_log_day(self) -> date:
        """The day whose spans never arrive, where that habit is on."""
        return self.start + timedelta(days=(len(self.days) - 1) // 3)

    @property
    def price_change_day(self) -> date:
        """The first day of the new price, where that habit is on."""
        return self.start + timedelta(days=len(self.days) // 2)


def next_month(month: date) -> date:
    """First day of the month after `month`."""
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)


def midnight(day: date) -> datetime:
    """The UTC instant at which `day` begins."""
    return datetime(day.year, day.month, day.day)


@dataclass(frozen=True)
class Account:
    """What a vendor bills as one sub account: an AWS account, a subscription, a project, a workspace."""

    key: str
    cloud: str  # aws | azure | gcp | openai | anthropic | own
    account_id: str
    name: str
    environment: str
    billing_account_id: str


AWS_BILLING_ACCOUNT = "614205530871"
AZURE_BILLING_ACCOUNT = (
    "/providers/microsoft.billing/billingaccounts/7d1c40f2-quillworks/billingprofiles/qw-eu"
)
GCP_BILLING_ACCOUNT = "01A4F2-7C9D3E-5B8810"
OPENAI_ORGANIZATION = "org-quillworks7Qm2"
ANTHROPIC_ORGANIZATION = "3f8a1d52-6c0b-4e9f-b7a4-91d2c5e07f36"

ACCOUNTS = {
    account.key: account
    for account in (
        Account(
            "aws_production",
            "aws",
            "480917223654",
            "quillworks-production",
            "production",
            AWS_BILLING_ACCOUNT,
        ),
        Account("aws_staging", "aws", "903318476120", "quillworks-staging", "staging", AWS_BILLING_ACCOUNT),
        Account("aws_data", "aws", "275640981337", "quillworks-data", "production", AWS_BILLING_ACCOUNT),
        Account(
            "azure_production",
            "azure",
            "b2f0a4c6-51d3-4f0e-9a7e-3c8d6e1f2a90",
            "quillworks-eu-production",
            "production",
            AZURE_BILLING_ACCOUNT,
        ),
        Account(
            "gcp_production",
            "gcp",
            "quillworks-prod-417",
            "quillworks-prod",
            "production",
            GCP_BILLING_ACCOUNT,
        ),
        Account(
            "openai_product", "openai", "proj_Qw3nrichProd01", "product", "production", OPENAI_ORGANIZATION
        ),
        Account(
            "openai_research", "openai", "proj_Qw3nresearch9", "research", "research", OPENAI_ORGANIZATION
        ),
        Account(
            "anthropic_product",
            "anthropic",
            "wrkspc_01QwProductF7k2",
            "product",
            "production",
            ANTHROPIC_ORGANIZATION,
        ),
        Account(
            "anthropic_research",
            "anthropic",
            "wrkspc_01QwResearch8d3",
            "research",
            "research",
            ANTHROPIC_ORGANIZATION,
        ),
        Account("own_oslo", "own", "quillworks-oslo", "quillworks-oslo", "production", "quillworks-own"),
    )
}


@dataclass(frozen=True)
class Zone:
    """A zone as one account names it, and the provider's own id of it."""

    account: str
    name: str
    zone_id: str
    region: str


ZONES = (
    Zone("aws_production", "us-east-1a", "use1-az4", "us-east-1"),
    Zone("aws_production", "us-east-1b", "use1-az6", "us-east-1"),
    Zone("aws_production", "us-east-1c", "use1-az1", "us-east-1"),
    Zone("aws_staging", "us-east-1a", "use1-az2", "us-east-1"),
    Zone("aws_staging", "us-east-1b", "use1-az4", "us-east-1"),
    Zone("aws_data", "us-east-1a", "use1-az6", "us-east-1"),
    Zone("aws_production", "eu-west-1a", "euw1-az2", "eu-west-1"),
    Zone("aws_production", "eu-west-1b", "euw1-az3", "eu-west-1"),
    Zone("azure_production", "westeurope-1", "weu-az1", "westeurope"),
    Zone("azure_production", "westeurope-2", "weu-az2", "westeurope"),
    Zone("azure_production", "westeurope-3", "weu-az3", "westeurope"),
    Zone("gcp_production", "us-central1-a", "us-central1-a", "us-central1"),
    Zone("gcp_production", "us-central1-b", "us-central1-b", "us-central1"),
    Zone("own_oslo", "oslo-hall-1", "oslo-hall-1", "oslo"),
)  # five regions, twelve zones: two accounts each name use1-az4 and use1-az6 in their own way


def find_zone(account: str, name: str) -> Zone:
    """The zone that `account` (its key) calls `name`."""
    return next(zone for zone in ZONES if zone.account == account and zone.name == name)


@dataclass(frozen=True)
class Service:
    """A service of ours: where it runs, and the feature whose agents it holds ('' for shared ones)."""

    name: str
    account: str
    zones: tuple[str, ...]
    feature: str
    team: str


SERVICES = {
    service.name: service
    for service in (
        Service("public-api", "aws_production", ("us-east-1a", "us-east-1b"), "", "platform"),
        Service(
            "support-agents",
            "aws_production",
            ("us-east-1a", "us-east-1b", "us-east-1c"),
            "support_chat",
            "customer-care",
        ),
        Service("search-agents", "aws_production", ("eu-west-1a", "eu-west-1b"), "doc_search", "knowledge"),
        Service(
            "review-agents", "aws_production", ("us-east-1a", "us-east-1c"), "code_review", "developer-tools"
        ),
        Service(
            "review-agents-staging",
            "aws_staging",
            ("us-east-1a", "us-east-1b"),
            "code_review",
            "developer-tools",
        ),
        Service(
            "triage",
            "azure_production",
            ("westeurope-1", "westeurope-2", "westeurope-3"),
            "ticket_triage",
            "customer-care",
        ),
        Service(
            "enrichment-jobs",
            "gcp_production",
            ("us-central1-a", "us-central1-b"),
            "catalog_enrichment",
            "merchandising",
        ),
        Service(
            "summary-workers",
            "aws_production",
            ("us-east-1b", "us-east-1c"),
            "meeting_summaries",
            "collaboration",
        ),
    )
}


@dataclass(frozen=True)
class Feature:
    """A product feature: its entry point, its workflow, its owner and its share of all model calls."""

    name: str
    endpoint: str
    workflow: str
    team: str
    service: str
    share_of_calls: float


FEATURES = {
    feature.name: feature
    for feature in (
        Feature("support_chat", "/v1/support/chat", "answer_ticket", "customer-care", "support-agents", 0.25),
        Feature("doc_search", "/v1/docs/search", "retrieve_and_answer", "knowledge", "search-agents", 0.22),
        Feature(
            "code_review", "/v1/reviews", "review_pull_request", "developer-tools", "review-agents", 0.28
        ),
        Feature("ticket_triage", "/v1/tickets/triage", "classify_ticket", "customer-care", "triage", 0.10),
        Feature(
            "catalog_enrichment",
            "/v1/catalog/enrich",
            "enrich_batch",
            "merchandising",
            "enrichment-jobs",
            0.10,
        ),
        Feature(
            "meeting_summaries",
            "/v1/meetings/summary",
            "summarise_meeting",
            "collaboration",
            "summary-workers",
            0.05,
        ),
    )
}  # chat, retrieval, coding agent, classifier, batch enrichment, self-hosted GPU summariser
SAMPLED_FEATURE = "ticket_triage"


@dataclass(frozen=True)
class Route:
    """One way to a model: who serves it, who is billed, with which key, under which names.

    `provider` is OTel's `gen_ai.provider.name`; `model` the canonical name that prices are keyed by;
    `request_model` and `response_model` what spans and gateways write, `alias` what they write instead where
    model aliases are on (an inference profile ARN, a deployment, a gateway's group).
    """

    key: str
    provider: str
    account: str
    region: str
    model: str
    request_model: str
    response_model: str
    alias: str
    api_key_id: str
    principal: str


_SONNET, _HAIKU = "claude-sonnet-4-5", "claude-haiku-4-5"
_BEDROCK_SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
_BEDROCK_HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"
_PROFILE = "arn:aws:bedrock:us-east-1:480917223654:application-inference-profile/7qw1review9xk"
LLAMA = "meta-llama/Llama-3.1-8B-Instruct"


def _role(account: str, name: str) -> str:
    return f"arn:aws:sts::{ACCOUNTS[account].account_id}:assumed-role/{name}/{name}"


def _bedrock(key: str, account: str, region: str, model: str, alias: str, role: str) -> Route:
    bedrock = _BEDROCK_SONNET if model == _SONNET else _BEDROCK_HAIKU
    profile = f"{'eu' if region.startswith('eu') else 'us'}.{bedrock}"
    return Route(
        key, "aws.bedrock", account, region, model, profile, bedrock, alias, "", _role(account, role)
    )


def _keyed(
    key: str, provider: str, account: str, model: str, response: str, alias: str, api_key: str
) -> Route:
    return Route(key, provider, account, "", model, model, response, alias, api_key, "")


ROUTES = {
    route.key: route
    for route in (
        _bedrock("review_sonnet", "aws_production", "us-east-1", _SONNET, _PROFILE, "review-agents"),
        _bedrock("review_haiku", "aws_production", "us-east-1", _HAIKU, "", "review-agents"),
        _bedrock("staging_sonnet", "aws_staging", "us-east-1", _SONNET, "", "review-agents-staging"),
        _bedrock("staging_haiku", "aws_staging", "us-east-1", _HAIKU, "", "review-agents-staging"),
        _bedrock("search_sonnet", "aws_production", "eu-west-1", _SONNET, "", "search-agents"),
        _bedrock("support_haiku_fallback", "aws_production", "us-east-1", _HAIKU, "", "support-agents"),
        _bedrock("digest_haiku", "aws_data", "us-east-1", _HAIKU, "", "nightly-digest"),
        _keyed(
            "support_haiku",
            "anthropic",
            "anthropic_product",
            _HAIKU,
            "claude-haiku-4-5-20251001",
            "support-fast",
            "apikey_01QwSupportChat",
        ),
        _keyed(
            "support_sonnet",
            "anthropic",
            "anthropic_product",
            _SONNET,
            "claude-sonnet-4-5-20250929",
            "support-strong",
            "apikey_01QwSupportChat",
        ),
        _keyed(
            "web_sonnet",
            "anthropic",
            "anthropic_product",
            _SONNET,
            "claude-sonnet-4-5-20250929",
            "",
            "apikey_01QwDocSearch",
        ),
        _keyed(
            "review_sonnet_fallback",
            "anthropic",
            "anthropic_product",
            _SONNET,
            "claude-sonnet-4-5-20250929",
            "",
            "apikey_01QwCodeReview",
        ),
        _keyed(
            "notebook_sonnet",
            "anthropic",
            "anthropic_research",
            _SONNET,
            "claude-sonnet-4-5-20250929",
            "",
            "apikey_01QwNotebooks",
        ),
        Route(
            "router_mini",
            "azure.ai.openai",
            "azure_production",
            "westeurope",
            "gpt-4.1-mini",
            "gpt-4.1-mini",
            "gpt-4.1-mini-2025-04-14",
            "qw-router",
            "",
            "/subscriptions/b2f0a4c6-51d3-4f0e-9a7e-3c8d6e1f2a90/managed-identity/support-router",
        ),
        Route(
            "triage_ptu",
            "azure.ai.openai",
            "azure_production",
            "westeurope",
            "gpt-4.1-nano",
            "gpt-4.1-nano",
            "gpt-4.1-nano-2025-04-14",
            "triage-ptu",
            "",
            "/subscriptions/b2f0a4c6-51d3-4f0e-9a7e-3c8d6e1f2a90/managed-identity/triage",
        ),
        _keyed(
            "triage_nano",
            "openai",
            "openai_product",
            "gpt-5-nano",
            "gpt-5-nano-2025-08-07",
            "",
            "key_QwTriage",
        ),
        _keyed(
            "triage_urgent",
            "openai",
            "openai_product",
            "gpt-5-mini",
            "gpt-5-mini-2025-08-07",
            "",
            "key_QwTriage",
        ),
        _keyed(
            "enrich_mini",
            "openai",
            "openai_product",
            "gpt-5-mini",
            "gpt-5-mini-2025-08-07",
            "enrichment",
            "key_QwEnrichment",
        ),
        _keyed(
            "enrich_haiku",
            "anthropic",
            "anthropic_product",
            _HAIKU,
            "claude-haiku-4-5-20251001",
            "enrichment-check",
            "apikey_01QwEnrichment",
        ),
        _keyed(
            "notebook_mini",
            "openai",
            "openai_research",
            "gpt-5-mini",
            "gpt-5-mini-2025-08-07",
            "",
            "key_QwNotebooks",
        ),
        Route(
            "search_flash",
            "gcp.vertex_ai",
            "gcp_production",
            "us-central1",
            "gemini-2.5-flash",
            "gemini-2.5-flash",
            "gemini-2.5-flash",
            "",
            "",
            "search-agents@quillworks-prod-417.iam.gserviceaccount.com",
        ),
        Route(
            "review_pro",
            "gcp.vertex_ai",
            "gcp_production",
            "us-central1",
            "gemini-2.5-pro",
            "gemini-2.5-pro",
            "gemini-2.5-pro",
            "",
            "",
            "review-agents@quillworks-prod-417.iam.gserviceaccount.com",
        ),
        Route("summary_gpu", "vllm", "aws_production", "us-east-1", LLAMA, LLAMA, LLAMA, "", "", ""),
        Route("summary_own", "vllm", "own_oslo", "oslo", LLAMA, LLAMA, LLAMA, "", "", ""),
    )
}

GATEWAY_FEATURES = ("support_chat", "catalog_enrichment")
PROVIDER_LOG_ACCOUNTS = ("aws_production", "gcp_production")

PTU_RESOURCE = (
    "/subscriptions/b2f0a4c6-51d3-4f0e-9a7e-3c8d6e1f2a90/resourcegroups/rg-triage/providers/"
    "microsoft.cognitiveservices/accounts/qw-triage-ptu"
)
PTU_DEPLOYMENT = "triage-ptu"
PTU_COUNT = 15
PTU_HOURS = range(8, 14)  # UTC, on weekdays: the deployment is made in the morning and deleted at night


@dataclass(frozen=True)
class GpuHost:
    """A machine that serves the summariser's model; `replica_id` is what its calls name."""

    resource_id: str
    replica_id: str
    account: str
    zone: str
    instance_type: str
    gpus: int


GPU_HOSTS = (
    GpuHost("i-0a7d3c91e5b2f4688", "summary-gpu-0", "aws_production", "us-east-1b", "g6.xlarge", 1),
    GpuHost("i-0f28b6d47ac195e03", "summary-gpu-1", "aws_production", "us-east-1c", "g6.xlarge", 1),
    GpuHost("qw-gpu-01", "qw-gpu-01", "own_oslo", "oslo-hall-1", "1xL4", 1),
)


@dataclass(frozen=True)
class Users:
    """The users, a few of whom are much busier than the rest (weight ~ 1 / rank)."""

    user_ids: np.ndarray
    tenants: np.ndarray
    weights: np.ndarray


def build_users(seed: int) -> Users:
    """The users of one run; another seed is another set of people."""
    rng = np.random.default_rng([seed, 1])
    names = np.array([f"{given}.{family}" for given in GIVEN_NAMES for family in FAMILY_NAMES])
    chosen = rng.permutation(names)[:USERS_COUNT]
    weights = np.array(TENANT_WEIGHTS) / sum(TENANT_WEIGHTS)
    tenants = np.array(TENANTS)[rng.choice(len(TENANTS), USERS_COUNT, p=weights)]
    ids = np.array(
        [f"{name}@{tenant}.example" for name, tenant in zip(chosen, tenants, strict=True)], dtype=object
    )
    raw = 1.0 / (np.arange(USERS_COUNT) + 4)
    return Users(ids, tenants.astype(object), raw / raw.sum())
