"""`reversal derive`: one derivation alone."""

from typing import Annotated

import typer

from validation.commands.shared import friendly_errors, print_out
from validation.settings import SettingsError


def derive(
    model: Annotated[
        str,
        typer.Argument(
            help="A model or part of the theory (bilinear, transformer, decoupled-row, ...), one law, or all.",
            show_default=False,
        ),
    ],
    form: Annotated[str, typer.Option("--format", help="text | tex | md", metavar="FORM")] = "text",
) -> None:
    """Print a derivation: every step with its rule, how it was checked, and the law that follows.

    LaTeX comes without a preamble and needs amsmath alone: it can be pasted into a paper.

    Examples:

      reversal derive bilinear

      reversal derive closed-form --format tex

      reversal derive all --format md
    """
    with friendly_errors():
        from validation.derive import FORMATS, chosen, derive_text

        if form not in FORMATS:
            raise SettingsError(f"--format {form}: expected one of {', '.join(FORMATS)}")
        derivations = chosen(model)
        print_out(derive_text(derivations, form))
    raise typer.Exit(0 if all(derivation.verdict == "holds" for derivation in derivations) else 1)
