"""`make links`: request every outside link in the files of the repository, and print those that do not work.

Needs the network, so it is not part of `make test`.
"""

import re
import subprocess
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from local.paths import ROOT
from local.processes import exit_on_error

FILES = ("*.md", "*.py", "*.yaml", "*.yml", "*.toml", "*.kt", "*.swift", "*.dart", "*.mjs", "*.html", "Makefile")
LINK = re.compile(r"https://[^\s\"'`<>()\[\]{}|\\^$]+")
# Addresses in examples, and hosts that are APIs or issuers.
NO_PAGES = re.compile(
    r"^https://([^/]*@|([^/]*\.)?(example|invalid|localhost)\b|127\.|[^/]*\.execute-api\.|[^/]*\.amazonaws\.com\b"
    r"|zim-?api|securetoken\.google\.com|token\.actions\.githubusercontent\.com)"
)
TIMEOUT_SECONDS = 20
PARALLEL = 8
# Some sites reject the default name of the library.
HEADERS = {"User-Agent": "Mozilla/5.0 (compatible; link check)", "Accept": "text/html,*/*"}


def links_in(text: str) -> set[str]:
    """Return the addresses of pages in a text, without fragments and punctuation after them."""
    found = {link.partition("#")[0].rstrip(".,;:!?*") for link in LINK.findall(text)}
    return {link for link in found if "." in link and not NO_PAGES.match(link)}


def links(folder: Path) -> dict[str, list[str]]:
    """Return the links in the files that git tracks, each with the files that have it."""
    command = ["/usr/bin/env", "git", "ls-files", "--", *FILES]
    listed = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    found = defaultdict(list)
    for name in listed.stdout.splitlines():
        for link in links_in((folder / name).read_text()):
            found[link].append(name)
    return found


def failure(link: str) -> str | None:
    """Return why a link does not work, or None if it does."""
    try:
        with requests.get(link, headers=HEADERS, timeout=TIMEOUT_SECONDS, stream=True) as response:
            return None if response.ok else f"status {response.status_code}"
    except requests.RequestException as error:
        return type(error).__name__


def main() -> int:
    """Print the links that do not work, and return 1 if there are any."""
    found = links(ROOT)
    with ThreadPoolExecutor(PARALLEL) as pool:
        failures = dict(zip(found, pool.map(failure, found), strict=True))
    failed = {link: reason for link, reason in failures.items() if reason}
    for link, reason in sorted(failed.items()):
        print(f"{link}: {reason} ({', '.join(found[link])})")
    print(f"{len(found) - len(failed)} of {len(found)} links work.")
    return 1 if failed else 0


if __name__ == "__main__":
    with exit_on_error("make links"):
        sys.exit(main())
