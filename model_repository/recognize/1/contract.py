"""The recogniser's contract: labels, result codes, limits, statuses and their messages.

This is the one place where they are written down. The other models, the clients and the training
code reach this file through a relative symbolic link of the same name in their own folder, so copy
a single model folder with its links followed (`cp -rL`, `rsync -L`, `docker cp -L`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum

SCHEMA = "multimodal-recognition/3"

#: The seven emotions in code order. Every EMOTION tensor and every label index follows it.
EMOTION_CODES = {
    "10001": "happiness",
    "10002": "anger",
    "10003": "disgust",
    "10004": "fear",
    "10005": "neutral",
    "10006": "sadness",
    "10007": "surprise",
}
EMOTIONS = tuple(EMOTION_CODES.values())
AGE_CODE = "20000"
#: In a modality's own result: between which years the age of four of five such people is.
AGE_LOW_CODE, AGE_HIGH_CODE = "20000_low", "20000_high"
#: The original's age bands of a voice: code to [low, high) in years.
AGE_BAND_CODES = {"20003": (0.0, 30.0), "20004": (30.0, 40.0), "20005": (40.0, float("inf"))}
#: Every AGE is within these years: the networks say no others, or are held to them.
AGE_YEARS = (0.0, 110.0)
#: Every GENDER tensor is [male, female].
GENDER_CODES = {"30001": "male", "30002": "female"}

#: The order of the fusion network's WEIGHTS and of `modalities` in a result.
MODALITIES = ("text", "speech", "video")

#: The speech network hears windows of so many seconds, and one begins every so many seconds.
SPEECH_WINDOW, SPEECH_STRIDE = 2, 1

TEXT_FEATURE = 512
SPEECH_FEATURE = 768
VIDEO_FEATURE = 4096
#: A face's place in the picture: `x1, y1, x2, y2` in parts of its width and height.
PLACE = 4
#: Describes whose face it is; all zeros where that is not known.
IDENTITY = 128
#: Whom a stream was about: identity, place of the last face, seconds from it to the chunk.
PAST_PERSON = IDENTITY + PLACE + 1
#: A context row is a feature followed by that row's 7 posteriors, age and [male, female], and then
#: a speech row by its window's weight, a video row by its face's place and identity.
ROW_TAIL = len(EMOTIONS) + 1 + len(GENDER_CODES)
#: No feature is farther from 0: those of the demo clip and of noise are within 20, those of sound
#: 10^18 times too loud within 300.
FEATURE_LIMIT = 10_000.0
SPEECH_ROW = SPEECH_FEATURE + ROW_TAIL + 1
VIDEO_ROW = VIDEO_FEATURE + ROW_TAIL + PLACE + IDENTITY
#: Rows of schema 1 end with [male, female]; they are still read. Those of 2 are as these.
OLD_SPEECH_ROW = SPEECH_FEATURE + ROW_TAIL
OLD_VIDEO_ROW = VIDEO_FEATURE + ROW_TAIL


@dataclass(frozen=True)
class Limits:
    """What one request may bring. All are checked before anything is decoded."""

    text_bytes: int = 16_384
    #: Counted after normalisation, so that what nobody sees is not counted.
    text_characters: int = 1_000
    audio_bytes: int = 32 << 20
    video_bytes: int = 64 << 20
    frame_bytes: int = 32 << 20
    frames: int = 1_800
    #: Of a picture: 64 megapixels, as the largest telephones take them.
    pixels: int = 64 << 20
    #: The longer side of a picture, in shorter ones: what is searched grows with it.
    aspect: float = 8.0
    #: Of a decoded picture; 16 bits a channel count double.
    picture_bytes: int = 256 << 20
    #: Of a JPEG; cameras and programs make at most a dozen.
    scans: int = 100
    #: Of all of a JPEG's scans together: 16 of the largest picture's.
    scanned_pixels: int = 1 << 30
    max_fps: float = 240.0
    #: CPU time that decoding may take whatever it is, and beyond that for each second of it.
    cpu_seconds: float = 4.0
    cpu_seconds_a_second: float = 0.6
    #: Wall clock that decoding may take, however busy the machine is.
    decoding_seconds: float = 90.0
    #: What decoding may map, programs and request included.
    picture_memory: int = 1536 << 20
    sound_memory: int = 1024 << 20
    #: What a process that decodes may keep; a film of 4096x2304 leaves about 400 MiB.
    kept_memory: int = 512 << 20
    seconds: float = 60.0
    #: Containers round their durations up to whole packets; a clip of 60 s may say 60.3.
    seconds_tolerance: float = 0.5
    crops: int = 64
    age_crops: int = 8
    #: The people of whom an answer tells; of so many others, by so many crops each, what they feel.
    people: int = 16
    others: int = 3
    other_crops: int = 8
    windows: int = 60


LIMITS = Limits()


class MediaError(ValueError):
    """Media that cannot be used.

    Attributes:
        status: The modality's status code, e.g. `SpeechStatus.SILENT`.
    """

    def __init__(self, status: IntEnum, message: str) -> None:
        """Keep the code beside the English sentence that names the input and the cause."""
        super().__init__(message)
        self.status = status


class TextStatus(IntEnum):
    """The `error_code` of the text modality."""

    OK = 0
    UNREADABLE = 1
    EMPTY = 2
    TOO_LONG = 3
    UNSUPPORTED = 4


class SpeechStatus(IntEnum):
    """The `error_code` of the speech modality."""

    OK = 0
    UNREADABLE = 1
    SILENT = 2
    TOO_SHORT = 3
    TOO_LONG = 4
    NO_VOICE = 5


class VideoStatus(IntEnum):
    """The `error_code` of the video modality: the original system's codes 0 to 6."""

    OK = 0
    UNKNOWN = 1
    BLURRED = 2
    OUT_OF_BOUNDS = 3
    OCCLUDED = 4
    TOO_FEW_FACES = 5
    NO_FACE = 6


