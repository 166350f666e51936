"""What every generator must do: one function per promise of the contract."""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from casemix.core import registry
from casemix.core.conditions import Conditions
from casemix.core.fields import Field, Kind, Schema
from casemix.core.generator import Generator
from casemix.core.samples import Samples
from casemix.errors import ArtifactError, CasemixError, ConditionError, FitError

Toy = Callable[..., tuple[Samples, Conditions]]
#: File types that hold data only. Anything else could carry code or a pickle.
_PLAIN = {".json", ".safetensors", ".parquet", ".txt", ".md", ".jinja"}


@dataclass(frozen=True)
class Case:
    """A generator fitted on toy data, with what it was fitted on."""

    plugin: type[Generator]
    generator: Generator
    data: Samples
    given: Conditions

    @property
    def wanted(self) -> Conditions:
        """Conditions of samples that do not exist yet: the toy's, under new ids."""
        rows = self.given.rows.iloc[:13]
        ids = [f"new-{i}" for i in range(len(rows))]
        return Conditions(rows.assign(subject_id=ids).set_axis(pd.Index(ids)), self.given.schema)


@cache
def fitted(plugin: type[Generator], toy: Toy | None = None) -> Case:
    """Return the plugin's `tiny()` instance fitted on its modality's toy data (once per class).

    A field of codes joins the toy's conditions if the plugin honours codes.
    """
    make = toy or importlib.import_module(f"casemix.modalities.{plugin.modality}.toy").toy
    data, given = make(64, seed=0)
    if Kind.CODES in plugin.honours:
        given = _with_drugs(given)
    return Case(plugin, plugin.tiny().fit(data, given, seed=0), data, given)


def declares_itself(case: Case, tmp_path: Path) -> None:
    """Class attributes are set, the class is final and documented, and the name is registered."""
    plugin = case.plugin
    assert plugin.modality in registry.modalities()
    assert plugin.honours <= set(Kind)
    assert plugin.__doc__
    assert not plugin.__subclasses__(), "a generator is final"
    assert registry.name_of(plugin).startswith(f"{plugin.modality}/")


def fit_returns_itself(case: Case, tmp_path: Path) -> None:
    """``fit`` returns the instance."""
    assert isinstance(case.generator, case.plugin)


def one_sample_per_row_in_order(case: Case, tmp_path: Path) -> None:
    """Ids, subjects and times go in and come out in the same order."""
    made = case.generator.generate(case.wanted, seed=1)
    assert made.modality == case.plugin.modality
    assert isinstance(made.payload, registry.payload_type(made.modality))
    assert list(made.sample_ids) == case.wanted.sample_ids
    assert list(made.subject_ids) == case.wanted.rows["subject_id"].tolist()
    assert made.schema == case.data.schema


def the_seed_decides(case: Case, tmp_path: Path) -> None:
    """The same seed gives the same samples; another seed others."""
    first, again = (case.generator.generate(case.wanted, seed=1) for _ in range(2))
    other = case.generator.generate(case.wanted, seed=2)
    assert _same(first, again)
    assert not _same(first, other)


def shards_make_the_same_samples(case: Case, tmp_path: Path) -> None:
    """A sample does not depend on what else is asked for, nor in which order."""
    if not case.plugin.shard_invariant:
        return
    whole = case.generator.generate(case.wanted, seed=1)
    for positions in (np.arange(5), np.arange(5, 13), np.array([7]), np.arange(13)[::-1]):
        part = case.generator.generate(case.wanted.take(positions), seed=1)
        assert _same(part, whole.take(positions)), f"other samples for the rows {positions}"


def a_saved_model_makes_the_same_samples(case: Case, tmp_path: Path) -> None:
    """``load(save())`` is the same model."""
    case.generator.save(tmp_path / "model")
    trust = case.plugin.trusted_only
    again = case.plugin.load(tmp_path / "model", trust=trust)
    assert _same(case.generator.generate(case.wanted, seed=1), again.generate(case.wanted, seed=1))


def saves_no_pickle(case: Case, tmp_path: Path) -> None:
    """A saved model is data; one that is not says so and asks for trust."""
    case.generator.save(tmp_path / "model")
    if case.plugin.trusted_only:
        _raises(ArtifactError, lambda: case.plugin.load(tmp_path / "model"))
        return
    files = [p for p in (tmp_path / "model").rglob("*") if p.is_file()]
    assert files
    assert {p.suffix for p in files} <= _PLAIN, [p.name for p in files if p.suffix not in _PLAIN]


