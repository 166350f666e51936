"""What is measured on pictures beyond the shared metrics."""

from __future__ import annotations

from casemix.core.metric import Family, Goal, Metric
from casemix.modalities.imaging.distance_scores import (
    c2st_network,
    frechet_network,
    kernel_embedding,
    kernel_network,
    mmd_network,
    one_nn_network,
    support_network,
)
from casemix.modalities.imaging.label_scores import confidence_distance, label_faithfulness
from casemix.modalities.imaging.mask_scores import mask_dice
from casemix.modalities.imaging.picture_scores import frechet, novelty, spectrum
from casemix.modalities.imaging.segmentation_utility import SEGMENTATION_UTILITY
from casemix.modalities.imaging.similarity_scores import (
    paired_psnr,
    paired_ssim,
    similarity_difference,
)

_IMAGING = frozenset({"imaging"})
_ENDLESS = float("inf")
_NETWORK = (
    "in the features of a small network trained on the real training part, or of the encoder that "
    "the user names; one picture per subject"
)

METRICS: tuple[Metric, ...] = (
    Metric(
        "spectrum_distance",
        Family.FIDELITY,
        Goal.MINIMISE,
        (0, _ENDLESS),
        spectrum,
        description="Mean absolute difference of the radially averaged log10 power spectra, in "
        "decades: blur and missing texture show here.",
        modalities=_IMAGING,
    ),
    Metric(
        "frechet_distance",
        Family.FIDELITY,
        Goal.MINIMISE,
        (0, _ENDLESS),
        frechet,
        description="Frechet distance in the named embedding; depends on n, so compare it only "
        "with its ceiling and floor.",
        modalities=_IMAGING,
    ),
    Metric(
        "kernel_distance",
        Family.FIDELITY,
        Goal.MINIMISE,
        (-_ENDLESS, _ENDLESS),
        kernel_embedding,
        description="Unbiased squared MMD with a cubic polynomial kernel in the named embedding "
        "(KID, Binkowski 2018), one picture per subject; 0 is ideal at any n. Copies pass.",
        modalities=_IMAGING,
    ),
    Metric(
        "frechet_distance_network",
        Family.FIDELITY,
        Goal.MINIMISE,
        (0, _ENDLESS),
        frechet_network,
        description=f"Frechet distance (Heusel 2017) {_NETWORK}. It falls with n: compare it only "
        "with its ceiling and floor. Copies pass.",
        modalities=_IMAGING,
    ),
    Metric(
        "kernel_distance_network",
        Family.FIDELITY,
        Goal.MINIMISE,
        (-_ENDLESS, _ENDLESS),
        kernel_network,
        description=f"Unbiased squared MMD with a cubic polynomial kernel (KID, Binkowski 2018) "
        f"{_NETWORK}; 0 is ideal at any n. Copies pass.",
        modalities=_IMAGING,
    ),
    Metric(
        "mmd_network",
        Family.FIDELITY,
        Goal.MINIMISE,
        (-1, 2),
        mmd_network,
        description=f"Unbiased squared MMD with RBF kernels (kMMD, Gretton 2012) {_NETWORK}; 0 is "
        "ideal. It saturates for arms that lie far apart.",
        modalities=_IMAGING,
    ),
    Metric(
        "one_nn_accuracy_network",
        Family.FIDELITY,
        Goal.MINIMISE,
        (0, 1),
        one_nn_network,
        description=f"Leave-one-out accuracy of the nearest neighbour (Xu 2018) {_NETWORK}; 0.5 is "
        "ideal, below it hints at copies.",
        modalities=_IMAGING,
    ),
    Metric(
        "c2st_auc_network",
        Family.FIDELITY,
        Goal.MINIMISE,
        (0, 1),
        c2st_network,
        description=f"AUC of a ridge-logistic classifier two-sample test (Lopez-Paz 2017) "
        f"{_NETWORK}; 0.5 is ideal. Differences that no mean of a feature shows pass.",
        modalities=_IMAGING,
    ),
    *(
        Metric(
            f"{part}_network",
            Family.DIVERSITY if part in ("recall", "coverage") else Family.FIDELITY,
            Goal.MAXIMISE,
            (0, _ENDLESS) if part == "density" else (0, 1),
            support_network(part),
            # As in the shared battery: only coverage cannot be fooled by either control.
            control="marginals" if part == "coverage" else "",
            description=f"k-nearest-neighbour {part} (Kynkaanniemi 2019; Naeem 2020), k = 5, "
            f"{_NETWORK}. It depends on n: compare it with its ceiling. Copies pass.",
            modalities=_IMAGING,
        )
        for part in ("precision", "recall", "density", "coverage")
    ),
    Metric(
        "ms_ssim_difference",
        Family.DIVERSITY,
        Goal.MINIMISE,
        (0, 1),
        similarity_difference,
        description="Difference of the mean multi-scale structural similarity (Wang 2003) of "
        "random pairs of different subjects, synthetic against held-out; 0 is ideal. Mode collapse "
        "makes pairs alike, noise makes them unlike; blur and noise can cancel.",
        modalities=_IMAGING,
        fewest=16,
    ),
    Metric(
        "paired_ssim",
        Family.FIDELITY,
        Goal.MAXIMISE,
        (-1, 1),
        paired_ssim,
        control="",
        description="Mean structural similarity (Wang 2004) of synthetic pictures and the held-out "
        "ones that they redo (same sample id, or same subject and mask); 1 is ideal. Only for "
        "reconstruction and translation; smooth pictures score well.",
        modalities=_IMAGING,
    ),
    Metric(
        "paired_psnr",
        Family.FIDELITY,
        Goal.MAXIMISE,
        (0, 100),
        paired_psnr,
        control="",
        description="Mean peak signal-to-noise ratio, in dB, of the pairs of paired_ssim. A small "
        "shift of the whole picture costs much, blur little.",
        modalities=_IMAGING,
    ),
    Metric(
        "confidence_distance",
        Family.FIDELITY,
        Goal.MINIMISE,
        (0, _ENDLESS),
        confidence_distance,
        description="How sure a classifier of a context field, fitted on real training pictures, "
        "is of synthetic ones (feature confidence): mean over the levels of the Wasserstein "
        "distance of their log-odds to those of held-out pictures; 0 is ideal. Sure of a wrong "
        "label counts as sure.",
        modalities=_IMAGING,
    ),
    Metric(
        "label_faithfulness",
        Family.FIDELITY,
        Goal.MAXIMISE,
        (0, 1),
        label_faithfulness,
        description="Balanced accuracy with which the same classifier finds the stated label in "
        "synthetic pictures. That of real ones is ideal: above it, labels are copied or "
        "caricatured, and the note says so.",
        modalities=_IMAGING,
    ),
    Metric(
        "mask_dice",
        Family.FIDELITY,
        Goal.MAXIMISE,
        (0, 1),
        mask_dice,
        description="Mean Dice (1945) over structures of the given masks and those that a U-Net "
        "trained on real pairs sees in the pictures. That of real pairs is ideal; smooth pictures "
        "that caricature their masks, and copies, can lie above it.",
        modalities=_IMAGING,
    ),
    Metric(
        "nearest_training_picture",
        Family.PRIVACY,
        Goal.MAXIMISE,
        (0, 1),
        novelty,
        control="copy_training",
        ceiling="holdout",
        description="Median distance to the nearest training picture over that of held-out real "
        "pictures, at most 1; 0 = copies.",
        modalities=_IMAGING,
    ),
    SEGMENTATION_UTILITY,
)
