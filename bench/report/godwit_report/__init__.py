"""Reads reports (docs/reference/report.md), and makes one self-contained page of them."""
