"""Commands, registered on the one app."""


def register(app):
    """Add this module's commands to the app."""
