"""Continuing what was interrupted: the command that does it, and what must be as it was."""

import shlex
import sys
from collections.abc import Iterator
from typing import Any

RESUME = "--resume"
MOST_SHOWN = 100  # differing values of a message are cut at so many letters


def command_to_continue() -> str:
    """This very command line with --resume, to be pasted into a shell."""
    command, *options = sys.argv[1:] or [""]
    return shlex.join(["reversal", command, RESUME, *(name for name in options if name != RESUME)])


def differences(then: Any, now: Any, key: str = "") -> Iterator[tuple[str, str, str]]:
    """Each key, dotted, whose values differ in nested dicts of JSON-ready values, with both values cut to a line."""
    if isinstance(then, dict) and isinstance(now, dict):
        for name in dict.fromkeys([*now, *then]):
            yield from differences(then.get(name), now.get(name), f"{key}.{name}" if key else name)
    elif then != now:
        yield key, _short(then), _short(now)


def refusal(what: str, lines: list[str]) -> str:
    """Why an unfinished run or sweep is not continued: a line for each thing that was another one."""
    differing = "\n".join(f"  {line}" for line in lines)
    return (
        f"--resume: the unfinished {what} is another one:\n{differing}\nmake them what they were, or remove the "
        f"unfinished {what} and start again"
    )


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."
