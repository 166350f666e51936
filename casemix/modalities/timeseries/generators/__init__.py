"""Generators of the timeseries modality, one method per file."""
