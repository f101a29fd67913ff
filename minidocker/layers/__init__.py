"""Layers: blobs become trees, trees become blobs, and a container gets a root of them."""
