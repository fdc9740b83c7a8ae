"""The page: what the server makes of a picture, and the whole of it in a browser."""

import base64
import http.client
import io
import json
import os
import shutil
import threading

import numpy as np
import pytest
import torch
from PIL import Image

from coursekit.detections import Detections
from coursekit.serving.page import LARGEST, Page, fit

LONG = 20.0  # seconds: what takes so long is broken, however busy the machine
CLASSES = ("stop", "a very long name of a class that has to be broken somewhere", "<b>&amp;")


def encoded(size_hw=(60, 80), kind="PNG", colour=(120, 130, 140), **more):
    buffer = io.BytesIO()
    Image.new("RGB", size_hw[::-1], colour).save(buffer, kind, **more)
    return buffer.getvalue()


def three(pictures):
    """Three boxes in each picture: as shares of it, so that they can be told wherever it is scaled to."""
    found = []
    for picture in pictures:
        height, width = picture.shape[1:]
        boxes = torch.tensor([[0.1, 0.2, 0.4, 0.6], [0.5, 0.5, 0.9, 0.9], [0.05, 0.7, 0.3, 0.95]]) * torch.tensor([width, height] * 2)
        found.append(Detections(boxes, torch.tensor([0.55, 0.95, 0.3]), torch.tensor([1, 0, 2])))
    return found


def send(page, body, method="POST", path="/detect", **headers):
    connection = http.client.HTTPConnection(page.url.split("/")[2], timeout=LONG)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        content = response.read()
        return response.status, json.loads(content) if response.headers["Content-Type"] == "application/json" else content, response.headers
    finally:
        connection.close()


@pytest.fixture
def page():
    with Page(three, CLASSES) as page:
        yield page


def test_boxes_scores_labels_names_and_milliseconds_best_first(page):
    status, said, _ = send(page, encoded())
    assert status == 200
    assert (said["width"], said["height"]) == (80, 60)
    assert said["boxes"] == [[40, 30, 72, 54], [8, 12, 32, 36], [4, 42, 24, 57]]
    assert said["scores"] == pytest.approx([0.95, 0.55, 0.3])
    assert said["labels"] == [0, 1, 2]
    assert said["names"] == [CLASSES[0], CLASSES[1], CLASSES[2]]
    assert said["milliseconds"] >= 0


def test_a_label_without_a_name_and_a_picture_without_objects():
    one = Detections(torch.tensor([[0.0, 0, 1, 1]]), torch.tensor([0.5]), torch.tensor([7]))
    answers = iter([[one], [Detections.empty()]])
    with Page(lambda pictures: next(answers), CLASSES) as page:
        assert send(page, encoded())[1]["names"] == ["class 7"]
        assert send(page, encoded())[1]["boxes"] == []


@pytest.mark.parametrize(
    ("size_hw", "longest", "expected"),
    [
        ((1, 1), 4, (1, 1)),
        ((4, 3), 4, (4, 3)),
        ((8, 6), 4, (4, 3)),
        ((5, 100), 10, (1, 10)),
        ((1, 1000), 10, (1, 10)),
        ((3000, 4000), 1280, (960, 1280)),
    ],
)
def test_large_pictures_are_made_smaller(size_hw, longest, expected):
    image = np.full((3, *size_hw), 77, np.uint8)
    small = fit(image, longest)
    assert small.shape == (3, *expected)
    assert small.dtype == np.uint8
    assert (small == 77).all()


def test_twelve_megapixels_come_back_in_their_own_pixels():
    seen = []

    def detect(pictures):
        seen.extend(tuple(picture.shape) for picture in pictures)
        return three(pictures)

    with Page(detect, CLASSES) as page:
        _, said, _ = send(page, encoded((3000, 4000), "JPEG"))
    assert seen == [(3, 960, 1280)]
    assert (said["width"], said["height"]) == (4000, 3000)
    assert said["boxes"][0] == [2000, 1500, 3600, 2700]
    with Image.open(io.BytesIO(base64.b64decode(said["picture"].partition(",")[2]))) as shown:
        assert (shown.format, shown.size) == ("JPEG", (1280, 960))


def test_what_is_shown_is_turned_like_what_was_seen():
    """EXIF 6: stored lying on its side. The detector and the browser get the same upright pixels."""
    stored = np.zeros((20, 40, 3), np.uint8)
    stored[:, :20] = 255  # left as stored, above as displayed
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer, seen = io.BytesIO(), []
    Image.fromarray(stored).save(buffer, "PNG", exif=exif)

    def detect(pictures):
        seen.append(pictures[0].numpy())
        return three(pictures)

    with Page(detect, CLASSES) as page:
        _, said, _ = send(page, buffer.getvalue())
    assert (said["width"], said["height"]) == (20, 40)
    with Image.open(io.BytesIO(base64.b64decode(said["picture"].partition(",")[2]))) as shown:
        assert shown.getexif().get(0x0112, 1) == 1
        assert (np.asarray(shown) == seen[0].transpose(1, 2, 0)).all()
    assert (seen[0][:, :20] == 255).all()
    assert (seen[0][:, 20:] == 0).all()


