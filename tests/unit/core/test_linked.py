from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from casemix.core import registry
from casemix.core.cohort import Cohort
from casemix.core.constrained import demands
from casemix.core.fields import Field, Kind, Schema
from casemix.core.linked import LinkedModel
from casemix.core.progress import Progress
from casemix.errors import ConditionError, FitError
from casemix.recipes.phantom.cohort import phantom_cohort


def make(name: str):
    return registry.load("generators", name).tiny()


def chain(**changes) -> LinkedModel:
    generators = {"tabular": make("tabular/trees"), "text": make("text/template")}
    return LinkedModel(**{"generators": generators, "tabular": make("tabular/trees"), **changes})


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return phantom_cohort(60, seed=0)


@pytest.fixture(scope="module")
def fitted(cohort) -> LinkedModel:
    return chain().fit(cohort, seed=1)


def test_patients_are_linked_by_id_and_labelled_synthetic(fitted):
    made = fitted.sample(7, seed=2)
    assert made.provenance == "synthetic"
    assert list(made.subjects.index) == [f"syn-{i:06d}" for i in range(7)]
    for modality in ("tabular", "text"):
        assert list(made[modality].subject_ids) == list(made.subjects.index)


def test_later_modalities_read_findings_and_embeddings_of_earlier_ones(fitted):
    assert fitted.linked == {"tabular": (), "text": ("tabular",)}
    names = fitted.links["tabular"].view.schema.names
    assert "tabular.creatinine" in names
    assert "tabular.embedding.0" in names
    given = fitted.wanted(2).join(
        fitted.links["tabular"].view.schema.empty(pd.Index(["syn-000000", "syn-000001"])),
        fitted.links["tabular"].view.schema,
    )
    assert len(fitted.fitted["text"].generate(given, seed=0)) == 2  # unknown ones are an error


def test_a_part_of_the_patients_is_the_same_as_in_the_whole(fitted):
    whole = fitted.sample(8, seed=3)
    part = fitted.sample(fitted.wanted(8).take(np.array([6, 2])), seed=3)
    assert part.subjects.equals(whole.subjects.iloc[[6, 2]])
    for modality in part.modalities:
        expected = whole[modality].take([6, 2])
        assert part[modality].payload.to_table().equals(expected.payload.to_table())


def test_where_is_met_by_everyone_and_needs_a_possible_wish(fitted):
    made = fitted.sample(6, seed=1, where="sex == 'F' and age > 55")
    assert (made.subjects["sex"] == "F").all()
    assert (made.subjects["age"] > 55).all()
    with pytest.raises(ConditionError, match=r"met: age > 94\.9"):
        fitted.sample(2, seed=1, where="age > 94.9 and age < 94.95")


def test_where_reads_the_table_and_the_context_follows(fitted):
    low, high = (
        fitted.sample(40, seed=1, where=where)
        for where in ("egfr < 60", "egfr > 95 and sex == 'M'")
    )
    assert (low["tabular"].payload.frame["egfr"] < 60).all()
    assert (high["tabular"].payload.frame["egfr"] > 95).all()
    assert (high.subjects["sex"] == "M").all()
    assert low.subjects["age"].mean() > high.subjects["age"].mean() + 5


def test_a_part_of_wished_patients_is_the_same_as_in_the_whole(fitted):
    whole = fitted.sample(8, seed=3, where="creatinine > 1.1")
    part = fitted.sample(fitted.wanted(8).take(np.array([6, 2])), seed=3, where="creatinine > 1.1")
    assert part.subjects.equals(whole.subjects.iloc[[6, 2]])
    expected = whole["tabular"].take([6, 2])
    assert part["tabular"].payload.to_table().equals(expected.payload.to_table())


def test_a_column_can_be_fixed(fitted):
    made = fitted.sample(6, seed=2, where="beta_blocker == 'yes'")
    assert (made["tabular"].payload.frame["beta_blocker"] == "yes").all()


