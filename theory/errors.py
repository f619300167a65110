"""What a user can do wrong, apart from what this project does wrong."""


class BadInput(ValueError):
    """Input or options that cannot be used: the message says what was expected, what came and what to do.

    The command line turns it into that message and exit code 2; every other exception is an error of ours.
    """
