"""Mean squared errors in decibels; without PyTorch."""

import numpy as np

PSNR_LIMIT = 100.0  # reported where the error is zero, so that medians and JSON stay finite


def psnr(mse: float) -> float:
    """Peak signal-to-noise ratio in dB of a mean squared error on the 0-255 scale, at most PSNR_LIMIT."""
    if mse <= 0.0:
        return PSNR_LIMIT
    return min(PSNR_LIMIT, 10.0 * float(np.log10(255.0**2 / mse)))
