"""Evaluators of the timeseries modality."""
