"""Recordings of sound: where they lie, what a header promises, decoding, soundness, framing, storage."""
