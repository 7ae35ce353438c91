"""`python -m bloomish` is the `bloomish` command."""

from __future__ import annotations

from bloomish.cli import main

if __name__ == "__main__":
    main()
