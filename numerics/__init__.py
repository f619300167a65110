"""The derived equations, integrated: Gram matrices, the logit-space flow, closed forms, descent recursions.

Imports `theory`, never `validation` and never torch.
"""
