"""Evaluators of the tabular modality."""
