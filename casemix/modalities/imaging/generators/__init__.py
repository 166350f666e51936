"""Generators of the imaging modality, one method per file."""
