"""Draws the report's pictures as static SVG: the daily cost chart (Vega-Lite) and sparklines (by hand).

What belongs here: geometry from records. No name from the data enters a picture: series are drawn by colour
and named in the HTML legend beside it. What must not: reading marts, choosing what is shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import vl_convert
from markupsafe import Markup, escape

from reports.weekly.headline import DailyBudget
from reports.weekly.records import ForecastDay, Slice, Week
from reports.weekly.theme import FONT_STACK, light

_FANS = (("p05", "p95", 0.16), ("p10", "p90", 0.22), ("p25", "p75", 0.34))
_SPARK_WIDTH, _SPARK_HEIGHT, _SPARK_MARGIN = 96, 22, 2
_GAP_SHARE = 0.09


@dataclass(frozen=True)
class ChartSize:
    """One drawing of the chart; `weeks_per_label` keeps dates from touching."""

    css_class: str
    width: int
    height: int
    weeks_per_label: int


SIZES = (ChartSize("wide", 936, 264, 1), ChartSize("narrow", 346, 230, 3))


def _milliseconds(day: date, hours: float = 0.0) -> int:
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=hours)
    return int(moment.timestamp() * 1000)


def build_bars(
    slices: Sequence[Slice], colours: Sequence[tuple[str, str | None, str]]
) -> list[dict[str, Any]]:
    """Stack each day's slices in the order of `colours` (kind, feature, colour); credits stack below zero."""
    order = {(kind, feature): position for position, (kind, feature, _) in enumerate(colours)}
    bars: list[dict[str, Any]] = []
    tops: dict[tuple[date, bool], Decimal] = {}
    for piece in sorted(slices, key=lambda s: (s.charge_date, order[(s.kind, s.feature)], s.is_estimated)):
        level = tops.get((piece.charge_date, piece.cost < 0), Decimal(0))
        tops[(piece.charge_date, piece.cost < 0)] = level + piece.cost
        bars.append(
            {
                "x": _milliseconds(piece.charge_date, 24 * _GAP_SHARE),
                "x2": _milliseconds(piece.charge_date, 24 * (1 - _GAP_SHARE)),
                "y": float(level),
                "y2": float(level + piece.cost),
                "colour": light(colours[order[(piece.kind, piece.feature)]][2]),
                "opacity": 0.45 if piece.is_estimated else 1.0,
            }
        )
    return bars


def render_daily_chart(
    bars: Sequence[dict[str, Any]],
    fan: Sequence[ForecastDay],
    budgets: Sequence[DailyBudget],
    first_day: date,
    last_day: date,
    week: Week,
    description: str,
) -> Markup:
    """Return the chart in every size as inline SVG; the page's CSS shows the one that fits."""
    drawn = []
    for size in SIZES:
        spec = _build_spec(bars, fan, budgets, (first_day, last_day), week, size)
        drawn.append(_clean_svg(vl_convert.vegalite_to_svg(json.dumps(spec)), size, description))
    return Markup("").join(drawn)


def _build_spec(
    bars: Sequence[dict[str, Any]],
    fan: Sequence[ForecastDay],
    budgets: Sequence[DailyBudget],
    span: tuple[date, date],
    week: Week,
    size: ChartSize,
) -> dict[str, Any]:
    amounts = [bar["y2"] for bar in bars] + [float(b.amount) for b in budgets]
    amounts += [float(getattr(day, name) or day.p50) for day in fan for name in ("p05", "p50", "p95")]
    low, high = min([0.0, *amounts]), max([0.0, *amounts])
    high = high if high > low else low + 1
    x = {"field": "x", "type": "quantitative", "scale": _x_scale(span), "axis": _x_axis(span, size)}
    y_axis = {
        "format": "~s" if high >= 1000 else ",.2~f",
        "tickCount": 6,
        "grid": True,
        "domain": False,
        "ticks": False,
    }
    y_scale = {"domain": [low * 1.04, high * 1.04], "nice": False, "zero": True}
    y = {"field": "y", "type": "quantitative", "scale": y_scale, "axis": {**y_axis, "title": None}}
    layers = [
        _week_layer(week, x),
        *_bar_layers(bars, x, y),
        *_fan_layers(fan, x, y),
        *_budget_layers(budgets, span, x, y),
    ]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": size.width - 52,
        "height": size.height - 40,
        "padding": {"left": 44, "right": 8, "top": 12, "bottom": 28},
        "autosize": {"type": "none"},
        "background": None,
        "layer": [{**layer, "mark": {"aria": False, **layer["mark"]}} for layer in layers],
        "config": {
            "font": FONT_STACK,
            "view": {"stroke": None},
            "axis": {
                "labelColor": light("muted"), "labelFontSize": 11, "labelPadding": 6, "labelOverlap": False,
                "gridColor": light("line"), "domainColor": light("axis"), "tickColor": light("axis"),
                "aria": False,
            },
        },
    }  # fmt: skip


def _x_scale(span: tuple[date, date]) -> dict[str, Any]:
    return {"domain": [_milliseconds(span[0]), _milliseconds(span[1], 24)], "nice": False, "zero": False}


def _x_axis(span: tuple[date, date], size: ChartSize) -> dict[str, Any]:
    monday = span[0] + timedelta(days=-span[0].weekday() % 7)
    step = 7 * size.weeks_per_label
    ticks = [
        _milliseconds(monday + timedelta(days=offset))
        for offset in range(0, (span[1] - monday).days - 1, step)
    ]
    label = "utcFormat(datum.value, '%d %b')"
    return {
        "values": ticks,
        "labelExpr": label,
        "labelAlign": "left",
        "labelOffset": -4,
        "grid": False,
        "title": None,
    }


