"""Which pictures of a competition are public. Taught in notebook 24_project."""

import hashlib
from collections.abc import Iterable


def public_part(ids: Iterable[str], share: float, salt: str) -> set[str]:
    """The pictures whose score everybody sees. The others' is told at the end.

    Args:
        ids: of pictures.
        share: of them, about, between 0 and 1.
        salt: a secret text of the organiser.

    Returns:
        Those with ``int(h[:8], 16) / 2**32 < share``, h the hexdigest of SHA-256 of ``f"{salt}/{id}"`` in UTF-8. So a picture's part hangs
        on its own id and the secret only: it stays where it is when other pictures come or go, and nobody without the secret knows it.
    """
    return {name for name in ids if int(hashlib.sha256(f"{salt}/{name}".encode()).hexdigest()[:8], 16) / 2**32 < share}
