"""Privacy of several splits of one table: one membership AUC beside one control is noise."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from scipy.stats import norm, sem

from tabular_parts import arms, data, privacy, results

_Row = dict[str, Any]
_WIDTH = 2 * norm.ppf(0.975)  # of a 95 % interval, in standard errors
_COLUMNS = (
    "membership",
    "above the control",
    "mean membership",
    "mean control",
    "four attacks",
    "copies (of held-out)",
    "rare values",
)


def run(options: Namespace) -> None:
    """Fit each method on several halves of the patients and attack its rows; print the table.

    The halves are those of the seeds from ``--seed`` on.
    """
    part = data.load(options.part, options.data, options.patients)
    for split in range(options.seed, options.seed + options.splits):
        train, held_out = part.halves(split)
        about = {"part": options.part, "patients": int(train[data.SUBJECT].nunique())}
        for name in options.arms or arms.names()[1:]:
            key = {**about, "seed": split, "arm": name}
            if any(key.items() <= row.items() for row in results.read(options.out)):
                continue
            print(f"{options.part}, split {split}: {name}", flush=True)
            sample = arms.fit(name, train, part.schema, arms.budget(options), seed=split)
            made = sample(len(held_out), None)
            about_rows = train, held_out, made, part, split
            found = privacy.judged(*about_rows)
            found["four_attacks"] = privacy.mean_membership(*about_rows)
            results.append(options.out, key | found)
    table(results.read(options.out))


def table(rows: Iterable[_Row]) -> None:
    """Print the lines as Markdown, one table after the other: each split, then all together."""
    lines = list(rows)
    for about in dict.fromkeys((r["part"], r["patients"]) for r in lines):
        of_part = [r for r in lines if (r["part"], r["patients"]) == about]
        names = list(dict.fromkeys(r["arm"] for r in of_part))
        print(f"\n{about[0]}, {about[1]} training patients, membership (its control's interval)\n")
        _print_row("Split", names, heading=True)
        for split in sorted({r["seed"] for r in of_part}):
            found = {r["arm"]: _membership(r) for r in of_part if r["seed"] == split}
            _print_row(split, [found.get(name, "-") for name in names])
        print("\nAll splits\n")
        _print_row("Method", _COLUMNS, heading=True)
        for name in names:
            _print_row(name, pooled([r for r in of_part if r["arm"] == name]))


def pooled(splits: Sequence[_Row]) -> list[str]:
    """Return what the splits of one method say together, as the cells of its row."""
    over = sum(r["membership"] > r["membership_control"][1] for r in splits)
    by_chance = sum(above_by_chance(r) for r in splits)
    found = [r["membership"] for r in splits]
    return [
        f"{min(found):.3f} to {max(found):.3f}",
        f"{over} of {len(splits)} ({by_chance:.1f} by chance)",
        _mean(splits, "membership", "membership_interval"),
        _mean(splits, "membership_control_auc", "membership_control"),
        _over_splits(splits, "four_attacks"),
        f"{_average(splits, 'copies'):.2%} ({_average(splits, 'copies_held_out'):.2%})",
        _mean(splits, "rare_excess", "rare_excess_interval"),
    ]


def above_by_chance(row: _Row) -> float:
    """Return how likely an AUC lies above its control's interval where nothing is to be found.

    More than 2.5 %: the interval is centred on the control's own AUC, which errs as well.
    """
    errors = [standard_error(row[k]) for k in ("membership_interval", "membership_control")]
    margin = row["membership_control"][1] - row["membership_control_auc"]
    return float(norm.sf(margin / np.hypot(*errors)))


def standard_error(interval: Sequence[float]) -> float:
    """Return the standard error that a 95 % interval stands for."""
    return float((interval[1] - interval[0]) / _WIDTH)


def _print_row(first: object, cells: Iterable[str], *, heading: bool = False) -> None:
    row = [str(first), *cells]
    print(f"| {' | '.join(row)} |")
    if heading:
        print("|---" * len(row) + "|")


def _membership(row: _Row) -> str:
    return "{:.3f} ({:.3f} to {:.3f})".format(row["membership"], *row["membership_control"])


def _mean(splits: Sequence[_Row], name: str, interval: str) -> str:
    """Return the mean over splits and its standard error, from the splits' own intervals."""
    if any(row[name] is None for row in splits):
        return "-"
    errors = [standard_error(row[interval]) for row in splits]
    return f"{_average(splits, name):.3f} ± {np.linalg.norm(errors) / len(splits):.3f}"


def _over_splits(splits: Sequence[_Row], name: str) -> str:
    """Return the mean over splits and its standard error, from how the splits differ."""
    found = [row[name] for row in splits]
    return f"{np.mean(found):.3f}" + (f" ± {sem(found):.3f}" if len(found) > 1 else "")


def _average(splits: Sequence[_Row], name: str) -> float:
    return float(np.mean([row[name] for row in splits]))
