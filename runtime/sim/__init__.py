"""Programs and nodes under a virtual clock and network, from one seed."""
