import numpy as np

from casemix.core.progress import Step
from casemix.modalities.tabular.candidates import Draws, late

IDS = [str(i) for i in range(6000)]


def rows(draws, propose, turns=1):
    into = np.full((len(draws.ids), 1), -1)
    return draws.rows(into, propose, Step(), turns=turns)[:, 0]


def test_one_of_several_candidates_is_chosen_in_proportion_to_its_weight():
    several = np.arange(6000) % 2 == 0
    asked = np.zeros(3, dtype=int)

    def propose(k, _, at):
        asked[k] += len(set(at))
        return np.full((len(at), 1), k), np.full(len(at), np.log(k + 1.0))

    found = rows(Draws(IDS, several, 3, 256, seed=0), propose)
    assert asked.tolist() == [6000, 3000, 3000]
    assert not found[~several].any()
    assert np.allclose(np.bincount(found[several]) / 3000, [1 / 6, 2 / 6, 3 / 6], atol=0.03)


def test_a_row_does_not_depend_on_the_others():
    noise = np.random.default_rng(0).normal(size=(4, 3, 40))

    def found(of):
        return rows(
            Draws([IDS[i] for i in of], of % 3 > 0, 4, 8, seed=0),
            lambda k, t, at: (10 * t + np.full((len(at), 1), k), noise[k, t][of][at]),
            turns=3,
        )

    assert (found(np.arange(40))[7:20] == found(np.arange(7, 20))).all()


def test_the_candidates_of_a_row_take_turns():
    seen = {}

    def propose(k, t, at):
        for i in at:
            seen.setdefault(int(i), {})[k] = t
        return np.zeros((len(at), 1)), np.zeros(len(at))

    rows(Draws(IDS[:300], np.ones(300, dtype=bool), 6, 32, seed=0), propose, turns=3)
    starts = [of[0] for of in seen.values()]
    assert all(
        [of[k] for k in range(6)] == [(of[0] + k) % 3 for k in range(6)] for of in seen.values()
    )
    assert np.allclose(np.bincount(starts) / 300, 1 / 3, atol=0.08)


def test_late_is_a_known_cell_after_an_unknown_one():
    known = np.array([[1, 1, 0], [0, 0, 0], [1, 1, 1], [0, 1, 0], [1, 0, 1]], dtype=bool)
    assert late(known).tolist() == [False, False, False, True, True]
