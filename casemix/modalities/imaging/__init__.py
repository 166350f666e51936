"""The imaging modality."""
