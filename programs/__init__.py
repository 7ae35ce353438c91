"""Protocols and applications written in the language: one file each, each citing its source."""
