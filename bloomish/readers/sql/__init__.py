"""SQL into the IR, and what its reader and its analysis share (sqlglot 30)."""
