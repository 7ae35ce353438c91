"""Exhaustive exploration: every schedule within bounds, up to what cannot matter."""
