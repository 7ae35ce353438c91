"""What is inserted where a program needs coordination: one mechanism per file (4.6)."""
