"""Event streams: the networks beside real-against-real, independent events and copies.

::

    OMP_NUM_THREADS=1 python benchmarks/events.py phantom --n 10000 --judge 2500
    OMP_NUM_THREADS=1 python benchmarks/events.py mimic --root ../shared/data/mimic4_demo

Each method is judged against fresh subjects: fitted on 10,000 phantom histories against others of
another seed, or on 36 patients of the MIMIC-IV demo against the other 36. One column per method;
times are CPU seconds of one thread. ``coarse`` are training histories whose rare codes are replaced
as the networks' guard does: what a network could reach at most.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from event_parts.membership import membership

from casemix.core import registry
from casemix.core.conditions import Conditions
from casemix.core.samples import Samples
from casemix.errors import EvaluationError
from casemix.evaluation import events as measures
from casemix.modalities.events.codes import Codes
from casemix.modalities.events.copied_runs import CodeRows, longest_shared, novel_share
from casemix.modalities.events.data import Events
from casemix.modalities.events.formats.meds import from_rows
from casemix.modalities.events.rules import Rules
from casemix.modalities.events.scores import mean_value_distance
from casemix.recipes.phantom.events import phantom_events

RUN = 6  # events
LEAST = 5  # subjects with a code, before a network may say it
PROBABILITIES = {
    "prevalence_r2": measures.code_prevalence,
    "pairs_r2": measures.code_pairs,
    "bigrams_r2": measures.code_bigrams,
}


def told(events: Events) -> pd.DataFrame:
    """Return events as the measures read them."""
    return events.frame.rename(columns={"item": "subject", "hours": "time"})


def judge(train: Events, real: Events, made: Events, rules: Rules) -> dict[str, float]:
    """Return the measures of one arm."""
    first, second = told(real), told(made)
    found = {name: r2(measure, first, second) for name, measure in PROBABILITIES.items()}
    gaps = measures.distance(measures.visit_gaps(first), measures.visit_gaps(second))
    counts = [measures.lengths(arm)["events"].to_numpy() for arm in (first, second)]
    rows = CodeRows.of(real, made, train)
    runs = [longest_shared(arm, rows[2]).mean() for arm in rows[:2]]
    return found | {
        "gap_ks": gaps.ks,
        "events_ks": measures.distance(*counts).ks,
        "value_ks": mean_value_distance(first, second),
        "broken_rules": sum(rules.violations(made.frame).values()),
        "longest_shared_run": runs[1],
        "longest_shared_run_real": runs[0],
        "novel_runs": float(np.nanmean(novel_share(rows[1], rows[2], RUN))),
        "novel_runs_real": float(np.nanmean(novel_share(rows[0], rows[2], RUN))),
        "events": len(second) / len(made),
        "events_real": len(first) / len(real),
    }


def r2(measure, first: pd.DataFrame, second: pd.DataFrame) -> float:
    """Return R2, NaN where an arm has no second visit."""
    try:
        return measures.explained(measure(first), measure(second)).value
    except EvaluationError:
        return float("nan")


def run(
    train: Samples, given: Conditions, real: Samples, asked: Conditions, names: list[str], args
) -> pd.DataFrame:
    """Return one row per method, and that of real histories."""
    rules = Rules.fit(train.payload.frame)
    arm = train.payload.take(np.arange(min(len(train), len(real))))
    rows = {"real": judge(train.payload, real.payload, arm, rules)}
    coarse = judge(train.payload, real.payload, rare_codes_coarse(arm), rules)
    rows["coarse"] = {name: coarse[name] for name in PROBABILITIES}
    rows["real"] |= {"longest_shared_run": np.nan, "novel_runs": np.nan}  # it is the training set
    for name in names:
        plugin = registry.load("generators", f"events/{name}")
        model = plugin(settings(plugin, args)) if hasattr(plugin(), "config") else plugin()
        begun = time.process_time()
        model.fit(train, given, seed=args.seed)
        fitted = time.process_time()
        made = model.generate(asked, seed=args.seed + 1)
        drawn = time.process_time()
        rows[name] = judge(train.payload, real.payload, made.payload, rules)
        rows[name] |= {"fit_s": fitted - begun, "sample_s": drawn - fitted}
        rows[name] |= membership(train, real, made, args.seed)
        if getattr(model, "model", None) is not None:
            print(name, "held-out loss", [round(x, 3) for x in model.model.held_out])
            print(name, "left out", dict(model.model.left_out))
        print(name, "broken", rules.violations(made.payload.frame), flush=True)
    return pd.DataFrame(rows).T


def rare_codes_coarse(events: Events) -> Events:
    """Return histories in which codes of fewer than five subjects stand as coarser ones."""
    frame = events.frame
    codes, _ = Codes.fit(frame, frame["item"].to_numpy(), least=LEAST)
    number = codes.encode(frame["code"])
    names = np.array([*codes.names, ""], dtype=object)
    return Events(frame.assign(code=names[number])[number >= 0], events.n)


def settings(plugin, args):
    """Return a method's settings with the steps and the length asked for."""
    config = plugin().config
    if not hasattr(config, "stream"):
        return config
    stream = replace(config.stream, longest=args.longest or config.stream.longest)
    if args.steps:
        stream = replace(stream, train=replace(stream.train, steps=args.steps))
    return replace(config, stream=stream)


def phantom(args) -> pd.DataFrame:
    """Fit on n phantom histories, judge against others; each seed has its own phantoms."""
    train, real = (
        phantom_events(n, seed=2 * args.seed + k) for k, n in enumerate((args.n, args.judge))
    )
    return run(
        train["events"],
        train.conditions("events"),
        real["events"],
        real.conditions("events"),
        args.methods,
        args,
    )


def mimic(args) -> pd.DataFrame:
    """Fit on one half of the MIMIC-IV demo's patients, judge against the other half."""
    rows = pd.read_parquet(Path(args.root) / "events.parquet").astype({"code": str})
    cohort, _ = from_rows(rows, name="mimic4_demo")
    half = cohort.split({"train": 0.5, "real": 0.5}, seed=args.seed)
    parts = [windowed(part["events"], args.hours, args.most) for part in half.values()]
    given = [part.conditions("events", ["age", "sex"]) for part in half.values()]
    return run(parts[0], given[0], parts[1], given[1], args.methods, args)


def windowed(samples: Samples, hours: float, most: int) -> Samples:
    """Return the first hours of each history, whole times of at most so many events."""
    frame = samples.payload.frame
    frame = frame[frame["hours"] <= hours]
    place = frame.groupby("item").cumcount()
    over = frame["hours"].where(place >= most).groupby(frame["item"]).transform("min")
    kept = frame[~(frame["hours"] >= over)]
    return replace(samples, payload=Events(kept, len(samples), samples.payload.units))


def main() -> None:
    """Read the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", choices=["phantom", "mimic"])
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--judge", type=int, default=2_500)
    parser.add_argument("--root", default="../shared/data/mimic4_demo")
    parser.add_argument("--hours", type=float, default=72.0)
    parser.add_argument("--most", type=int, default=250)
    parser.add_argument("--longest", type=int, default=0)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="")
    parser.add_argument(
        "--methods",
        type=lambda text: text.split(","),
        default=["transformer", "feedforward", "marginals", "copy_training"],
    )
    args = parser.parse_args()
    table = {"phantom": phantom, "mimic": mimic}[args.data](args)
    print(table.T.round(4).to_string())
    if args.out:
        Path(args.out).write_text(json.dumps(table.to_dict(orient="index"), indent=1))


if __name__ == "__main__":
    main()
