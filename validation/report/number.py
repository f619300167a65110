"""A number as people read it: a mantissa and, where it is very large or small, a power of ten."""

from numbers import Integral

from theory.counting import numeral
from validation.report.document import Number


def mantissa_and_exponent(number: Number) -> tuple[str, int | None]:
    """`number` to its significant digits: ("1.2", -5) for 1.2e-5, ("0.25", None) for 0.25; whole numbers stand whole.

    The minus sign is ASCII; an empty cell is ("", None), infinity ("∞", None) and nan ("nan", None).
    """
    if number.value is None:
        return "", None
    if isinstance(number.value, Integral):
        return str(number.value), None
    text = numeral(number.value, f".{number.digits}g").replace("inf", "∞")
    mantissa, _, exponent = text.partition("e")
    return mantissa, int(exponent) if exponent else None
