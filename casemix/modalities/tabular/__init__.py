"""The tabular modality."""
