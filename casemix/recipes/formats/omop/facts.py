"""What a cohort records, as one long table of facts with the OMOP table that each belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from casemix.core.cohort import Cohort
from casemix.core.fields import LEVELLED, Field, Kind
from casemix.core.samples import Samples

#: First part of an event's code -> OMOP table. Other codes are measurements where they have a
#: value, and observations where they have none.
DOMAINS: Mapping[str, str] = {
    "DIAGNOSIS": "condition_occurrence",
    "CONDITION": "condition_occurrence",
    "MEDICATION": "drug_exposure",
    "DRUG": "drug_exposure",
    "INFUSION_START": "drug_exposure",
    "INFUSION_END": "drug_exposure",
    "IMMUNIZATION": "drug_exposure",
    "PROCEDURE": "procedure_occurrence",
    "HCPCS": "procedure_occurrence",
    "LAB": "measurement",
    "VITAL": "measurement",
    "MEASUREMENT": "measurement",
    "OBSERVATION": "observation",
    "MEDS_DEATH": "death",
    "MEDS_BIRTH": "birth",
}
#: Tables whose rows have no place for a number.
_NUMBERLESS = ("condition_occurrence", "procedure_occurrence")
#: Prefix of the codes that hold the subject's context.
CONTEXT = "SUBJECT//"
_COLUMNS = ("subject", "hours", "domain", "code", "value", "text", "unit")
_SLOWEST_WAVEFORM = 60.0  # seconds; series of shorter steps are waveforms, not measurements


def facts(cohort: Cohort, own: tuple[str, ...]) -> tuple[pd.DataFrame, list[str]]:
    """Return the facts of a cohort and what of it is not among them.

    Args:
        cohort: whose records.
        own: subject fields that ``person`` holds.

    Returns:
        One row per fact, sorted by subject (position in the cohort) and ``hours``: the OMOP table
        (``domain``), ``code``, ``value`` (NaN = none), ``text`` (None = none) and ``unit``.
    """
    parts, notes = [_context(cohort, own)], []
    for modality, samples in cohort.samples.items():
        if modality == "text":
            continue
        reader = _READERS.get(modality)
        found = reader(samples) if reader else None
        if found is None:
            notes.append(f"{modality}: OMOP has no table for it; {len(samples)} samples left out.")
            continue
        position = cohort.subjects.index.get_indexer(pd.Index(samples.subject_ids))
        item = found["item"].to_numpy(dtype=int)
        hours = found["hours"].to_numpy() + samples.index["time"].to_numpy()[item]
        parts.append(found.assign(subject=position[item], hours=hours))
    full = [part[list(_COLUMNS)] for part in parts if len(part)] or parts[:1]
    whole = pd.concat(full, ignore_index=True)
    return whole.sort_values(["subject", "hours"], kind="stable", ignore_index=True), notes


def first_part(codes: pd.Series) -> pd.Series:
    """Return what stands before the first ``//`` of each code."""
    return codes.astype(object).str.split("//", n=1).str[0]


def _context(cohort: Cohort, own: tuple[str, ...]) -> pd.DataFrame:
    fields = [f for f in cohort.schema if f.name not in own]
    return _cells(cohort.subjects, fields, CONTEXT).rename(columns={"item": "subject"})


def _table(samples: Samples) -> pd.DataFrame:
    return _cells(samples.payload.frame, list(samples.payload.schema), "")


def _cells(frame: pd.DataFrame, fields: list[Field], prefix: str) -> pd.DataFrame:
    """Return one row per recorded cell (per code of a list of codes), at hour 0."""
    parts = [_column(frame[f.name].reset_index(drop=True).dropna(), f, prefix) for f in fields]
    if not parts:
        return pd.DataFrame({name: [] for name in ("item", *_COLUMNS[1:])})
    return pd.concat(parts, ignore_index=True)


def _column(cells: pd.Series, field: Field, prefix: str) -> pd.DataFrame:
    if field.kind is Kind.CODES:
        cells = cells.explode().dropna()
    listed = field.kind is Kind.CODES and not prefix
    numeric, levelled = field.kind is Kind.NUMERIC, field.kind in LEVELLED
    domain = "measurement" if numeric and not prefix else "observation"
    if listed and field.code_system.upper().startswith("ICD"):
        domain = "condition_occurrence"
    return pd.DataFrame(
        {
            "item": cells.index.to_numpy(dtype=int),
            "hours": 0.0,
            "domain": domain,
            "code": cells.to_numpy(dtype=object) if listed else prefix + field.name,
            "value": cells.to_numpy(dtype=float) if numeric else np.nan,
            "text": cells.to_numpy(dtype=object) if levelled or (prefix and not numeric) else None,
            "unit": field.unit or None,
        }
    )


def _series(samples: Samples) -> pd.DataFrame | None:
    series = samples.payload
    if series.step_seconds < _SLOWEST_WAVEFORM:
        return None
    item, step, channel = np.nonzero(series.recorded)
    names = np.array([c.name for c in series.channels], dtype=object)
    units = np.array([c.unit or None for c in series.channels], dtype=object)
    return pd.DataFrame(
        {
            "item": item,
            "hours": series.hours[step],
            "domain": "measurement",
            "code": names[channel],
            "value": series.values[item, step, channel].astype(str).astype(float),  # 36.6, as shown
            "text": None,
            "unit": units[channel],
        }
    )


def _events(samples: Samples) -> pd.DataFrame:
    events = samples.payload.frame
    value = events["value"].to_numpy()
    domain = first_part(events["code"]).map(DOMAINS)
    other = np.where(np.isnan(value), "observation", "measurement")
    misfit = domain.isna() | (domain.isin(_NUMBERLESS) & ~np.isnan(value))
    return pd.DataFrame(
        {
            "item": events["item"],
            "hours": events["hours"],
            "domain": np.where(misfit, other, domain.to_numpy(dtype=object)),
            "code": events["code"],
            "value": value,
            "text": None,
            "unit": events["code"].map(samples.payload.units),
        }
    )


_READERS: Mapping[str, Callable[[Samples], pd.DataFrame | None]] = {
    "tabular": _table,
    "timeseries": _series,
    "events": _events,
}
