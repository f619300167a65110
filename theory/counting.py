"""Counts in messages, with the word they count in its right number."""


def count_of(number: int, noun: str, plural: str | None = None) -> str:
    """`1 context`, `7,000 contexts`; `plural` where the word does not take an s: `count_of(2, "query", "queries")`."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
