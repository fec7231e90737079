"""Measures the training step; imports neither Hydra nor W&B, so that it also runs where only torch is."""
