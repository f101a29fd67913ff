"""Tests of the layers: blobs, tars, trees, stores, snapshots."""
