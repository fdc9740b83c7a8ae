"""``python -m coursekit.authoring [--check] [--class] [13 20 ...]``: build all notebooks, or some."""

import argparse
import sys

from coursekit.authoring import build


def main() -> int:
    """Exit code 1 where something is stale, 2 where a source is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m coursekit.authoring", description="Build notebooks/ and build/solved/ from solutions/."
    )
    parser.add_argument("only", nargs="*", help="notebook numbers or names; all by default")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a notebook is not what its source builds")
    parser.add_argument("--class", dest="klass", action="store_true", help="the class edition, into build/class")
    options = parser.parse_args()
    place = {"out": "build/class", "edition": "class"} if options.klass else {}
    try:
        changed = build(check=options.check, only=options.only, **place)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    for name in changed:
        print(f"{'stale' if options.check else 'built'}: {name}")
    return int(options.check and bool(changed))


if __name__ == "__main__":
    sys.exit(main())
