from __future__ import annotations

from dataclasses import replace

import pytest

from casemix.core import registry
from casemix.core.link_fits import LinkFit, fit_links
from casemix.core.progress import Progress
from casemix.modalities.tabular.toy import toy


@pytest.fixture
def link() -> LinkFit:
    data, given = toy(80, seed=0)
    return LinkFit("tabular", registry.load("generators", "tabular/trees").tiny(), data, given, 1)


def sampled(generator, link: LinkFit):
    return generator.generate(link.given, seed=3).payload.frame


def fit(*links: LinkFit, folder=None) -> dict:
    return fit_links(links, workers=1, progress=Progress(checkpoints=folder))


def test_a_link_that_was_kept_is_not_fitted_again(link, tmp_path):
    first = sampled(fit(link, folder=tmp_path)["tabular"], link)
    other, _ = toy(80, seed=7)
    changed = replace(link, samples=replace(other, index=link.samples.index))
    again = sampled(fit(changed, folder=tmp_path)["tabular"], link)
    assert again.equals(first)
    assert not sampled(fit(changed)["tabular"], link).equals(first)  # it would have been another


def test_a_kept_link_is_the_one_that_was_fitted(link, tmp_path):
    here, kept = fit(link), fit(link, folder=tmp_path)
    assert sampled(kept["tabular"], link).equals(sampled(here["tabular"], link))


def test_links_come_back_in_the_order_given(link, tmp_path):
    both = (link, replace(link, name="again"))
    assert list(fit(*both, folder=tmp_path)) == ["tabular", "again"]
