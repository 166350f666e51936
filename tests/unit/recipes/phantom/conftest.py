"""Views of the same simulated patients, without the costly pictures."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import pytest

from casemix.recipes.phantom.anatomy import PatientState, patient_state
from casemix.recipes.phantom.context import Context, draw_subjects
from casemix.recipes.phantom.draws import Draws


@dataclass(frozen=True)
class View:
    subjects: pd.DataFrame
    context: Context
    state: PatientState
    draws: Draws


@pytest.fixture(scope="session")
def look():
    """Return a function (n, view, coupling) -> View."""

    def make(n: int, view: str, coupling: float = 1.0) -> View:
        ids = tuple(f"PH{i:05d}" for i in range(1, n + 1))
        subjects = draw_subjects(Draws(ids, 11, 1.0, "context"))
        context = Context.of(subjects)
        draws = Draws(ids, 11, coupling, view)
        return View(subjects, context, patient_state(context, draws), draws)

    return make
