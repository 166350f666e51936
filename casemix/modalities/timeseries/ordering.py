"""Pairs of channels of which one is always above the other, such as blood pressures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from casemix.modalities.timeseries.data import Series

#: Cells in which both were recorded, below which an order may be chance.
_ENOUGH = 100


@dataclass(frozen=True)
class Order:
    """One channel is above another wherever both are recorded.

    Args:
        upper: position of the higher channel.
        lower: position of the lower channel.
        gap: smallest distance seen.
    """

    upper: int
    lower: int
    gap: float


def find_orders(series: Series) -> tuple[Order, ...]:
    """Return the pairs of channels of one unit that never break their order in these series."""
    values, units = series.values.astype(np.float64), [f.unit for f in series.channels]
    found = []
    for upper in range(len(units)):
        for lower in range(len(units)):
            if upper == lower or not units[upper] or units[upper] != units[lower]:
                continue
            distance = values[:, :, upper] - values[:, :, lower]
            distance = distance[~np.isnan(distance)]
            if len(distance) >= _ENOUGH and distance.min() > 0:
                found.append(Order(upper, lower, float(distance.min())))
    return tuple(found)


def repair(values: np.ndarray, orders: tuple[Order, ...]) -> np.ndarray:
    """Return values (n, t, c) in which the lower channel gives way wherever an order is broken."""
    out = values.copy()
    # Highest channels first, so that a chain of orders (a > b > c) is mended in one pass.
    rank = [sum(o.upper == order.upper for o in orders) for order in orders]
    for k in np.argsort(rank, kind="stable")[::-1]:
        order = orders[k]
        most = out[:, :, order.upper] - order.gap
        out[:, :, order.lower] = np.fmin(out[:, :, order.lower], most) + 0 * out[:, :, order.lower]
    return out
