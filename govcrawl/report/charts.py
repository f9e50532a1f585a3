"""Pictures of a quarter, legible in black and white and with Chinese text; the same in every document."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any

from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from govcrawl.items import GovcrawlError
from govcrawl.report.facts import Facts

_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "SimHei",
    "Microsoft YaHei",
    "WenQuanYi Zen Hei",
)
_BIN = 2  # points a bar of the distribution spans
_INDICATORS = 12
_WIDTH, _HEIGHT, _DPI = 8.0, 4.4, 130
_FILL, _EDGE = "#9a9a9a", "#1a1a1a"


def charts(facts: Facts) -> dict[str, tuple[str, bytes]]:
    """Return name -> (caption, PNG) of the charts the facts have data for."""
    drawn: dict[str, tuple[str, Callable[[Any, Facts], bool]]] = {
        "distribution": ("门户网站得分分布", _distribution),
        "cities": ("各设区市门户网站平均得分", _cities),
        "indicators": ("扣分最多的指标", _indicators),
        "trend": ("各季度得分走势", _trend),
    }
    found = {}
    for name, (caption, draw) in drawn.items():
        figure = Figure(figsize=(_WIDTH, _HEIGHT), dpi=_DPI, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        if draw(axes, facts):
            _dress(axes, f"{facts.quarter.zh}{caption}" if name != "trend" else caption)
            found[name] = (caption, _png(figure))
    return found


@cache
def _font() -> Any:
    known = {font.name: font.fname for font in font_manager.fontManager.ttflist}
    path = next((known[name] for name in _FONTS if name in known), None)
    if path is None:
        raise GovcrawlError(f"no Chinese font for the charts; install one of {', '.join(_FONTS[:3])}")
    return path


def _dress(axes: Any, title: str) -> None:
    axes.set_title(title, fontsize=13)
    axes.spines[["top", "right"]].set_visible(False)
    path = _font()
    for text in [
        axes.title,
        axes.xaxis.label,
        axes.yaxis.label,
        *axes.texts,
        *axes.get_xticklabels(),
        *axes.get_yticklabels(),
    ]:
        size = text.get_fontsize()
        text.set_fontproperties(font_manager.FontProperties(fname=path, size=size))
    if legend := axes.get_legend():
        for text in legend.get_texts():
            text.set_fontproperties(font_manager.FontProperties(fname=path, size=9))


def _png(figure: Figure) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def _distribution(axes: Any, facts: Facts) -> bool:
    totals = [rank.total for rank in facts.summary.ranking]
    if not totals:
        return False
    bins = Counter(int(total) // _BIN * _BIN for total in totals)
    places = range(min(bins), max(bins) + 1, _BIN)
    bars = axes.bar(
        [place + _BIN / 2 for place in places],
        [bins[place] for place in places],
        width=_BIN * 0.9,
        color=_FILL,
        edgecolor=_EDGE,
    )
    axes.bar_label(bars, fontsize=9)
    axes.set_xticks(list(places))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("得分")
    axes.set_ylabel("网站数（家）")
    return True


def _cities(axes: Any, facts: Facts) -> bool:
    found: dict[str, list[Decimal]] = {}
    for rank in facts.summary.ranking:
        found.setdefault(facts.city(rank.site_id), []).append(rank.total)
    means = sorted(
        ((sum(totals) / len(totals), name) for name, totals in found.items()), key=lambda one: one[0]
    )
    if not means:
        return False
    bars = axes.barh(
        [name for _, name in means], [float(mean) for mean, _ in means], color=_FILL, edgecolor=_EDGE
    )
    axes.bar_label(bars, fmt="%.1f", padding=3, fontsize=9)
    lowest = float(means[0][0])
    axes.set_xlim(max(0, lowest - 5), float(means[-1][0]) + 1)
    axes.set_xlabel(f"平均得分（横轴从{max(0, lowest - 5):.0f}分起）")
    return True


def _indicators(axes: Any, facts: Facts) -> bool:
    problems = [problem for problem in facts.summary.problems if problem.points][:_INDICATORS][::-1]
    if not problems:
        return False
    bars = axes.barh(
        [problem.indicator for problem in problems],
        [float(problem.points) for problem in problems],
        color=_FILL,
        edgecolor=_EDGE,
        hatch="//",
    )
    axes.bar_label(bars, fmt="%.1f", padding=3, fontsize=9)
    axes.set_xlabel("全部门户网站扣分合计")
    return True


def _trend(axes: Any, facts: Facts) -> bool:
    if len(facts.trend) < 2:
        return False
    names = [point.quarter for point in facts.trend]
    for label, values, style in (
        ("最高", [point.best for point in facts.trend], "k^--"),
        ("平均", [point.mean for point in facts.trend], "ko-"),
        ("最低", [point.worst for point in facts.trend], "kv:"),
    ):
        axes.plot(names, [float(value) for value in values], style, label=label)
        for name, value in zip(names, values, strict=True):
            axes.annotate(
                f"{value}", (name, float(value)), xytext=(0, 6), textcoords="offset points", fontsize=9
            )
    axes.set_ylabel("得分")
    axes.legend(frameon=False)
    return True
