"""The scripts of the features: which agents run, which tools and models they call, in which order.

What belongs here: each feature's variants as trees of steps, with the range of tokens of each model call.
What must not: randomness (`behaviour` draws), money, or how a vendor writes a step.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

SERVER, AGENT, TOOL, CALL = 0, 1, 2, 3
KINDS = ("server", "agent", "tool", "call")
CACHES = ("none", "5m", "1h", "auto")


@dataclass(frozen=True)
class Slot:
    """What one model call looks like: `fresh`, `output` and `prefix` are ranges of tokens.

    `cache` says who keeps the prefix: `5m` and `1h` are written at a price, `auto` costs nothing to write.
    `cold_share` is the share of calls that find no prefix although nothing happened; 1 for the first call
    of an action. `tiers` are service tiers with their shares. `web_searches` is the most a call makes.
    """

    route: str
    fresh: tuple[int, int]
    output: tuple[int, int]
    prefix: tuple[int, int] = (0, 0)
    cache: str = "none"
    cold_share: float = 0.05
    reasoning_share: float = 0.0
    tiers: tuple[tuple[str, float], ...] = (("standard", 1.0),)
    web_searches: int = 0


@dataclass
class Node:
    """One step of a variant; `parent` is the position of the step above it, -1 for the root."""

    kind: int
    name: str
    parent: int
    service: str
    slot: int = -1
    is_error: bool = False
    first_leaf: int = 0
    last_leaf: int = 0


SLOTS: list[Slot] = []


def _slot(slot: Slot) -> int:
    if slot not in SLOTS:
        SLOTS.append(slot)
    return SLOTS.index(slot)


@dataclass
class Variant:
    """One way an action of `feature` can go, chosen with `weight`; `in_spike` ones only in the retry loop."""

    feature: str
    weight: float
    service: str
    in_spike: bool = False
    nodes: list[Node] = field(default_factory=list)
    _open: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Open the root: the request that the edge took."""
        self.nodes.append(Node(SERVER, "", -1, "public-api"))
        self._open.append(0)

    @contextmanager
    def agent(self, name: str, service: str = "") -> Iterator[None]:
        """All steps written inside the `with` belong to the agent `name`."""
        position = len(self.nodes)
        self.nodes.append(Node(AGENT, name, self._open[-1], service or self.service))
        self._open.append(position)
        yield
        self._open.pop()

    def tool(self, name: str, *, is_error: bool = False) -> None:
        """One tool call."""
        parent = self._open[-1]
        service = self.nodes[parent].service if parent else self.service
        self.nodes.append(Node(TOOL, name, parent, service, is_error=is_error))

    def call(self, slot: Slot) -> None:
        """One model call."""
        parent = self._open[-1]
        service = self.nodes[parent].service if parent else self.service
        self.nodes.append(Node(CALL, slot.route, parent, service, _slot(slot)))

    @property
    def calls(self) -> int:
        """How many model calls one such action makes, retries apart."""
        return sum(node.kind == CALL for node in self.nodes)


def _support_chat() -> Iterator[Variant]:
    router = Slot("router_mini", (6_000, 28_000), (60, 400), (6_400, 14_080), "auto", 0.25)
    first = Slot("support_haiku", (900, 4_000), (150, 700), (6_000, 16_000), "5m", 0.3)
    turn = Slot("support_haiku", (600, 3_500), (200, 900), (6_800, 18_000), "5m", 0.02)
    escalation = Slot("support_sonnet", (9_000, 26_000), (500, 1_600), (2_200, 2_200), "1h", 0.06)
    for turns, weight in ((0, 0.2), (1, 0.4), (2, 0.2), (3, 0.2)):
        for is_escalated, share in ((True, 0.45), (False, 0.55)):
            variant = Variant("support_chat", weight * share, "support-agents")
            with variant.agent("router"):
                variant.call(router)
            with variant.agent("support_agent"):
                variant.call(first)
                for number in range(turns):
                    variant.tool(("lookup_order", "search_kb", "lookup_order")[number])
                    variant.call(turn)
                if is_escalated:
                    with variant.agent("escalation_writer"):
                        variant.call(escalation)
            yield variant


def _doc_search() -> Iterator[Variant]:
    rewrite = Slot("search_flash", (2_000, 8_000), (80, 500), (2_048, 4_096), "auto", 0.3, 0.3)
    rerank = Slot("search_flash", (18_000, 52_000), (80, 400))
    answer = Slot("search_sonnet", (26_000, 58_000), (900, 3_200), (2_600, 2_600), "5m", 0.1)
    web = Slot("web_sonnet", (8_000, 32_000), (600, 2_200), (1_800, 1_800), "5m", 0.1, web_searches=4)
    for hops, weight in ((1, 0.65), (2, 0.35)):
        for uses_web, share in ((True, 0.2), (False, 0.8)):
            variant = Variant("doc_search", weight * share, "search-agents")
            with variant.agent("query_rewriter"):
                variant.call(rewrite)
            with variant.agent("answer_writer"):
                for _ in range(hops):
                    variant.tool("vector_search")
                    with variant.agent("reranker"):
                        variant.call(rerank)
                if uses_web:
                    with variant.agent("web_researcher"):
                        variant.call(web)
                variant.call(answer)
            yield variant


