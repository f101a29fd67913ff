"""Bytes that both ends of the Engine API share: pure encoders and incremental decoders."""
