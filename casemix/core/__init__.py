"""Contracts and containers: what every plugin is written against."""
