"""Every mutant. A change of the code that moves one of their places moves it here too; `make mutants` runs them."""

from mutants import dynamics, error_bounds, instances, intervals, measured, separation, signed, tails, visits

SUBJECTS = (tails, instances, signed, separation, visits, intervals, error_bounds, dynamics, measured)
MUTANTS = tuple(mutant for subject in SUBJECTS for mutant in subject.MUTANTS)
