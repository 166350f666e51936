from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import convolve2d

from casemix.errors import EvaluationError
from casemix.modalities.imaging.structure import ms_ssim, psnr, ssim


def pictures(n=3, channels=2, side=(64, 72), seed=0):
    rng = np.random.default_rng(seed)
    smooth = rng.normal(size=(n, channels, *side)).cumsum(axis=2).cumsum(axis=3)
    low, high = smooth.min(axis=(2, 3), keepdims=True), smooth.max(axis=(2, 3), keepdims=True)
    return (smooth - low) / (high - low)


def noisy(values, strength, seed=1):
    grain = np.random.default_rng(seed).normal(size=values.shape)
    return np.clip(values + strength * grain, 0, 1)


def window_means(picture):
    """Means under Wang's 11 x 11 Gaussian window, by plain convolution."""
    y, x = np.mgrid[-5:6, -5:6]
    window = np.exp(-(y**2 + x**2) / (2 * 1.5**2))
    return convolve2d(picture, window / window.sum(), mode="valid")


def wang(a, b):
    """SSIM and its contrast-structure part of two pictures (h, w), by the paper's formula."""
    c1, c2 = 0.01**2, 0.03**2
    ma, mb = window_means(a), window_means(b)
    va, vb = window_means(a * a) - ma**2, window_means(b * b) - mb**2
    cov = window_means(a * b) - ma * mb
    structure = (2 * cov + c2) / (va + vb + c2)
    return ((2 * ma * mb + c1) / (ma**2 + mb**2 + c1) * structure).mean(), structure.mean()


def test_ssim_is_wangs_formula():
    a = pictures()
    b = noisy(a, 0.05)
    wanted = [[wang(a[i, c], b[i, c])[0] for c in range(2)] for i in range(3)]
    np.testing.assert_allclose(ssim(a, b), np.mean(wanted, axis=1), atol=1e-10)


def test_ms_ssim_is_wangs_product_over_three_scales():
    a = pictures(n=1, channels=1, side=(64, 64))
    b = noisy(a, 0.05)
    betas = np.array([0.0448, 0.2856, 0.3001])
    wanted, p, q = 1.0, a[0, 0], b[0, 0]
    for scale, beta in enumerate(betas / betas.sum()):
        wanted *= wang(p, q)[0 if scale == 2 else 1] ** beta
        p, q = (v.reshape(len(v) // 2, 2, -1, 2).mean(axis=(1, 3)) for v in (p, q))
    assert ms_ssim(a, b)[0] == pytest.approx(wanted, abs=1e-10)


def test_torchmetrics_agrees():
    reference = pytest.importorskip("torchmetrics.functional.image")
    torch = pytest.importorskip("torch")
    a = pictures()
    b = noisy(a, 0.05)
    first, second = torch.from_numpy(a), torch.from_numpy(b)
    _, whole = reference.structural_similarity_index_measure(
        first, second, data_range=1.0, reduction="none", return_full_image=True
    )
    inside = whole[:, :, 5:-5, 5:-5].mean(dim=(1, 2, 3))  # it mirrors the border, Wang does not
    np.testing.assert_allclose(ssim(a, b), inside.numpy(), atol=1e-6)
    ratio = reference.peak_signal_noise_ratio(
        first, second, data_range=1.0, reduction="none", dim=(1, 2, 3)
    )
    np.testing.assert_allclose(psnr(a, b), ratio.numpy(), atol=1e-6)


@pytest.mark.parametrize("measure", [ssim, ms_ssim, psnr])
def test_equal_pictures_are_best_and_noise_costs_step_by_step(measure):
    a = pictures()
    found = [measure(a, noisy(a, s)).mean() for s in (0.0, 0.02, 0.05, 0.15)]
    assert found[0] == pytest.approx(100.0 if measure is psnr else 1.0)
    assert all(np.diff(found) < 0)


def test_psnr_of_a_known_error():
    a = np.full((1, 1, 4, 4), 0.5)
    assert psnr(a, a + 0.1)[0] == pytest.approx(20.0)


def test_pictures_that_cannot_be_compared():
    with pytest.raises(EvaluationError, match="11 pixels"):
        ssim(np.zeros((1, 1, 8, 8)), np.zeros((1, 1, 8, 8)))
    with pytest.raises(EvaluationError, match="same shape"):
        psnr(np.zeros((1, 1, 8, 8)), np.zeros((2, 1, 8, 8)))
