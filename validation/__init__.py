"""Real training runs set beside theory and numerics, and the command line that shows all three."""
