"""Turns one week's records into one self-contained HTML file: no script, no request, equal bytes.

What belongs here: the template environment, the chart's choices, writing the file. What must not: SQL, sums
of money, fixed texts that belong in the template.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from reports.weekly import explanations, figures, formats
from reports.weekly.cost_queries import CHART_FEATURES
from reports.weekly.data import read_weekly_data
from reports.weekly.headline import Headline, build_headline, distinct_anomalies, fan_days
from reports.weekly.records import DayState, WeeklyData
from reports.weekly.theme import SERIES, render_stylesheet


def build_weekly_report(
    release_db: Path,
    week: str | None,
    out_dir: Path,
    *,
    title: str,
    as_of: datetime,
    code_version: str,
    labels: Mapping[str, str] | None = None,
    today: date | None = None,
) -> Path:
    """Write `<out_dir>/weekly-<YYYY-Www>.html` from a release and return its path.

    Args: the release's `everycent.duckdb` (opened read-only); an ISO week `YYYY-Www`, or None for the newest
    settled one; the report's title; the moment of knowledge (naive UTC); the code version to print; names to
    show for pseudonymous user ids and owners; the business day, by default that of `as_of`: days before it are past.
    Raises WeeklyReportError with what to do.
    """
    data = read_weekly_data(release_db, week, as_of, today)
    html = render_weekly_report(
        data, title=title, as_of=as_of, code_version=code_version, labels=labels or {}
    )
    path = out_dir / f"weekly-{data.week.name}.html"
    out_dir.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"_tmp-{path.name}")
    unfinished.write_text(html, encoding="utf-8", newline="\n")
    os.replace(unfinished, path)
    return path


def render_weekly_report(
    data: WeeklyData, *, title: str, as_of: datetime, code_version: str, labels: Mapping[str, str]
) -> str:
    """Render the records of one week as HTML: a pure function of its arguments."""
    headline = build_headline(data)
    legend = _build_legend(data)
    return (
        _build_environment(labels)
        .get_template("weekly.html.j2")
        .render(
            title=title,
            as_of=as_of,
            code_version=code_version,
            data=data,
            headline=headline,
            legend=legend,
            chart=_render_chart(data, headline, legend),
            fan=fan_days(data),
            anomalies=distinct_anomalies(data.anomalies),
            stylesheet=Markup(render_stylesheet()),  # noqa: S704 - our own constants
            complete_days=sum(1 for day in data.days if day.state is DayState.COMPLETE),
            known_days=sum(1 for day in data.days if day.state is not DayState.NO_DATA),
            estimated_cost=sum(
                (day.estimated_cost for day in data.days), start=data.days[0].estimated_cost * 0
            ),
            week_budgets=[b for b in data.budgets if b.period_end > data.week.start],
        )
    )


def _build_environment(labels: Mapping[str, str]) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "amount": formats.format_amount,
        "signed": formats.format_signed,
        "headline": formats.format_headline,
        "share": formats.format_share,
        "count": formats.format_count,
        "duration": formats.format_duration,
        "age": formats.format_age,
        "day": formats.format_day,
        "weekday": formats.format_weekday,
        "name": formats.build_name,
        "person": partial(formats.build_person, labels=labels),
        "residual": explanations.explain_residual,
    }
    environment.globals |= {
        "part": formats.format_part,
        "growth": formats.format_growth,
        "sparkline": figures.render_sparkline,
        "evidence_words": explanations.EVIDENCE,
        "day_span": formats.format_days,
        "cause_words": explanations.RECONCILIATION_CAUSES,
        "BLANK": formats.BLANK,
    }
    return environment


def _build_legend(data: WeeklyData) -> list[tuple[str, str | None, str]]:
    """Return the chart's series from the axis up: (kind, feature, colour), only those with any cost."""
    features = [change.key for change in data.features if change.kind == "key"][:CHART_FEATURES]
    series: list[tuple[str, str | None, str]] = [
        ("key", key, colour) for key, colour in zip(features, SERIES, strict=False)
    ]
    series += [("rest", None, "rest"), ("none", None, "none")]
    drawn = {(piece.kind, piece.feature) for piece in data.slices}
    return [entry for entry in series if entry[:2] in drawn]


def _chart_span(data: WeeklyData, fan: tuple[Any, ...]) -> tuple[date, date]:
    known = [piece.charge_date for piece in data.slices]
    last = max([data.week.last_day, *known, *(day.target_date for day in fan)])
    return min([data.week.start, *known]), last


def _render_chart(
    data: WeeklyData, headline: Headline, legend: list[tuple[str, str | None, str]]
) -> Markup | None:
    if not data.slices:
        return None
    fan = fan_days(data)
    first, last = _chart_span(data, fan)
    description = (
        f"Cost per day in {data.reporting_currency}, stacked by feature, {formats.format_day(first)} to "
        f"{formats.format_day(last)}, {'with' if fan else 'without'} forecast. Figures stand in the tables."
    )
    bars = figures.build_bars(data.slices, legend)
    return figures.render_daily_chart(bars, fan, headline.daily_budgets, first, last, data.week, description)
