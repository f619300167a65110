"""The document model of a report: sections of blocks, blocks of inline pieces; it holds content and no markup.

Names from fact files stand in it as they are: every renderer escapes them in its own way. Mathematics is LaTeX, written
here or by SymPy, never text of a user's file. A figure holds its numbers as a table, and a function that draws them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from matplotlib.figure import Figure as Drawing

from theory.claim import Evidence, Verdict


# -- inline pieces --
@dataclass(frozen=True)
class Math:
    """Inline mathematics in LaTeX, without dollar signs."""

    latex: str


@dataclass(frozen=True)
class Code:
    """A command, an id or a file name."""

    text: str


@dataclass(frozen=True)
class Strong:
    """A word that the eye should find."""

    text: str


@dataclass(frozen=True)
class Badge:
    """A verdict or an evidence word, shown with its colour; the word itself always stands there too."""

    word: Verdict | Evidence


@dataclass(frozen=True)
class Reference:
    """A link to a section, equation, table or figure of this document by its id."""

    text: str
    target: str


@dataclass(frozen=True)
class Number:
    """A number, shown to `digits` significant digits and sorted by its value; None is an empty cell."""

    value: float | int | None
    digits: int = 4


Inline = str | Math | Code | Strong | Badge | Reference | Number
Prose = tuple[Inline, ...]


# -- blocks --
@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    content: Prose


@dataclass(frozen=True)
class Items:
    """A list; `numbered` where the order matters."""

    items: tuple[Prose, ...]
    numbered: bool = False


@dataclass(frozen=True)
class Equation:
    """A display equation with an id to refer to; `note` says which rule gave it and how it is known."""

    id: str
    latex: str
    note: Prose = ()


@dataclass(frozen=True)
class Column:
    """A column: `numeric` ones align right and sort by value."""

    name: str
    numeric: bool = False


@dataclass(frozen=True)
class Table:
    """A table of cells. `interactive`: a reader may sort it by column and search it, where the form allows.

    Raises ValueError when a row has another length than the columns.
    """

    id: str
    caption: Prose
    columns: tuple[Column, ...]
    rows: tuple[tuple[Prose, ...], ...]
    interactive: bool = False

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"table {self.id!r}: expected {len(self.columns)} cells in a row, got {len(row)}")


@dataclass(frozen=True)
class FigureData:
    """The numbers of a figure, one row a point: what its CSV holds and `report.json` repeats."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | float | int | None, ...], ...]


@dataclass(frozen=True, eq=False)
class Figure:
    """A picture: `draw` makes it with Matplotlib, once (`drawing`); `alternative` says it in words."""

    id: str
    caption: Prose
    alternative: str
    data: FigureData
    draw: Callable[[], Drawing] = field(repr=False)

    @cached_property
    def drawing(self) -> Drawing:
        """The picture, laid out: every form of it shows the same places, and none lays it out again."""
        drawing = self.draw()
        drawing.draw_without_rendering()
        drawing.set_layout_engine("none")
        return drawing


Block = Paragraph | Items | Equation | Table | Figure


@dataclass(frozen=True)
class Section:
    """A heading with blocks, and sections below it. Ids are unique in a document."""

    id: str
    title: str
    blocks: tuple[Block, ...] = ()
    sections: tuple["Section", ...] = ()

    def walk(self) -> Iterator["Section"]:
        """This section and all below it, in reading order."""
        yield self
        for section in self.sections:
            yield from section.walk()


@dataclass(frozen=True)
class Document:
    """A whole report. Raises ValueError when two parts share an id or a reference leads nowhere."""

    title: str
    subtitle: str
    sections: tuple[Section, ...]

    def __post_init__(self) -> None:
        ids = [section.id for section in self.walk()]
        ids += [block.id for block in self.blocks() if isinstance(block, Equation | Table | Figure)]
        if len(set(ids)) < len(ids):
            raise ValueError(f"parts share an id: {sorted({i for i in ids if ids.count(i) > 1})}")
        lost = {piece.target for piece in self.inlines() if isinstance(piece, Reference)} - set(ids)
        if lost:
            raise ValueError(f"references lead nowhere: {sorted(lost)}")

    def walk(self) -> Iterator[Section]:
        """Every section in reading order."""
        for section in self.sections:
            yield from section.walk()

    def blocks(self) -> Iterator[Block]:
        """Every block in reading order."""
        for section in self.walk():
            yield from section.blocks

    def figures(self) -> Iterator[Figure]:
        """Every figure in reading order."""
        return (block for block in self.blocks() if isinstance(block, Figure))

    def inlines(self) -> Iterator[Inline]:
        """Every inline piece of every block."""
        for block in self.blocks():
            match block:
                case Paragraph():
                    yield from block.content
                case Items():
                    for item in block.items:
                        yield from item
                case Equation():
                    yield from block.note
                case Table():
                    yield from block.caption
                    for row in block.rows:
                        for cell in row:
                            yield from cell
                case Figure():
                    yield from block.caption
