"""Running a program: evaluators, nodes, clusters, the simulator."""
