"""Generators of linked tables."""
