"""The weekly report: equal bytes, escaped names, figures equal to SQL on the marts, honest blanks."""

from __future__ import annotations

import re
import shutil
from datetime import date, datetime
from decimal import Decimal
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pytest

from reports.weekly import formats
from reports.weekly.data import read_weekly_data
from reports.weekly.headline import build_headline
from reports.weekly.records import DayState, Week, WeeklyReportError
from reports.weekly.render import build_weekly_report
from tests.unit.weekly_fixture import AS_OF, HOSTILE, WEEK, build_release, hash_of

THIS_WEEK = "charge_date between date '2026-11-16' and date '2026-11-22'"
LAST_WEEK = "charge_date between date '2026-11-09' and date '2026-11-15'"
NOT_TAX = "charge_category <> 'Tax'"


def build(release: Path, out: Path, week: str | None = WEEK, labels: dict[str, str] | None = None) -> str:
    path = build_weekly_report(
        release, week, out, title="Weekly report", as_of=AS_OF, code_version="1.2.3", labels=labels
    )
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_release(tmp_path_factory.mktemp("weekly") / "everycent.duckdb")


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("hostile")
    return build(build_release(folder / "everycent.duckdb", hostile=True), folder)


def query(release: Path, sql: str) -> list[tuple]:
    with duckdb.connect(str(release), read_only=True) as connection:
        return connection.execute(sql).fetchall()


