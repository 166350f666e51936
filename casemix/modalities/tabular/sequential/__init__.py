"""Joint model of mixed-type columns: one after the other, each given those before it."""
