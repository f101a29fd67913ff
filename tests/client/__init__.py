"""Tests of the command line: flags to requests, answers to words."""
