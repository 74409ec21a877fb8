import asyncio
import gc
import re
import shutil
import socket
import subprocess
import threading
import weakref
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import numpy as np
import pytest

from clients.addresses import explanation
from clients.contract import SPEECH_ROW
from clients.errors import (
    AccessDeniedError,
    AddressError,
    ClientNotOpenError,
    InputRefusedError,
    MediaTypeError,
    RecogniserError,
    RequestTimeoutError,
    ServerFailedError,
    ServerUnavailableError,
    UnexpectedAnswerError,
    UnreadableFileError,
)
from clients.media import Media
from clients.protocol import Context
from clients.recogniser import AsyncRecogniser, Connection, Recogniser, Tls
from clients.retry import Backoff
from tests.clients.fake_triton import DOCUMENT, REPORT, TENSORS, refuse, serve, wait_for
from tests.clients.media_files import noise, wav

QUICK = Backoff(attempts=3, first=0.001)
BUSY = refuse(grpc.StatusCode.UNAVAILABLE, "the queue is full")
SILENCE = "no modality can be used: speech (error_code 2): Nothing was heard."
SILENT = refuse(grpc.StatusCode.INVALID_ARGUMENT, SILENCE)
HELLO = Media(text="안녕")


def recognise_blocking(connection, media, **options):
    with Recogniser(connection) as recogniser:
        return recogniser.recognise(media, **options)


def recognise_asynchronously(connection, media, **options):
    async def recognise():
        async with AsyncRecogniser(connection) as recogniser:
            return await recogniser.recognise(media, **options)

    return asyncio.run(recognise())


@pytest.fixture(params=[recognise_blocking, recognise_asynchronously], ids=["sync", "async"])
def recognise(request):
    return request.param


@pytest.fixture
def connection(fake):
    return Connection(fake.grpc, backoff=QUICK)


def test_an_answer_comes_whole(recognise, fake, connection):
    answer = recognise(connection, HELLO)
    assert answer.document == DOCUMENT
    assert answer.features == {}
    assert fake.requests[0].model_name == "recognize"
    assert fake.asked_outputs(0) == {"RESULT"}


def test_an_address_alone_is_connection_enough(recognise, fake):
    assert recognise(fake.grpc, HELLO).document == DOCUMENT


def test_features_and_context_come_when_asked_for(recognise, connection):
    answer = recognise(connection, HELLO, features=("video", "text"), context=True)
    assert set(answer.features) == {"text", "video"}
    np.testing.assert_array_equal(answer.features["video"], TENSORS["VIDEO_FEATURES"])
    np.testing.assert_array_equal(answer.context.speech, TENSORS["SPEECH_CONTEXT"])


def test_a_past_that_is_none_is_named(recognise, connection):
    with pytest.raises(MediaTypeError, match=r"past: expected the context of .*, came ndarray"):
        recognise(connection, HELLO, past=TENSORS["SPEECH_CONTEXT"])


def test_a_modality_that_could_not_be_used_has_no_feature(recognise, fake, connection):
    silent = {"error_code": 2, "message": "silent", "message_ko": "", "count": 0}
    fake.document = DOCUMENT | {"modalities": DOCUMENT["modalities"] | {"speech": silent}}
    assert set(recognise(connection, HELLO, features=("speech", "text")).features) == {"text"}


def test_a_busy_server_is_asked_again(recognise, fake, connection):
    fake.script = [BUSY, BUSY]
    assert recognise(connection, HELLO).document == DOCUMENT
    assert len(fake.requests) == 3


def test_a_server_that_stays_busy_is_given_up(recognise, fake, connection):
    fake.script = [BUSY] * 10
    with pytest.raises(ServerUnavailableError, match="after 3 attempts: the queue is full"):
        recognise(connection, HELLO)
    assert len(fake.requests) == 3