class StatusMessages(Mapping[IntEnum, tuple[str, str]]):
    """What each status tells the person being filmed: (English, Korean).

    A status is looked up by its type and value: members of different enums compare equal, so in a
    dictionary one modality would answer for another.
    """

    def __init__(self, *modalities: dict[IntEnum, tuple[str, str]]) -> None:
        """Take the messages of each modality's statuses."""
        self._texts = {
            (type(status), status): (status, texts)
            for messages in modalities
            for status, texts in messages.items()
        }

    def __getitem__(self, status: IntEnum) -> tuple[str, str]:
        return self._texts[type(status), status][1]

    def __iter__(self) -> Iterator[IntEnum]:
        return (status for status, _ in self._texts.values())

    def __len__(self) -> int:
        return len(self._texts)


MESSAGES = StatusMessages(
    {
        TextStatus.OK: ("", ""),
        TextStatus.UNREADABLE: ("The sentence could not be read.", "문장을 읽을 수 없습니다."),
        TextStatus.EMPTY: ("The sentence has no letters.", "문장에 글자가 없습니다."),
        TextStatus.TOO_LONG: ("The sentence is too long.", "문장이 너무 깁니다."),
        TextStatus.UNSUPPORTED: (
            "Only Korean can be read. Please write in Korean.",
            "한국어만 읽을 수 있습니다. 한국어로 적어 주세요.",
        ),
    },
    {
        SpeechStatus.OK: ("", ""),
        SpeechStatus.UNREADABLE: ("The sound could not be read.", "소리를 읽을 수 없습니다."),
        SpeechStatus.SILENT: (
            "Nothing was heard. Please check the microphone and speak up.",
            "소리가 들리지 않습니다. 마이크를 확인하고 조금 더 크게 말씀해 주세요.",
        ),
        SpeechStatus.TOO_SHORT: (
            "The recording is too short. Please speak a little longer.",
            "녹음이 너무 짧습니다. 조금 더 길게 말씀해 주세요.",
        ),
        SpeechStatus.TOO_LONG: ("The recording is too long.", "녹음이 너무 깁니다."),
        SpeechStatus.NO_VOICE: (
            "No voice was heard. Please speak towards the microphone.",
            "사람의 목소리가 들리지 않습니다. 마이크를 향해 말씀해 주세요.",
        ),
    },
    {
        VideoStatus.OK: ("", ""),
        VideoStatus.UNKNOWN: (
            "The picture could not be processed. Please try the call again.",
            "영상을 처리할 수 없습니다. 통화를 다시 시도해 주세요.",
        ),
        VideoStatus.BLURRED: (
            "The picture is unsteady, too dark or out of focus. Please hold still in good light.",
            "화면이 흔들리거나 어둡거나 초점이 맞지 않습니다. 밝은 곳에서 화면을 고정해 주세요.",
        ),
        VideoStatus.OUT_OF_BOUNDS: (
            "The face is too near or partly outside the picture. Please move back to the middle.",
            "얼굴이 너무 가깝거나 화면을 벗어났습니다. 조금 물러나 화면 가운데로 와 주세요.",
        ),
        VideoStatus.OCCLUDED: (
            "The face is covered. Please take away what hides it.",
            "얼굴이 가려져 있습니다. 얼굴을 가리는 것을 치워 주세요.",
        ),
        VideoStatus.TOO_FEW_FACES: (
            "The face was seen too rarely. Please face the camera.",
            "얼굴이 잘 보이지 않습니다. 카메라를 바라봐 주세요.",
        ),
        VideoStatus.NO_FACE: (
            "No face was found. Please face the camera.",
            "얼굴을 찾을 수 없습니다. 카메라를 바라봐 주세요.",
        ),
    },
)
#: Takes the place of a video status's message where the picture seems to be the wrong way up.
TURNED_MESSAGE = (
    "The picture seems to be turned. Please hold the camera upright.",
    "화면이 돌아가 있는 것 같습니다. 카메라를 똑바로 세워 주세요.",
)
