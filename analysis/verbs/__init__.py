"""What the command line's verbs of the analysis do: `check`, `ask`, and pictures for `show`."""
