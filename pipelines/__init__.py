"""Item pipelines: check, then store."""
