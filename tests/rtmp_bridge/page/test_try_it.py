"""The form to try: a clip, a voice, a camera, a sentence, and what goes wrong with them."""

import pytest

from clients import Media, Recogniser
from clients.contract import EMOTION_CODES, LIMITS
from tests.rtmp_bridge.conftest import free_port
from tests.rtmp_bridge.page import media
from tests.rtmp_bridge.page.bridge_process import BridgeProcess, listening


class TryIt:
    """The form of an open page."""

    def __init__(self, page):
        self.page = page

    def recognise(self, text="", clip=None):
        self.page.get_by_label("Sentence", exact=True).fill(text)
        if clip is not None:
            self.page.get_by_label("Clip of a face, a voice or both").set_input_files(clip)
        self.page.get_by_role("button", name="Recognise", exact=True).click()

    def record(self, name):
        """Begin to record."""
        button = self.page.get_by_role("button", name=name)
        button.click()
        self.page.get_by_role("button", name="Stop and recognise").wait_for()

    def result(self):
        """Return each panel's values."""
        status = self.page.locator("#trial-status:is([data-kind=done],[data-kind=problem])")
        status.wait_for()
        assert status.get_attribute("data-kind") == "done", status.inner_text()
        return {
            panel.get_attribute("data-modality"): panel.locator(".value").all_inner_texts()
            for panel in self.page.locator("#trial-panels article").all()
        }

    def problem(self):
        """Return the sentences in English and Korean."""
        self.page.locator("#trial-status[data-kind=problem]").wait_for()
        return self.page.locator("#trial-status p").all_inner_texts()


@pytest.fixture
def form(open_page, bridge):
    return TryIt(open_page(bridge.address))


def assert_as_recognised(shown, result):
    assert list(map(float, shown)) == pytest.approx(
        [result[code] for code in EMOTION_CODES], abs=1e-3
    )


def test_a_clip_and_a_sentence_are_recognised_as_by_the_client(form, triton, clip, sentence):
    form.recognise(sentence, media.CLIP)
    shown = form.result()
    with Recogniser(triton.grpc_url) as recogniser:
        answer = recogniser.recognise(Media(text=sentence, video=clip))
    assert list(shown) == ["fused", "text", "speech", "video"]
    assert_as_recognised(shown["fused"], answer.result)
    for modality, report in answer.modalities.items():
        assert_as_recognised(shown[modality], report["result"])
    assert answer.top in form.page.locator("#trial-status").inner_text()
    form.page.get_by_text("The whole result as JSON").click()
    assert '"20000"' in form.page.locator("#trial-document pre").inner_text()


def test_a_sentence_alone_is_recognised(form, sentence):
    form.recognise(sentence)
    assert list(form.result()) == ["fused", "text"]


def test_a_sound_file_alone_is_recognised(form, tmp_path):
    form.recognise(clip=media.sound(tmp_path))
    assert list(form.result()) == ["fused", "speech"]


def test_the_camera_and_the_microphone_are_recorded(form):
    form.record("Record camera and microphone")
    form.page.wait_for_function("() => document.getElementById('preview').currentTime > 3")
    form.page.get_by_role("button", name="Stop and recognise").click()
    shown = form.result()
    assert list(shown) == ["fused", "speech", "video"]
    assert "–" not in shown["video"]
    assert form.page.locator("#preview").is_hidden()


def test_the_microphone_alone_is_recorded_and_stops_by_itself(form):
    form.record("Record microphone")
    assert form.page.locator("#preview").is_hidden()
    assert list(form.result()) == ["fused", "speech"]


def test_a_modality_that_cannot_be_used_is_told_beside_the_others(form, tmp_path):
    form.recognise(clip=media.faceless(tmp_path))
    assert list(form.result()) == ["fused", "speech", "video"]
    notice = form.page.locator("#trial-panels [data-modality=video] .notice p").all_inner_texts()
    assert notice[0].startswith("6: No face") and "얼굴" in notice[1]


def test_a_clip_of_which_nothing_can_be_used_is_told_in_both_languages(form, tmp_path):
    form.recognise(clip=media.silent(tmp_path))
    english, korean = form.problem()
    assert "no modality can be used" in english
    assert "소리" in korean and "얼굴" in korean


def test_a_file_that_is_no_clip_is_told_in_both_languages(form, tmp_path):
    file = tmp_path / "notes.mp4"
    file.write_text("not a film")
    form.recognise(clip=file)
    english, korean = form.problem()
    assert "video" in english and "영상" in korean


def test_nothing_to_recognise_is_told_in_both_languages(form):
    form.recognise()
    assert form.problem() == [
        "Type a sentence or choose a clip.",
        "문장을 입력하거나 파일을 선택해 주세요.",
    ]


def test_a_form_that_cannot_answer_yet_is_not_sent(browser, bridge):
    with browser.new_page() as page:
        asked = []
        page.route("**/contract", lambda route: asked.append(route))
        with page.expect_request("**/contract"):
            page.goto(bridge.address, wait_until="commit")
        assert page.locator("#trial").evaluate("form => form.inert")
        asked[0].continue_()
        form = TryIt(page)
        form.recognise()
        assert len(form.problem()) == 2


def test_a_clip_that_is_too_large_is_not_sent(form, tmp_path):
    file = tmp_path / "large.mp4"
    with file.open("wb") as large:
        large.truncate(LIMITS.video_bytes + 1)
    sent = []
    form.page.on("request", lambda request: sent.append(request.url))
    form.recognise(clip=file)
    english, korean = form.problem()
    assert "at most 64.0" in english and "64.0 MiB까지" in korean
    assert not any("/recognise" in address for address in sent)


def test_a_recogniser_that_is_away_is_told_in_both_languages(open_page, tmp_path, sentence):
    nobody = f"127.0.0.1:{free_port()}"
    with BridgeProcess(tmp_path, nobody, [listening("door")]) as bridge:
        form = TryIt(open_page(bridge.address))
        form.recognise(sentence)
        english, korean = form.problem()
    assert english == "the recogniser does not answer"
    assert "다시 시도해 주세요" in korean


def test_a_bridge_that_is_away_is_told_in_both_languages(open_page, tmp_path, sentence):
    with BridgeProcess(tmp_path, f"127.0.0.1:{free_port()}", [listening("door")]) as bridge:
        form = TryIt(open_page(bridge.address))
    form.recognise(sentence)
    assert form.problem() == ["The bridge does not answer.", "브리지가 응답하지 않습니다."]


def test_a_camera_that_is_not_allowed_is_told_in_both_languages(browser, chromium, bridge):
    denying = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream=deny"]
    with browser.browser_type.launch(executable_path=chromium, args=denying) as denied:
        form = TryIt(denied.new_page())
        form.page.goto(bridge.address)
        form.page.locator("#link", has_text="live").wait_for()
        form.page.get_by_role("button", name="Record camera and microphone").click()
        english, korean = form.problem()
    assert "does not allow" in english and "허용되지 않았습니다" in korean
