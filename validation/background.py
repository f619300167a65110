"""A function at work in a second process, with its progress and its errors brought back to the first."""

import multiprocessing
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")
# Called with the stage's name and how much of it is done, 0 to 1.
Report = Callable[[str, float], None]


class Background(Generic[Result]):
    """The running function. Its process is told to end when the block of `background` is left, however that happens."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stage, self._done = "starting", 0.0
        self._answer: tuple[str, Any] | None = None

    def progress(self) -> tuple[str, float]:
        """The stage that was last heard of, and how much was done then."""
        while self._answer is None and self._connection.poll():
            self._hear()
        return self._stage, self._done

    def result(self, tell: Report | None = None) -> Result:
        """Wait for the result; `tell` hears of progress meanwhile. Raises what the function raised."""
        while self._answer is None:
            self._hear()
            if tell is not None:
                tell(self._stage, self._done)
        kind, answer = self._answer
        if kind == "raised":
            raise answer
        return answer

    def _hear(self) -> None:
        try:
            kind, said = self._connection.recv()
        except EOFError:
            raise RuntimeError("the second process ended without an answer (was it killed for its memory?)") from None
        if kind == "progress":
            self._stage, self._done = said
        else:
            self._answer = kind, said


@contextmanager
def background(function: Callable[..., Result], *arguments: Any) -> Iterator[Background[Result]]:
    """Run `function(*arguments, report)` in a process of its own while the block runs; `report` sends progress back.

    Function, arguments, result and exceptions must be picklable. The process starts fresh: forking one in which
    PyTorch has threads can hang. It leaves interruption to this process, which ends it.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(there, function, arguments), daemon=True)
    process.start()
    there.close()
    try:
        yield Background(here)
    finally:
        process.terminate()
        process.join()
        here.close()


def _work(connection: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # whatever the first process does about it
    try:
        answer = "finished", function(*arguments, lambda stage, done: connection.send(("progress", (stage, done))))
    except Exception as error:
        error.add_note(f"in the second process:\n{traceback.format_exc()}")
        answer = "raised", error
    connection.send(answer)
