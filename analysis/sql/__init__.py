"""Verdicts on SQL views: which of them only gain rows, which take rows back."""
