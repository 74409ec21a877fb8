"""Triton model `text_tokenizer`: a UTF-8 sentence to word pieces and n-grams, with a status."""

from __future__ import annotations

import numpy as np
import triton_python_backend_utils as pb_utils
from contract import LIMITS, MESSAGES, MediaError, TextStatus
from tokenizer import PAD_GRAMS_TO, PAD_PIECES_TO, Tokens, encode

#: What the network sees when there is nothing to read; COUNT 0 says that it is padding.
PADDING = Tokens(np.zeros(PAD_PIECES_TO, np.int32), np.zeros(PAD_GRAMS_TO, np.int32))


class TritonPythonModel:
    """One sentence a request; requests are independent of each other."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read a syllable, so that no request waits for what the tokenizer loads."""
        encode("가")

    def execute(self, requests: list) -> list:
        """Answer every request: a bad one with a status and padding."""
        return [self._answer(request) for request in requests]

    def _answer(self, request) -> pb_utils.InferenceResponse:
        try:
            tokens, status, message = sentence_tokens(_sentence(request))
        except Exception as error:
            pb_utils.Logger.log_error(f"text_tokenizer: {type(error).__name__}: {error}")
            tokens, status = PADDING, TextStatus.UNREADABLE
            message = f"TEXT could not be processed: {type(error).__name__}: {error}"
        texts = [message.encode(), MESSAGES[status][1].encode()]
        return pb_utils.InferenceResponse(
            [
                pb_utils.Tensor("IDS", tokens.ids[None]),
                pb_utils.Tensor("GRAMS", tokens.grams[None]),
                pb_utils.Tensor("COUNT", np.array([tokens is not PADDING], np.int32)),
                pb_utils.Tensor("STATUS", np.array([status], np.int32)),
                pb_utils.Tensor("MESSAGE", np.array(texts, np.object_)),
            ]
        )


def sentence_tokens(sentence: bytes | None) -> tuple[Tokens, TextStatus, str]:
    """Turn TEXT into the network's input.

    Args:
        sentence: UTF-8 bytes, or None when the request has no TEXT.

    Returns:
        Its tokens, the status, and the English cause. Without a usable sentence the tokens are
        `PADDING` itself.
    """
    if sentence is None:
        return PADDING, TextStatus.OK, ""
    try:
        tokens = encode(_decoded(sentence))
    except MediaError as error:
        return PADDING, error.status, str(error)
    if not tokens.ids.size:
        return PADDING, TextStatus.EMPTY, "TEXT has no letter, digit or symbol to read"
    return tokens, TextStatus.OK, ""


def _decoded(sentence: bytes) -> str:
    if len(sentence) > LIMITS.text_bytes:
        raise MediaError(
            TextStatus.TOO_LONG,
            f"TEXT has {len(sentence)} bytes, at most {LIMITS.text_bytes} are accepted",
        )
    try:
        return sentence.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MediaError(
            TextStatus.UNREADABLE, f"TEXT is not UTF-8: {error.reason} at byte {error.start}"
        ) from error


def _sentence(request) -> bytes | None:
    tensor = pb_utils.get_input_tensor_by_name(request, "TEXT")
    return None if tensor is None else tensor.as_numpy()[0]
