"""What real deliveries do wrong, each with a dose: the only place that says which habits there are.

What belongs here: the switch and the dose of each habit, and how a dose is read from the command line. What
must not: how a habit is drawn on calls (`behaviour`, `world`) or written into a file (`bills`, `logs`).
`simulator/README.md` holds the same table in words; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Habits:
    """Doses: shares are 0..1, switches 0 or 1. The defaults are those of `make run`; `clean()` has none."""

    late_bill_rows: float = 0.02
    restatements: float = 1.0
    quantity_rounding: float = 1.0
    cent_rounding: float = 1.0
    unit_blocks: float = 1.0
    credits: float = 1.0
    tax: float = 1.0
    support_fee: float = 1.0
    commitments: float = 1.0
    price_change: float = 0.10
    negotiated_discounts: float = 1.0
    wire_overhead: float = 1.0
    aborted_streams: float = 0.005
    gateway_bypass: float = 0.03
    sampled_spans: float = 0.5
    lost_log_days: float = 1.0
    duplicates: float = 0.005
    several_emitters: float = 1.0
    clock_skew: float = 1.0
    model_aliases: float = 1.0
    lost_roots: float = 0.006
    identity_on_root_only: float = 0.7
    no_user: float = 0.025
    odd_user_ids: float = 0.03
    zone_names: float = 1.0
    unknown_workload: float = 1.0
    moved_workload: float = 1.0

    @classmethod
    def clean(cls) -> Habits:
        """No habit at all: vendors deliver everything, once, exactly and on time."""
        return cls(**{field.name: 0.0 for field in fields(cls)})

    def with_doses(self, doses: Iterable[str]) -> Habits:
        """These habits with `name=dose` texts laid over them. Raises `ValueError` for an unknown name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        for text in doses:
            name, _, dose = text.partition("=")
            if name not in values:
                raise ValueError(f"no habit is called {name!r}; there are {', '.join(values)}")
            values[name] = float(dose)
            if not 0 <= values[name] <= 1:
                raise ValueError(f"the dose of {name} is {dose}; it must be from 0 to 1")
        return Habits(**values)
