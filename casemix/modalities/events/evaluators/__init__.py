"""Evaluators of the event-stream modality."""
