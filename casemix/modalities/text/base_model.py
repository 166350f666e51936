"""Base models: built on the spot, or pretrained ones that a LoRA adapter is trained on."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from casemix.core.files import atomic_folder
from casemix.core.progress import Progress
from casemix.core.training import TrainConfig, seeded, train
from casemix.errors import ArtifactError, FitError
from casemix.modalities.text.language_model import (
    NoteWriter,
    SmallModel,
    note_loss,
    small_llama,
)
from casemix.modalities.text.vocabulary import TokenisedNotes, prompt_tokens, small_tokenizer

SMALL = "small"


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries' own bars and notices off the screen; afterwards all is as it was."""
    shown, fetching = logging.is_progress_bar_enabled(), not are_progress_bars_disabled()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Cannot (dis|en)able progress bars", UserWarning)
        # peft calls it in transformers 5
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated")
        logging.disable_progress_bar()
        try:
            yield
        finally:
            if shown:
                logging.enable_progress_bar()
            if not fetching:
                disable_progress_bars()


def pretrained(base: str) -> tuple[Any, Any]:
    """Return (model, tokenizer) of a hub id or a local folder in the hub's layout.

    Only safetensors weights are read, and code that comes with a model is never run.

    Raises:
        FitError: there is no such model, it has no safetensors weights, or no fast tokenizer.
    """
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(base, use_fast=True, trust_remote_code=False)
            model = AutoModelForCausalLM.from_pretrained(
                base, use_safetensors=True, trust_remote_code=False
            )
    except (OSError, ValueError) as error:
        raise FitError(
            f"The base model '{base}' cannot be loaded: {error}",
            allowed="'small', a hub id, or a local folder with config.json and *.safetensors",
            next_step="Check the name; without a network use 'small' or a local folder.",
        ) from error
    return model, tokenizer


def with_adapter(model: Any, *, rank: int, alpha: int) -> Any:
    """Return the model frozen, with an untrained LoRA adapter on all its linear layers.

    Reference:
        Hu et al., LoRA: low-rank adaptation of large language models, ICLR 2022.
    """
    # No dropout: it would read the global random state.
    settings = LoraConfig(
        r=rank, lora_alpha=alpha, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    with quiet():
        return get_peft_model(model, settings)


def adapted(base: str, folder: Path) -> tuple[Any, Any]:
    """Return (model, tokenizer) of a base with a saved adapter.

    Raises:
        ArtifactError: the base is not to be found any more.
    """
    try:
        model, tokenizer = pretrained(base)
    except FitError as error:
        raise ArtifactError(
            f"The model is an adapter of '{base}', which cannot be loaded.",
            next_step="Put the base model back where it was. " + str(error),
        ) from error
    with quiet():
        return PeftModel.from_pretrained(model, folder, use_safetensors=True), tokenizer


def build_small_base(
    templates: Sequence[str],
    folder: Path,
    *,
    size: SmallModel,
    settings: TrainConfig,
    longest: int,
    seed: int,
    progress: Progress | None = None,
) -> Path:
    """Train a small language model on notes alone and save it in the hub's layout.

    Args:
        templates: notes, delexicalised or not.
        folder: where to write it; must not exist.
        size: its size.
        settings: how to train it.
        longest: most tokens of a note.
        seed: seed of weights and batches.
        progress: bar and checkpoints.

    Returns:
        The folder, which ``Config(base=str(folder))`` of ``text/causal_lm`` takes.
    """
    tokenizer = small_tokenizer(templates, size.vocabulary)
    notes = TokenisedNotes.of(templates, tokenizer, most=longest)
    model = seeded(seed, lambda: small_llama(size, tokenizer, longest=2 * longest + 64))
    writer = seeded(seed, lambda: NoteWriter(model, 1, 0, tokenizer.bos_token_id))
    nothing = np.zeros((len(templates), 1), dtype=np.float32)
    no_prompt = prompt_tokens([""] * len(templates), tokenizer, 0)
    loss = note_loss(nothing, no_prompt, notes.targets, dropout=0.0)
    train(writer, loss, len(templates), settings, seed=seed, progress=progress, label="base model")
    with atomic_folder(folder) as draft:
        save_base(model, tokenizer, draft)
    return folder


def save_base(model: Any, tokenizer: Any, folder: Path) -> None:
    """Write a model and its tokenizer in the hub's layout, weights as safetensors."""
    with quiet():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


def save_adapter(model: Any, folder: Path) -> None:
    """Write the adapter of a model in peft's layout, weights as safetensors."""
    with quiet():
        model.save_pretrained(folder)
