"""Generators of the event-stream modality, one method per file."""
