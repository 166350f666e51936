"""Evaluation maths: pure functions on arrays and frames that know no modality.

==============  ==================================================================
statistics      subject-level bootstrap, folds, permutation tests, AUC, whitening
tables          marginals and dependence of columns (re-exported by fidelity)
fidelity        C2ST, 1-NN accuracy, MMD, Frechet distance
diversity       precision, recall, density and coverage
utility         train on synthetic, test on real, and its gap to training on real
privacy         nearest records and DOMIAS membership inference with its control
critic          how well two views fit one person, learnt from real training pairs
context         residuals given the context, and exchanging subjects within it
hsic            kernel dependence of two views
linkage         ``link``, ``patient_link``, retrieval and context recovery
fairness        any metric by subgroup, with small groups suppressed
==============  ==================================================================
"""
