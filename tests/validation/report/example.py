"""A small report with every kind of block, and names that no form may take for markup."""

from matplotlib.figure import Figure as Drawing

from validation.report.document import (
    Badge,
    Code,
    Column,
    Document,
    Equation,
    Figure,
    FigureData,
    Items,
    Math,
    Number,
    Paragraph,
    Reference,
    Section,
    Strong,
    Table,
)
from validation.report.figures import LIGHT

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</style></table><h1>out",
    "\\input{/etc/passwd}",
    "\\write18{touch broken} \\end{document}",
    "100% of $5_000 & #1 ~ {x}^2",
    "=HYPERLINK(\"http://example.org\",'x')",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "-- ,, '' `` \"quoted\" `code` ?` !`",
    "[link](javascript:alert(1)) ![x](y) **b** _i_ | cell | <!-- -->",
    "{{ 7 * 7 }} {% include 'x' %} {# c #}",
    "‮reversed‬ and ⁦isolated",
    "שלום עולם",
    "مرحبا بالعالم",
    "Москва, Київ, подъезд",
    "東京 と 서울",
    "😀👩‍👩‍👧 🇪🇺",
    "Ελλάδα άέ Ώ",
    "Wałęsa, Łódź, Ångström, ñandú, Đặng, İstanbul, Þór, «œuvre»",
    "e\u0301 x\u0301\u0323\u0330 o\u0338",
    "control \x00 \x07 \x1b end\nnext\ttab",
    "a" * 120,
    "[*] *star",
    " -1e5",
)
HARMLESS = ("Marie Curie", "Pierre Curie", "zoë", "Ada Lovelace", "Émile", "Bertrand Russell")


def curve() -> Drawing:
    """A line with a name in its legend, in the colours of a light page."""
    drawing = Drawing(figsize=(5, 3), layout="constrained", facecolor=LIGHT.page)
    axes = drawing.add_subplot()
    axes.plot([1, 10, 100], [3.0, 1.0, 0.1], label="<b>loss</b> & more", color=LIGHT.ink)
    axes.set(xscale="log", yscale="log", xlabel="time", ylabel="loss")
    axes.legend()
    return drawing


def example(names: tuple[str, ...] = HOSTILE, rows: int | None = None) -> Document:
    """Sections two deep with every block and every inline piece; `rows` repeats the names of the long table."""
    shown = [names[n % len(names)] for n in range(len(names) if rows is None else rows)]
    table = Table(
        "queries",
        ("Queries of ", Strong("the <facts>")),
        (Column("fact"), Column("direction"), Column("p % & <trained>", numeric=True), Column("verdict")),
        tuple(
            (
                (name,),
                ("A → B",),
                (Number(None if n == 2 else (n * 7 % 11) * 10.0 ** (3 * (n % 30) - 9)),),
                (Badge("holds"),),
            )
            for n, name in enumerate(shown)
        ),
        interactive=True,
    )
    verdicts = Table(
        "verdicts",
        ("Words of verdicts",),
        (Column("kind"), Column("word")),
        tuple(
            (("kind",), (Badge(word),))
            for word in (
                "holds",
                "fails",
                "undecided",
                "not applicable",
                "symbolic",
                "certified",
                "numerical",
                "sampled",
            )
        ),
    )
    prose = Paragraph(
        (
            "Text with ",
            Math(r"\hat{b}_{aj} < \sum_{j=0}^{m-1} p_{aj}"),
            ", ",
            Code("reversal report --pairs 3_000"),
            ", ",
            Reference("the loss & its flow", "law"),
            ", ",
            Number(1.25e-7),
            " and ",
            Strong(names[0]),
            ", ",
            names[-1],
            ". A formula that is none: ",
            Math(r"\frac{a}{ \unknown <script>"),
        )
    )
    law = Equation(
        "law",
        r"\frac{d}{d t} \ell_{aj}{\left(t \right)} = \sum_{\substack{0 \leq c \leq N - 1}} G_{ac} f_{c} \left("
        r"\hat{b}_{cj} - p_{cj}\right) + \log{\left(1 + e^{x} \right)} - \operatorname{softmax}{\left(\ell \right)}_{j}"
        r" + \frac{\alpha \beta \gamma \delta}{\lambda_{\min}{\left(G \right)}} - \max_{j} \left|{R_{aj}}\right|",
        ("By ", Math(r"\nabla_\Theta L"), ", ", Badge("symbolic"), " for ", names[1]),
    )
    return Document(
        f"Report of {names[0]}",
        f"What was asked of {names[-1]}",
        (
            Section(
                "summary",
                "Summary",
                (prose, Items(((names[0],), ("see ", Reference("the table", "queries"))), numbered=True), verdicts),
            ),
            Section(
                "derivations",
                f"Derivations of {names[3]}",
                (law, Equation("short", r"p_{aj} \to \frac{1}{m}"), Equation("broken", r"\unknown{a} \left( b")),
                (Section("below", "Below <it>", (Items(tuple((name,) for name in names)),)),),
            ),
            Section(
                "evidence",
                "Evidence",
                (
                    Figure(
                        "loss",
                        ("Loss of ", names[0], " over ", Math("t")),
                        f'A falling line "{names[0]}".',
                        FigureData(("name", "time", "loss"), tuple((n, 1.0, float("inf")) for n in names)),
                        curve,
                    ),
                    table,
                ),
            ),
        ),
    )
