"""Linked tables: everything that one subject has in a set of tables, keys included."""
