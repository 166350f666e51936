from __future__ import annotations

import pytest

from casemix.core.cohort import Cohort
from casemix.core.progress import Progress
from casemix.errors import CohortError, RunError
from casemix.recipes import single
from casemix.recipes.continuing import continue_histories
from casemix.recipes.phantom.cohort import phantom_cohort
from casemix.recipes.phantom.events import phantom_events

LATE = 200_000.0  # hours


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("events")
    phantom_events(60, seed=0).save(folder / "cohort")
    changes = ["stream={epochs: 2}"]
    fitted = single.fit(
        "events/feedforward",
        folder / "cohort",
        fields=None,
        seed=0,
        changes=changes,
        progress=Progress(),
    )
    fitted.save(folder / "model")
    return folder


def go_on(folder, model: str = "model", hours: float = LATE) -> Cohort:
    return continue_histories(
        folder / model,
        folder / "cohort",
        until_hours=hours,
        seed=1,
        trust=False,
        progress=Progress(),
    )


def test_only_what_comes_after_is_returned(folder):
    made, given = go_on(folder), Cohort.load(folder / "cohort")
    assert made.provenance == "synthetic"
    assert not set(made.subjects.index) & set(given.subjects.index)
    last = given["events"].payload.frame.groupby("item")["hours"].max()
    first = made["events"].payload.frame.groupby("item")["hours"].min()
    assert len(first) > 5
    assert (first > last.reindex(first.index)).all()


def test_the_dead_have_nothing_added(folder):
    given, made = Cohort.load(folder / "cohort")["events"].payload, go_on(folder)["events"].payload
    dead = set(given.frame.loc[given.frame["code"].str.contains("DEATH"), "item"])
    assert dead
    assert not dead & set(made.frame["item"])


def test_nothing_to_add_and_models_that_cannot_are_errors(folder):
    with pytest.raises(CohortError, match="Nothing is added"):
        go_on(folder, hours=0.0)
    phantom_cohort(40, seed=0).save(folder / "tables")
    labs = single.fit(
        "tabular/marginals",
        folder / "tables",
        fields=None,
        seed=0,
        changes=[],
        progress=Progress(),
    )
    labs.save(folder / "labs")
    with pytest.raises(RunError, match="cannot continue histories"):
        go_on(folder, model="labs")
