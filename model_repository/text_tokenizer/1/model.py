"""Triton model `text_tokenizer`: a UTF-8 sentence to n-gram ids, with a status."""

from __future__ import annotations

import numpy as np
import triton_python_backend_utils as pb_utils
from contract import LIMITS, MESSAGES, MediaError, TextStatus
from tokenizer import encode

#: What the network sees when there is nothing to read; COUNT 0 says that it is padding.
PADDING = np.zeros(64, np.int32)


class TritonPythonModel:
    """One sentence a request; requests are independent of each other."""

    def execute(self, requests: list) -> list:
        """Answer every request: a bad one with a status and padding."""
        return [self._answer(request) for request in requests]

    def _answer(self, request) -> pb_utils.InferenceResponse:
        try:
            ids, status, message = sentence_ids(_sentence(request))
        except Exception as error:
            pb_utils.Logger.log_error(f"text_tokenizer: {type(error).__name__}: {error}")
            ids, status = PADDING, TextStatus.UNREADABLE
            message = f"TEXT could not be processed: {type(error).__name__}: {error}"
        texts = [message.encode(), MESSAGES[status][1].encode()]
        return pb_utils.InferenceResponse(
            [
                pb_utils.Tensor("IDS", ids[None]),
                pb_utils.Tensor("COUNT", np.array([ids is not PADDING], np.int32)),
                pb_utils.Tensor("STATUS", np.array([status], np.int32)),
                pb_utils.Tensor("MESSAGE", np.array(texts, np.object_)),
            ]
        )


def sentence_ids(sentence: bytes | None) -> tuple[np.ndarray, TextStatus, str]:
    """Turn TEXT into the network's input.

    Args:
        sentence: UTF-8 bytes, or None when the request has no TEXT.

    Returns:
        n-gram ids int32 [L], the status, and the English cause. Without a usable sentence the
        ids are `PADDING` itself.
    """
    if sentence is None:
        return PADDING, TextStatus.OK, ""
    try:
        ids = encode(_checked_text(sentence))
    except MediaError as error:
        return PADDING, error.status, str(error)
    if not ids.size:
        return PADDING, TextStatus.EMPTY, "TEXT has no letter, digit or symbol to read"
    return ids, TextStatus.OK, ""


def _checked_text(sentence: bytes) -> str:
    if len(sentence) > LIMITS.text_bytes:
        raise MediaError(
            TextStatus.TOO_LONG,
            f"TEXT has {len(sentence)} bytes, at most {LIMITS.text_bytes} are accepted",
        )
    try:
        text = sentence.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MediaError(
            TextStatus.UNREADABLE, f"TEXT is not UTF-8: {error.reason} at byte {error.start}"
        ) from error
    if len(text) > LIMITS.text_characters:
        raise MediaError(
            TextStatus.TOO_LONG,
            f"TEXT has {len(text)} characters, at most {LIMITS.text_characters} are accepted",
        )
    return text


def _sentence(request) -> bytes | None:
    tensor = pb_utils.get_input_tensor_by_name(request, "TEXT")
    return None if tensor is None else tensor.as_numpy()[0]