def test_rules_are_met_by_context_and_table(fitted):
    rules = {
        "context": demands("age < 80", fitted.schema),
        "tabular": demands("creatinine < 1.2 and age > 0", fitted.schema.join(fitted.columns)),
    }
    made = fitted.sample(20, seed=5, rules=rules)
    assert (made.subjects["age"] < 80).all()
    known = made["tabular"].payload.frame["creatinine"].dropna()
    assert (known < 1.2).all()


def test_a_table_that_comes_late_cannot_be_wished_for(cohort):
    model = chain(order=("text", "tabular")).fit(cohort, seed=1)
    with pytest.raises(ConditionError, match="after other modalities"):
        model.sample(3, seed=1, where="creatinine > 1.2")


def test_given_patients_are_continued(fitted, cohort):
    given = cohort.subject_conditions().take(np.arange(5))
    made = fitted.sample(given, seed=4)
    known = given.values.notna()
    assert made.subjects.where(known).equals(given.values.where(known))


def test_a_saved_chain_makes_the_same_patients(fitted, tmp_path):
    fitted.save(tmp_path / "m")
    again = LinkedModel.load(tmp_path / "m").sample(4, seed=5)
    expected = fitted.sample(4, seed=5)
    assert again.subjects.equals(expected.subjects)
    assert again["text"].payload == expected["text"].payload


def test_an_interrupted_fit_goes_on_with_the_next_link(cohort, tmp_path, monkeypatch):
    progress = Progress(checkpoints=tmp_path)
    plugin = registry.load("generators", "tabular/trees")
    with monkeypatch.context() as patch:
        patch.setattr(plugin, "fit", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            chain(generators={"text": make("text/template")}).fit(cohort, seed=1, progress=progress)
    monkeypatch.undo()
    assert not (tmp_path / "subjects").exists()


def test_a_composite_reads_only_what_one_cohort_ties(cohort):
    ids = list(cohort.subjects.index)
    left, right = cohort.of_subjects(ids[:30]), cohort.of_subjects(ids[30:])
    model = chain().fit({"tabular": left, "text": right}, seed=1)
    assert model.linked == {"tabular": (), "text": ()}
    assert set(model.sample(3, seed=1).modalities) == {"tabular", "text"}


def test_a_composite_without_shared_context_is_refused(cohort):
    other = Cohort(cohort.subjects[[]], type(cohort.schema)(), {"text": cohort["text"]})
    with pytest.raises(FitError, match="share no context field"):
        chain().fit({"tabular": cohort, "text": other}, seed=1)


def test_synthetic_patients_are_not_fitted_on(fitted):
    with pytest.raises(FitError, match="marks synthetic subjects"):
        chain().fit(fitted.sample(20, seed=1), seed=1)


def test_the_order_names_each_modality_once():
    with pytest.raises(FitError, match="order must name"):
        chain(order=("tabular",))
    with pytest.raises(FitError, match="can only read modalities before it"):
        chain(reads={"tabular": ("text",)})


def test_an_unfitted_chain_says_so():
    with pytest.raises(FitError, match="not fitted"):
        chain().sample(3, seed=0)


def test_a_context_with_codes_is_drawn_filtered_and_linked(tmp_path):
    cohort = phantom_cohort(200, seed=0)
    groups = cohort.subjects["group"]
    lists = [["I21"] if group == "infarction" else ["I50", "E11"] for group in groups]
    subjects = cohort.subjects.assign(diagnoses=lists)
    schema = cohort.schema.join(Schema((Field("diagnoses", Kind.CODES),)))
    model = chain().fit(replace(cohort, subjects=subjects, schema=schema), seed=1)
    model.save(tmp_path / "model")
    made = LinkedModel.load(tmp_path / "model").sample(8, seed=2, where="'I21' in diagnoses")
    assert made.subjects["diagnoses"].tolist() == [["I21"]] * 8
    assert (made.subjects["group"] == "infarction").mean() > 0.8
