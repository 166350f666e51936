"""Does patient_link track the phantom's built-in coupling?

Prints, per pair of modalities, link and patient_link of a fresh phantom whose modalities share all,
half and nothing beyond the recorded context. Takes a few minutes on two cores.
"""

from __future__ import annotations

from casemix.evaluation.arms import Questions
from casemix.evaluation.protocol import evaluate
from casemix.recipes.phantom.cohort import phantom_cohort

LINKS = Questions(links_only=True)
COUPLINGS = (0.0, 0.5, 1.0)
SUBJECTS = 200


def main() -> None:
    """Print one line per pair and coupling."""
    parts = phantom_cohort(3 * SUBJECTS, seed=0).split({"train": 2 / 3, "holdout": 1 / 3}, seed=0)
    print("pair                     coupling  link   patient_link  95 % interval")
    for coupling in COUPLINGS:
        fresh = phantom_cohort(SUBJECTS, seed=1, coupling=coupling)
        judged = evaluate(parts["train"], parts["holdout"], fresh, seed=0, questions=LINKS)
        for pair in judged["linkage"]["pairs"]:
            if "patient_link" not in pair:
                continue
            beyond = pair["patient_link"]
            low, high = beyond["interval"] or (float("nan"),) * 2
            name, link = f"{pair['a']} and {pair['b']}", pair["link"]["value"]
            interval = f"[{low:.2f}, {high:.2f}]"
            print(f"{name:24s} {coupling:8.1f} {link:5.2f} {beyond['value']:14.2f}  {interval}")


if __name__ == "__main__":
    main()
