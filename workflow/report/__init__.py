"""The campaign's report: report.json for machines, report.md and report.html for people, the same facts in all three."""

from __future__ import annotations

from workflow.report.build import REPORT_SCHEMA, Run, build, stopped_because, write_report
from workflow.report.markdown import render

__all__ = ["REPORT_SCHEMA", "Run", "build", "render", "stopped_because", "write_report"]
