"""The config's shared-cost rules: what they accept, what is wrong with them, and what SQL gets of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.config import Config, ConfigError, load_config
from pipelines.night.reference import build_reference_tables
from tests.conftest import ROOT

RULE = "{rule_id: fees, match: {cost_driver: support}, split: even}"


def _load(folder: Path, rules: str) -> Config:
    file = folder / "everycent.yml"
    file.write_text(f"identity: {{pseudonymise: false}}\nshared_costs:\n{rules}\n", encoding="utf-8")
    return load_config(file, environment={})


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (RULE.replace("cost_driver: support", ""), "would take every cost"),
        (RULE.replace("match", "matches"), "Did you mean 'match'?"),
        (RULE.replace("cost_driver: support", "tag: taem=find"), "Did you mean 'team'?"),
        (RULE.replace("cost_driver: support", "tag: find"), "key=value"),
        (RULE.replace("cost_driver: support", "tag: user_id=ann"), "no attribution key 'user_id'"),
        (RULE.replace("even", "halves"), "'proportional', 'even' or 'fixed'"),
        (RULE.replace("even", "fixed"), "must sum to 100; they sum to 0"),
        (RULE.replace("even", "even, among: owners"), "users do not share alike"),
        (RULE.replace("even", "even, to: [{team: a, percent: 100}]"), "belongs to `split: fixed`"),
        (RULE.replace("even", "fixed, by: {scope: all}, to: [{team: a, percent: 100}]"), "have no meaning"),
        (RULE.replace("even", "fixed, to: [{team: a, feature: b, percent: 100}]"), "a feature or a team"),
        (
            RULE.replace("even", "fixed, to: [{team: a, percent: 60.5}, {team: b, percent: 39.4}]"),
            "sum to 100; they sum to 99.9",
        ),
        (
            RULE.replace("even", "fixed, to: [{team: a, percent: 50}, {team: a, percent: 50}]"),
            "names one of them twice",
        ),
        (f"{RULE}, {RULE}", "[1]: says again what row [0] says: fees"),
    ],
)
def test_what_is_wrong_with_a_rule_is_told_with_its_line(tmp_path: Path, rule: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, f"  [{rule}]")
    message = str(caught.value)
    assert words in message
    assert "line 3" in message


def test_a_mistyped_name_hides_neither_percentages_nor_a_name_given_twice(tmp_path: Path) -> None:
    parts = "split: fixed, to: [{team: a, percent: 50}, {team: b, percent: 40}]"
    with pytest.raises(ConfigError) as caught:
        _load(
            tmp_path,
            f"  - {{rule_id: fees, match: {{cost_driver: suport}}, {parts}}}\n"
            f"  - {{rule_id: fees, match: {{cost_driver: support}}, {parts}}}\n"
            "  - {rule_id: more, match: {tag: cost_center=12}, split: even}",
        )
    ninety = "the percentages under `to` must sum to 100; they sum to 90"
    assert sorted(
        (problem.path, problem.what) for problem in caught.value.problems if problem.path[2:] == ()
    ) == [
        (("shared_costs", 0), ninety),
        (("shared_costs", 1), "says again what row [0] says: fees"),
        (("shared_costs", 1), ninety),
    ]
    assert len(caught.value.problems) == 5
    message = str(caught.value)
    assert "workflow, but is 'cost_center=12'" in message
    assert message.count("docs/config.md lists every key") == 1
    assert message.endswith("docs/config.md lists every key with its type, default and an example.")


def test_all_wrong_rules_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        _load(
            tmp_path,
            "\n".join(
                f"  - {RULE.replace('even', wrong).replace('fees', wrong)}" for wrong in ("odd", "fixed")
            ),
        )
    assert len(caught.value.problems) == 2


def test_sql_gets_rules_in_order_with_names_in_lower_case_and_exact_parts(tmp_path: Path) -> None:
    config = _load(
        tmp_path,
        "  - {rule_id: b, match: {service: AWS Support, tag: team=Find}, split: proportional,\n"
        "     by: {teams: [x, y, x]}}\n"
        "  - {rule_id: a, match: {account: ABC}, split: fixed,\n"
        "     to: [{feature: s, percent: 33.3333}, {team: t, percent: 66.6667}]}",
    )
    tables = build_reference_tables(config, ROOT / "models_sql" / "reference")
    rules = tables["reference.shared_cost_rules"].to_pylist()
    assert [(rule["priority"], rule["shared_cost_rule_id"]) for rule in rules] == [(1, "b"), (2, "a")]
    assert (rules[0]["service_name"], rules[0]["tag_key"], rules[0]["tag_value"]) == (
        "aws support",
        "team",
        "Find",
    )
    assert rules[1]["account"] == "abc"
    targets = tables["reference.shared_cost_targets"].to_pylist()
    assert [(row["feature"], row["team"], row["share_ppm"]) for row in targets] == [
        ("s", None, 333_333),
        (None, "t", 666_667),
    ]
    assert [row["team"] for row in tables["reference.shared_cost_teams"].to_pylist()] == ["x", "y"]
