"""The timeseries modality."""
