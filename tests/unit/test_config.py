"""The config file: what it accepts, and that every mistake is named with its place and a remedy."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from connectors.common.datasets import TAGGED_KEYS, TOKEN_CLASSES
from connectors.common.registry import CONNECTORS
from connectors.common.settings import SourceSettings
from pipelines.config import Config, ConfigError, load_config
from pipelines.config.model import TagSettings
from pipelines.config.problems import Problem, nearest_name
from pipelines.config.reference import replace_reference
from pipelines.config.rows import TokenClass
from pipelines.config.secrets import expand_variables
from tests.conftest import ROOT

KEY = {"EVERYCENT_IDENTITY_KEY": "a secret that no message may show"}
OFF = "identity: {pseudonymise: false}\n"


def load(folder: Path, text: str, environment: dict[str, str] | None = None) -> Config:
    file = folder / "everycent.yml"
    file.write_text(text, encoding="utf-8")
    return load_config(file, environment=KEY if environment is None else environment)


def message_of(folder: Path, text: str, environment: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load(folder, text, environment)
    assert KEY["EVERYCENT_IDENTITY_KEY"] not in str(caught.value)
    return str(caught.value)


def test_an_empty_mapping_is_all_defaults(tmp_path: Path) -> None:
    config = load(tmp_path, "{}")
    assert config.home == tmp_path / "home"
    assert config.reporting_currency == "USD"
    assert config.identity.key_bytes() == KEY["EVERYCENT_IDENTITY_KEY"].encode()
    assert config.coverage_epsilon == Decimal("0.0005")
    assert config.sources == ()


def test_paths_are_relative_to_the_file_not_to_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    text = OFF + "home: ../h\nreport: {label_file: people.csv}\n"
    config = load(tmp_path, text + "sources: [{name: a, connector: focus_files, path: bills}]")
    assert config.home == tmp_path.parent / "h"
    assert config.report.label_file == tmp_path / "people.csv"
    assert Path(config.sources[0].path) == tmp_path / "bills"
    assert load(tmp_path, OFF + "home: /elsewhere").home == Path("/elsewhere")


def test_sources_are_the_connectors_own_settings(tmp_path: Path) -> None:
    text = (
        OFF
        + "sources: [{name: a, connector: focus_files, path: bills}, "
        + "{name: b, connector: zone_files, path: z}]"
    )
    config = load(tmp_path, text)
    assert [type(source).__module__ for source in config.sources] == [
        "connectors.focus_files.settings",
        "connectors.zone_files.settings",
    ]
    assert all(isinstance(source, SourceSettings) for source in config.sources)


def test_numbers_are_exact_from_their_text(tmp_path: Path) -> None:
    rate = "rate: 1.084999999"
    text = OFF + f"fx_rates: [{{from_currency: EUR, to_currency: USD, rate_date: 2026-11-01, {rate}}}]\n"
    period = "period_start: 2026-11-01, period_end: 2026-12-01"
    text += f"budgets: [{{budget_id: 007, {period}, amount: 0.1, currency: USD}}]\n"
    config = load(tmp_path, text)
    assert config.fx_rates[0].rate == Decimal("1.084999999")
    assert config.fx_rates[0].rate_date == date(2026, 11, 1)
    assert config.budgets[0].amount == Decimal("0.1")
    assert config.budgets[0].budget_id == "007"


@given(st.decimals(min_value=0, max_value=10**13, places=12, allow_nan=False, allow_infinity=False))
def test_every_amount_arrives_to_the_last_digit(
    tmp_path_factory: pytest.TempPathFactory, amount: Decimal
) -> None:
    row = f"budget_id: b, period_start: 2026-11-01, period_end: 2026-12-01, amount: {amount:f}, currency: USD"
    config = load(tmp_path_factory.mktemp("amount"), OFF + f"budgets: [{{{row}}}]")
    assert config.budgets[0].amount == amount


def test_moments_with_an_offset_become_utc(tmp_path: Path) -> None:
    row = "provider: openai, model: m, token_class: output_tokens, price_per_mtok: 1, valid_from: "
    text = OFF + f"prices: {{overrides: [{{{row} 2026-11-01T02:00:00+02:00}}, {{{row} 2026-11-02}}]}}"
    overrides = load(tmp_path, text).prices.overrides
    assert [override.valid_from for override in overrides] == [datetime(2026, 11, 1), datetime(2026, 11, 2)]


def test_yaml_guesses_are_not_made(tmp_path: Path) -> None:
    config = load(tmp_path, OFF + "tags: {team: [no, 12:30, 0042, 1.10]}")
    assert config.tags.team == ("no", "12:30", "0042", "1.10")
    assert config.tags.by_attribution_key() == {"team": ("no", "12:30", "0042", "1.10")}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("reporting_curency: USD", "line 2, reporting_curency: there is no such key.*'reporting_currency'"),
        ("report:\n  titel: x", r"line 3, report\.titel.*'title'"),
        ("budgets:\n  - budgetid: x", r"line 3, budgets\[0\]\.budgetid: there is no such key.*'budget_id'"),
        ("home: a\nhome: b", "line 2, home: this key stands twice, on lines 2 and 3"),
        ("tags: {team: [a], team: [b]}", r"tags\.team: this key stands twice"),
        ("home: ${HOME}/x", r"home: \$\{…\} stands in a field that is not a secret"),
        ("sources: [{name: a, connector: focus_files, path: '${HOME}'}]", r"sources\[0\]\.path: \$\{…\}"),
        ("sources: [{name: a, connector: focus_file, path: x}]", r"no connector 'focus_file'.*'focus_files'"),
        ("sources: [{name: a, path: x}]", r"sources\[0\]\.connector: this key is missing.*focus_files"),
        ("sources: [{name: a, connector: focus_files}]", r"sources\[0\]\.path: this key is missing"),
        ("sources: [{name: a, connector: zone_files, path: x, patern: y}]", "'pattern'"),
        ("sources: {name: a}", "sources: must be a list"),
        ("sources: [a]", r"sources\[0\]: a source must be a mapping"),
        (
            "sources: [{name: ../a, connector: zone_files, path: x}]",
            r"sources\[0\]\.name: a source name becomes",
        ),
        ("reporting_currency: usd", "must be an ISO currency code.*'usd'"),
        ("coverage_epsilon: 1.5", "coverage_epsilon: .*less than 1"),
        ("engine: {memory_limit: lots}", r"engine\.memory_limit: must be an amount of memory"),
        ("engine: {threads: 0}", r"engine\.threads"),
        ("tags: {team: !env X}", r"tags\.team: the YAML tag !env"),
        ("tags: {team: &a [*a]}", "an alias contains itself"),
        ("classification: [{rule_id: a, cost_driver: other}]", "at least one"),
        ("classification: [{rule_id: a, cost_driver: other, meter_pattern: '('}]", "regular expression"),
        ("classification: [{rule_id: a, cost_driver: other, meter_pattern: Tokens}]", "lower case"),
        (
            "classification: [{rule_id: a, cost_driver: llm, meter_pattern: x}]",
            "cost_driver: input should be 'inf",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place_and_remedy(tmp_path: Path, text: str, expected: str) -> None:
    assert re.search(expected, message_of(tmp_path, OFF + text), re.DOTALL)


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    sources = "sources: [{name: a, connector: nope}, {name: a, connector: zone_files}]"
    text = f"hom: x\nreporting_currency: dollars\n{sources}"
    message = message_of(tmp_path, text, {})
    assert message.startswith(f"{tmp_path / 'everycent.yml'}: 6 problems")
    for part in ("hom:", "dollars", "'nope'", "sources[1].path", "is taken by sources[0]"):
        assert part in message


@pytest.mark.parametrize("text", ["a: [", "a: b: c", "\ta: 1", "'", "- a\nb: c"])
def test_broken_yaml_says_where(tmp_path: Path, text: str) -> None:
    assert re.search(r"not valid YAML at line \d+, column \d+", message_of(tmp_path, text))


@pytest.mark.parametrize("text", ["", "# nothing", "- a", "a", "null"])
def test_a_file_without_keys_is_an_error(tmp_path: Path, text: str) -> None:
    assert "mapping of keys" in message_of(tmp_path, text)


def test_a_missing_or_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="absent.yml: 1 problem\n.*no such file"):
        load_config(tmp_path / "absent.yml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)
    (tmp_path / "latin.yml").write_bytes(b"home: \xe4")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(tmp_path / "latin.yml")


def test_no_identity_key_says_how_to_make_one(tmp_path: Path) -> None:
    message = message_of(tmp_path, "home: x", {})
    assert "EVERYCENT_IDENTITY_KEY" in message
    assert "secrets.token_hex" in message
    assert "COMPANY_KEY" in message_of(tmp_path, "identity: {key_env: COMPANY_KEY}", KEY)
    assert "holds no key" in message_of(tmp_path, "home: x", {"EVERYCENT_IDENTITY_KEY": ""})


def test_the_identity_key_comes_from_where_it_is_said(tmp_path: Path) -> None:
    environment = {"A": "sixteen from a..", "EVERYCENT_IDENTITY_KEY": "sixteen by default"}
    assert load(tmp_path, "identity: {key_env: A}", environment).identity.key_bytes() == b"sixteen from a.."
    assert load(tmp_path, 'identity: {key: "${A}"}', environment).identity.key_bytes() == b"sixteen from a.."
    assert load(tmp_path, "identity: {key: sixteen in clear}", {}).identity.key_bytes() == b"sixteen in clear"
    assert load(tmp_path, OFF, environment).identity.key_bytes() is None
    assert "variable B is not set" in message_of(tmp_path, 'identity: {key: "${B}"}', environment)


def test_a_key_that_could_be_guessed_is_refused(tmp_path: Path) -> None:
    for message in (
        message_of(tmp_path, "home: x", {"EVERYCENT_IDENTITY_KEY": "fifteen letters"}),
        message_of(tmp_path, "identity: {key: short}", {}),
    ):
        assert "needs 16 or more" in message
        assert "short" not in message
        assert "fifteen" not in message


def test_the_key_never_shows(tmp_path: Path) -> None:
    config = load(tmp_path, "home: x")
    assert KEY["EVERYCENT_IDENTITY_KEY"] not in f"{config!r} {config} {config.model_dump_json()}"
    message = message_of(tmp_path, 'identity: {key: ["${EVERYCENT_IDENTITY_KEY}"]}')
    assert "identity.key" in message


def test_a_command_that_only_reads_needs_no_key(tmp_path: Path) -> None:
    (tmp_path / "c.yml").write_text("home: x")
    config = load_config(tmp_path / "c.yml", environment={}, is_identity_key_needed=False)
    assert config.identity.key is None


def test_secrets_of_connectors_are_filled_and_nothing_else() -> None:
    class Settings(SourceSettings):
        token: SecretStr | None = None

    problems: list[Problem] = []
    values = {"name": "${A}", "token": "x-${A}"}
    expanded = expand_variables(values, Settings, ("sources", 0), {"A": "secret"}, problems)
    assert expanded == {"name": "${A}", "token": "x-secret"}
    assert [problem.path for problem in problems] == [("sources", 0, "name")]


@pytest.mark.parametrize(
    "rows",
    [
        "fx_rates: [{r}, {r}]".replace(
            "{r}", "{from_currency: EUR, to_currency: USD, rate_date: 2026-01-01, rate: 1}"
        ),
        "model_aliases: [{r}, {r}]".replace("{r}", "{alias: a, provider: p, model: m}"),
        "classification: [{r}, {r}]".replace("{r}", "{rule_id: a, cost_driver: other, meter_pattern: x}"),
    ],
)
def test_two_rows_that_say_the_same_are_an_error(tmp_path: Path, rows: str) -> None:
    assert "[1]: says again what row [0] says" in message_of(tmp_path, OFF + rows)


def test_a_period_must_not_be_empty(tmp_path: Path) -> None:
    row = "{budget_id: b, period_start: 2026-11-01, period_end: 2026-11-01, amount: 1, currency: USD}"
    assert "later than period_start" in message_of(tmp_path, OFF + f"budgets: [{row}]")


def test_the_config_is_frozen(tmp_path: Path) -> None:
    config = load(tmp_path, "{}")
    with pytest.raises(ValueError, match="frozen"):
        config.home = Path("elsewhere")


def test_nearest_name_sees_through_dashes_and_case() -> None:
    assert nearest_name("Reporting-Currency", ["home", "reporting_currency"]) == "reporting_currency"
    assert nearest_name("zzz", ["home"]) is None


def test_keys_agree_with_the_lake() -> None:
    assert tuple(TagSettings.model_fields) == TAGGED_KEYS
    assert set(TokenClass.__args__) == set(TOKEN_CLASSES)


def test_the_page_has_every_key_and_its_example_loads(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "config.md").read_text(encoding="utf-8")
    example = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert example
    config = load(tmp_path, example[1], {"COMPANY_IDENTITY_KEY": "k" * 16})
    assert config.prices.overrides[0].price_per_mtok == Decimal("8.50")
    written = yaml.safe_load(example[1])
    assert set(written) == set(Config.model_fields)
    for section in ("identity", "tags", "prices", "report", "retention", "engine"):
        assert set(written[section]) == set(type(getattr(config, section)).model_fields)
    for table in ("budgets", "fx_rates", "model_aliases", "classification"):
        assert set(written[table][0]) == set(type(getattr(config, table)[0]).model_fields)
    assert set(written["prices"]["overrides"][0]) == set(type(config.prices.overrides[0]).model_fields)


def test_the_tables_of_the_page_are_those_of_the_models() -> None:
    page = (ROOT / "docs" / "config.md").read_text(encoding="utf-8")
    assert all(f"connector `{connector}`" in page for connector in CONNECTORS)
    assert page == replace_reference(page), "run: python -m pipelines.config.reference docs/config.md"
