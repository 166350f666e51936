"""Evaluators of the imaging modality."""
