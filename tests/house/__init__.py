"""Tests about the source itself: who imports whom, sizes, words, style."""
