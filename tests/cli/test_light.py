"""What the program's script loads before a command is called: child processes run it again."""

from __future__ import annotations

import subprocess
import sys


def test_the_script_of_a_child_process_loads_no_command_line() -> None:
    program = (
        "import sys; from airtally.cli import main; print(sorted({'cyclopts', 'rich', 'attrs'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
