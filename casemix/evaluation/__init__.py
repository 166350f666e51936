"""Evaluation maths: pure functions on arrays and frames that know no modality.

==============  ==================================================================
statistics      subject-level bootstrap, folds, permutation tests, AUC, whitening
fidelity        marginals, dependence, C2ST, 1-NN accuracy, MMD, Frechet distance
diversity       precision, recall, density and coverage
utility         train on synthetic, test on real, and its gap to training on real
privacy         nearest records and DOMIAS membership inference with its control
linkage         critic, retrieval, context recovery, HSIC, ``link``, ``patient_link``
fairness        any metric by subgroup, with small groups suppressed
==============  ==================================================================
"""
