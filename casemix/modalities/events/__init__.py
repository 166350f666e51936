"""The event-stream modality."""
