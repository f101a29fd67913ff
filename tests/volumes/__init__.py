"""Tests of minidocker/volumes."""