class Page(HTMLParser):
    """Collects every element with its attributes, and the exact values shown."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    @property
    def values(self) -> set[Decimal]:
        return {Decimal(a["value"] or "") for tag, a in self.elements if tag == "data"}


def test_same_release_gives_the_same_bytes(release: Path, tmp_path: Path) -> None:
    first, second = build(release, tmp_path / "a"), build(release, tmp_path / "b")
    assert first == second
    assert len(first) > 20_000
    assert not list(tmp_path.rglob("_tmp*"))


def test_the_file_is_named_after_its_week(release: Path, tmp_path: Path) -> None:
    build(release, tmp_path, "2026-W45")
    assert [path.name for path in tmp_path.iterdir()] == ["weekly-2026-W45.html"]


@pytest.mark.parametrize("key", ["cost_driver", "feature", "endpoint"])
def test_every_group_shown_equals_the_mart(release: Path, tmp_path: Path, key: str) -> None:
    shown = Page(build(release, tmp_path)).values
    rows = query(
        release,
        f"select sum(effective_cost_reporting) filter ({THIS_WEEK}), "
        f"sum(effective_cost_reporting) filter ({LAST_WEEK}) "
        f"from marts.cost_daily where {NOT_TAX} group by {key}",
    )
    assert len(rows) >= 5
    for this_week, last_week in rows:
        assert {this_week, last_week, this_week - last_week} <= shown


def test_totals_equal_the_mart_and_are_displayed_rounded_half_up(release: Path, tmp_path: Path) -> None:
    html = build(release, tmp_path)
    [(total, before)] = query(
        release,
        f"select sum(effective_cost_reporting) filter ({THIS_WEEK}), "
        f"sum(effective_cost_reporting) filter ({LAST_WEEK}) from marts.cost_daily where {NOT_TAX}",
    )
    assert f'<data value="{total:f}">{formats.format_amount(total)}</data>' in html
    assert f'<data value="{total - before:f}">+{formats.format_amount(total - before)}</data>' in html


def test_groups_add_up_to_the_total_exactly(release: Path) -> None:
    data = read_weekly_data(release, WEEK, AS_OF)
    groups = (data.drivers, data.features, data.users, data.endpoints, data.residuals, data.evidence)
    for rows in groups:
        assert sum(row.this_week or 0 for row in rows) == data.total.this_week
        assert sum(row.last_week or 0 for row in rows) == data.total.last_week
    assert {row.kind for row in data.users} == {"key", "rest", "none"}
    assert sum(day.cost or 0 for day in data.days) == data.total.this_week
    week_slices = [piece for piece in data.slices if data.week.start <= piece.charge_date < data.week.end]
    assert sum(piece.cost for piece in week_slices) == data.total.this_week


def test_currencies_without_a_rate_stand_apart(release: Path, tmp_path: Path) -> None:
    data = read_weekly_data(release, WEEK, AS_OF)
    [apart] = data.unconverted
    assert (apart.currency, apart.this_week) == ("JPY", Decimal("7002.31"))
    [total] = query(
        release, f"select sum(effective_cost_reporting) from marts.cost_daily where {THIS_WEEK} and {NOT_TAX}"
    )[0]
    assert data.total.this_week == total
    assert {row.currency for row in data.currencies} == {"EUR", "JPY", "USD"}
    assert all(row.attributed + row.residual == row.total for row in data.currencies)
    html = build(release, tmp_path)
    assert "Not in the figures above: no exchange rate" in html
    amount = '+ <data value="7002.310000000000">7,002.31</data> <bdi>JPY</bdi> not converted: no rate'
    cards, days = html.index('<section class="cards"'), html.index('<table class="days">')
    assert amount in " ".join(html[cards : html.index("Against budget", cards)].split())
    assert f"The days leave out {amount} to USD." in " ".join(
        html[days : html.index("</section>", days)].split()
    )


def test_tax_is_no_part_of_the_week_but_is_shown(release: Path) -> None:
    dollars = next(c for c in read_weekly_data(release, WEEK, AS_OF).currencies if c.currency == "USD")
    assert dollars.tax == Decimal("388.5")


def test_estimated_days_are_named(release: Path, tmp_path: Path) -> None:
    data = read_weekly_data(release, WEEK, AS_OF)
    assert [day.state for day in data.days] == [DayState.COMPLETE] * 6 + [DayState.PARTLY_ESTIMATED]
    html = build(release, tmp_path)
    assert "6 of 7 days complete, 1 with estimates" in html
    head = html[html.index("<header>") : html.index("</header>")]
    assert "as known on 23\u00a0Nov\u00a02026 05:30 UTC" in head
    assert f'<data value="{data.days[-1].estimated_cost:f}">' in html


def test_a_partial_week_is_compared_with_the_same_weekdays(release: Path) -> None:
    midweek = datetime(2026, 11, 18, 6)
    data = read_weekly_data(release, WEEK, midweek)
    assert data.compared_days == (date(2026, 11, 9), date(2026, 11, 10))
    [before] = query(
        release,
        f"select sum(effective_cost_reporting) from marts.cost_daily "
        f"where charge_date between date '2026-11-09' and date '2026-11-10' and {NOT_TAX}",
    )[0]
    assert data.total.last_week == before


def test_no_day_that_is_not_over_is_shown(release: Path) -> None:
    data = read_weekly_data(release, WEEK, datetime(2026, 11, 17, 6))
    assert max(piece.charge_date for piece in data.slices) == date(2026, 11, 16)
    assert data.anomalies == ()
    assert data.forecast is None


@pytest.mark.parametrize(
    ("as_of", "week"),
    [
        (datetime(2026, 11, 23, 5), "2026-W47"),  # its Sunday is partly billed
        (datetime(2026, 11, 21, 5), "2026-W46"),  # the running week is not whole
    ],
)
def test_without_a_week_the_newest_settled_one_is_taken(release: Path, as_of: datetime, week: str) -> None:
    assert read_weekly_data(release, None, as_of).week.name == week


def test_hostile_names_are_text_and_nothing_else(hostile_page: str) -> None:
    page = Page(hostile_page)
    tags = {tag for tag, _ in page.elements}
    assert {"table", "svg", "data"} <= tags
    assert not tags & {
        "script",
        "img",
        "iframe",
        "object",
        "a",
        "image",
        "use",
        "foreignObject",
        "foreignobject",
    }
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    for name in HOSTILE[:3]:
        assert name not in hostile_page
        assert name in unescape(hostile_page)
    assert "x" * 80 not in re.sub(r'title="[^"]*"', "", hostile_page)
    assert "\u202e" not in hostile_page


def test_no_name_enters_a_picture(hostile_page: str) -> None:
    pictures = re.findall(r"<svg.*?</svg>", hostile_page, flags=re.DOTALL)
    assert len(pictures) > 10
    for picture in pictures:
        for name in ("alert", "HYPERLINK", "very-long", "日本語", "code-review"):
            assert name not in picture


def test_the_page_asks_for_nothing(hostile_page: str) -> None:
    page = Page(hostile_page)
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert ("meta", {"http-equiv": "Content-Security-Policy", "content": policy}) in page.elements
    addresses = [a[n] for _, a in page.elements for n in ("href", "src", "xlink:href", "action") if n in a]
    assert addresses == ["data:,"]
    assert "@import" not in hostile_page
    assert not re.search(r"url\((?!#)", hostile_page)


def test_empty_marts_give_blanks(tmp_path: Path) -> None:
    html = build(build_release(tmp_path / "everycent.duckdb", is_empty=True), tmp_path, None)
    assert (tmp_path / "weekly-2026-W47.html").is_file()
    for sentence in ("no cost is known for this week", "no budgets in this release", "No anomaly was open"):
        assert sentence in html
    assert Page(html).values == set()


@pytest.mark.parametrize(
    "table", ["budget_status", "forecast_daily", "traces", "anomalies", "data_completeness"]
)
def test_one_empty_mart_leaves_the_rest(release: Path, tmp_path: Path, table: str) -> None:
    path = shutil.copy(release, tmp_path / "everycent.duckdb")
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"delete from marts.{table}")
    assert "code-review-agent" in build(path, tmp_path)


def test_users_are_shown_short_unless_they_have_a_label(release: Path, tmp_path: Path) -> None:
    user = f"u_3fa1_{hash_of('support-copilot')}"
    html = build(release, tmp_path)
    assert f'<bdi title="{user}">{user[:14]}…</bdi>' in html
    named = build(release, tmp_path, labels={user: "Ada <b>Lovelace</b>"})
    assert f'<bdi title="{user}">Ada &lt;b&gt;Lovelace&lt;/b&gt;</bdi>' in named


def test_the_cards_agree_with_the_marts(release: Path) -> None:
    data = read_weekly_data(release, WEEK, AS_OF)
    headline = build_headline(data)
    [(budget, actual, share, p10, p50, p90)] = query(
        release,
        "select budget, actual, elapsed_share, forecast_p10, forecast_p50, forecast_p90 "
        "from marts.budget_status where parent_id is null",
    )
    assert headline.position and headline.month_end and headline.riskiest
    assert headline.position.difference == actual - budget * share
    assert (headline.month_end.p10, headline.month_end.p50, headline.month_end.p90) == (p10, p50, p90)
    assert headline.riskiest.budget_id == "company"


def test_without_budgets_the_month_is_known_cost_plus_the_days_forecasts(
    release: Path, tmp_path: Path
) -> None:
    path = shutil.copy(release, tmp_path / "everycent.duckdb")
    with duckdb.connect(str(path)) as connection:
        connection.execute("delete from marts.budget_status")
    month = build_headline(read_weekly_data(path, WEEK, AS_OF)).month_end
    [(known,)] = query(
        path,
        "select sum(effective_cost_reporting) from marts.cost_daily "
        f"where {NOT_TAX} and charge_date >= date '2026-11-01'",
    )
    [(coming, high)] = query(
        path,
        "select sum(p50), sum(p90) from marts.forecast_daily "
        "where target_date between '2026-11-23' and '2026-11-30'",
    )
    assert month and month.basis == "days" and month.is_complete
    assert (month.p50, month.p90) == (known + coming, known + high)


def test_an_anomaly_is_told_once_and_in_its_week(release: Path, tmp_path: Path) -> None:
    html = build(release, tmp_path)
    text = read_text(html)
    assert text.count("than expected") == 1
    assert (
        "code-review-agent cost 10,350.75 USD on 6 days (17–22 Nov), 6,510.75 USD more than expected "
        "(3,840.00). Largest part: agent step retry: calls per action 3.1 -> 8.7 (x2.8). Still open." in text
    )
    assert "2 more, smaller or other views of the same" in html
    assert "long-gone" not in html
    assert "long-gone" in build(release, tmp_path, "2026-W40")


def read_text(html: str) -> str:
    """What a reader sees, on one line."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", "", html)).replace("\u00a0", " "))


