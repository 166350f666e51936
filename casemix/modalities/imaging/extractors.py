"""What turns pictures into features for distances: each has a name, and judges all arms alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np

from casemix.core.metric import EvalData, View
from casemix.errors import EvaluationError
from casemix.modalities.imaging.data import Images


@dataclass(frozen=True)
class Extractor:
    """A named map from pictures to features; a picture is read once.

    Args:
        name: for reports, with the size at which it sees pictures.
        read: pictures to finite features (n, d).
    """

    name: str
    read: Callable[[Images], np.ndarray]
    _seen: dict[bytes, np.ndarray] = field(default_factory=dict, repr=False, compare=False)

    def __call__(self, images: Images) -> np.ndarray:
        """Return float64 features (n, d), those of equal pictures exactly equal."""
        keys = [_key(images, row) for row in range(len(images))]
        new = {key: row for row, key in enumerate(keys) if key not in self._seen}
        if new:
            rows = np.array(list(new.values()))
            self._seen.update(zip(new, self.read(images.take(rows)), strict=True))
        return np.stack([self._seen[key] for key in keys]).astype(np.float64)


def network(data: EvalData) -> Extractor:
    """Return the encoder that the user names, or a network trained on known training pictures.

    Raises:
        EncoderError: the named encoder cannot be loaded.
        EvaluationError: there are too few pictures.
    """
    # Heavy libraries, which listing metrics must not load.
    if data.encoder:
        from casemix.modalities.imaging.pretrained_encoder import PretrainedEncoder

        def load(known: View) -> Extractor:
            encoder = PretrainedEncoder.load(data.encoder)
            scaled = _standardised(encoder, known.samples.payload)
            return Extractor(encoder.name, scaled)

        return data.once("imaging.encoder", load)

    from casemix.modalities.imaging import trained_network

    def fit(known: View) -> Extractor:
        fitted = trained_network.TrainedNetwork.fit(shuffled(known).samples.payload)
        return Extractor(trained_network.NAME, fitted)

    return data.once("imaging.network", fit)


def one_per_subject(view: View) -> View:
    """Return one record of every subject, in the order of subjects.

    Neighbours and pairs are then never of one subject, and arms of as many subjects hold as many
    pictures. Which one is a matter of its sample id alone, as in `shuffled`: the first in order
    could always be the same slice or view.
    """
    mixed = shuffled(view)
    subjects = np.asarray(mixed.samples.subject_ids, dtype=str)
    return mixed.take(np.unique(subjects, return_index=True)[1])


def shuffled(view: View) -> View:
    """Return the records in the order of their sample ids' hashes, whatever their order was."""
    ids = [str(i) for i in view.samples.sample_ids]
    hashes = [blake2b(i.encode(), digest_size=8).hexdigest() + i for i in ids]
    return view.take(np.argsort(np.array(hashes, dtype=str)))


def features_of(data: EvalData, extract: Extractor) -> tuple[np.ndarray, np.ndarray]:
    """Return features of one held-out and one synthetic picture per subject, (n, d) and (m, d).

    Raises:
        EvaluationError: the extractor cannot read these pictures.
    """
    arms = (one_per_subject(v).samples.payload for v in (data.holdout, data.synthetic))
    real, made = (extract(images) for images in arms)
    return real, made


def _standardised(
    encode: Callable[[Images], np.ndarray], known: Images
) -> Callable[[Images], np.ndarray]:
    """Return the encoder with its features standardised on known training pictures."""
    features = encode(known)
    if not np.isfinite(features).all():
        raise EvaluationError("The encoder gives features that are not finite.")
    mean, spread = features.mean(axis=0), features.std(axis=0)
    scale = np.where(spread > 1e-6, 1 / np.maximum(spread, 1e-6), 0.0)
    return lambda images: (encode(images) - mean) * scale


def _key(images: Images, row: int) -> bytes:
    shape = repr((images.channels, images.pixels.shape[1:])).encode()
    return blake2b(shape + images.pixels[row].tobytes(), digest_size=16).digest()