def bomb():
    """A PNG of some kilobytes that says to be 20000 x 20000."""
    buffer = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        pytest.param(lambda: b"", 400, "not a picture that can be read (the file is empty)", id="empty"),
        pytest.param(lambda: b"no picture", 400, "not a picture that can be read (10 bytes)", id="text"),
        pytest.param(lambda: encoded((200, 200))[:150], 400, "the picture is damaged or cut short", id="cut"),
        pytest.param(bomb, 400, "pixels", id="bomb"),
        pytest.param(lambda: b"x" * (LARGEST + 1), 413, "a request may have at most 25 MB, got 25 MB", id="too long"),
    ],
)
def test_a_bad_upload_gets_one_sentence_and_the_next_is_answered(page, body, status, said):
    got, answer, _ = send(page, body())
    assert got == status
    assert said in answer["error"]
    assert "\n" not in answer["error"]
    assert send(page, encoded())[0] == 200


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (ConnectionError("no answer from localhost:8000"), 502, "the detector has no answer: no answer from localhost:8000"),
        (ValueError("unknown model"), 502, "the detector has no answer: unknown model"),
        (KeyError("secret"), 500, "the server failed on this request (KeyError)"),
    ],
    ids=["away", "refused", "fault"],
)
def test_a_detector_without_an_answer(error, status, said):
    def detect(pictures):
        raise error

    with Page(detect, CLASSES) as page:
        got, answer, _ = send(page, encoded())
    assert (got, answer) == (status, {"error": said})


def test_only_our_own_page_may_ask(page):
    status, content, headers = send(page, None, "GET", "/")
    assert status == 200
    assert content.startswith(b"<!doctype html>")
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert send(page, encoded(), Origin="http://elsewhere.example")[0] == 403
    assert send(page, encoded(), Origin="null")[0] == 403
    assert send(page, encoded(), Host="elsewhere.example")[0] == 403
    assert send(page, None, "GET", "/", Host="elsewhere.example")[0] == 403
    assert send(page, encoded(), Origin=page.url.rstrip("/"))[0] == 200
    assert send(page, None, "GET", "/detect")[0] == 404
    assert send(page, b"", "POST", "/")[0] == 404


def test_the_page_needs_nothing_from_elsewhere(page):
    html = send(page, None, "GET", "/")[1].decode()
    assert "http" not in html
    assert "//" not in html.replace("// ", "")
    assert f'data-largest="{LARGEST}"' in html


def test_one_picture_at_a_time():
    inside, most, lock = [0], [0], threading.Lock()

    def detect(pictures):
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        threading.Event().wait(0.01)
        with lock:
            inside[0] -= 1
        return three(pictures)

    with Page(detect, CLASSES) as page:
        threads = [threading.Thread(target=send, args=(page, encoded())) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LONG)
    assert most == [1]


# --- in a browser ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Headless Chromium. Where COURSEKIT_BROWSER=1 says that it must be there, its absence fails."""
    chromium, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if not (chromium and driver):
        said = "Chromium or its driver is not installed (Debian: chromium, chromium-driver)"
        (pytest.fail if os.environ.get("COURSEKIT_BROWSER") == "1" else pytest.skip)(said)
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    profile = tmp_path_factory.mktemp("profile")
    for switch in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={profile}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=driver))
    browser.set_page_load_timeout(60)
    yield browser
    browser.quit()


def open_page(browser, page, width=1280, height=900):
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)  # a window itself cannot be as narrow as a phone
    browser.get(page.url)
    browser.get_log("browser")  # what other tests left
    return lambda css: browser.find_elements("css selector", css)


def choose(browser, path, until="return !document.getElementById('result').hidden"):
    """Through the file chooser, then wait for what the page makes of it."""
    from selenium.webdriver.support.ui import WebDriverWait

    browser.find_element("id", "file").send_keys(str(path))
    WebDriverWait(browser, 60).until(lambda browser: browser.execute_script(until))


def pixels(browser):
    """The canvas as an array (H, W, 3)."""
    address = browser.execute_script("return document.getElementById('canvas').toDataURL('image/png')")
    with Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def coloured(canvas, x, y, ground, reach=3):
    """Is something drawn within a few pixels of this place, given as shares of the canvas?"""
    row, column = round(y * (canvas.shape[0] - 1)), round(x * (canvas.shape[1] - 1))
    near = canvas[max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1]
    return bool((np.abs(near - np.array(ground)).max(-1) > 60).any())


def slide(browser, percent):
    script = "const t = document.getElementById('threshold'); t.value = arguments[0]; t.dispatchEvent(new Event('input', {bubbles: true}))"
    browser.execute_script(script, percent)


GROUND = (120, 130, 140)
EDGES = {"stop": (0.5, 0.8), "long": (0.4, 0.4), "odd": (0.05, 0.85)}  # on a vertical edge of each box of `three`


