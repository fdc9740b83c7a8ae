"""hint and solution."""


def set_edition(edition):
    """Remember the edition."""


def hint(name):
    """The next hint."""


def solution(name):
    """Our solution."""
