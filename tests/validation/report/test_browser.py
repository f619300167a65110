"""The page in a real browser: silent and alone, sorted and searched by mouse and keyboard, light and dark."""

import base64
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.validation.report.example import HOSTILE, example
from validation.report.html import render

pytestmark = pytest.mark.program("chromium", "chromedriver")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page of the hostile example."""
    path = tmp_path_factory.mktemp("page")
    (path / "index.html").write_text(render(example()), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def driver(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A browser that writes down its console and its requests."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    yield driver
    driver.quit()


@pytest.fixture
def page(driver: Any, folder: Path) -> Any:
    """The page, freshly opened at 1280 pixels in light colours."""
    driver.get("about:blank")
    driver.get_log("performance")  # forgets what the browser's own first page asked for
    show(driver, 1280, "light")
    driver.get((folder / "index.html").as_uri())
    return driver


def show(driver: Any, width: int, scheme: str) -> None:
    """Set the width of the window and the preferred colours."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features, "media": ""})


def column(driver: Any, number: int) -> list[str]:
    """The cells of the long table's column that are shown, in order."""
    script = """return [...document.querySelectorAll("#queries tbody tr")].filter((row) => row.offsetHeight > 0)
        .map((row) => row.cells[arguments[0]].dataset.value ?? row.cells[arguments[0]].textContent)"""
    return driver.execute_script(script, number)


def test_opens_silently_and_alone(page: Any) -> None:
    """The page logs nothing, asks for no file but itself, and no name on it has run."""
    events = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    requests = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    assert requests
    assert {url for url in requests if not url.startswith("data:")} == {page.current_url}
    assert page.get_log("browser") == []
    assert page.execute_script("return document.images.length") == 0


def test_every_formula_has_size(page: Any) -> None:
    """Each math element is as high as a letter and as wide, and formulas that are none are shown as code."""
    sizes = page.execute_script(
        "return [...document.querySelectorAll('math')].map((m) => [m.getBoundingClientRect()]"
        ".map((r) => [r.width, r.height])[0])"
    )
    assert len(sizes) == 5
    assert min(map(min, sizes)) > 4
    (law,) = page.execute_script("return [document.querySelector('#law math').getBoundingClientRect().height]")
    assert law > 30  # limits stand under the sum


def test_sorts_by_click_and_by_keyboard(page: Any) -> None:
    """A click sorts numbers by value, Enter on the focused header turns them round, and the header says which."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    button = page.find_element(By.CSS_SELECTOR, "#queries th:nth-child(3) button")
    button.click()
    values = column(page, 2)
    assert [float(v) for v in values[:-1]] == sorted(float(v) for v in values[:-1])
    assert values[-1] == ""
    page.switch_to.active_element.send_keys(Keys.ENTER)
    values = column(page, 2)
    assert [float(v) for v in values[:-1]] == sorted((float(v) for v in values[:-1]), reverse=True)
    assert values[-1] == ""
    states = [th.get_attribute("aria-sort") for th in page.find_elements(By.CSS_SELECTOR, "#queries thead th")]
    assert states == ["none", "none", "descending", "none"]
    page.find_element(By.CSS_SELECTOR, "#queries th:first-child button").send_keys(Keys.SPACE)
    assert column(page, 0) != list(HOSTILE)
    assert sorted(column(page, 0)) == sorted(
        re.sub(r"\s", " ", name) if "\n" in name else name for name in column(page, 0)
    )
    assert page.find_elements(By.CSS_SELECTOR, "#verdicts button") == []


def test_search_filters(page: Any) -> None:
    """Typing keeps the rows that hold every word, in any case, and says how many; clearing brings all back."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    field = page.find_element(By.CSS_SELECTOR, "#queries input[type=search]")
    assert field.accessible_name == "Search this table"
    field.send_keys("SCRIPT alert")
    assert column(page, 0) == [HOSTILE[0], HOSTILE[9]]
    assert page.find_element(By.CSS_SELECTOR, "#queries output").text == f"2 of {len(HOSTILE)} rows"
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(Keys.DELETE)
    assert len(column(page, 0)) == len(HOSTILE)


def test_keyboard_reaches_the_content(page: Any) -> None:
    """The first stop of the Tab key is the link that skips to the content, and it is seen."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    page.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    link = page.switch_to.active_element
    assert link.text == "Skip to the content"
    assert link.rect["x"] >= 0
    link.send_keys(Keys.ENTER)
    assert page.execute_script("return document.activeElement.id") == "content"


def test_contents_are_folded_on_a_phone(page: Any) -> None:
    """On a narrow screen the contents open on demand, on a wide one they stand beside the report."""
    folded = []
    for width in (1280, 360):
        show(page, width, "light")
        page.refresh()
        folded.append(page.execute_script("return document.querySelector('nav details').open"))
    assert folded == [True, False]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (360, "light"), (360, "dark")])
def test_fits_and_can_be_read(page: Any, width: int, scheme: str, tmp_path: Path) -> None:
    """At either width nothing sticks out, pictures have the page's colour, and words stand 4.5:1 off their ground."""
    show(page, width, scheme)
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    ground = "return getComputedStyle(document.querySelector('.picture svg path')).fill"
    assert page.execute_script(ground) == {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 25, 30)"}[scheme]
    for selector in (".badge", "main a", ".note", "caption", "code", ".subtitle", "output", "th button", "nav a"):
        for text, ground in page.execute_script(COLORS, selector):
            assert contrast(text, ground) >= 4.5, (selector, text, ground)
    picture = page.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})["data"]
    (tmp_path / f"{width}-{scheme}.png").write_bytes(base64.b64decode(picture))


def test_prints_in_light_colours_without_controls(page: Any) -> None:
    """On paper a dark reader's page is light, and navigation, search and the LaTeX sources are gone."""
    features = [{"name": "prefers-color-scheme", "value": "dark"}]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": features})
    seen = "return [...document.querySelectorAll(arguments[0])].filter((e) => e.getClientRects().length).length"
    assert [page.execute_script(seen, s) for s in ("nav", ".search", ".source")] == [0, 0, 0]
    assert [page.execute_script(seen, s) for s in (".picture", "#queries tbody tr")] == [1, len(HOSTILE)]
    assert page.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    picture = "return getComputedStyle(document.querySelector('.picture svg path')).fill"
    assert page.execute_script(picture) == "rgb(255, 255, 255)"


# The colour of each element's text, and the first opaque ground behind it.
COLORS = """
return [...document.querySelectorAll(arguments[0])].filter((e) => e.getClientRects().length).map((element) => {
  let ground = element;
  while (getComputedStyle(ground).backgroundColor === "rgba(0, 0, 0, 0)") ground = ground.parentElement;
  return [getComputedStyle(element).color, getComputedStyle(ground).backgroundColor];
});
"""


def contrast(text: str, ground: str) -> float:
    """The contrast ratio of two colours `rgb(r, g, b)`, as WCAG 2.1 defines it."""

    def luminance(color: str) -> float:
        parts = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted((luminance(text), luminance(ground)))
    return (lighter + 0.05) / (darker + 0.05)
