"""Every code block of the documentation works, and every link inside it leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.pages import ROOT, matches, run_page

DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_what_the_page_shows_works(page: Path, tmp_path: Path) -> None:
    run_page(page, tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page}: {target}"


def test_every_page_can_be_found_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        for target in re.findall(r"\]\(([^)#\s]+\.md)[^)]*\)", page.read_text()):
            if not target.startswith("http"):
                waiting.append((page.parent / target).resolve())
    assert {ROOT / name for name in NAMES} <= reached


def test_the_runner_compares_what_is_printed() -> None:
    assert matches("a\n...\nd\n", "a\nb\nc\nd\n")
    assert matches("took ... s\n", "took 12.3 s\n")
    assert not matches("a\nb\n", "a\nc\n")
    assert not matches("took ... s\n", "took 12\n3 s\n")