def copy_release(release: Path, folder: Path, *statements: str) -> Path:
    """A copy of the release, changed."""
    path = Path(shutil.copy(release, folder / "everycent.duckdb"))
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)
    return path


def test_an_anomaly_without_a_feature_is_not_everything(release: Path, tmp_path: Path) -> None:
    path = copy_release(
        release,
        tmp_path,
        "delete from marts.anomalies where anomaly_id <> 'a1'",
        "update marts.anomalies set feature = null, actual = -47.77, impact_cost = -3887.77, state = 'closed', "
        "ended_date = date '2026-11-17', proof = 'On 2026-11-17, cost', cause = 'credit'",
    )
    assert (
        "Cost without a feature was \u221247.77 USD on 1 day (17 Nov), 3,887.77 USD less than expected "
        "(3,840.00). Largest part: credit. Over since 17 Nov." in read_text(build(path, tmp_path))
    )


def test_a_forecast_says_that_it_assumes_the_open_anomaly(release: Path, tmp_path: Path) -> None:
    said = "Assumes that the open anomaly goes on (about 1,085.13 USD a day)"
    assert read_text(build(release, tmp_path)).count(said) == 2
    closed = copy_release(release, tmp_path, "update marts.anomalies set state = 'closed'")
    assert "Assumes that" not in read_text(build(closed, tmp_path))


