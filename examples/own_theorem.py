"""A theorem of your own, for `reversal check --from examples/own_theorem.py`.

Statement: train the one-layer transformer by SGD, one pair a step, from zero. After k(M, eta) visits of every pair each
trained answer is at least M/2 times as likely as any answer that its context was never trained on; the reverse of a
trained pair is one of those.

Proof: k(M, eta) visits suffice for p >= 1/2 on every trained pair (the law of visits), and a pair that is never trained
has p <= 1/M at every step (the bound on unseen targets). The quotient is M/2. Both laws are derived elsewhere in this
project, so each is one link here.

A theorem is built from four things, all of them plain functions of a `Setting` (`setting.task` is the task, the other
fields are the options of the command line, `setting.measure` makes runs):

- assumptions: each returns a `Finding`, what is required and what was found, with the rows of the file at fault;
- links of the proof, in order;
- a certificate: the constants that are proved for this setting;
- a conclusion: an `Outcome`, what was measured against the bound that the theorem promises. Where `setting.measure`
  cannot measure (a file too large, say) it raises `NotMeasured`, and the conclusion is `undecided` with that reason.

Try it where it holds, and where its assumption fails:

    reversal check --from examples/own_theorem.py --learning-rate 0.5
    reversal check examples/capitals.csv --from examples/own_theorem.py
"""

from fractions import Fraction

from theory.claim import Claim
from theory.setting import Setting
from theory.theorem import Assumption, Certificate, Conclusion, Finding, Link, Outcome, Theorem
from theory.theorems.assumptions import equal_shares
from theory.unseen_target import derive_unseen_target
from theory.visit_bounds import visits_until
from theory.visits import derive_visits


def visits(setting: Setting) -> int:
    """Visits of a pair that certainly bring its probability to 1/2."""
    rate = Fraction(str(setting.rate()))
    return visits_until(setting.task.vocabulary_size, rate, Fraction(1, 2)).certified_enough


def one_target_each(setting: Setting) -> Finding:
    """Every trained context has one target; with two of them neither can come near probability 1."""
    task = setting.task
    most = int(task.target_count.max())
    rows = {row for targets in task.conflicts.values() for _, where in targets for row in where}
    return Finding(
        verdict="holds" if task.single_target else "fails",
        required="at most 1 target a context",
        found=f"up to {most}",
        margin=1 - most,
        rows=tuple(sorted(rows)),
        detail=", ".join(task.context_name(a) for a in task.conflicts),
    )


def odds(setting: Setting) -> Outcome:
    """The least likely trained answer against the likeliest one that was never trained."""
    run = setting.measure.one_layer(setting, visits(setting))
    measured, bound = run.trained / run.unseen, setting.task.vocabulary_size / 2
    return Outcome(
        verdict="holds" if measured >= bound else "fails",
        evidence="numerical",
        measured=measured,
        bound=bound,
        detail=f"after {run.visits} visits trained p >= {run.trained:.4g}, never trained p <= {run.unseen:.4g}",
    )


def constants(setting: Setting) -> Certificate:
    """The number of visits for this vocabulary and step size."""
    return Certificate(constants={"visits": visits(setting), "1/M": 1 / setting.task.vocabulary_size})


def what_remains(setting: Setting) -> list[Claim]:
    """With several targets a context the bound on unseen targets holds all the same."""
    return [derive_unseen_target().claim()]


THEOREM = Theorem(
    id="odds-of-the-untrained",
    title="A trained answer becomes M/2 times as likely as any answer that was never trained",
    reference="an example",
    statement=r"\frac{\min_{\text{trained}} p(b|a)}{\max_{\text{untrained}} p(x|y)} \ge \frac{M}{2}"
    r"\text{ after } k(M, \eta) \text{ visits of every pair}",
    task="reversal",
    assumptions=(
        Assumption("one-target-each", r"|\{b : (a, b) \text{ trained}\}| \le 1", one_target_each),
        equal_shares,
    ),
    conclusion=Conclusion(r"\min p(b|a) / \max p(x|y) \ge M/2", odds),
    links=(
        Link.of_derivation(derive_visits(), "with a = 1/2: k(M, eta) visits give p >= 1/2"),
        Link.of_derivation(derive_unseen_target(), "a token that was never a target has p <= 1/M"),
    ),
    certificate=constants,
    remains=what_remains,
)
