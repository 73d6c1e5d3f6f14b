"""Reports: text for a terminal, JSON for machines, one HTML file for people."""

from offswitch.report.gate_line import GateLine
from offswitch.report.html_report import html_text, write_html
from offswitch.report.json_report import (
    read_report,
    report_bytes,
    report_schema,
    write_report,
    write_schema,
)
from offswitch.report.text import verdict_table, verdict_text

__all__ = [
    "GateLine",
    "html_text",
    "read_report",
    "report_bytes",
    "report_schema",
    "verdict_table",
    "verdict_text",
    "write_html",
    "write_report",
    "write_schema",
]
