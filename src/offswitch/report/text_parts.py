"""Tables and paragraphs of plain text: cells fold instead of being cut, and are taken literally."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING

from offswitch.report.wording import NO_DATA, interval, number, plain
from offswitch.statistics.measurement import Measurement

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

__all__ = [
    "COLUMNS", "add_row", "broken_name", "measured", "name_table", "paragraph", "plain_table",
]  # fmt: skip

COLUMNS = 80
NARROW = 15
"""Columns of a name beside four columns of numbers."""


def plain_table(*headers: str, title: str = "") -> Table:
    """A table of plain rules, whose cells fold instead of being cut."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(title) if title else None,
        title_justify="left",
        title_style="",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        header_style="",
    )
    for header in headers:
        table.add_column(Text(header), overflow="fold")
    return table


def name_table(first: str, *others: str, title: str = "") -> Table:
    """A table whose first column holds names that `broken_name` broke, and breaks them no more."""
    table = plain_table(first, *others, title=title)
    table.columns[0].no_wrap = True
    return table


def broken_name(name: str) -> str:
    """A name, made plain, in lines short enough for a narrow column: broken after hyphens only.

    >>> broken_name("absent-supervisor-v1").split("\\n")
    ['absent-', 'supervisor-v1']
    """
    return textwrap.fill(plain(name), NARROW, break_long_words=False)


def add_row(table: Table, *cells: str) -> None:
    """A row taken literally: no cell of it is read as markup."""
    from rich.text import Text

    table.add_row(*(Text(cell) for cell in cells))


def paragraph(lines: Iterable[str]) -> list[RenderableType]:
    """The lines as one text; nothing where there are none."""
    from rich.text import Text

    text = "\n".join(lines)
    return [Text(text, overflow="fold")] if text else []


def measured(measurement: Measurement | None) -> str:
    """Estimate and n, the interval below, then what is missing."""
    if measurement is None:
        return "not measured"
    missing = f"\n{measurement.missing} missing" if measurement.missing else ""
    if measurement.estimate is None:
        return f"{NO_DATA}, n={measurement.n}{missing}"
    head = f"{number(measurement.estimate)}  n={measurement.n}"
    return f"{head}\n{interval(measurement)}{missing}"
