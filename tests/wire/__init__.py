"""Tests of the bytes that both ends share."""
