"""Parts of `benchmarks/events.py`."""
