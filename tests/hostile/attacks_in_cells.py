"""Reading attacks/*.py: see attacks/README.md."""

import functools
import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "attacks"
DEFAULT = "13.box_iou"


@dataclass(frozen=True)
class Attack:
    """Args: `student` who hands it in; `source` of the cell; `exercise` it attacks; `flags` and `about` as the file has them."""

    student: str
    source: str
    exercise: str
    flags: frozenset[str]
    about: str

    def cell(self, words: dict[str, str]) -> str:
        """The cell's text, with every @WORD@ filled in."""
        prelude = (FOLDER / "prelude.py").read_text(encoding="utf-8")
        return re.sub(r"@([A-Z_]+)@", lambda found: words[found[1]], f"{prelude}\n\n{self.source}")


@functools.cache
def attacks() -> tuple[Attack, ...]:
    """All of them, in order of file and place."""
    return tuple(attack for path in sorted(FOLDER.glob("*.py")) if path.stem != "prelude" for attack in _in_file(path))


def _in_file(path: Path) -> list[Attack]:
    found = []
    for part in re.split(r"(?m)^# %% ", path.read_text(encoding="utf-8"))[1:]:
        head, _, body = part.partition("\n")
        name, _, flags = (piece.strip() for piece in head.partition("|"))
        words = flags.split()
        exercise = next((word.removeprefix("on=") for word in words if word.startswith("on=")), DEFAULT)
        about = " ".join(re.match(r"(?:# .*\n)+", body)[0].replace("# ", "").split())
        found.append(Attack(f"{path.stem}-{name}", body.strip() + "\n", exercise, frozenset(words), about))
    return found
