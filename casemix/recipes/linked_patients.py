"""Linked synthetic patients: split, fit the chain, sample, evaluate, report."""

from __future__ import annotations

from casemix.core.progress import Progress
from casemix.recipes.catalogue import Request
from casemix.recipes.chain import make_patients


def run(request: Request, progress: Progress) -> None:
    """Make linked patients and judge them; see ``linked_patients.yaml`` for the settings."""
    make_patients("linked-patients", request, progress)
