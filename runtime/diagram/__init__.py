"""A recorded run as a space-time diagram (Lamport 1978): one HTML file, no network."""
