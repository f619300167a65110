"""What a notebook shows of derivations, theorems, claims and trajectories."""

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from numerics.plot import trajectory_figure
from numerics.trajectory import Trajectory
from theory import theorem
from theory.bilinear import derive_gradient
from theory.claim import Claim
from theory.derivation import Derivation
from theory.setting import Setting
from theory.task import reversal_task
from theory.theorems import THEOREMS

HOSTILE = "<script>alert(1)</script> & costs $5 and $6"
CLAIM = Claim(
    "id", HOSTILE, r"p < \frac{1}{m}", "arXiv 2405.04669", "fails", "numerical", 0.25, 0.125, "because", (HOSTILE,)
)


class _Reader(HTMLParser):
    """Elements in order, those left open, and the text between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def read(html: str) -> _Reader:
    """The parsed page; every element is closed, and closed in order."""
    reader = _Reader(html)
    assert reader.open == []
    return reader


def test_text_of_a_claim_is_neither_markup_nor_mathematics() -> None:
    """Angle brackets, ampersands and dollar signs of a title come back as text; no text holds a pair of dollars."""
    reader = read(CLAIM._repr_html_())
    assert "script" not in reader.tags
    assert "".join(reader.texts).startswith(HOSTILE)
    title = reader.texts[: reader.texts.index("fails")]
    assert all(text.count("$") < 2 for text in title)


def test_a_claim_shows_verdict_formula_and_both_numbers() -> None:
    """Verdict, evidence, measured, bound and detail stand there; the formula is unchanged between dollar signs."""
    text = "".join(read(CLAIM._repr_html_()).texts)
    for part in ("fails (numerical)", r"$$ p < \frac{1}{m} $$", "measured 0.25 > bound 0.125", "because"):
        assert part in text
    assert CLAIM._repr_latex_() == r"$\displaystyle p < \frac{1}{m}$"
    only_bound = "".join(read(replace(CLAIM, measured=None)._repr_html_()).texts)
    assert "bound 0.125" in only_bound
    assert "> bound" not in only_bound
    inapplicable = "".join(read(replace(CLAIM, verdict="not applicable")._repr_html_()).texts)
    assert "numerical" not in inapplicable


@pytest.fixture(scope="module")
def gradient() -> Derivation:
    return derive_gradient()


def test_a_derivation_shows_every_step_with_its_rule(gradient: Derivation) -> None:
    """One list item a step, in order, with rule, verdict and formula, after one an assumption."""
    reader = read(gradient._repr_html_())
    text = "".join(reader.texts)
    assert reader.tags.count("li") == len(gradient.steps) + len(gradient.assumptions)
    places = [text.index(step.rule) for step in gradient.steps]
    assert places == sorted(places)
    assert text.count("holds (symbolic)") == len(gradient.steps) + 1
    for step in gradient.steps:
        assert " ".join(step.statement.latex.split()) in text
    for assumption in gradient.assumptions:
        assert assumption in text


def test_equations_of_a_derivation_are_numbered_like_its_steps(gradient: Derivation) -> None:
    """One environment, a tag a step, the law without a number at the end where it is told apart."""
    rows = gradient._repr_latex_().splitlines()
    assert (rows[0], rows[-1]) == (r"\begin{gather*}", r"\end{gather*}")
    assert [f"\\tag{{{n}}}" in row for n, row in enumerate(rows[1:-1], 1)] == [True] * len(gradient.steps)
    named = replace(gradient, statement="a = b")._repr_latex_().splitlines()
    assert named[-2] == "a = b"
    assert named[-3].endswith("\\\\")


def test_a_theorem_is_shown_without_being_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Statement, every assumption, the conclusion and every link stand there, and no link is proved for it."""
    monkeypatch.setattr(theorem.Link, "proof", property(lambda link: pytest.fail("proved")))
    for shown in THEOREMS:
        text = "".join(read(shown._repr_html_()).texts)
        for part in (shown.title, shown.reference, shown.statement, shown.conclusion.statement):
            assert " ".join(part.split()) in text
        assert all(assumption.id in text for assumption in shown.assumptions)
        assert all(link.argument in text for link in shown.links)
        assert shown._repr_latex_() == rf"$\displaystyle {' '.join(shown.statement.split())}$"


def test_a_checked_theorem_shows_what_was_found() -> None:
    """Required and found of each assumption, the certificate and the verdict on each link."""
    own = THEOREMS[0]
    finding = theorem.Finding("fails", "at most 3", "5 & more", evidence="certified")
    assumptions = tuple((assumption, finding) for assumption in own.assumptions)
    link = theorem.Link("l", "a=b", "an <argument>", lambda: theorem.LinkProof("holds", "symbolic", ""))
    outcome = theorem.Outcome("not applicable", "symbolic", 0.5, 0.75, "why not")
    certificate = theorem.Certificate(epsilon=0.0625, dimension=123456.0)
    checked = theorem.CheckedTheorem(own, assumptions, ((link, link.proof),), outcome, certificate)
    text = "".join(read(checked._repr_html_()).texts)
    for part in (
        f"{own.title}: not applicable",
        "at most 3",
        "5 & more",
        "an <argument>holds (symbolic)",
        "measured 0.5 < bound 0.75; certified exponent 0.0625; certified dimension 123456",
        "why not",
    ):
        assert part in text
    assert text.count("fails (certified)") == len(own.assumptions)
    assert checked._repr_latex_() == own._repr_latex_()


def trajectory(logits: np.ndarray | None) -> Trajectory:
    """Losses 1/t and 3, without any probabilities."""
    time = np.array([0.0, 1.0, 10.0, 100.0])
    loss, empty = 1 / (1 + time), np.zeros((4, 0))
    return Trajectory("flow", "bilinear", 1e8, time, loss, np.full(4, 3.0), empty, empty, empty, empty, logits)


def test_a_trajectory_is_a_picture_of_both_losses() -> None:
    """Both losses against positive times on logarithmic axes, with the level log m where m is known; PNG bytes."""
    shown = trajectory(np.zeros((2, 20)))
    (axes,) = trajectory_figure(shown).axes
    lines = {line.get_label(): line.get_ydata() for line in axes.get_lines()}
    np.testing.assert_array_equal(lines["training loss, flow"], shown.loss[1:])
    np.testing.assert_array_equal(lines["reversal loss, flow"], shown.reversal_loss[1:])
    assert axes.texts[0].get_text() == "log m = 3"
    assert axes.texts[0].xy[1] == pytest.approx(np.log(20))
    assert (axes.get_xscale(), axes.get_yscale(), axes.get_title()) == ("log", "log", "bilinear, flow, d = 1e+08")
    assert shown._repr_png_().startswith(b"\x89PNG")
    (bare,) = trajectory_figure(trajectory(None)).axes
    assert len(bare.get_lines()) == 2
    assert not bare.texts


def test_setting_of_a_task_is_enough_to_check() -> None:
    """A theorem that was really checked shows its own verdict."""
    own = next(t for t in THEOREMS if t.id == "sgd-sandwich")
    checked = own.check(Setting(reversal_task(2), _Unmeasured(), seed=0))  # type: ignore[arg-type]
    assert f"{own.title}: {checked.verdict}" in "".join(read(checked._repr_html_()).texts)


class _Unmeasured:
    """Refuses every measurement."""

    def __getattr__(self, name: str) -> object:
        from theory.setting import NotMeasured

        def refuse(*_: object) -> None:
            raise NotMeasured("not here")

        return refuse
