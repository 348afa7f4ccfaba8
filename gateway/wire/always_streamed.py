"""What codecs have in common whose answers are always streamed."""

from __future__ import annotations

from typing import Any, NoReturn


class AlwaysStreamed:
    """Base class of such codecs. There is no whole answer, so none of this is ever called."""

    def decode_answer(self, body: bytes) -> Any:
        """No provider answers in one piece."""
        del body
        self._no_whole()

    def encode_answer(self, answer: Any, request: Any) -> bytes:
        """No client is answered in one piece."""
        del answer, request
        self._no_whole()

    def usage(self, answer: Any, request: Any) -> Any:
        """The reader of the stream is asked."""
        del answer, request
        self._no_whole()

    def _no_whole(self) -> NoReturn:
        raise NotImplementedError("the answer is always streamed")
