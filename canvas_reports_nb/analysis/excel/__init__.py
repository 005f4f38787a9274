"""Excel workbooks, and frames safe for a spreadsheet, for people who don't use notebooks."""

from canvas_reports_nb.analysis.excel.split import mail_list, workbooks
from canvas_reports_nb.analysis.excel.spreadsheets import for_spreadsheet
from canvas_reports_nb.analysis.excel.workbook import to_excel

__all__ = ["for_spreadsheet", "mail_list", "to_excel", "workbooks"]
