"""Formats of event streams."""
