"""Reports: one document model, built from verifications and checked theorems, and renderers that only read it."""
