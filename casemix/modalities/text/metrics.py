"""What is measured on notes beyond the shared metrics."""

from __future__ import annotations

from casemix.core.metric import Family, Goal, Metric
from casemix.modalities.text.fact_scores import (
    fact_precision,
    fact_recall,
    level_errors,
    negation_errors,
    number_errors,
)
from casemix.modalities.text.model_scores import mauve, perplexity_distance
from casemix.modalities.text.wording_scores import (
    copied_run_ratio,
    novelty_distance,
    self_repetition_distance,
    structure_distance,
    unigram_divergence,
    unknown_words_difference,
    vocabulary_growth_difference,
)

_TEXT = frozenset({"text"})
_ENDLESS = float("inf")

METRICS: tuple[Metric, ...] = (
    Metric(
        "structure_distance",
        Family.FIDELITY,
        Goal.MINIMISE,
        (0, 1),
        structure_distance,
        control="",
        description="Mean distance of words, sentences and words per sentence "
        "(Kolmogorov-Smirnov), of which sections notes have and of which follows which (total "
        "variation); 0 is ideal. Blind to what is said: independent sentences pass.",
        modalities=_TEXT,
    ),
    Metric(
        "unigram_divergence",
        Family.FIDELITY,
        Goal.MINIMISE,
        (0, 1),
        unigram_divergence,
        control="",
        description="Jensen-Shannon divergence of the words, in bits (Lin 1991), Zipf slopes in "
        "the details; 0 is ideal, and it falls with n. Blind to word order: shuffled words and "
        "independent sentences pass.",
        modalities=_TEXT,
    ),
    Metric(
        "vocabulary_growth_difference",
        Family.DIVERSITY,
        Goal.MINIMISE,
        (0, _ENDLESS),
        vocabulary_growth_difference,
        control="",
        description="Mean absolute log2 ratio of different words at equal numbers of running "
        "words (type-token curve, rarefied: Hurlbert 1971); 0 is ideal. Too few different words "
        "and too many count alike; which words they are does not.",
        modalities=_TEXT,
    ),
    Metric(
        "unknown_words_difference",
        Family.FIDELITY,
        Goal.MINIMISE,
        (0, 1),
        unknown_words_difference,
        control="",
        description="Difference of the share of words that known training notes do not have, "
        "synthetic against held-out; 0 is ideal. Invented and misspelt words raise it; a "
        "generator that never writes a rare word does too. A closed vocabulary says nothing.",
        modalities=_TEXT,
    ),
    Metric(
        "mauve",
        Family.FIDELITY,
        Goal.MAXIMISE,
        (0, 1),
        mauve,
        description="Area under the divergence frontier of clusters of embedded notes (MAUVE, "
        "Pillutla 2021; smoothed as in JMLR 2023, mean of five clusterings); 1 is ideal. It "
        "depends on the named encoder and on n, and hardly sees word order: shuffled words keep "
        ".8 to .97, so read it with perplexity_distance.",
        modalities=_TEXT,
        fewest=20,
    ),
    Metric(
        "perplexity_distance",
        Family.FIDELITY,
        Goal.MINIMISE,
        (0, _ENDLESS),
        perplexity_distance,
        description="Wasserstein distance of the notes' surprise per word, in bits, under a "
        "language model of real training notes that no generator uses (Kneser-Ney 5-grams, Chen "
        "and Goodman 1999, or the causal model named as encoder); 0 is ideal. Broken language is "
        "too surprising, templates are not surprising enough; copies pass. Blind to numbers.",
        modalities=_TEXT,
    ),
    Metric(
        "self_repetition_distance",
        Family.DIVERSITY,
        Goal.MINIMISE,
        (0, 1),
        self_repetition_distance,
        control="copy_training",
        description="Distance from held-out notes of the share of 4-word runs that a note "
        "repeats (Welleck 2020) and of 8-word runs that another subject's note has too; 0 is "
        "ideal. The second grows with n. Repeated ideas in other words do not show.",
        modalities=_TEXT,
    ),
    Metric(
        "novelty_distance",
        Family.DIVERSITY,
        Goal.MINIMISE,
        (0, 1),
        novelty_distance,
        control="copy_training",
        ceiling="holdout",
        description="Distance from held-out notes of the share of 8-word runs that no training "
        "note has (n-gram novelty, McCoy 2023); 0 is ideal. Copies have none, gibberish has "
        "nothing else. Short notes have no such runs.",
        modalities=_TEXT,
    ),
    Metric(
        "copied_run_ratio",
        Family.PRIVACY,
        Goal.MINIMISE,
        (0, _ENDLESS),
        copied_run_ratio,
        control="copy_training",
        ceiling="holdout",
        description="Mean longest run of words shared with one training note, over that of "
        "held-out notes; 1 is what new patients have, more is copying. Word for word only, so "
        "that 1 does not mean private.",
        modalities=_TEXT,
    ),
    Metric(
        "fact_precision",
        Family.FIDELITY,
        Goal.MAXIMISE,
        (0, 1),
        fact_precision,
        description="Share of the facts a note states of its own subject's record (levels and "
        "numbers, by wordings learnt from training notes) that are right; 1 is ideal. Unusual "
        "wordings are not read, and few or noisy records teach few wordings.",
        modalities=_TEXT,
    ),
    Metric(
        "fact_recall",
        Family.FIDELITY,
        Goal.MAXIMISE,
        (0, 1),
        fact_recall,
        description="Share of the recorded facts which most training notes state that a note "
        "states rightly; real notes are the ideal. Facts that real notes state only at times do "
        "not count, nor do unusual wordings.",
        modalities=_TEXT,
    ),
    Metric(
        "number_errors",
        Family.FIDELITY,
        Goal.MINIMISE,
        (0, 1),
        number_errors,
        description="Share of stated numbers that repeat a recorded field in real notes and are "
        "not the subject's; 0 is ideal. Numbers that no field records are not judged.",
        modalities=_TEXT,
    ),
    Metric(
        "level_errors",
        Family.FIDELITY,
        Goal.MINIMISE,
        (0, 1),
        level_errors,
        description="Share of stated levels (sex, diagnosis group) that are not the recorded "
        "one; 0 is ideal. Judged by wordings of which 95 % stood with the level in training.",
        modalities=_TEXT,
    ),
    Metric(
        "negation_errors",
        Family.FIDELITY,
        Goal.MINIMISE,
        (0, 1),
        negation_errors,
        description="Share of statements of yes-or-no fields where the note asserts what the "
        "record denies, or denies what it has; 0 is ideal. Judged by wordings of which 95 % stood "
        "with the level in training; either way is in the details.",
        modalities=_TEXT,
    ),
)
