"""The four modalities, each a folder of payload, findings, embedder, generators and evaluators."""
