"""Multi-layer transformers on the tasks of Section 5 and appendix E of arXiv 2405.04669."""
