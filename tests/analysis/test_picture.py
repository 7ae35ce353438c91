"""The picture: its layout, its page, and the page in a browser."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from benchmarks.analysis import modules
from bloomish import Program, _, input, output, table, variables
from bloomish.analysis.report import html
from bloomish.analysis.report.layout import Layout, Place, lay_out
from bloomish.analysis.report.picture import Picture, picture_of
from bloomish.cli import run
from tests.programs.micro import growing, racing, unsettled

KVS = "bloomish.programs.kvs"
x, y = variables("x y")


def overlap(a: Place, b: Place) -> bool:
    return (
        abs(a.x - b.x) < (a.width + b.width) / 2 - 0.01
        and abs(a.y - b.y) < (a.height + b.height) / 2 - 0.01
    )


def clean(layout: Layout) -> None:
    """No box on another, all on the sheet."""
    places = sorted(layout.places.values(), key=lambda place: place.x - place.width / 2)
    for i, one in enumerate(places):
        assert one.x - one.width / 2 >= 0 and one.x + one.width / 2 <= layout.width
        assert one.y - one.height / 2 >= 0 and one.y + one.height / 2 <= layout.height
        for other in places[i + 1 :]:
            if other.x - other.width / 2 > one.x + one.width / 2:
                break
            assert not overlap(one, other)


@pytest.mark.parametrize("target", [growing.M19, unsettled.M25, racing.M40slots, KVS])
def test_no_box_lies_on_another(target: Any) -> None:
    clean(lay_out(picture_of(target)))


def test_three_hundred_rules_are_laid_out() -> None:
    picture = picture_of(modules(300))
    layout = lay_out(picture)
    clean(layout)
    assert len([box for box in picture.boxes if box.is_rule]) >= 290
    assert layout.height < 200 * 100  # boxes are spread over columns, not piled up


def test_lines_lead_from_box_to_box_and_mostly_forward() -> None:
    picture = picture_of(unsettled.M26)
    layout = lay_out(picture)
    for line, points in layout.routes:
        source, target = layout.places[line.source], layout.places[line.target]
        assert points[0][1] == source.y
        assert points[-1][1] == target.y
        assert points[0][0] < points[-1][0]  # nothing recursive here: all to the right


def test_roles_are_lanes_below_each_other() -> None:
    picture = picture_of(KVS)
    layout = lay_out(picture)
    server, client = layout.bands
    assert server.y + server.height < client.y
    for box in picture.boxes:
        band = server if box.lane == "server" else client
        assert band.y <= layout.places[box.id].y <= band.y + band.height


def test_an_empty_program_has_an_empty_picture() -> None:
    class Nothing(Program):
        pass

    page = html.render(picture_of(Nothing))
    assert "<svg" in page


# ----------------------------------------------------------------------- page


class Structure(HTMLParser):
    """Open tags, and the text of the data element."""

    def __init__(self) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.sources: list[str] = []
        self.data = ""
        self._in_data = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.sources += [v for k, v in attrs if k in ("src", "href") and v]
        self._in_data = found.get("id") == "data"
        if tag not in ("meta", "input", "path", "rect", "link", "br"):
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("path", "rect"):
            assert self.stack.pop() == tag
        self._in_data = False

    def handle_data(self, data: str) -> None:
        if self._in_data:
            self.data += data


def test_the_page_needs_nothing_else() -> None:
    reader = Structure()
    page = html.render(picture_of(KVS))
    reader.feed(page)
    assert not reader.stack
    assert not reader.sources
    assert "@import" not in page and "url(http" not in page
    data = json.loads(reader.data)
    assert data["boxes"]["rule server store_1"]["points"] == []
    assert data["flags"][0]["path"] == ["Kvs.put", "rule server store_1", "server.store"]


def test_program_text_cannot_leave_its_element() -> None:
    class Tags(Program):
        given = input(text=str)
        kept = table(text=str)
        shown = output(text=str)
        kept("</script><script>alert(1)</script>") <= given(_)
        shown(x) <= kept(x) & (x != "<!--")

    page = html.render(picture_of(Tags))
    assert "<script>alert" not in page
    assert "<!--" not in page
    reader = Structure()
    reader.feed(page)
    assert "</script>" in json.loads(reader.data)["boxes"]["rule Tags kept_1"]["text"]


def test_show_prints_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show", KVS, "--format", "html"]) == 0
    assert capsys.readouterr().out.startswith("<!doctype html>")
    assert run(["check", KVS, "--format", "html"]) == 1
    assert capsys.readouterr().out.startswith("<!doctype html>")


# -------------------------------------------------------------------- browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium, where it is installed."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no chromium with chromedriver on this machine: the page is not tried out")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in ("--headless", "--no-sandbox", "--disable-gpu", "--window-size=1400,900",
                 "--disable-background-networking"):  # fmt: skip
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options=options, service=Service(driver))
    yield started
    started.quit()


def opened(browser: Any, picture: Picture, folder: Path) -> None:
    file = folder / "picture.html"
    file.write_text(html.render(picture))
    browser.get(f"file://{file}")
    errors = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert not errors


def box(browser: Any, id: str) -> Any:
    return browser.find_element("css selector", f'.box[data-id="{id}"]')


def test_hovering_shows_the_blame_path_and_clicking_the_source(
    browser: Any, tmp_path: Path
) -> None:
    from selenium.webdriver import ActionChains

    opened(browser, picture_of(KVS), tmp_path)
    assert "needs coordination" in browser.find_element("css selector", "aside").text
    assert "flagged" in box(browser, "rule server store_1").get_attribute("class")
    ActionChains(browser).move_to_element(box(browser, "client.answer")).perform()
    blamed = {
        one.get_attribute("data-id") for one in browser.find_elements("css selector", ".box.blamed")
    }
    assert blamed >= {"Kvs.put", "rule server store_1", "server.store", "client.answer"}
    assert "Kvs.ack" not in blamed
    assert len(browser.find_elements("css selector", ".line.blamed")) >= 5
    ActionChains(browser).click(box(browser, "rule server store_1")).perform()
    side = browser.find_element("css selector", "aside").text
    assert "store(key, argmax(value, by=request)) <+- Kvs.put(_, _, request, key, value)" in side
    assert "kvs.py:" in side and "overwrite" in side and "gate: per (key)" in side


def test_a_program_of_300_rules_opens_fits_and_can_be_searched(
    browser: Any, tmp_path: Path
) -> None:
    opened(browser, picture_of(modules(300)), tmp_path)
    assert len(browser.find_elements("css selector", ".box")) > 400
    frame = browser.find_element("id", "sheet").rect
    first = box(browser, "message0").rect
    assert frame["x"] <= first["x"] <= frame["x"] + frame["width"]
    assert frame["y"] <= first["y"] <= frame["y"] + frame["height"]
    find = browser.find_element("id", "find")
    find.send_keys("lonely17")
    assert len(browser.find_elements("css selector", ".box.found")) == 2  # the view and its rule
    before = box(browser, "lonely17").rect["width"]
    find.send_keys("\n")
    after = box(browser, "lonely17").rect
    assert after["width"] > 2 * before  # near enough to be read
    assert frame["x"] < after["x"] < frame["x"] + frame["width"]
    assert frame["y"] < after["y"] < frame["y"] + frame["height"]
