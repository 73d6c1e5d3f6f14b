"""The frame of every HTML page: templates that escape, and the words they use.

Everything said by an agent or a world is escaped and made plain; the pages carry a policy that
forbids scripts and every outside source, so that a name that slipped through could do nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

from offswitch.report import wording
from offswitch.report.interval_plot import Panel

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["FigureView", "page_environment"]

SHARED = ("page_head.html", "report_style.html", "page_parts.html")


class FigureView(NamedTuple):
    """A figure with everything that stands around it."""

    name: str
    title: str
    caption: str
    svg: str
    panel: Panel


def page_environment(templates: Iterable[str]) -> Environment:
    """The environment that renders `templates` of this folder, with the shared parts."""
    from jinja2 import DictLoader, Environment, StrictUndefined
    from markupsafe import Markup

    def finalize(value: object) -> object:
        return wording.plain(value) if type(value) is str else value

    folder = resources.files(__package__)
    sources = {
        name: folder.joinpath(name).read_text(encoding="utf-8") for name in (*templates, *SHARED)
    }
    environment = Environment(
        loader=DictLoader(sources),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in (
        "interval", "listing", "number", "percent", "plain", "provenance", "provenance_alone",
        "sample", "spaced",
    ):  # fmt: skip
        environment.filters[name] = getattr(wording, name)
    environment.filters["figure"] = Markup
    return environment
