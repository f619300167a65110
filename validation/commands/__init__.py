"""The commands of `reversal`, one a file; what they share is in `shared`."""