@pytest.mark.full
def test_a_picture_goes_in_and_boxes_are_drawn(browser, page, tmp_path):
    (tmp_path / "street.png").write_bytes(encoded((300, 400), colour=GROUND))
    find = open_page(browser, page)
    choose(browser, tmp_path / "street.png")
    canvas = pixels(browser)
    assert canvas.shape[1] / canvas.shape[0] == pytest.approx(4 / 3, abs=0.01)
    assert {name: coloured(canvas, *place, GROUND) for name, place in EDGES.items()} == dict.fromkeys(EDGES, True)
    assert not coloured(canvas, 0.7, 0.75, GROUND)  # inside a box the picture is seen
    assert not coloured(canvas, 0.97, 0.5, GROUND)  # and beside all of them
    assert [item.text for item in find("li .name")] == [CLASSES[0], CLASSES[1], CLASSES[2]]  # as text, whatever it looks like
    assert [item.text for item in find("li .score")] == ["95 %", "55 %", "30 %"]
    assert find("h2")[0].text == "3 objects found"
    assert "stop 95 %" in find("canvas")[0].get_attribute("aria-label")
    assert "street.png, 400 × 300 pixels" in find("figcaption")[0].text

    slide(browser, 60)
    canvas = pixels(browser)
    assert {name: coloured(canvas, *place, GROUND) for name, place in EDGES.items()} == {"stop": True, "long": False, "odd": False}
    assert [item.text for item in find("li .name")] == ["stop"]
    assert find("h2")[0].text == "1 of 3 objects found"
    slide(browser, 100)
    assert find("li") == []
    assert not coloured(pixels(browser), *EDGES["stop"], GROUND)
    assert find("canvas")[0].get_attribute("aria-label") == "The picture with no boxes"
    slide(browser, 25)
    assert len(find("li")) == 3
    assert browser.get_log("browser") == []


@pytest.mark.full
def test_a_bad_file_gets_a_sentence_and_the_next_picture_boxes(browser, page, tmp_path):
    (tmp_path / "notes.jpg").write_text("no picture at all")
    (tmp_path / "good.jpg").write_bytes(encoded((90, 120), "JPEG"))
    find = open_page(browser, page)
    assert not find("[role=alert]")[0].is_displayed()
    choose(browser, tmp_path / "notes.jpg", "return !document.getElementById('problem').hidden")
    assert find("[role=alert]")[0].text == "notes.jpg: not a picture that can be read (17 bytes)"
    assert not find("#result")[0].is_displayed()
    choose(browser, tmp_path / "good.jpg")
    assert not find("[role=alert]")[0].is_displayed()
    assert len(find("li")) == 3
    said = [entry["message"] for entry in browser.get_log("browser")]
    assert all("400 (Bad Request)" in message for message in said), said  # Chromium's own note of the answer; no error of the script
    (tmp_path / "huge.jpg").write_bytes(bytes(LARGEST + 1))
    choose(browser, tmp_path / "huge.jpg", "return !document.getElementById('problem').hidden")
    assert find("[role=alert]")[0].text == "huge.jpg: 25.0 MB are too many; a picture may have at most 25 MB."
    page.close()
    choose(browser, tmp_path / "good.jpg", "return document.getElementById('problem').textContent.startsWith('There')")
    assert find("[role=alert]")[0].text == "There was no answer. Is the program that opened this page still running?"


@pytest.mark.full
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_hangs_over_the_edge_and_keys_are_enough(browser, page, tmp_path, width):
    from selenium.webdriver.common.keys import Keys

    (tmp_path / "long name of a file without any place to break_____________________________.png").write_bytes(encoded((2000, 1500)))
    find = open_page(browser, page, width)
    choose(browser, next(tmp_path.iterdir()))
    assert browser.execute_script("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    find("#threshold")[0].send_keys(Keys.HOME)
    find("#threshold")[0].send_keys(Keys.ARROW_RIGHT)
    assert find("output")[0].text == "1 %"
    browser.switch_to.active_element.send_keys(Keys.TAB)
    before = pixels(browser)
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert [button.get_attribute("aria-pressed") for button in find("li button")] == ["true", "false", "false"]
    assert (pixels(browser) != before).any()  # the marked box is thicker
    assert browser.get_log("browser") == []


@pytest.mark.full
def test_a_file_that_is_dropped_anywhere(browser, page):
    find = open_page(browser, page)
    script = """
    const data = new DataTransfer();
    data.items.add(new File([Uint8Array.from(atob(arguments[0]), (letter) => letter.charCodeAt(0))], "dropped.png"));
    document.body.dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true}));
    """
    from selenium.webdriver.support.ui import WebDriverWait

    browser.execute_script(script, base64.b64encode(encoded()).decode())
    WebDriverWait(browser, 60).until(lambda _: find("#result")[0].is_displayed())
    assert len(find("li")) == 3
    browser.execute_script("document.body.dispatchEvent(new DragEvent('drop', {dataTransfer: new DataTransfer(), bubbles: true}))")
    assert find("[role=alert]")[0].text == "What was dropped is no file; save the picture first, or choose it."
    assert browser.get_log("browser") == []
