"""Lineage-driven fault injection (Alvaro, Rosen, Hellerstein, SIGMOD 2015)."""