def _review(service: str, prefix: str, files: int, repeats: int, weight: float) -> Variant:
    sonnet, haiku = f"{prefix}_sonnet", f"{prefix}_haiku"
    plan = Slot(sonnet, (12_000, 30_000), (1_500, 4_500), (22_000, 44_000), "1h", 1.0)
    read = Slot(sonnet, (22_000, 56_000), (1_600, 5_600), (22_000, 44_000), "1h", 0.01)
    write_tests = Slot(haiku, (16_000, 50_000), (1_200, 4_200))
    summarise = Slot(haiku, (5_000, 16_000), (300, 900))
    variant = Variant("code_review", weight, service, in_spike=repeats > 1)
    with variant.agent("planner"):
        variant.tool("fetch_diff")
        variant.call(plan)
        for _ in range(files):
            with variant.agent("file_reviewer"):
                for _ in range(repeats):
                    variant.call(read)
                    variant.tool("run_tests", is_error=repeats > 1)
                    variant.call(read)
        with variant.agent("test_writer"):
            for _ in range(repeats):
                variant.call(write_tests)
        with variant.agent("summariser"):
            for _ in range(repeats):
                variant.call(summarise)
    return variant


def _repository_review() -> Variant:
    """A whole repository in one prompt: often more than 200,000 tokens, which are billed at another price."""
    variant = Variant("code_review", 0.06, "review-agents")
    with variant.agent("repository_reader"):
        variant.tool("pack_repository")
        variant.call(Slot("review_pro", (120_000, 330_000), (2_000, 6_000), reasoning_share=0.5))
        variant.call(
            Slot("review_pro", (20_000, 60_000), (1_000, 3_000), (120_000, 300_000), "auto", 0.2, 0.5)
        )
    return variant


def _code_review() -> Iterator[Variant]:
    for repeats in (1, 3):
        for files, weight in ((2, 0.25), (3, 0.5), (4, 0.25)):
            yield _review("review-agents", "review", files, repeats, 0.89 * weight)
            yield _review("review-agents-staging", "staging", files, repeats, 0.05 * weight)
    yield _repository_review()


def _ticket_triage() -> Iterator[Variant]:
    ptu = Slot("triage_ptu", (700, 3_000), (8, 60), (1_024, 1_024), "auto", 0.1)
    nano = Slot("triage_nano", (700, 3_000), (60, 400), (1_024, 1_024), "auto", 0.1, 0.6)
    urgent = Slot(
        "triage_urgent", (1_200, 5_000), (120, 600), (1_024, 1_024), "auto", 0.1, 0.5, (("priority", 1.0),)
    )
    for slot, weight in ((ptu, 0.85), (nano, 0.0), (urgent, 0.15)):
        variant = Variant("ticket_triage", weight, "triage")
        with variant.agent("classifier"):
            variant.call(slot)
        yield variant


def _catalog_enrichment() -> Iterator[Variant]:
    tiers = (("batch", 0.7), ("flex", 0.3))
    describe = Slot("enrich_mini", (1_500, 9_000), (300, 1_500), (1_152, 1_152), "auto", 0.4, 0.3, tiers)
    check = Slot("enrich_haiku", (2_000, 9_000), (100, 500), tiers=(("batch", 1.0),))
    for is_checked, weight in ((False, 0.6), (True, 0.4)):
        variant = Variant("catalog_enrichment", weight, "enrichment-jobs")
        with variant.agent("describer"):
            variant.call(describe)
        if is_checked:
            with variant.agent("fact_checker"):
                variant.call(check)
        yield variant


def _meeting_summaries() -> Iterator[Variant]:
    for parts, weight in ((1, 0.5), (2, 0.3), (4, 0.2)):
        variant = Variant("meeting_summaries", weight, "summary-workers")
        with variant.agent("summary_agent"):
            for _ in range(parts):
                variant.call(Slot("summary_gpu", (4_000, 14_000), (300, 1_100)))
        yield variant


def build_variants() -> list[Variant]:
    """Every variant of every feature, with the leaves below each step counted."""
    variants = [
        *_support_chat(),
        *_doc_search(),
        *_code_review(),
        *_ticket_triage(),
        *_catalog_enrichment(),
        *_meeting_summaries(),
    ]
    for variant in variants:
        leaves = [index for index, node in enumerate(variant.nodes) if node.kind in (TOOL, CALL)]
        for index, node in enumerate(variant.nodes):
            below = [leaf for leaf in leaves if _is_below(variant.nodes, leaf, index)]
            node.first_leaf, node.last_leaf = below[0], below[-1]
    return variants


def _is_below(nodes: list[Node], step: int, ancestor: int) -> bool:
    while step not in (-1, ancestor):
        step = nodes[step].parent
    return step == ancestor


VARIANTS = build_variants()
