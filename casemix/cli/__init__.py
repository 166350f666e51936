"""The command line: ``casemix run | import | phantom | fit | sample | evaluate | benchmark | ...``.

One file per group of commands. Heavy modules are imported inside the commands, so that
``casemix list`` answers at once.
"""

from casemix.cli.entry import app, main

__all__ = ["app", "main"]
