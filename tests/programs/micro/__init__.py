"""The micro-programs of the analysis specification, M1 to M41: one class, one essence."""
