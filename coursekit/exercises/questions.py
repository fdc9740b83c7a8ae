"""predict and reveal."""


def predict(name, question, choices):
    """Ask."""
    print(question)


def reveal(name, answer, because=""):
    """Answer."""
    print(because)
