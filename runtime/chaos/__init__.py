"""Real processes under real faults: a network in our hands, signals, clients that record."""
