"""coursekit: the tested building blocks of the course Pixels to Boxes.

Importing this package imports no torch: `coursekit --help` and `coursekit eval` stay quick.
"""

__version__ = "0.1.0"
