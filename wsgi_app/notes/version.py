"""The version of a folder of static files: `python version.py FOLDER` prints it. It needs nothing but Python.

It is part of their addresses. Flask writes the addresses, and nginx has the files in folders of these names.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path


def version_of(folder: Path) -> str:
    """Twelve hexadecimal digits, which change with any file of the folder.

    Raises:
        OSError: a file cannot be read.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


if __name__ == "__main__":
    print(version_of(Path(sys.argv[1])))
