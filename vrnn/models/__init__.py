"""Sequence models: what they return is per step and in nats; they know no objective and no data."""
