#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Workbooks as openpyxl reads them. It is Debian's, and so must the interpreter be: this file is run
by that, and prints the sheets as JSON.
"""
import datetime
import json
import sys


def sheets_of(path):
    """{sheet: [{heading: value}]}; dates are datetimes."""
    import harness

    sheets = json.loads(harness.run(["/usr/bin/python3", __file__, path]).stdout)
    for name, (headings, *rows) in sheets.items():
        sheets[name] = [dict(zip(headings, map(_date, row), strict=True)) for row in rows]
    return sheets


def _date(value):
    return datetime.datetime.fromisoformat(value["date"]) if isinstance(value, dict) else value


def main(path):
    import openpyxl

    book = openpyxl.load_workbook(path)
    sheets = {}
    for name in book.sheetnames:
        assert book[name].freeze_panes == "A2", "the headings stay in view"
        sheets[name] = [list(row) for row in book[name].iter_rows(values_only=True)]
    json.dump(sheets, sys.stdout, default=lambda date: {"date": date.isoformat()})


if __name__ == "__main__":
    main(sys.argv[1])
