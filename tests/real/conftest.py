"""Real data beside the checkout: ../shared/data. It is no part of the project; tests that need it skip where it is absent."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder ``shared/data`` beside the project. Absent: the test skips, or fails where COURSEKIT_REAL_DATA=1 promises it."""
    folder = ROOT.parent / "shared" / "data"
    if folder.is_dir():
        return folder
    if os.environ.get("COURSEKIT_REAL_DATA") == "1":
        pytest.fail("COURSEKIT_REAL_DATA=1, but there is no folder shared/data beside the project")
    return pytest.skip("no folder shared/data beside the project (BCCD and other real inputs)")
