import numpy as np

from casemix.modalities.tabular.candidates import chosen, late


def test_one_of_several_candidates_is_chosen_in_proportion_to_its_weight():
    n, several = 6000, np.arange(6000) % 2 == 0
    asked = []

    def propose(k, at):
        asked.append(len(at))
        return np.full((len(at), 1), k), np.full(len(at), np.log(k + 1.0))

    rows = chosen([str(i) for i in range(n)], several, 3, propose, seed=0)[:, 0]
    assert asked == [n, n // 2, n // 2]
    assert not rows[~several].any()
    assert np.allclose(np.bincount(rows[several]) / (n // 2), [1 / 6, 2 / 6, 3 / 6], atol=0.03)


def test_a_row_does_not_depend_on_the_others():
    ids, noise = [str(i) for i in range(40)], np.random.default_rng(0).normal(size=(4, 40))

    def rows(of):
        several = np.arange(40)[of] % 3 > 0
        return chosen(
            [ids[i] for i in of],
            several,
            4,
            lambda k, at: (np.full((len(at), 1), k), noise[k][of][at]),
            seed=0,
        )

    assert (rows(np.arange(40))[7:20] == rows(np.arange(7, 20))).all()


def test_late_is_a_known_cell_after_an_unknown_one():
    known = np.array([[1, 1, 0], [0, 0, 0], [1, 1, 1], [0, 1, 0], [1, 0, 1]], dtype=bool)
    assert late(known).tolist() == [False, False, False, True, True]
