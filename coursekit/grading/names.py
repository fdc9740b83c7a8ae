"""Names from folders and files of strangers, made safe to store, to show and to name files after; two that differ stay different."""

import hashlib
import re
import unicodedata

LONGEST = 100  # bytes in UTF-8: room for what is put before and behind in a file's name, whose limit is 255
DEVICES = {"con", "prn", "aux", "nul", "conin$", "conout$", *(f"{port}{n}" for port in ("com", "lpt") for n in "0123456789¹²³")}
REPLACED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # control, format (right-to-left overrides), lone surrogates, unassigned, line ends


def safe_name(raw: str) -> str:
    """A student's name as records, pages and file names may hold it.

    Letters of every script stay as they are. What a file system or a page could trip over becomes ``_``, and wherever that (or a cut)
    changed the name, a hash of the raw one follows, so that two students never fall together.

    Args:
        raw: the name of a folder or file, whatever it holds.
    """
    name = unicodedata.normalize("NFC", raw)
    kept = "".join("_" if unicodedata.category(c) in REPLACED or c in '/\\<>:"|?*' else c for c in name)
    kept = kept.strip(" ").rstrip(".")
    if kept.startswith((".", "-", "~")):
        kept = "_" + kept[1:]
    if kept.partition(".")[0].strip().lower() in DEVICES:
        kept = "_" + kept
    kept = _cut(kept or "_")
    return kept if kept == name else distinct(kept, raw)


def distinct(name: str, raw: str) -> str:
    """A safe name with a hash of the raw one behind it."""
    digest = hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{_cut(name, LONGEST - 9)}~{digest}"


def _cut(name: str, longest: int = LONGEST) -> str:
    return name.encode("utf-8")[:longest].decode("utf-8", "ignore").rstrip(" .")


def shown(name: str, longest: int = 60) -> str:
    """A file's name inside a sentence: what is odd about it is escaped, and long ones are cut in the middle."""
    text = "".join("_" if unicodedata.category(c) in REPLACED else c for c in name)
    return text if len(text) <= longest else f"{text[: longest - 20]}…{text[-19:]}"


def natural(name: str) -> list[tuple[int, int, str]]:
    """A key that sorts ``13_boxes-2`` before ``13_boxes-10``, and ``13_boxes`` before both."""
    parts = re.findall(r"[0-9]{1,18}|[^0-9]+|[0-9]+", name.casefold())
    return [(0, int(p), "") if p.isascii() and p.isdigit() and len(p) < 19 else (1, 0, p) for p in parts]