def test_a_short_history_is_said_in_the_card(release: Path, tmp_path: Path) -> None:
    assert "Short history" not in build(release, tmp_path)
    short = copy_release(release, tmp_path, "update marts.forecast_daily set is_low_history = true")
    assert '<p class="caution">Short history' in build(short, tmp_path)


@pytest.mark.parametrize("week", ["2030-W01", "2026-W48", "2026-W37", "2019-W10"])
def test_a_week_outside_the_data_is_refused_with_the_weeks_that_have_some(
    release: Path, tmp_path: Path, week: str
) -> None:
    with pytest.raises(WeeklyReportError, match="data from 2026-W38 to 2026-W47"):
        build(release, tmp_path / "out", week)
    assert not (tmp_path / "out").exists()
    empty = build_release(tmp_path / "empty.duckdb", is_empty=True)
    with pytest.raises(WeeklyReportError, match="everycent nightly"):
        build(empty, tmp_path / "out", week)


def test_a_week_is_compared_only_on_weekdays_that_both_hold(release: Path, tmp_path: Path) -> None:
    path = copy_release(
        release,
        tmp_path,
        f"delete from marts.cost_daily where {LAST_WEEK} and charge_date <> date '2026-11-11'",
    )
    data = read_weekly_data(path, WEEK, AS_OF)
    assert data.compared_days == (date(2026, 11, 11),)
    [(week, day, before)] = query(
        path,
        f"select sum(effective_cost_reporting) filter ({THIS_WEEK}), "
        "sum(effective_cost_reporting) filter (charge_date = date '2026-11-18'), "
        "sum(effective_cost_reporting) filter (charge_date = date '2026-11-11') "
        f"from marts.cost_daily where {NOT_TAX}",
    )
    assert (data.total.this_week, data.total.difference) == (week, day - before)
    assert sum(row.difference or 0 for row in data.features) == day - before
    assert "last week, same 1 day: only that one holds data in both weeks" in read_text(build(path, tmp_path))


def test_without_a_common_day_nothing_is_called_a_change(release: Path, tmp_path: Path) -> None:
    path = copy_release(release, tmp_path, f"delete from marts.cost_daily where {LAST_WEEK}")
    data = read_weekly_data(path, WEEK, AS_OF)
    assert data.total.this_week is not None
    assert {row.difference for row in (data.total, *data.features, *data.drivers)} == {None}
    assert "nothing to compare with" in build(path, tmp_path)


def test_the_total_of_bill_against_logs_counts_a_charge_once(release: Path, tmp_path: Path) -> None:
    path = copy_release(
        release,
        tmp_path,
        "insert into marts.reconciliation by name select * replace ('discount' as cause, -5 as difference_cost) "
        "from marts.reconciliation where cause = 'unlogged_usage'",
    )
    rows = read_weekly_data(path, WEEK, AS_OF).reconciliation
    [total] = [row for row in rows if row.is_total]
    assert rows[-1] is total
    assert total.billed_cost == 7 * (Decimal("410.5") + 88 + 1500)
    assert total.priced_cost == 7 * (Decimal("325.25") + Decimal("91.5") + 1500)
    assert total.difference_cost == sum(row.difference_cost or 0 for row in rows[:-1])
    assert total.row_count == 21
    assert "each charge once" in build(path, tmp_path)


