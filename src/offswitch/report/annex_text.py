"""Annexes for a terminal: at most 80 columns, without colour too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from offswitch.report.annexes import ABSENT, Annex, Annexes, AnnexRow
from offswitch.report.text_parts import paragraph
from offswitch.report.wording import NO_DATA, interval, number, plain

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["annex_lines", "annex_renderables", "row_lines"]


def annex_renderables(found: Annexes) -> list[RenderableType]:
    """The disclaimer, then the fields framework by framework."""
    lines = (line for annex in found.annexes for line in annex_lines(annex))
    return [*paragraph([found.disclaimer]), *paragraph(lines)]


def annex_lines(annex: Annex) -> Iterator[str]:
    """One framework: its source, then each thing asked with what there is for it."""
    yield " "
    yield f"{annex.title}  [{annex.name}]"
    yield f"Source: {annex.source}"
    yield annex.note
    for row in annex.rows:
        yield f"- asked: {row.asked}"
        yield f"  field: {row.field}"
        yield from (f"    {line}" for line in row_lines(row))


def row_lines(row: AnnexRow) -> Iterator[str]:
    """What a report has for one field."""
    if row.missing is not None:
        yield f"not measured: {row.missing}"
    for one in row.measurements:
        value = (
            f"{NO_DATA} (n = {one.n}, missing {one.missing})"
            if one.estimate is None
            else f"{number(one.estimate)} {interval(one)}, n = {one.n}"
        )
        yield f"{one.name}: {value}"
    yield from (f"{name}: not measured: {ABSENT}" for name in row.absent)
    if row.text is not None:
        yield plain(row.text)
