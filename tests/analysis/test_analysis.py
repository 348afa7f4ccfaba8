"""Tools that read the code: tests, so that they run beside the others; in a folder whose name lets them begin first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(1800)  # the types of all the code take minutes on a machine with more to do
@pytest.mark.parametrize("tool", ["pyright", "lint-imports"])
def test_finds_nothing(tool: str):
    code = subprocess.run([Path(sys.executable).with_name(tool)], cwd=ROOT, check=False).returncode
    assert code == 0, f"{tool} ended with {code}; what it found follows"
