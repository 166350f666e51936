"""Words, numbers, sentences and sections of a note."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: A slot (see `slots`), a number, a word with inner hyphens, or one other character.
TOKEN = re.compile(r"<n\d+>|\d+(?:\.\d+)?|[^\W\d_]\w*(?:-\w+)*|[^\w\s]|_")
_HEADER = re.compile(r"^[^\W\d_a-z][^\W\d_a-z /&-]{2,}:(?=\s|$)")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True)
class Line:
    """One line of a note: a section header (may be empty) and its sentences."""

    header: str
    sentences: tuple[str, ...]

    def text(self) -> str:
        """Return the line as it is written."""
        return " ".join(part for part in (self.header, *self.sentences) if part)


def words(text: str) -> list[str]:
    """Return words, numbers and marks in lower case, numbers as ``#``."""
    return ["#" if t[0].isdigit() or t.startswith("<n") else t.lower() for t in TOKEN.findall(text)]


def lines(note: str) -> list[Line]:
    """Split a note into lines, sections and sentences.

    >>> lines("FINDINGS: LVEF 35%. No effusion.")[0]
    Line(header='FINDINGS:', sentences=('LVEF 35%.', 'No effusion.'))
    """
    return [_line(text.strip()) for text in note.split("\n")]


def join(parts: list[Line]) -> str:
    """Return the note of these lines; a line that lost all its sentences is left out."""
    return "\n".join(p.text() for p in parts if p.sentences or not p.header)


def _line(text: str) -> Line:
    found = _HEADER.match(text)
    header = found.group(0) if found else ""
    body = text[len(header) :].strip()
    return Line(header, tuple(s for s in _SENTENCE_END.split(body) if s))
