"""The settings of `reversal report`: those of verify and of check together, and the forms that are written."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

from pydantic import BaseModel

from validation.check_settings import CheckSettings, idle, option
from validation.settings import SettingsError, VerifySettings

FORMATS = ("html", "tex", "pdf", "json", "md")
# Which rows of `reversal remedies` a report measures.
RemediesChoice = Literal["brief", "all", "none"]

# Options that both halves read; one is refused only where it has an effect on neither.
SHARED = frozenset(VerifySettings.model_fields) & frozenset(CheckSettings.model_fields)
# What the one-layer transformer in token space does not see.
BILINEAR_ONLY = frozenset({"dimension", "init_scale"})

Half = TypeVar("Half", bound=BaseModel)


@dataclass(frozen=True)
class ReportSettings:
    """What to verify, check and compare, and the forms to write; `given` are the options asked for by name."""

    verify: VerifySettings
    check: CheckSettings
    formats: tuple[str, ...] = FORMATS
    given: frozenset[str] = frozenset()
    remedies: RemediesChoice = "brief"

    @classmethod
    def checked(cls, formats: str | None = None, remedies: str | None = None, /, **values: object) -> "ReportSettings":
        """The settings, or SettingsError with every problem of both halves on a line of its own, each once."""
        problems: list[str] = []
        only_check, only_verify = _read_by_one(values)
        verify = _half(VerifySettings.checked, VerifySettings, values, only_check, problems)
        check = _half(CheckSettings.checked, CheckSettings, values, only_verify, problems)
        try:
            forms = FORMATS if formats is None else chosen_formats(formats)
        except SettingsError as error:
            problems.append(str(error))
        if remedies is not None and remedies not in get_args(RemediesChoice):
            problems.append(f"--remedies {remedies}: expected one of {', '.join(get_args(RemediesChoice))}")
        if problems or verify is None or check is None:
            raise SettingsError("\n".join(dict.fromkeys(problems)))
        return cls(verify, check, forms, frozenset(values), remedies or "brief")  # type: ignore[arg-type]


def _half(
    checked: Callable[..., Half],
    model: type[Half],
    values: Mapping[str, object],
    dropped: Collection[str],
    problems: list[str],
) -> Half | None:
    """The settings of one half from the options that it reads; None where there are problems, which are added."""
    names = {field.alias or name for name, field in model.model_fields.items()} - {*dropped}
    try:
        return checked(**{name: value for name, value in values.items() if name in names})
    except SettingsError as error:
        problems += str(error).splitlines()
        return None


def _read_by_one(values: Mapping[str, object]) -> tuple[set[str], set[str]]:
    """The given options that both halves have and one alone reads: those for check, and those for verify.

    Where neither reads it, it is left to both to refuse.
    """
    theorem = values.get("theorem")
    given = {"theorem_file" if name == "from" else name for name in values}
    refused = list(idle(given, theorem if isinstance(theorem, str) else None))
    by_check = {name for name in SHARED & given if any(line.startswith(f"{option(name)} ") for line in refused)}
    by_verify = BILINEAR_ONLY & given if values.get("model") == "transformer" else frozenset[str]()
    if "facts" in given:
        by_verify |= {"pairs", "vocabulary"}
    return set(by_verify - by_check), set(by_check - by_verify)


def chosen_formats(text: str) -> tuple[str, ...]:
    """The forms in `html,tex,...`, in the order of FORMATS. Raises SettingsError on a name that is none, or on none."""
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in FORMATS]
    if unknown or not names:
        raise SettingsError(f"--format {text}: expected some of {','.join(FORMATS)}, separated by commas")
    return tuple(name for name in FORMATS if name in names)
