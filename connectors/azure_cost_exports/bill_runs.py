"""Landing runs of bills: which run lands as which view, each once, the newest last.

What belongs here: what is common to exports, reports and queries. What must not: where a run's files come from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.azure_cost_exports.azure_focus import build_azure_focus_format
from connectors.azure_cost_exports.cost_format import build_cost_format
from connectors.azure_cost_exports.manifests import build_delivery_key
from connectors.azure_cost_exports.views import View, build_part, read_part
from connectors.common.bills.contract import BillDelivery
from connectors.common.bills.landing import BillLanding
from connectors.common.contract import ConnectorError, Severity, TransientError
from connectors.common.datasets import CHARGES
from connectors.common.delivery_records import DeliveryRecord, mark_current
from connectors.common.source_files import SourceFile
from connectors.common.source_landing import SourceLanding
from connectors.common.stores.contract import ChangedObject
from connectors.common.vendor_lines.azure_cost import AZURE_COST_LINES

_TWINS = {"amortized": "actual", "actual": "amortized"}
_GENERATION = timedelta(days=1)
"""Runs of twins that are no further apart say the same about a month."""


@dataclass(frozen=True)
class BillRun:
    """One delivery of one month's bill. `kind` is focus, amortized, actual or query; `label` names it in messages.

    `fetch` brings its files, and raises ConnectorError when they cannot be had whole.
    """

    kind: str
    billing_scope: str
    month: str
    delivered_at: datetime
    label: str
    fetch: Callable[[], Sequence[SourceFile]]
    row_count: int | None = None
    is_stated: bool = True


class RunLanding:
    """One landing's runs, each month of a billing scope apart: what goes wrong in one leaves the others."""

    def __init__(self, landing: SourceLanding) -> None:
        self._landing = landing
        self._bills: dict[View, BillLanding] = {}
        self._refused: set[BillRun] = set()

    def land(self, runs: Iterable[BillRun]) -> None:
        """Land runs, by month and kind in order of time; amortized cost before actual, which depends on it.

        Where one of a month's newest twins is refused, the other one waits for it: the last pair stands whole.
        """
        groups: dict[tuple[str, str, str], list[BillRun]] = {}
        for run in sorted(runs, key=lambda run: (run.delivered_at, run.label)):
            groups.setdefault((run.billing_scope, run.month, run.kind), []).append(run)
        for scope, month, kind in sorted(
            groups, key=lambda key: (key[0], key[1], key[2] == "actual", key[2])
        ):
            self._land_kind(groups[scope, month, kind], self._find_twin(groups, scope, month, kind))

    def describe_pairs(self) -> None:
        """Report months whose actual or amortized cost lacks the other one."""
        current = [r.delivery for r in mark_current(self._landing.records, None) if r.delivery.is_current]
        views: dict[tuple[str, str], set[str]] = {}
        for delivery in current:
            if delivery.dataset == AZURE_COST_LINES.name:
                part = read_part(delivery)
                views.setdefault((part.billing_scope, part.period), set()).add(part.view)
        for (scope, month), found in sorted(views.items()):
            if found == {"actual_alone"}:
                message = (
                    f"{month} of {scope} has actual cost only: reservations and savings plans count as bought, none "
                    "of their cost reaches the usage they cover; add an AmortizedCost export (or use FocusCost)"
                )
                self._report("missing_amortized", message, Severity.WARN)
            elif found == {"amortized"}:
                message = (
                    f"{month} of {scope} has amortized cost only: purchases of reservations and savings plans are "
                    "missing from the billed cost; add an ActualCost export (or use FocusCost)"
                )
                self._report("missing_actual", message, Severity.WARN)

    def type_again(self) -> None:
        """Type current deliveries anew, from kept artifacts, where settings changed and their files are gone."""
        landing = self._landing
        stale: dict[tuple[str, datetime], DeliveryRecord] = {}
        for record in mark_current(landing.records):
            delivery = record.delivery
            is_bill = delivery.dataset in (CHARGES.name, AZURE_COST_LINES.name)
            if (
                is_bill
                and delivery.is_current
                and landing.typing_digest not in record.typed
                and record.artifacts
            ):
                stale[delivery.delivery_key or "", delivery.delivered_at] = record
        for (key, delivered_at), record in sorted(stale.items(), key=lambda item: item[0]):
            paths = [(artifact, landing.artifact_path(artifact)) for artifact in record.artifacts]
            if not all(path.exists() for _, path in paths):
                continue
            files = tuple(SourceFile(path, a.relative, a.bytes, 0, a.sha256) for a, path in paths)
            part = read_part(record.delivery)
            view: View = part.view  # type: ignore[assignment]
            own_part = build_part(part.billing_scope, view)
            self._open(view).deliver(BillDelivery(key, files, delivered_at, part=own_part))

    def _find_twin(
        self, groups: Mapping[tuple[str, str, str], Sequence[BillRun]], scope: str, month: str, kind: str
    ) -> BillRun | None:
        """Return the other half of the newest run where both halves landed before: made within a day of it."""
        other = _TWINS.get(kind)
        twins = groups.get((scope, month, other)) if other else None
        keys = {record.delivery.delivery_key for record in self._landing.records}
        if not twins or not keys.issuperset(build_delivery_key(scope, view, month) for view in _TWINS):
            return None
        distance = abs(twins[-1].delivered_at - groups[scope, month, kind][-1].delivered_at)
        return twins[-1] if distance < _GENERATION else None

    def _waits_for(self, twin: BillRun, run: BillRun) -> bool:
        """Tell whether a run must not land, as its twin cannot; one that landed before stays."""
        key = build_delivery_key(run.billing_scope, run.kind, run.month)
        landed = [r.delivery for r in self._landing.records if r.delivery.delivery_key == key]
        if any(delivery.delivered_at == run.delivered_at for delivery in landed):
            return False
        if twin not in self._refused:
            try:
                twin.fetch()
            except ConnectorError:
                self._refused.add(twin)
        return twin in self._refused

    def _land_kind(self, runs: list[BillRun], twin: BillRun | None) -> None:
        """Land all runs of one month and kind; what keeps an older one from landing is told once, if at all."""
        for run in runs:
            is_newest = run is runs[-1]
            if is_newest and twin is not None and self._waits_for(twin, run):
                message = (
                    f"{run.label} waits for its twin {twin.label}: together they are the bill of {run.month}"
                )
                self._report("waits_for_twin", message, Severity.WARN)
                continue
            view = self._choose_view(run)
            note_key = f"run {build_part(run.billing_scope, view)} {run.label}"
            noted = {"typing": self._landing.typing_digest}
            if not is_newest and self._landing.seen.notes.get(note_key) == noted:
                continue
            try:
                if not self._deliver(run, view):
                    self._refused.add(run)
            except (ChangedObject, TransientError) as error:
                self._report("delivery_under_way", str(error), Severity.FAULT if is_newest else Severity.INFO)
                continue
            except ConnectorError as error:
                kind = getattr(error, "kind", "unreadable_object")
                self._report(kind, str(error), Severity.FAULT if is_newest else Severity.INFO)
            self._landing.seen.write_note(note_key, noted)

    def _deliver(self, run: BillRun, view: View) -> bool:
        delivery = BillDelivery(
            key=build_delivery_key(run.billing_scope, view, run.month),
            files=tuple(run.fetch()),
            delivered_at=run.delivered_at,
            is_stated=run.is_stated,
            expected_rows=run.row_count,
            period=run.month,
            part=build_part(run.billing_scope, view),
        )
        return self._open(view).deliver(delivery)

    def _choose_view(self, run: BillRun) -> View:
        """Actual cost beside amortized cost gives its purchases only; alone it is the whole bill."""
        if run.kind != "actual":
            return run.kind  # type: ignore[return-value]
        key = build_delivery_key(run.billing_scope, "amortized", run.month)
        is_paired = any(record.delivery.delivery_key == key for record in self._landing.records)
        return "actual" if is_paired else "actual_alone"

    def _open(self, view: View) -> BillLanding:
        if view not in self._bills:
            context = self._landing.context
            if view == "focus":
                bill_format = build_azure_focus_format(context.tag_keys, context.identity)
            else:
                bill_format = build_cost_format(view, context.tag_keys, context.identity)
            self._bills[view] = BillLanding(self._landing, bill_format)
        return self._bills[view]

    def _report(self, kind: str, message: str, severity: Severity) -> None:
        text = (
            message
            if message.startswith(f"{self._landing.source}: ")
            else f"{self._landing.source}: {message}"
        )
        self._landing.add(AZURE_COST_LINES.name, kind, text, severity)
