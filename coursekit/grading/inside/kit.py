"""The modules that one exercise brings along, as files that its worker can import."""

import os


def write_kit(folder: str, files: dict[str, str]) -> None:
    """Write the modules of one exercise, with an empty ``__init__.py`` in each package that brings none."""
    os.umask(0o022)
    os.makedirs(folder, 0o755, exist_ok=True)
    for name, text in files.items():
        parts = name.split("/")
        if name.startswith("/") or not all(parts) or ".." in parts:
            raise ValueError(f"a file of the kit must lie in the kit, got {name!r}")
        path = folder
        for part in parts[:-1]:
            path = os.path.join(path, part)
            os.makedirs(path, 0o755, exist_ok=True)
            with open(os.path.join(path, "__init__.py"), "a"):
                pass
        with open(os.path.join(path, parts[-1]), "w", encoding="utf-8") as file:
            file.write(text)
