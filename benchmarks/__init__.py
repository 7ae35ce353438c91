"""Every figure that the README quotes, against the peers, in one run: `python -m benchmarks`."""
