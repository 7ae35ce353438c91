"""The command line's verbs that run programs; cli.py declares their options."""
