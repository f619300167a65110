"""A cell about Theorem 1: one draw of embeddings and start, its exponent as measured, to first order, and certified."""

import math
from functools import lru_cache
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from theory.coherence import Schedule
from theory.counting import count_of
from theory.separation import certify
from theory.setting import NotMeasured, Setting
from theory.tails import TaskShape, a_priori_bounds
from theory.task import Task, reversal_task
from theory.theorems.separation import AtMost, beyond_certificate, certified_dimension
from validation.settings import SettingsError, problem_line


class SeparationSettings(BaseModel):
    """One draw at one dimension, along gradient flow, of a built-in task of `pairs` n and `vocabulary` m tokens.

    `epsilon` and `delta` are those of the certified dimension; `vocabulary` None is the task's own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pairs: Annotated[int, Field(ge=1, le=10_000)] = 10
    held_out: Annotated[int, Field(ge=1)] = 1
    vocabulary: Annotated[int, Field(ge=2, le=1_000_000)] | None = None
    dimension: Annotated[float, Field(ge=1, le=1e30)] = 1e8
    init_scale: Annotated[float, Field(ge=0, le=100)] = 0.01
    epsilon: Annotated[float, Field(gt=0, lt=1)] = 0.1
    delta: Annotated[float, Field(gt=0, lt=1)] = 0.05

    @model_validator(mode="after")
    def _fits(self) -> Self:
        problems = []
        if self.held_out > self.pairs:
            problems.append(f"--held-out {self.held_out}: exceeds pairs {self.pairs}; hold out at most every pair")
        smallest = 2 * self.pairs + 2  # subjects, objects, and the two relations
        if self.vocabulary is not None and self.vocabulary < smallest:
            problems.append(
                f"--vocabulary {self.vocabulary}: {count_of(self.pairs, 'pair needs', 'pairs need')} {smallest} "
                "tokens or more"
            )
        if self.dimension < (self.vocabulary or smallest) and self.dimension % 1:
            problems.append(f"--dimension {self.dimension:g}: expected a whole number below the number of tokens")
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @classmethod
    def checked(cls, **values: object) -> "SeparationSettings":
        """The settings, or SettingsError with every problem on a line of its own."""
        try:
            return cls(**values)  # type: ignore[arg-type]
        except ValidationError as error:
            raise SettingsError("\n".join(problem_line(problem) for problem in error.errors())) from None


@lru_cache(maxsize=8)
def _task(pairs: int, held_out: int, vocabulary: int | None) -> Task:
    return reversal_task(pairs, held_out, vocabulary)


def separation_record(settings: Any, seed: int) -> dict[str, float | str | None]:
    """Exponents of Theorem 1: of the draw `measured` (the largest over times), `first_order` (-sum w/m of the worst
    query) and `certified`; `a_priori` what holds before any draw with probability 1 - delta, and a dimension at which
    that is at most epsilon. None where there is none, and `reason` says why.
    """
    chosen = SeparationSettings.checked(**settings)
    from validation.measurements import Measurements

    task = _task(chosen.pairs, chosen.held_out, chosen.vocabulary)
    numbers = chosen.model_dump(include={"init_scale", "epsilon", "delta", "dimension"})
    setting = Setting(task, Measurements(), draws=1, seed=seed, **numbers)
    before = a_priori_bounds(TaskShape.of(task), math.floor(chosen.dimension), chosen.delta, chosen.init_scale)
    enough = certified_dimension(setting, "flow", AtMost(chosen.epsilon)).dimension
    record: dict[str, float | str | None] = {
        "tokens": task.vocabulary_size,
        "measured": None,
        "first_order": None,
        "certified": None,
        "a_priori": certify(before, Schedule.flow()).epsilon,
        "certified_dimension": None if enough is None else float(enough),
        "reason": "",
    }
    try:
        drawn = setting.measure.separation(setting, chosen.dimension, Schedule.flow())
    except NotMeasured as why:
        return record | {"reason": f"not measured: {why}"}
    measured, first, certified = (float(x[0]) for x in (drawn.measured, drawn.first_order, drawn.certified))
    reason = "" if math.isfinite(certified) else "no exponent is certified for this draw"
    reason = "; ".join(beyond_certificate(setting, drawn)) or reason
    return record | {"measured": measured, "first_order": first, "certified": certified, "reason": reason}


def separation_memory(settings: Any) -> float:
    """Bytes of an instance."""
    from numerics.estimate import estimate_flow

    chosen = SeparationSettings.checked(**settings)
    return estimate_flow(_task(chosen.pairs, chosen.held_out, chosen.vocabulary), 1.0, coupled=True).bytes
