"""Protocols with their properties: what must never be, and what must come about."""
