"""Sweeps: a grid or a random design over the settings of a command, cell by cell, on one machine or a cluster."""
