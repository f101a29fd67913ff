"""The site: every page is in the navigation, every link of prose leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.house.source import ROOT

DOCS = ROOT / "docs"
PAGES = [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "chapters").rglob("*.md")]
LINK = re.compile(r"\[[^]]*\]\(([^)\s]+)\)")


def test_the_navigation_has_every_page_once() -> None:
    text = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:")[2]
    listed = re.findall(r":\s*(\S+\.md)$", text, re.MULTILINE)
    assert sorted(listed) == sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_link_leads_to_a_page_that_exists(page: Path) -> None:
    targets = [link.partition("#")[0] for link in LINK.findall(page.read_text("utf-8"))]
    own = [target for target in targets if target and "://" not in target]
    dead = [target for target in own if not (page.parent / target).exists()]
    assert not dead, dead


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.stem)
def test_a_page_of_the_site_links_within_the_site(page: Path) -> None:
    for link in LINK.findall(page.read_text("utf-8")):
        if "://" not in link:
            assert (page.parent / link.partition("#")[0]).resolve().is_relative_to(DOCS), link


def test_a_decision_has_context_decision_and_consequence() -> None:
    for page in (DOCS / "decisions").glob("*.md"):
        parts = re.findall(r"^## (.+)$", page.read_text("utf-8"), re.MULTILINE)
        assert parts == ["Context", "Decision", "Consequence"], page.name
        number = re.match(r"(\d{4})-", page.name)
        assert number
        assert page.read_text("utf-8").startswith(f"# {int(number[1])}. ")
