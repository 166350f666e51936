"""Dates and times as databases and their users write them: one column of text to moments."""

from __future__ import annotations

from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

MOMENT = pa.timestamp("us")
#: What may stand in a cell, for messages.
ALLOWED = "year, month, day, and then the time: 2020-12-31 08:30:00, 20201231, 2020-1-9, 2020/12/31"
#: Spellings that are put into ISO 8601, year first: no day can be taken for a month.
_SPELLINGS = (
    (r"^(\d{4})(\d\d)(\d\d)($|[ T])", r"\1-\2-\3\4"),  # 20201231
    (r"^(\d{4})/(\d{1,2})/(\d{1,2})($|[ T])", r"\1-\2-\3\4"),  # 2020/12/31
    (r"^(\d{4})-(\d)-", r"\1-0\2-"),  # 2020-1-31
    (r"^(\d{4}-\d\d)-(\d)($|[ T])", r"\1-0\2\3"),  # 2020-01-3
    (r"^([^ T]+[ T])(\d):", r"\10\2:"),  # 8:30
    (r"(\.\d{6})\d+", r"\1"),  # below the microsecond
    (r" ?UTC$", "Z"),
    (r" ([+-]\d\d:\d\d)$", r"\1"),  # 08:30:00 +01:00
)
_ZONED = r":\d\d(\.\d+)?(Z|[+-]\d\d(:?\d\d)?)$"


def moments(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return dates and times, timestamp[us]; a time with a zone is taken in UTC.

    Args:
        cells: timestamps, dates, texts, or whole numbers such as 20201231.

    Raises:
        pyarrow.ArrowInvalid: a text that is neither.
    """
    if pa.types.is_temporal(cells.type):
        return pc.cast(cells, MOMENT, safe=False)  # nanoseconds are cut off
    text = pc.utf8_trim_whitespace(pc.cast(cells, pa.string()))
    try:
        return pc.cast(text, MOMENT)
    except pa.ArrowInvalid:
        return _spelt(text)


def _spelt(text: pa.ChunkedArray) -> pa.ChunkedArray:
    text = reduce(lambda t, s: pc.replace_substring_regex(t, *s), _SPELLINGS, text)
    zoned = pc.match_substring_regex(text, _ZONED)
    none = pa.scalar(None, pa.string())
    utc = pc.cast(pc.if_else(zoned, text, none), pa.timestamp("us", tz="UTC"))
    plain = pc.cast(pc.if_else(zoned, none, text), MOMENT)
    return pc.coalesce(pc.cast(utc, MOMENT), plain)
