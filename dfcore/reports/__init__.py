"""Reports of pictures and cases, in HTML and PDF, from the same contents."""

from dfcore.reports.blocks import Part, Report
from dfcore.reports.of_inspection import Asked, of_inspection
from dfcore.reports.written import FORMATS, rendered, report_of, require_few, write_report

__all__ = [
    "FORMATS",
    "Asked",
    "Part",
    "Report",
    "of_inspection",
    "rendered",
    "report_of",
    "require_few",
    "write_report",
]
