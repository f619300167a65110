"""What keeps the reversal curse and what lifts it: loss, parameter space, optimiser and data, one row a choice."""
