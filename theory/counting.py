"""Numbers in messages and tables: counts with the word they count, lengths of time, sizes, and no zero with a sign."""


def count_of(number: int, noun: str, plural: str | None = None) -> str:
    """`1 context`, `7,000 contexts`; `plural` where the word does not take an s: `count_of(2, "query", "queries")`."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def duration(seconds: float) -> str:
    """A length of time in the unit that leaves the fewest digits above one: `80 seconds`, `3 minutes`, `2 days`."""
    for unit, length in (("day", 86400.0), ("hour", 3600.0), ("minute", 60.0)):
        if seconds >= 2 * length:
            return count_of(round(seconds / length), unit)
    return count_of(round(seconds), "second")


def memory(size: float) -> str:
    """Bytes in GiB from one of these on, in MiB below."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"


def numeral(value: float, form: str = ".3g") -> str:
    """The value in a format of Python's; what rounds to zero is zero, never `-0`."""
    text = format(value, form)
    return text[1:] if text.startswith("-") and not text.strip("-0.") else text
