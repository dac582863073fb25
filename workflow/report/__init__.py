"""The campaign's report: report.json for machines, report.md for people, the same facts in both."""

from __future__ import annotations

from workflow.report.build import REPORT_SCHEMA, build, render, write_report

__all__ = ["REPORT_SCHEMA", "build", "render", "write_report"]
