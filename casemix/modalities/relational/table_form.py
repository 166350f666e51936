"""TableForm: what one of several linked tables is: its parent, its columns, its times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from casemix.core.fields import Kind, Schema
from casemix.errors import PayloadError, did_you_mean

#: Columns that every frame has besides those of its form.
KEYS = ("item", "row", "parent")


@dataclass(frozen=True)
class TableForm:
    """One table of a set of linked tables.

    Args:
        name: the table's name.
        schema: its columns without keys; lists of codes are tables of their own.
        parent: the table whose rows its rows belong to; "" = the subject itself.
        times: columns that are hours since the subject's index time; the first one orders rows.
        spans: pairs of times, start and end.
        within: the times lie within the first span of the parent's row.

    Raises:
        PayloadError: a reserved or unknown column name, a column of codes, a time that is no
            number.
    """

    name: str
    schema: Schema = field(default_factory=Schema)
    parent: str = ""
    times: tuple[str, ...] = ()
    spans: tuple[tuple[str, str], ...] = ()
    within: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "times", tuple(self.times))
        object.__setattr__(self, "spans", tuple((a, b) for a, b in self.spans))
        for f in self.schema:
            if f.kind is Kind.CODES:
                raise PayloadError(
                    f"The column '{f.name}' of '{self.name}' holds lists of codes.",
                    next_step="Make it a table of its own, one row per code.",
                )
        self._check_names()

    def _check_names(self) -> None:
        reserved = [n for n in self.schema.names if n in KEYS]
        if reserved:
            raise PayloadError(
                f"The table '{self.name}' has a column with a reserved name.",
                given=reserved,
                next_step="Rename it, or leave it out.",
            )
        for name in self.times:
            if name not in self.schema or self.schema[name].kind is not Kind.NUMERIC:
                raise PayloadError(
                    f"The time '{name}' of '{self.name}' is not one of its numeric columns.",
                    allowed=self.schema.names,
                    next_step=did_you_mean(name, self.schema.names),
                )
        for name in (n for pair in self.spans for n in pair):
            if name not in self.times:
                raise PayloadError(
                    f"'{name}' starts or ends a span of '{self.name}' but is not a time.",
                    allowed=self.times,
                )

    @property
    def start(self) -> str | None:
        """The time that orders the rows, if there is one."""
        return self.times[0] if self.times else None

    @property
    def end(self) -> str | None:
        """The end of the span that begins with `start`, if there is one."""
        return dict(self.spans).get(self.start) if self.start else None

    @property
    def own(self) -> Schema:
        """The columns that are not times."""
        return Schema(tuple(f for f in self.schema if f.name not in self.times))

    def to_json(self) -> dict[str, Any]:
        """Return the form as JSON-ready content."""
        return asdict(self) | {"schema": self.schema.to_json()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> TableForm:
        """Rebuild what `to_json` wrote."""
        spans = tuple((a, b) for a, b in content["spans"])
        return cls(
            content["name"],
            Schema.from_json(content["schema"]),
            content["parent"],
            tuple(content["times"]),
            spans,
            content["within"],
        )


def check_order(forms: Sequence[TableForm]) -> None:
    """Check that tables have distinct names and that each parent comes before its children.

    Raises:
        PayloadError: no table, a name twice, or a parent that is unknown or comes later, as in a
            cycle.
    """
    if not forms:
        raise PayloadError("Linked tables need at least one table.")
    seen: list[str] = []
    for form in forms:
        if form.name in seen or not form.name:
            raise PayloadError("Tables need distinct names.", given=form.name, allowed=seen)
        if form.parent and form.parent not in seen:
            raise PayloadError(
                f"The parent of '{form.name}' is not a table before it.",
                given=form.parent,
                allowed=seen or "the subject alone",
                next_step=did_you_mean(form.parent, seen)
                or "Order the tables from parents to children; there must be no cycle.",
            )
        seen.append(form.name)
