"""The Node.js that comes with Playwright: scripts run without a browser, and nothing is to install."""

from __future__ import annotations

from pathlib import Path

import playwright

NODE = str(Path(playwright.__file__).parent / "driver" / "node")
