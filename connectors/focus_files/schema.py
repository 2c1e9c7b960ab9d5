"""The columns of FOCUS 1.0 to 1.4 files that this connector knows; they are the same whoever delivers them.

What belongs here: names. What must not: how they are read (`connectors/common/bills/focus_format.py`).
"""

from __future__ import annotations

from connectors.common.bills.focus_format import COLUMNS, KNOWN_NOT_KEPT, REQUIRED, SCHEMA_VERSION

__all__ = ["COLUMNS", "KNOWN_NOT_KEPT", "REQUIRED", "SCHEMA_VERSION"]
