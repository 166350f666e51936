"""Evaluators of the text modality."""
