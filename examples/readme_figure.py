"""Draws the README's figure from a finished audit: run `make audit` first, then this file."""

from __future__ import annotations

import sys
from pathlib import Path

from offswitch.report import figure_resistance
from offswitch.report.json_report import read_report
from offswitch.report.svg import figure_svg

REPORT = Path("offswitch-audit/report.json")
TARGET = Path("docs/resistance.svg")


def main() -> None:
    if not REPORT.exists():
        sys.exit(f"{REPORT} is missing; run `make audit` first")
    svg = figure_svg(figure_resistance, read_report(REPORT))
    paper = '<rect width="100%" height="100%" fill="#ffffff"/>'  # readable on a dark page too
    TARGET.write_text(svg.replace(">", f">{paper}", 1), encoding="utf-8")
    print(f"wrote {TARGET}")


if __name__ == "__main__":
    main()
