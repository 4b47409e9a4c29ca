"""axolotl's own code of a given version, on top of the train runtime's libraries.

The schema and the lists of names depend on axolotl's modules only: made over the libraries of
another version of axolotl they are the same as in its full environment, 4 GB smaller.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from ftui.runtimes.process import quiet_environment


def unpack(version: str, folder: Path) -> Path:
    """A folder for PYTHONPATH that holds axolotl `version`, from the package index."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    # Newer versions name a Python that is newer than the runtime's; their schema imports in both.
    command += [
        "--dest",
        str(folder),
        "--python-version",
        "3.12",
        "--only-binary=:all:",
        f"axolotl=={version}",
    ]
    subprocess.run(command, check=True, timeout=300)
    [wheel] = folder.glob("axolotl-*.whl")
    unpacked = folder / "axolotl"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    return unpacked


def run_over(wheel: Path, script: Path) -> str:
    """What `script` prints in the train runtime with that axolotl in place of its own."""
    environment = quiet_environment() | {"PYTHONPATH": str(wheel)}
    done = subprocess.run(
        [os.environ["FTUI_TRAIN_PYTHON"], script],
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
        timeout=600,
        text=True,
    )
    return done.stdout