def test_nobody_at_the_address_is_said_so(recognise):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"127.0.0.1:{unused.getsockname()[1]}"
    with pytest.raises(ServerUnavailableError, match=rf"recognize at {url}: .*[Rr]efused"):
        recognise(Connection(url, backoff=QUICK), HELLO)


def test_refused_input_keeps_the_servers_sentence_and_is_not_sent_again(
    recognise, fake, connection
):
    fake.script = [SILENT]
    with pytest.raises(InputRefusedError) as caught:
        recognise(connection, HELLO)
    assert caught.value.sentence == SILENCE
    assert len(fake.requests) == 1


def test_a_slow_answer_is_given_up(recognise, fake):
    answered = threading.Event()
    fake.script = [wait_for(answered)]
    with pytest.raises(RequestTimeoutError, match=r"expected an answer within 0\.2 s"):
        recognise(Connection(fake.grpc, timeout=0.2), HELLO)
    answered.set()


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, AccessDeniedError),
        (grpc.StatusCode.PERMISSION_DENIED, AccessDeniedError),
        (grpc.StatusCode.INTERNAL, ServerFailedError),
        (grpc.StatusCode.NOT_FOUND, ServerFailedError),
    ],
)
def test_other_failures_have_names(recognise, fake, connection, code, error):
    fake.script = [refuse(code, "because")]
    with pytest.raises(error, match=f"{code.name}.*because"):
        recognise(connection, HELLO)


@pytest.mark.parametrize("failure", [SILENT, refuse(grpc.StatusCode.INTERNAL, "because")])
def test_a_failure_keeps_nothing_of_what_was_sent(fake, connection, failure):
    async def fail(media):
        async with AsyncRecogniser(connection) as recogniser:
            with suppress(RecogniserError):
                await recogniser.recognise(media)

    fake.script = [failure]
    media = Media(text="안녕")
    sent = weakref.ref(media)
    gc.disable()
    try:
        asyncio.run(fail(media))
        del media
        assert sent() is None
    finally:
        gc.enable()


def test_a_model_that_is_not_loaded_now_is_asked_again(recognise, fake, connection):
    leaving = "Request for unknown model: 'recognize' has no available versions"
    fake.script = [refuse(grpc.StatusCode.NOT_FOUND, leaving)]
    assert recognise(connection, HELLO).document == DOCUMENT


def test_another_schema_is_not_taken_for_an_answer(recognise, fake, connection):
    fake.document = {"schema": "other/9"}
    with pytest.raises(UnexpectedAnswerError, match=r"expected schema .* came 'other/9'"):
        recognise(connection, HELLO)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"modalities": None}, "RESULT.modalities: expected an object, came None"),
        ({"result": {"10001": 1}}, "RESULT.result.10002: expected a number, came None"),
        ({"weights": [0.5]}, r"RESULT.weights: expected an object, came \[0.5\]"),
        (
            {"modalities": {"text": REPORT | {"error_code": "0"}}},
            "RESULT.modalities.text.error_code: expected a whole number, came '0'",
        ),
        (
            {"modalities": {"text": REPORT | {"result": {}}}},
            "RESULT.modalities.text.result.10001: expected a number, came None",
        ),
    ],
)
def test_an_answer_that_lacks_a_part_is_refused_by_its_name(fake, connection, parts, words):
    fake.document = DOCUMENT | parts
    with Recogniser(connection) as recogniser, pytest.raises(UnexpectedAnswerError, match=words):
        recogniser.recognise(HELLO)


def test_the_token_travels_as_authorization(recognise, fake):
    recognise(Connection(fake.grpc, token="secret"), HELLO)
    assert fake.metadata[0]["authorization"] == "Bearer secret"


def test_the_token_is_not_shown():
    assert "secret" not in repr(Connection(token="secret"))


