"""Generators of the text modality, one method per file."""
