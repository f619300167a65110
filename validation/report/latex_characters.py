r"""Text of any script as LaTeX that pdflatex sets with the fonts of a plain installation; the result is pure ASCII.

Accents are composed, Greek comes from the mathematics fonts, Cyrillic is transliterated (ISO 9, slanted), and what is
left is named by its code point: an emoji becomes \texttt{U+1F600}.
"""

import unicodedata
from itertools import zip_longest

from validation.report.characters import visible

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"{\ttfamily\char34}", "`": r"\`{}",
    # after the end of a row these two would be its options
    "[": "{[}", "*": "{*}",
}  # fmt: skip
_LIGATURES = frozenset("-',")  # two of them in a row would make a dash or a quotation mark
_BREAKS = frozenset(["-", "-{}", "/", ".", ":", ";", "=", "@", r"\_", r"\&", r"\textbackslash{}"])
# Combining marks after NFD: accents of text, and those of mathematics, which also stand on Greek and on each other.
_ABOVE = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u", "\u0307": ".",
    "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v",
}  # fmt: skip
_MATH_ABOVE = {
    "\u0300": "grave", "\u0301": "acute", "\u0302": "hat", "\u0303": "tilde", "\u0304": "bar", "\u0306": "breve",
    "\u0307": "dot", "\u0308": "ddot", "\u030a": "mathring", "\u030c": "check",
}  # fmt: skip
_BELOW = {"\u0323": "d", "\u0327": "c", "\u0331": "b"}
_TEXT = {
    "\u00a0": "~", "\u200b": "", "\u200c": "", "\u200d": "", "\u200e": "", "\u200f": "", "\ufeff": "", "\ufe0e": "",
    "\ufe0f": "", "\u00ad": r"\-",
    "\u2009": r"\,", "\u202f": r"\,", "æ": r"\ae{}", "Æ": r"\AE{}", "œ": r"\oe{}", "Œ": r"\OE{}",
    "ø": r"\o{}", "Ø": r"\O{}", "ł": r"\l{}", "Ł": r"\L{}", "ß": r"\ss{}", "ı": r"\i{}",
    "ȷ": r"\j{}", "¡": "!`", "¿": "?`",
    "§": r"\S{}", "¶": r"\P{}", "©": r"\copyright{}", "£": r"\pounds{}", "–": "--", "—": "---", "‐": "-", "‑": "-",
    "‘": "{}`{}", "’": "'{}", "“": "``", "”": "''", "„": ",,", "…": r"\dots{}",
}  # fmt: skip
# Letters that the old text encoding lacks, taken one by one from the newer one.
_T1 = {
    "đ": r"\dj", "Đ": r"\DJ", "ð": r"\dh", "Ð": r"\DH", "þ": r"\th", "Þ": r"\TH", "ŋ": r"\ng", "Ŋ": r"\NG",
    "«": r"\guillemotleft", "»": r"\guillemotright", "‹": r"\guilsinglleft", "›": r"\guilsinglright",
    "‚": r"\quotesinglbase",
}  # fmt: skip
_MATHEMATICS = {
    "×": r"\times", "·": r"\cdot", "÷": r"\div", "±": r"\pm", "∓": r"\mp", "−": "-", "≤": r"\le", "≥": r"\ge",
    "≠": r"\ne", "≈": r"\approx", "≡": r"\equiv", "∼": r"\sim", "∝": r"\propto", "∞": r"\infty", "∑": r"\sum",
    "∏": r"\prod", "∫": r"\int", "∂": r"\partial", "∇": r"\nabla", "√": r"\surd", "∈": r"\in", "∉": r"\notin",
    "⊂": r"\subset", "⊆": r"\subseteq", "∪": r"\cup", "∩": r"\cap", "∅": r"\emptyset", "∀": r"\forall",
    "∃": r"\exists", "¬": r"\neg", "∧": r"\wedge", "∨": r"\vee", "→": r"\to", "←": r"\leftarrow",
    "↔": r"\leftrightarrow", "↦": r"\mapsto", "⇒": r"\Rightarrow", "⇐": r"\Leftarrow", "⇔": r"\Leftrightarrow",
    "↑": r"\uparrow", "↓": r"\downarrow", "⟨": r"\langle", "⟩": r"\rangle", "‖": r"\|", "°": r"{}^{\circ}",
    "†": r"\dagger", "‡": r"\ddagger", "•": r"\bullet", "′": "'", "″": "''", "ℓ": r"\ell", "µ": r"\mu",
    "⁻": "{}^{-}", "ℝ": r"\mathbb{R}", "ℕ": r"\mathbb{N}", "½": r"\tfrac12", "¼": r"\tfrac14", "¾": r"\tfrac34",
} | {
    superscript: f"{{}}^{{{digit}}}" for digit, superscript in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")
} | {
    subscript: f"{{}}_{{{digit}}}" for digit, subscript in enumerate("₀₁₂₃₄₅₆₇₈₉")
}  # fmt: skip
_GREEK = {
    "α": r"\alpha", "β": r"\beta", "γ": r"\gamma", "δ": r"\delta", "ε": r"\varepsilon", "ζ": r"\zeta", "η": r"\eta",
    "θ": r"\theta", "ι": r"\iota", "κ": r"\kappa", "λ": r"\lambda", "μ": r"\mu", "ν": r"\nu", "ξ": r"\xi", "π": r"\pi",
    "ρ": r"\rho", "σ": r"\sigma", "τ": r"\tau", "υ": r"\upsilon", "φ": r"\varphi", "χ": r"\chi", "ψ": r"\psi",
    "ω": r"\omega", "ς": r"\varsigma", "ϕ": r"\phi", "ϑ": r"\vartheta", "Γ": r"\Gamma", "Δ": r"\Delta",
    "Θ": r"\Theta", "Λ": r"\Lambda", "Ξ": r"\Xi", "Π": r"\Pi", "Σ": r"\Sigma", "Υ": r"\Upsilon", "Φ": r"\Phi",
    "Ψ": r"\Psi", "Ω": r"\Omega",
} | {
    greek: rf"\mathrm{{{latin}}}" for greek, latin in zip("οΑΒΕΖΗΙΚΜΝΟΡΤΧ", "oABEZHIKMNOPTX", strict=True)
}  # fmt: skip
# ISO 9: one letter for one letter, so that different names stay different.
_CYRILLIC = dict(
    zip(
        "абвгґдеєжзиійклмнопрстуфхцчшщыэюя",
        "abvgġdeêžziìjklmnoprstufhcčšŝyèûâ",
        strict=True,
    )
) | {"ё": "ë", "ї": "ï", "ў": "ŭ", "ъ": '"', "ь": "'"}


