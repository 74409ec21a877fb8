"""Files that are no media, or that name others: playlists, documents, programs."""

from __future__ import annotations

import io
import struct
import zipfile

#: What a playlist would have the server open.
TARGETS = (
    "/etc/passwd",
    "file:///etc/passwd",
    "http://127.0.0.1:1/",
    "tcp://127.0.0.1:1",
    "pipe:0",
)
SUBRIP = """1
00:00:00,000 --> 00:00:01,000
나는 지금 너무 슬퍼

2
00:00:01,000 --> 99:59:59,999
end
"""
ASS = """[Script Info]
ScriptType: v4.00+
[Events]
Dialogue: 0,0:0:0,9:59:59,,,0,0,0,,x
"""


def disguises() -> dict[str, bytes]:
    """Return files that are taken for media, by what they are."""
    files = {}
    for target in TARGETS:
        name = target.partition(":")[0].strip("/").replace("/", "_")
        files |= {f"{kind} of {name}": text.encode() for kind, text in _playlists(target).items()}
    return files | {
        "subtitles": SUBRIP.encode(),
        "webvtt": b"WEBVTT\n\n00:00.000 --> 00:01.000\nhello\n",
        "ass": ASS.encode(),
        "metadata": b";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/0\nSTART=-1\nEND=9223372036854775807\n",
        "svg": _svg(),
        "pdf": b"%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n%%EOF\n" * 20,
        "zip": _zip(),
        "elf": b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHI", 2, 62, 1) + bytes(4_000),
        "html": b"<!doctype html><script>alert(1)</script>" * 50,
        "nothing but zeros": bytes(10_000),
        "nothing but ones": b"\xff" * 10_000,
        "a single byte": b"\0",
        "a byte order mark": b"\xef\xbb\xbf",
    }


def _playlists(target: str) -> dict[str, str]:
    return {
        "concat list": f"ffconcat version 1.0\nfile '{target}'\nduration 1e308\n",
        "m3u8": (
            "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-KEY:METHOD=AES-128,URI="
            f'"{target}"\n#EXTINF:1,\n{target}\n#EXT-X-ENDLIST\n'
        ),
        "sdp": f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns={target}\nc=IN IP4 127.0.0.1\nt=0 0\n"
        "m=audio 9 RTP/AVP 0\nm=video 9 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
        "dash": (
            '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "' + target + '">]>'
            '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" profiles="x">'
            f"<Period><AdaptationSet><Representation><BaseURL>{target}</BaseURL>&x;"
            "</Representation></AdaptationSet></Period></MPD>"
        ),
        "smil": f'<smil><body><video src="{target}"/></body></smil>',
        "asx": f'<asx version="3.0"><entry><ref href="{target}"/></entry></asx>',
    }


def _svg() -> bytes:
    return (
        b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
        b'<svg xmlns="http://www.w3.org/2000/svg" width="1e9" height="1e9"><text>&b;</text></svg>'
    )


def _zip() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(zipfile.ZipInfo("../../zeros"), bytes(1 << 22), zipfile.ZIP_DEFLATED)
    return target.getvalue()
