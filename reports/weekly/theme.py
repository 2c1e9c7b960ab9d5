"""Colours and CSS of the weekly report: one palette, light and dark, for the page and the drawn charts.

What belongs here: colours, sizes, style rules. What must not: content.
"""

from __future__ import annotations

from pathlib import Path

# name: (light, dark). Charts are drawn in the light colours; CSS swaps them by attribute in dark mode.
COLOURS = {
    "text": ("#0f172a", "#e6edf6"),
    "muted": ("#5b6b82", "#98a7bc"),
    "line": ("#e2e8f0", "#2a3648"),
    "axis": ("#94a3b8", "#5f6f86"),
    "page": ("#ffffff", "#0e1521"),
    "card": ("#f8fafc", "#16202f"),
    "band": ("#f1f5f9", "#1a2637"),
    "up": ("#b91c1c", "#ff8a80"),
    "down": ("#15803d", "#5fd08a"),
    "warn": ("#a16207", "#f2c14e"),
    "accent": ("#2563eb", "#7aa7ff"),
    "budget": ("#dc2626", "#ff7b72"),
    "fan": ("#1e3a8a", "#9db8ff"),
    "series_1": ("#3b74f0", "#6a97ff"),
    "series_2": ("#259d8f", "#45bfae"),
    "series_3": ("#dd861b", "#f0a84e"),
    "series_4": ("#8b4df0", "#ad86ff"),
    "series_5": ("#d1437b", "#f07fae"),
    "rest": ("#718096", "#8795ab"),
    "none": ("#c3ccd8", "#4c5a6e"),
}
FONT_STACK = "Inter, system-ui, 'DejaVu Sans', sans-serif"
SERIES = ("series_1", "series_2", "series_3", "series_4", "series_5")


def light(name: str) -> str:
    """Return a colour of the light palette."""
    return COLOURS[name][0]


def render_stylesheet() -> str:
    """Return the whole style sheet: palette, dark palette (screen only), and the rules of weekly.css."""
    light_palette = "".join(f"--{name}:{pair[0]};" for name, pair in COLOURS.items())
    dark_palette = "".join(f"--{name}:{pair[1]};" for name, pair in COLOURS.items())
    swaps = "".join(
        f'svg [fill="{pair[0]}"]{{fill:var(--{name})}}svg [stroke="{pair[0]}"]{{stroke:var(--{name})}}'
        for name, pair in COLOURS.items()
    )
    rules = (Path(__file__).parent / "templates" / "weekly.css").read_text(encoding="utf-8")
    return (
        f":root{{color-scheme:light dark;{light_palette}--font:{FONT_STACK}}}\n"
        f"@media screen and (prefers-color-scheme: dark){{:root{{{dark_palette}}}}}\n{swaps}\n{rules}"
    )