def escape(text: str) -> str:
    """`text` as LaTeX in a line of text: nothing in it is a command, a comment or a ligature."""
    return "".join(_characters(text))


def escape_breakable(text: str, longest_word: int) -> str:
    """`text` for a narrow column: words of more than `longest_word` characters may break after marks, or anywhere."""
    words: list[list[str]] = [[]]
    for character in _characters(text):
        if character == " ":
            words.append([])
        else:
            words[-1].append(character)
    return " ".join(_word(word, longest_word) for word in words)


def _word(word: list[str], longest: int) -> str:
    """One word with the places where it may break; a long stretch without marks may break after any letter."""
    if len(word) <= longest:
        return "".join(word)
    stretches: list[list[str]] = [[]]
    for character in word:
        stretches[-1].append(character)
        if character in _BREAKS:
            stretches.append([])
    return r"\allowbreak{}".join(("" if len(s) <= longest else r"\allowbreak{}").join(s) for s in stretches if s)


def _characters(text: str) -> list[str]:
    """LaTeX of each character, together with the marks that stand on it."""
    clusters: list[str] = []
    for character in unicodedata.normalize("NFC", visible(text)):
        if unicodedata.combining(character) and clusters:
            clusters[-1] += character
        else:
            clusters.append(character)
    pairs = zip_longest(clusters, clusters[1:])
    return [_cluster(c) + ("{}" if c == after and c in _LIGATURES else "") for c, after in pairs]


def ascii_only(text: str) -> str:
    """Letters, digits and spaces of `text`, without marks: for bookmarks of a PDF, where no macro may stand."""
    plain = (c for c in unicodedata.normalize("NFKD", visible(text)) if c.isascii())
    return "".join(c for c in plain if c not in "\\{}$&#%_^~")


def _cluster(cluster: str) -> str:
    """One character with the marks that stand on it."""
    if len(cluster) == 1:
        found = _single(cluster)
        if found is not None:
            return found
    base, *marks = list(unicodedata.normalize("NFD", cluster))
    if base.lower() in _CYRILLIC:
        # й and ё are letters of their own, not letters with a mark
        return _cyrillic(cluster)
    if base.isascii() and base.isalpha() and marks == ["\u0328"]:
        return rf"\newerencoding{{\k{{{base}}}}}"
    if (base.isascii() and base.isalpha()) or base in _GREEK:
        accented = _accented(base, marks)
        if accented is not None:
            return accented
    return "".join(_single(character) or _code(character) for character in cluster)


def _single(character: str) -> str | None:
    """A character that stands in one of the tables, or is plain; None of others."""
    if character in _SPECIAL:
        return _SPECIAL[character]
    if character.isascii():
        return character
    if character in _TEXT:
        return _TEXT[character]
    if character in _T1:
        return rf"\newerencoding{{{_T1[character]}}}"
    if character in _MATHEMATICS:
        return rf"\ensuremath{{{_MATHEMATICS[character]}}}"
    if character in _GREEK:
        return rf"\ensuremath{{{_GREEK[character]}}}"
    return None


def _accented(base: str, marks: list[str]) -> str | None:
    """A letter under and over its accents, the first nearest to it; None where one of them is not known."""
    below = [mark for mark in marks if mark in _BELOW]
    above = [mark for mark in marks if mark not in _BELOW]
    if not set(above) <= set(_ABOVE):
        return None
    if len(above) == 1 and base not in _GREEK:
        # an i or j under an accent loses its dot
        dotless = rf"\{base}" if base in "ij" else base
        letter = rf"\{_ABOVE[above[0]]}{{{dotless}}}"
    else:
        letter = _GREEK.get(base) or rf"\mathrm{{{base}}}"
        for mark in above:
            if mark not in _MATH_ABOVE:
                return None
            letter = rf"\{_MATH_ABOVE[mark]}{{{letter}}}"
        letter = rf"\ensuremath{{{letter}}}" if above or base in _GREEK else base
    for mark in below:
        letter = rf"\{_BELOW[mark]}{{{letter}}}"
    return letter


def _cyrillic(cluster: str) -> str:
    """ISO 9 in slanted type, capitals as capitals; a letter of other alphabets is named by its code point."""
    letters = []
    for character in cluster:
        latin = _CYRILLIC.get(character.lower())
        if latin is None:
            return "".join(map(_code, cluster))
        letters.append(_cluster(latin.upper() if character.isupper() else latin))
    return rf"\textsl{{{''.join(letters)}}}"


def _code(character: str) -> str:
    return rf"\texttt{{U+{ord(character):04X}}}\,\allowbreak{{}}"