def test_rows_of_a_source_are_those_of_the_week(release: Path, tmp_path: Path) -> None:
    path = copy_release(
        release,
        tmp_path,
        "insert into marts.data_completeness (source, dataset, date, rows, expected_share, state) "
        "values ('agent_spans', 'requests', date '2026-11-24', 7, 0.1, 'ok')",
    )
    spans = next(row for row in read_weekly_data(path, WEEK, AS_OF).sources if row.source == "agent_spans")
    assert (spans.row_count, spans.expected_share) == (12345, Decimal("0.94"))
    html = build(path, tmp_path)
    assert "Rows in the week" in html
    assert "Rows vs usual weekday" in html
    assert "Arrived" not in html


def test_two_clocks_are_told_once_when_they_differ(release: Path, tmp_path: Path) -> None:
    assert "(clock)" not in build(release, tmp_path)
    path = build_weekly_report(
        release, WEEK, tmp_path, title="t", as_of=AS_OF, code_version="1", today=date(2026, 11, 20)
    )
    text = read_text(path.read_text(encoding="utf-8"))
    assert text.count("made on 23 Nov (clock), business day 20 Nov") == 1


def test_an_overrun_is_called_over_and_a_reserve_left(release: Path, tmp_path: Path) -> None:
    html = build(release, tmp_path)
    rows = query(release, "select variance from marts.budget_status")
    assert {variance < 0 for (variance,) in rows} == {True, False}
    for (variance,) in rows:
        word = "over" if variance < 0 else "left"
        assert f'<data value="{variance:f}">{formats.format_amount(abs(variance))}</data> {word}' in html


def test_sources_and_findings_are_told_the_gravest_first(release: Path) -> None:
    data = read_weekly_data(release, WEEK, AS_OF)
    assert [row.source for row in data.sources] == ["agent_spans", "aws_bills", "azure_bills", "flow_logs"]
    assert [row.severity for row in data.findings] == ["fault", "warn"]


@pytest.mark.parametrize(("files", "rows"), [(3, 3), (4, 1)])
def test_a_finding_of_many_files_is_one_row(release: Path, tmp_path: Path, files: int, rows: int) -> None:
    told = ", ".join(f"('spans', 'requests', 'warn', 'sampled_spans', 'file {n}', {n})" for n in range(files))
    path = copy_release(
        release,
        tmp_path,
        "insert into marts.data_completeness (source, dataset, severity, finding, message, finding_count) "
        f"values {told}",
    )
    found = [row for row in read_weekly_data(path, WEEK, AS_OF).findings if row.finding == "sampled_spans"]
    assert len(found) == rows
    if rows == 1:
        assert (found[0].message, found[0].finding_count) == (
            "file 3 (and 3 more like it: everycent sources)",
            6,
        )


@pytest.mark.parametrize("name", ["2026-47", "2026-W54", "last", "2026-W4", "../../x"])
def test_a_wrong_week_says_how_to_write_it(release: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(WeeklyReportError, match="YYYY-Www"):
        build(release, tmp_path / "out", name)
    assert not (tmp_path / "out").exists()


def test_a_missing_release_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WeeklyReportError, match="everycent nightly"):
        build(tmp_path / "nowhere.duckdb", tmp_path)


def test_a_release_of_another_version_says_so(release: Path, tmp_path: Path) -> None:
    path = shutil.copy(release, tmp_path / "everycent.duckdb")
    with duckdb.connect(str(path)) as connection:
        connection.execute("drop table marts.traces")
    with pytest.raises(WeeklyReportError, match="another version"):
        build(path, tmp_path)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1234567.885", "1,234,567.89"),
        ("-1234.565", "\u22121,234.57"),
        ("0.005", "0.0050"),
        ("0.00004", "<0.0001"),
        ("-0.00004", "\u2212<0.0001"),
        ("0", "0.00"),
    ],
)
def test_amounts_are_rounded_half_up_with_separators(value: str, text: str) -> None:
    assert formats.format_amount(Decimal(value)) == text


def test_growth_from_nothing_is_new_and_not_infinite() -> None:
    assert formats.format_growth(Decimal(5), None) == "new"
    assert formats.format_growth(Decimal(5), Decimal(0)) == "new"
    assert formats.format_growth(Decimal("-25"), Decimal(100)) == "\u221225.0\u00a0%"


def test_weeks_begin_on_monday_and_cross_the_year() -> None:
    assert Week.containing(date(2027, 1, 1)).name == "2026-W53"
    assert Week.parse("2026-W53").days[0] == date(2026, 12, 28)