def test_each_chunk_of_a_long_recording_brings_the_rows_of_those_before(
    recognise, fake, connection
):
    recording = Media(text="안녕", audio=wav(noise(170)))
    answer = recognise(connection, recording, features=("text",), context=True)
    assert ["PAST_SPEECH" in fake.sent(request) for request in range(3)] == [False, True, True]
    assert fake.sent(2)["PAST_SPEECH"].shape == (6, SPEECH_ROW)
    assert fake.asked_outputs(1) == {"RESULT", "VIDEO_CONTEXT", "SPEECH_CONTEXT"}
    assert "TEXT_FEATURES" in fake.asked_outputs(2)
    assert len(answer.context.speech) == 9


def test_the_last_chunk_is_not_asked_for_rows_that_nobody_wants(recognise, fake, connection):
    answer = recognise(connection, Media(audio=wav(noise(100))))
    assert fake.asked_outputs(1) == {"RESULT"}
    assert len(answer.context.speech) == 0


def test_a_useless_minute_does_not_spoil_the_recording(recognise, fake, connection, caplog):
    fake.script = [SILENT]
    answer = recognise(connection, Media(audio=wav(noise(100))))
    assert answer.result == DOCUMENT["result"]
    assert answer.failures == {}
    assert "a part of the speech was left out: error_code 2: Nothing was heard" in caplog.text


def test_a_recording_without_any_usable_minute_is_refused(recognise, fake, connection):
    fake.script = [SILENT, SILENT]
    with pytest.raises(InputRefusedError):
        recognise(connection, Media(audio=wav(noise(100))))


def test_the_past_of_a_stream_travels_with_its_next_recording(recognise, fake, connection):
    past = Context(speech=TENSORS["SPEECH_CONTEXT"])
    answer = recognise(connection, HELLO, past=past, context=True)
    np.testing.assert_array_equal(fake.sent(0)["PAST_SPEECH"], past.speech)
    assert len(answer.context.speech) == len(TENSORS["SPEECH_CONTEXT"])


def test_one_blocking_client_serves_many_threads(fake, connection):
    answers = []
    with Recogniser(connection) as recogniser:
        threads = [
            threading.Thread(target=lambda: answers.append(recogniser.recognise(HELLO)))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [answer.document for answer in answers] == [DOCUMENT] * 8


def test_one_asynchronous_client_answers_many_at_once(connection):
    async def recognise_many():
        async with AsyncRecogniser(connection) as recogniser:
            return await asyncio.gather(*(recogniser.recognise(HELLO) for _ in range(8)))

    assert [answer.document for answer in asyncio.run(recognise_many())] == [DOCUMENT] * 8


def test_faces_come_without_padding(fake, connection):
    with Recogniser(connection) as recogniser:
        faces = recogniser.faces(Media(video=[b"frame"]))
    assert fake.requests[0].model_name == "face_crop"
    assert faces.crops.shape == (2, 224, 224, 3)
    assert faces.times.tolist() == [0, 1]


def test_a_closed_client_says_so(fake):
    recogniser = Recogniser(fake.grpc)
    recogniser.close()
    for ask in (
        lambda: recogniser.recognise(HELLO),
        lambda: next(recogniser.recognise_each(HELLO)),
        lambda: recogniser.faces(Media(video=[b"frame"])),
        lambda: recogniser.crop_context(TENSORS["CROPS"]),
    ):
        with pytest.raises(ClientNotOpenError, match=f"Recogniser of {fake.grpc} is closed"):
            ask()
    assert fake.requests == []


def test_an_asynchronous_client_that_is_not_entered_says_so(fake):
    recogniser = AsyncRecogniser(fake.grpc)
    with pytest.raises(ClientNotOpenError, match="enter it with `async with`"):
        asyncio.run(recogniser.recognise(HELLO))


def test_an_asynchronous_client_that_was_left_says_so_and_can_be_entered_again(fake):
    async def leave_and_ask():
        recogniser = AsyncRecogniser(fake.grpc)
        async with recogniser:
            await recogniser.recognise(HELLO)
        with pytest.raises(ClientNotOpenError, match="closed already"):
            await recogniser.recognise(HELLO)
        async with recogniser:
            return await recogniser.recognise(HELLO)

    assert asyncio.run(leave_and_ask()).document == DOCUMENT


def test_an_asynchronous_client_of_another_event_loop_says_so(fake):
    recogniser = AsyncRecogniser(fake.grpc)

    async def enter():
        await recogniser.__aenter__()

    first = asyncio.new_event_loop()
    first.run_until_complete(enter())
    with pytest.raises(ClientNotOpenError, match="entered in another event loop"):
        asyncio.run(recogniser.recognise(HELLO))
    first.run_until_complete(recogniser.__aexit__())
    first.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:8000", "host:port .* leave 'http://' away; HTTP's port is another"),
        ("HTTPS://host:1", "leave 'HTTPS://' away and ask for TLS"),
        ("localhost", "'localhost' without a port"),
        (8001, "came int"),
    ],
)
def test_an_address_that_is_none_is_refused_at_once(url, words):
    with pytest.raises(AddressError, match=words):
        Connection(url)


