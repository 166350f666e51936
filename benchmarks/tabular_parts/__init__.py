"""Parts of benchmarks/tabular.py: the tables, the methods, the scores."""
