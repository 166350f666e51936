"""What an import found and did: counts per field, and what was left out and why."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

_DONE = {
    "missing": "set to missing",
    "clip": "clipped to the range",
    "drop": "dropped with their record",
}


@dataclass(frozen=True)
class FieldCounts:
    """What was found in the cells of one field.

    Args:
        place: where the mapping defines the field.
        cells: how many were read (measurements, for events and series).
        empty: missing in the source.
        missing_codes: cells that held a missing-value code.
        invalid: text in place of a number, infinite numbers, unlisted levels.
        out_of_range: numbers outside the range.
        extremes: smallest and largest number outside the range, in the field's unit.
        range: what the mapping allows.
        unit: the field's unit.
        outside: what was done with numbers outside the range.
        examples: some invalid cells.
        pooled: unlisted levels that became the level of all others.
    """

    place: str
    cells: int
    empty: int
    missing_codes: int = 0
    invalid: int = 0
    out_of_range: int = 0
    extremes: tuple[float, float] | None = None
    range: tuple[float, float] | None = None
    unit: str = ""
    outside: str = "missing"
    examples: tuple[str, ...] = ()
    pooled: int = 0

    def lines(self) -> list[str]:
        """Return what a person should know, if anything."""
        found = []
        known = self.cells - self.empty
        if self.missing_codes:
            found.append(f"{self.missing_codes} of {known} cells held a missing-value code")
        if self.invalid:
            found.append(
                f"{self.invalid} of {known} cells could not be read "
                f"({', '.join(self.examples)}): set to missing"
            )
        if self.pooled:
            found.append(f"{self.pooled} of {known} cells are none of the levels: pooled")
        if self.out_of_range and self.extremes and self.range:
            low, high = self.extremes
            found.append(
                f"{self.out_of_range} of {known} numbers outside {self.range[0]:g} to "
                f"{self.range[1]:g} {self.unit}".rstrip()
                + f" (from {low:g} to {high:g}): {_DONE[self.outside]}"
            )
        if self.cells and known == self.missing_codes + self.invalid:
            found.append("no known value")
        return [f"{self.place}: {line}" for line in found]


@dataclass(frozen=True)
class Dropped:
    """Rows, records or measurements that did not become part of the cohort.

    Args:
        place: where the mapping says so.
        count: how many.
        of: out of how many.
        reason: why.
    """

    place: str
    count: int
    of: int
    reason: str


@dataclass(frozen=True)
class ImportReport:
    """What an import found and did.

    Args:
        mapping: name of the data.
        subjects: number of subjects in the cohort.
        samples: modality -> number of samples in the cohort.
        fields: per field, in the mapping's order.
        dropped: what was left out, in the order of the import.
        notes: other things worth knowing.
    """

    mapping: str
    subjects: int
    samples: dict[str, int]
    fields: tuple[FieldCounts, ...]
    dropped: tuple[Dropped, ...]
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Return the report for a person, one fact per line."""
        counts = ", ".join(f"{n} {modality}" for modality, n in self.samples.items())
        lines = [f"{self.mapping}: {self.subjects} subjects; samples: {counts or 'none'}"]
        lines += [f"  left out: {d.place}: {d.count} of {d.of}: {d.reason}" for d in self.dropped]
        lines += [f"  {line}" for counted in self.fields for line in counted.lines()]
        return lines + [f"  {note}" for note in self.notes]

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON-ready content."""
        return asdict(self)

    def summary(self) -> str:
        """Return one sentence for the data card."""
        cells = sum(c.out_of_range for c in self.fields)
        invalid = sum(c.invalid for c in self.fields)
        codes = sum(c.missing_codes for c in self.fields)
        return (
            f"in all rows read, {cells} numbers outside their range, {invalid} unreadable cells "
            f"and {codes} missing-value codes were handled as the mapping says"
        )


@dataclass
class Ledger:
    """Collects the report during an import."""

    fields: list[FieldCounts] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def drop(self, place: str, count: int, of: int, reason: str) -> None:
        """Note what was left out; nothing if nothing was."""
        if count:
            self.dropped.append(Dropped(place, int(count), int(of), reason))

    def report(self, mapping: str, subjects: int, samples: dict[str, int]) -> ImportReport:
        """Return the finished report."""
        return ImportReport(
            mapping, subjects, samples, tuple(self.fields), tuple(self.dropped), tuple(self.notes)
        )
