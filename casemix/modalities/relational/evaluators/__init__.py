"""Evaluators of linked tables."""