def test_the_port_of_http_is_suspected_where_no_grpc_is_spoken(recognise):
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"127.0.0.1:{server.server_port}"
    with pytest.raises(ServerUnavailableError, match=r"may not speak gRPC.*port of HTTP.*8001"):
        recognise(Connection(url, backoff=QUICK), HELLO)
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"http_proxy": "http://user:word@proxy:3128"}, "http_proxy .* the proxy proxy:3128"),
        ({"http_proxy": "http://a:1", "grpc_proxy": "http://b:2"}, "grpc_proxy .* proxy b:2"),
        ({"http_proxy": "http://a:1", "no_proxy": "elsewhere,127.0.0.0/8"}, None),
        ({"http_proxy": "http://a:1", "no_grpc_proxy": "127.0.0.1"}, None),
        ({}, None),
    ],
)
def test_a_proxy_in_the_environment_is_named_without_its_password(environment, told):
    words = explanation("127.0.0.1:8001", "failed to connect", environment)
    assert "word" not in words
    assert re.search(told, words) if told else words == ""
    assert not told or "no_grpc_proxy=127.0.0.1" in words


def test_the_message_of_a_client_behind_a_proxy_names_it(recognise, monkeypatch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        proxy = f"127.0.0.1:{unused.getsockname()[1]}"
    monkeypatch.setenv("http_proxy", f"http://{proxy}")
    with pytest.raises(ServerUnavailableError, match=f"through the proxy {proxy}"):
        recognise(Connection("127.0.0.1:9", backoff=QUICK), HELLO)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A key and a certificate for this machine that vouches for itself."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    key, chain = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", key, "-out", chain),
        ],
        check=True,
        capture_output=True,
    )
    return key, chain


def test_a_server_that_wants_client_certificates_is_reached(recognise, certificate):
    key, chain = certificate
    pair = (key.read_bytes(), chain.read_bytes())
    credentials = grpc.ssl_server_credentials([pair], chain.read_bytes(), True)
    with serve(credentials) as fake:
        trusted = Tls(chain, private_key=key, certificate_chain=chain)
        assert recognise(Connection(fake.grpc, tls=trusted), HELLO).document == DOCUMENT
        with pytest.raises(ServerUnavailableError):
            recognise(Connection(fake.grpc, tls=Tls(chain), backoff=QUICK), HELLO)


def test_a_missing_certificate_is_named(recognise, tmp_path):
    with pytest.raises(UnreadableFileError, match=r"tls: cannot read .*nowhere\.pem"):
        recognise(Connection(tls=Tls(tmp_path / "nowhere.pem")), HELLO)


def test_half_a_client_identity_is_refused(tmp_path):
    with pytest.raises(ValueError, match="private_key and certificate_chain go together"):
        Tls(private_key=tmp_path / "key.pem")
