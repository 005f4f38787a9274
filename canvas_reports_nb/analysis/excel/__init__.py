"""Excel workbooks for people who don't use notebooks."""

from canvas_reports_nb.analysis.excel.split import mail_list, workbooks
from canvas_reports_nb.analysis.excel.workbook import to_excel

__all__ = ["mail_list", "to_excel", "workbooks"]
