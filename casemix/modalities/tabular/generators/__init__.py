"""Generators of the tabular modality, one method per file."""
