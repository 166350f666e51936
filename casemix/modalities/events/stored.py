"""Training histories inside a saved model, for the controls that hand them out."""

from __future__ import annotations

from casemix.core.artifact import Draft, Saved
from casemix.modalities.events.data import Events


def write_events(draft: Draft, events: Events) -> None:
    """Write histories into an artifact."""
    draft.frame("events", events.frame)
    draft.json("events", {"n": events.n, "units": dict(events.units)})


def read_events(saved: Saved) -> Events:
    """Read what `write_events` wrote."""
    about = saved.json("events")
    return Events(saved.frame("events"), about["n"], about["units"])