def notices_an_altered_model(case: Case, tmp_path: Path) -> None:
    """A changed byte in a saved model is an error at load."""
    case.generator.save(tmp_path / "model")
    files = sorted(p for p in (tmp_path / "model").rglob("*") if p.name != "artifact.json")
    victim = max((p for p in files if p.is_file()), key=lambda p: p.stat().st_size)
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 0xFF
    victim.write_bytes(bytes(content))
    _raises(ArtifactError, lambda: case.plugin.load(tmp_path / "model", trust=True))


def refuses_an_unknown_condition(case: Case, tmp_path: Path) -> None:
    """A condition that the model was not fitted with is an error, never ignored."""
    extra = Schema((Field("severityy", Kind.NUMERIC),))
    values = pd.DataFrame({"severityy": 1.0}, index=pd.Index(case.wanted.sample_ids))
    unknown = case.wanted.join(values, extra)
    error = _raises(ConditionError, lambda: case.generator.generate(unknown, seed=1))
    assert "severityy" in str(error)


def refuses_a_kind_it_does_not_honour(case: Case, tmp_path: Path) -> None:
    """Fitting with a condition of a kind that is not honoured is an error."""
    if Kind.CODES in case.plugin.honours:
        return
    given = _with_drugs(case.given)
    _raises(ConditionError, lambda: case.plugin.tiny().fit(case.data, given, seed=0))


def takes_unspecified_cells(case: Case, tmp_path: Path) -> None:
    """Any cell, and all of them, may be unspecified."""
    rows = case.wanted.rows[["subject_id", "time"]]
    nothing = Conditions(rows, Schema())
    assert len(case.generator.generate(nothing, seed=1)) == len(nothing)
    some = case.wanted.drop_cells(0.5, seed=3)
    assert len(case.generator.generate(some, seed=1)) == len(some)


def refuses_rows_in_another_order(case: Case, tmp_path: Path) -> None:
    """Conditions that belong to other rows than the data cannot be fitted on."""
    shuffled = case.given.take(np.arange(len(case.given))[::-1])
    _raises(CasemixError, lambda: case.plugin.tiny().fit(case.data, shuffled, seed=0))


def refuses_to_generate_unfitted(case: Case, tmp_path: Path) -> None:
    """An instance that was not fitted says so."""
    _raises(FitError, lambda: case.plugin.tiny().generate(case.wanted, seed=1))


def leaves_global_randomness_alone(case: Case, tmp_path: Path) -> None:
    """Neither fitting nor generating reads or writes global random state."""
    with _watched_randomness():
        made = case.plugin.tiny().fit(case.data, case.given, seed=0).generate(case.wanted, seed=1)
    assert _same(made, case.generator.generate(case.wanted, seed=1)), "the fit is not reproducible"


GENERATOR_CHECKS: tuple[Callable[[Case, Path], None], ...] = (
    declares_itself,
    fit_returns_itself,
    one_sample_per_row_in_order,
    the_seed_decides,
    shards_make_the_same_samples,
    a_saved_model_makes_the_same_samples,
    saves_no_pickle,
    notices_an_altered_model,
    refuses_an_unknown_condition,
    refuses_a_kind_it_does_not_honour,
    takes_unspecified_cells,
    refuses_rows_in_another_order,
    refuses_to_generate_unfitted,
    leaves_global_randomness_alone,
)


def _with_drugs(given: Conditions) -> Conditions:
    ids = pd.Index(given.sample_ids)
    lists = [None if i % 7 == 0 else ["C07", "C09"][: i % 3] for i in range(len(ids))]
    values = pd.DataFrame({"drugs": pd.Series(lists, index=ids, dtype=object)})
    return given.join(values, Schema((Field("drugs", Kind.CODES, code_system="ATC"),)))


def _same(a: Samples, b: Samples) -> bool:
    return a.index.equals(b.index) and a.payload.to_table().equals(b.payload.to_table())


def _raises(kind: type[Exception], call: Callable[[], object]) -> Exception:
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was not raised")


def _numpy_state() -> list[int]:
    state = np.random.get_state(legacy=False)
    assert isinstance(state, dict)
    return state["state"]["key"].tolist()


@contextmanager
def _watched_randomness() -> Iterator[None]:
    import torch

    random.seed(99)
    np.random.seed(99)
    torch.manual_seed(99)
    before = random.getstate(), _numpy_state(), torch.get_rng_state()
    yield
    assert random.getstate() == before[0], "the random module's state was used"
    assert _numpy_state() == before[1], "NumPy's global state was used"
    assert torch.equal(torch.get_rng_state(), before[2]), "torch's global state was used"
