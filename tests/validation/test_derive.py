"""`reversal derive`: names, the three forms, and LaTeX that compiles in somebody else's paper."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import validation.derive
from theory.laws import LAWS, derive_all
from theory.statement import Check
from validation.cli import main
from validation.derive import UnknownLaw, chosen, derive_text, models

LAW_IDS = [law.id for law in derive_all()]


@pytest.fixture
def derive(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run `reversal derive ARGUMENTS` in this process: (exit code, standard output, standard error)."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["reversal", "derive", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        streams = capsys.readouterr()
        return int(left.value.code or 0), streams.out, streams.err

    return run


def test_every_law_belongs_to_one_model() -> None:
    """The models share out the laws; each name of a law or a model is answered by the laws it stands for."""
    assert sorted(n for numbers in models().values() for n in numbers) == list(range(len(LAWS)))
    assert {"bilinear", "transformer", "decoupled-row"} <= set(models())
    assert [law.id for law in chosen("bilinear")] == ["bilinear-gradient", "logit-flow"]
    assert next(law.id for law in chosen("decoupled-row")) == "decoupled-row"
    assert len(chosen("decoupled-row")) == 4
    assert [law.id for law in chosen("all")] == LAW_IDS
    for id in set(LAW_IDS) - set(models()):
        assert [law.id for law in chosen(id)] == [id]


def test_an_unknown_name_lists_those_that_there_are(derive: Any) -> None:
    """Exit code 2, the nearest name, every model and every law; nothing on standard output."""
    code, out, err = derive("bilinaer")
    assert (code, out) == (2, "")
    assert "did you mean bilinear?" in err
    assert all(name in err for name in (*models(), *LAW_IDS))
    with pytest.raises(UnknownLaw, match="expected a model") as caught:
        chosen("xyzzy")
    assert "did you mean" not in str(caught.value)


def test_an_unknown_form_is_bad_input(derive: Any) -> None:
    """--format docx: exit code 2 with the forms that there are."""
    code, out, err = derive("bilinear", "--format", "docx")
    assert (code, out) == (2, "")
    assert "--format docx: expected one of text, tex, md" in err


def test_text_shows_each_step_once_with_its_rule(derive: Any) -> None:
    """A terminal reads title, verdict, assumptions and numbered steps in lines that fit; shared steps are named."""
    code, out, err = derive("bilinear")
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= validation.derive.WIDTH
    for law in chosen("bilinear"):
        assert f"{law.title} ({law.id}): holds, symbolic" in out
        for number, step in enumerate(law.steps, 1):
            assert f"\n{number}. {step.rule}  [holds, symbolic]\n" in out
        assert all(f"  assumes: {text[:60]}" in out for text in law.assumptions)
    assert out.count("as in bilinear-gradient, step 4") == 1
    assert "as in logit-flow" not in out
    assert "α,γ" in out  # in two dimensions
    assert "\n     =\n" in out  # too wide for one line: the sides below each other
    assert re.search(r"\n     Sum\(", out)  # too wide at all


def test_a_law_beyond_its_steps_stands_at_the_end() -> None:
    """Where the last step is not the law itself, as for an induction, the law follows in LaTeX."""
    stated = [law for law in derive_all() if law.statement is not None]
    assert stated
    assert derive_text(stated[:1], "text").endswith(f"the law, in LaTeX: {stated[0].statement}\n")


def test_latex_has_no_preamble_and_a_labelled_equation_a_step(derive: Any) -> None:
    """No document, package or command of our own; labels are unique, and each reference has its label."""
    code, out, err = derive("decoupled-row", "--format", "tex")
    assert (code, err) == (0, "")
    for word in ("documentclass", "usepackage", "begin{document}", "textcolor", "fitted", "hyperref"):
        assert word not in out
    labels = re.findall(r"\\label\{([^}]*)\}", out)
    assert len(set(labels)) == len(labels)
    assert set(re.findall(r"\\eqref\{([^}]*)\}", out)) <= set(labels)
    assert "\\eqref{step-decoupled-row-2}" in out  # a step that the later laws share
    assert out.count(r"\begin{equation}") == out.count(r"\end{equation}") >= 5
    assert "(\\emph{symbolic})" in out


@pytest.mark.program("latexmk", "pdflatex")
def test_latex_compiles_with_amsmath_alone(tmp_path: Path) -> None:
    """All derivations, pasted into an article that loads amsmath and nothing else, compile with every reference."""
    body = derive_text(derive_all(), "tex")
    paper = f"\\documentclass{{article}}\\usepackage{{amsmath}}\\begin{{document}}\n{body}\\end{{document}}\n"
    (tmp_path / "paper.tex").write_text(paper, encoding="ascii")
    command = ["latexmk", "-norc", "-pdf", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    log = (tmp_path / "paper.log").read_text(encoding="latin-1")
    assert done.returncode == 0, [line for line in log.splitlines() if line.startswith("!")]
    assert "undefined" not in log


def test_markdown_is_a_document(derive: Any) -> None:
    """One heading a law, display formulas between dollar signs."""
    code, out, _ = derive("logit-flow", "--format", "md")
    assert code == 0
    assert out.startswith("# Gradient flow in logit space\n")
    assert out.count("$$") == 2 * len(chosen("logit-flow")[0].steps)
    assert derive_text(chosen("bilinear"), "md").startswith("# Derivations\n")


def test_a_form_that_is_none_is_refused() -> None:
    """`derive_text` itself names the forms."""
    with pytest.raises(ValueError, match="text, tex, md"):
        derive_text(chosen("bilinear"), "pdf")


def test_exit_code_follows_the_verdict(derive: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A derivation with a step in doubt exits with 1 and says which step."""
    law = chosen("bilinear-gradient")[0]
    doubtful = replace(law, steps=(replace(law.steps[0]), *law.steps[1:]))
    doubtful.steps[0].__dict__["check"] = Check("undecided", "numerical", "no proof")
    monkeypatch.setattr(validation.derive, "chosen", lambda name: [doubtful])
    code, out, _ = derive("bilinear-gradient")
    assert code == 1
    assert "(bilinear-gradient): undecided, numerical" in out
    assert "1. a logit is linear in Theta  [undecided, numerical]" in out
