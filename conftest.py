"""Hypothesis profiles: `ci` is derandomised, so that a run says the same every time; `thorough` draws many more."""

import os

from hypothesis import HealthCheck, settings

# Examples train real networks: no deadline, and slow generation is no defect. The examples themselves are fixed by the
# test functions, so the database would only make runs differ.
settings.register_profile(
    "ci", max_examples=12, derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "thorough", max_examples=300, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
