"""Excel workbooks for people who don't use notebooks."""

from canvas_reports_nb.analysis.excel.workbook import to_excel

__all__ = ["to_excel"]
