"""Notes in; a LoRA adapter of a language model, sample notes and a report out."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from casemix.core.cohort import Cohort
from casemix.core.progress import Progress
from casemix.core.seeding import child
from casemix.recipes.catalogue import Request
from casemix.recipes.chain import generator, make_patients
from casemix.recipes.real_parts import real_parts
from casemix.recipes.run_folder import RunFolder

_METHOD = "text/causal_lm"


def run(request: Request, progress: Progress) -> None:
    """Fine-tune on notes; see ``finetune_notes.yaml`` for the settings.

    Without a base model, a small one is first trained on the training notes alone, without any
    condition, and kept under ``base/`` in the layout of the model hub.
    """
    options = dict(request.settings["options"].get("text", {}))
    options["base"] = request.settings["base"] or str(_small_base(request, progress).resolve())
    chain = {
        "order": ["text"],
        "text": _METHOD,
        "embedding_size": 8,
        "options": {**request.settings["options"], "text": options},
    }
    whole = replace(request, settings={**request.settings, **chain})
    folder, synthetic = make_patients("finetune-notes", whole, progress)
    notes = synthetic["text"].payload.texts
    text = "\n\n".join(f"[synthetic note {i + 1}]\n{note}" for i, note in enumerate(notes))
    folder.once("notes.txt", "write the notes", lambda p: _write(p, text + "\n"))
    folder.once("adapter", "export the adapter", lambda p: _adapter(folder.path, p))
    Console(stderr=True).print(f"LoRA adapter:   {folder.path / 'adapter'}")


def _small_base(request: Request, progress: Progress) -> Path:
    """Return the folder of a small base model, trained on the training notes."""
    out = request.out.parent / f"{request.out.name}.base"
    whole = replace(request, out=out, n=None)
    about = whole.determinants("finetune-notes base")
    folder = RunFolder.open(out, about, console=Console(stderr=True), progress=progress)
    train, _ = real_parts(whole, folder, modalities=["text"])
    return folder.once(
        "base", "train a small base model", lambda p: _base(request, folder, train, p)
    )


def _base(request: Request, folder: RunFolder, train: Cohort, draft: Path) -> None:
    small = generator(_METHOD, {}, tiny=request.tiny)
    samples, given = train["text"], train.conditions("text", ())
    seed, checkpoints = child(request.seed, "base"), folder.checkpoints("base")
    small.fit(samples, given, seed=seed, progress=checkpoints)
    small.save(draft)
    kept = draft.with_suffix(".kept")
    (draft / "model").rename(kept)
    shutil.rmtree(draft)
    kept.rename(draft)


def _adapter(run: Path, draft: Path) -> None:
    shutil.copytree(run / "model" / "text.generator" / "adapter", draft)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
