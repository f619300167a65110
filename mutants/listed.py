"""Every mutant. A change of the code that moves one of their places moves it here too; `make mutants` runs them."""

from mutants import computed, constants

MUTANTS = (*constants.MUTANTS, *computed.MUTANTS)
