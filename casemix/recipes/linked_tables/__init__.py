"""Linked tables in a folder: read by a YAML of keys, written back with new keys and dates."""

from __future__ import annotations

from casemix.recipes.linked_tables.infer import infer_keys
from casemix.recipes.linked_tables.keys import FolderKeys, keys_text, load_keys
from casemix.recipes.linked_tables.read import Read, read_tables
from casemix.recipes.linked_tables.write import check_keys, write_tables

__all__ = [
    "FolderKeys",
    "Read",
    "check_keys",
    "infer_keys",
    "keys_text",
    "load_keys",
    "read_tables",
    "write_tables",
]
