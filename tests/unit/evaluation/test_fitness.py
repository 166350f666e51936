from __future__ import annotations

import pytest

from casemix.evaluation.fitness import USES, fitness
from casemix.evaluation.verdicts import About


def verdicts(**outcomes):
    kinds = {about: outcomes.get(about.value, "pass") for about in About}
    return [{"name": f"{k} of tabular", "about": str(k), "verdict": v} for k, v in kinds.items()]


def outcomes(found):
    return {use["use"]: use["outcome"] for use in found}


def test_every_kind_of_statement_decides_some_use():
    rested = {about for use in USES for about in (*use.rests_on, *use.also)}
    assert rested == set(About)


def test_where_all_holds_every_use_is_fit_but_the_release_which_this_protocol_never_clears():
    found = outcomes(fitness(verdicts()))
    release = found.pop("Showing it to people who may not see the real patients")
    assert release == "caution"
    assert set(found.values()) == {"pass"}


@pytest.mark.parametrize("about", list(About))
def test_one_failing_statement_fails_just_the_uses_that_rest_on_it(about):
    found = fitness(verdicts(**{about.value: "fail"}))
    for use, judged in zip(USES, found, strict=True):
        rests = about in (*use.rests_on, *use.also)
        assert (judged["outcome"] == "fail") == rests
        assert judged["why"] == ([f"{about} of tabular"] if rests else [])


def test_what_was_not_measured_is_not_cleared():
    some = [v for v in verdicts() if v["about"] != "augmentation"]
    by_use = {use["use"]: use for use in fitness(some)}
    assert by_use["Adding to scarce real data"]["outcome"] == "undefined"
    assert by_use["Adding to scarce real data"]["why"] == ["augmentation: not measured"]


def test_a_failure_outweighs_what_was_not_measured():
    some = [v for v in verdicts(likeness="fail") if v["about"] != "link"]
    by_use = {use["use"]: use for use in fitness(some)}
    assert by_use["Developing methods that join modalities"]["outcome"] == "fail"


def test_one_modality_has_no_contradictions_to_answer_for():
    some = [v for v in verdicts() if v["about"] != "contradictions"]
    assert outcomes(fitness(some))["Teaching and demonstrations"] == "pass"
