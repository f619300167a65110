"""Unsound changes of constants and bounds, one place each, that the tests must turn red: `python -m mutants`."""
