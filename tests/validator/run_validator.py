"""Runs the official FOCUS validator on one file and prints what each rule said, as JSON.

What belongs here: the call of `focus_validator`, in the environment that holds it (`make validator`), which is
not ours: no import of this project. What must not: judging the result (`tests/integration`).

The validator's own command ends with 0 whatever it finds, so its Python interface is asked. It opens files of
its own package by a relative path: the current folder must be its site-packages.

    python run_validator.py FILE VERSION CRITERIA [FOLDER OF RULES]
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any


def main(arguments: list[str]) -> None:
    """Print `{"rows": n, "rules": {rule id: {ok, skipped, violations, children, message}}}`."""
    import focus_validator  # pyright: ignore[reportMissingImports]
    from focus_validator.validator import (  # pyright: ignore[reportMissingImports]
        DEFAULT_VERSION_SETS_PATH,
        Validator,
    )

    file, version, criteria, *rules = arguments
    path, rule_set = str(Path(file).resolve()), str(Path(rules[0]).resolve()) if rules else None
    os.chdir(Path(str(focus_validator.__file__)).parents[1])
    logging.disable(logging.CRITICAL)
    validator = Validator(
        data_filename=path,
        output_destination=os.devnull,
        output_type="unittest",
        rule_set_path=rule_set or DEFAULT_VERSION_SETS_PATH,
        rules_version=version,
        focus_dataset="CostAndUsage",
        rules_block_remote_download=True,
        applicability_criteria=criteria,
    )
    results = validator.validate()
    found = {}
    for rule_id, entry in results.by_rule_id.items():
        details = entry.get("details") or {}
        found[rule_id] = {
            "ok": bool(entry.get("ok")),
            "skipped": bool(details.get("skipped")),
            "violations": int(details.get("violations") or 0),
            "children": _children(results.rules[rule_id]),
            "message": str(details.get("message") or details.get("error") or details.get("reason") or ""),
        }
    sys.stdout.write(json.dumps({"rows": results.data_row_count, "rules": found}))


def _children(rule: Any) -> list[str]:
    """Rules that a rule consists of; none where it looks at the data itself."""
    requirement = rule.validation_criteria.requirement or {}
    return [item["ModelRuleId"] for item in requirement.get("Items") or () if "ModelRuleId" in item]


if __name__ == "__main__":
    main(sys.argv[1:])