def _week_layer(week: Week, x: dict[str, Any]) -> dict[str, Any]:
    values = [{"x": _milliseconds(week.start), "x2": _milliseconds(week.end)}]
    encoding = {"x": x, "x2": {"field": "x2"}}
    return {
        "data": {"values": values},
        "mark": {"type": "rect", "color": light("band")},
        "encoding": encoding,
    }


def _bar_layers(bars: Sequence[dict[str, Any]], x: dict[str, Any], y: dict[str, Any]) -> list[dict[str, Any]]:
    encoding = {
        "x": x, "x2": {"field": "x2"}, "y": y, "y2": {"field": "y2"},
        "fill": {"field": "colour", "type": "nominal", "scale": None},
        "opacity": {"field": "opacity", "type": "quantitative", "scale": None},
    }  # fmt: skip
    return [{"data": {"values": list(bars)}, "mark": {"type": "rect"}, "encoding": encoding}]


def _fan_layers(fan: Sequence[ForecastDay], x: dict[str, Any], y: dict[str, Any]) -> list[dict[str, Any]]:
    layers = []
    for low, high, opacity in _FANS:
        values = [
            {
                "x": _milliseconds(day.target_date, 12),
                "y": float(getattr(day, low)),
                "y2": float(getattr(day, high)),
            }
            for day in fan
            if getattr(day, low) is not None and getattr(day, high) is not None
        ]
        mark = {"type": "area", "color": light("fan"), "opacity": opacity}
        layers.append(
            {"data": {"values": values}, "mark": mark, "encoding": {"x": x, "y": y, "y2": {"field": "y2"}}}
        )
    values = [{"x": _milliseconds(day.target_date, 12), "y": float(day.p50)} for day in fan]
    mark = {"type": "line", "color": light("fan"), "strokeDash": [4, 3], "strokeWidth": 2}
    layers.append({"data": {"values": values}, "mark": mark, "encoding": {"x": x, "y": y}})
    return [layer for layer in layers if layer["data"]["values"]]


def _budget_layers(
    budgets: Sequence[DailyBudget], span: tuple[date, date], x: dict[str, Any], y: dict[str, Any]
) -> list[dict[str, Any]]:
    values = [
        {
            "x": _milliseconds(max(budget.start, span[0])),
            "x2": _milliseconds(min(budget.end, span[1] + timedelta(days=1))),
            "y": float(budget.amount),
        }
        for budget in budgets
        if budget.start <= span[1] and budget.end > span[0]
    ]
    if not values:
        return []
    mark = {"type": "rule", "color": light("budget"), "strokeDash": [2, 2], "strokeWidth": 1.5}
    return [{"data": {"values": values}, "mark": mark, "encoding": {"x": x, "x2": {"field": "x2"}, "y": y}}]


def _clean_svg(svg: str, size: ChartSize, description: str) -> Markup:
    """Replace the root element by one that scales and is one labelled image."""
    inner = re.sub(r"^<svg[^>]*>|</svg>\s*$", "", svg.strip())
    inner = re.sub(r' (?:role|aria-[a-z]+|pointer-events)="[^"]*"', "", inner)
    root = Markup('<svg class="chart {}" viewBox="0 0 {} {}" role="img" aria-label="{}">')
    opened = root.format(size.css_class, size.width, size.height, description)
    return opened + Markup(inner) + Markup("</svg>")  # noqa: S704 - drawn by us, from numbers only


def render_sparkline(history: Sequence[Decimal | None], name: str) -> Markup:
    """Return 28 days as a small line; days without data break it. Nothing at all gives an empty Markup."""
    known = [value for value in history if value is not None]
    if not known:
        return Markup("")
    low, high = min([Decimal(0), *known]), max(known)
    span = (high - low) or Decimal(1)
    step = Decimal(_SPARK_WIDTH - 2 * _SPARK_MARGIN) / max(len(history) - 1, 1)
    runs: list[list[str]] = [[]]
    for position, value in enumerate(history):
        if value is None:
            runs.append([])
            continue
        x = _SPARK_MARGIN + step * position
        y = _SPARK_HEIGHT - _SPARK_MARGIN - (value - low) / span * (_SPARK_HEIGHT - 2 * _SPARK_MARGIN)
        runs[-1].append(f"{x:.1f},{y:.1f}")
    paths = Markup("").join(_draw_run(run) for run in runs if run)
    return Markup(
        '<svg class="spark" viewBox="0 0 {} {}" role="img" aria-label="{}"><g fill="none" stroke="{}" '
        'stroke-width="1.6" stroke-linejoin="round" stroke-linecap="round">{}</g></svg>'
    ).format(_SPARK_WIDTH, _SPARK_HEIGHT, escape(name), light("accent"), paths)


def _draw_run(run: list[str]) -> Markup:
    """Draw days in a row as a line; a lone day as a dot."""
    if len(run) > 1:
        return Markup('<path d="M{}L{}"/>').format(run[0], " ".join(run[1:]))
    x, y = run[0].split(",")
    return Markup('<circle cx="{}" cy="{}" r="1.2" fill="{}"/>').format(x, y, light("accent"))
