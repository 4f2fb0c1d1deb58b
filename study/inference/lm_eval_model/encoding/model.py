"""lm-eval's `hf` model with cached encoding of texts and requests.

In: texts and requests. Out: the token ids that `hf` would give them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lm_eval.models.utils import has_bos_prefix

from study.inference.lm_eval_model.encoding.cache import EncodingCache, encoding_key
from study.inference.lm_eval_model.encoding.identity import encoding_identity
from study.inference.lm_eval_model.encoding.texts import Encoder
from study.inference.lm_eval_model.loading import LoadedLM
from study.inference.loglikelihood import EncodedRequests


class CachedEncodingLM(LoadedLM):
    """lm-eval's `hf` model, whose encoding of texts is cached."""

    def __init__(
        self, *arguments: Any, encodings: EncodingCache | None = None, **options: Any
    ) -> None:
        """The arguments of `LoadedLM`. `encodings` are shared with other models."""
        super().__init__(*arguments, **options)
        self._encoder = Encoder(self.tokenizer)
        self._prefix_text = self.tokenizer.decode(self.prefix_token_id)
        self._encodings = encodings or EncodingCache()
        self.encoding = encoding_identity(self)
        "What decides token ids besides the texts; None if that is not known."

    def encoded(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of texts, as the model reads them."""
        return self._cached_ids("texts", texts, self._special_tokens_option)

    def encoded_generation_prompts(self, contexts: Sequence[str]) -> list[list[int]]:
        """Token ids of prompts for generation."""
        # hf recognises a BOS token in prompts for generation by its own text, not by the text of
        # the prefix token as in scored contexts.
        bos = getattr(self.tokenizer, "bos_token", None)
        return self._cached_ids(
            "prompts",
            contexts,
            lambda context: False if has_bos_prefix(context, bos) else self.add_bos_token,
        )

    def encoded_requests(self, requests: Sequence[tuple[str, str]]) -> EncodedRequests:
        """(context, continuation) requests as token ids, divided as lm-eval does."""
        return self._cached("requests", requests, lambda: self._encode_requests(requests))

    def tok_encode(
        self,
        string: str,
        add_special_tokens: bool | None = None,
        left_truncate_len: int | None = None,
        **_: Any,
    ) -> list[int]:
        """Token ids of a text; the method of `hf`."""
        if add_special_tokens is None:
            add_special_tokens = self._special_tokens_option(string)
        ids = self._encoder.encode(string, add_special_tokens)
        return ids[-left_truncate_len:] if left_truncate_len else ids

    def _cached(
        self,
        kind: str,
        texts: Sequence[tuple[str, str]],
        encode: Callable[[], EncodedRequests],
    ) -> EncodedRequests:
        if self.encoding is None:
            return encode()
        return self._encodings.get(encoding_key(self.encoding, kind, texts), encode)

    def _cached_ids(
        self, kind: str, texts: Sequence[str], option: Callable[[str], bool | None]
    ) -> list[list[int]]:
        def encode() -> EncodedRequests:
            options = {text: option(text) for text in texts}
            self._encoder.add(options)
            ids = [self._encoder.encode(text, options[text]) for text in texts]
            return EncodedRequests.without_answers(ids)

        return self._cached(kind, [(text, "") for text in texts], encode).inputs.lists()

    def _encode_requests(self, requests: Sequence[tuple[str, str]]) -> EncodedRequests:
        texts: dict[str, bool | None] = {}
        for context, continuation in requests:
            if context:  # lm-eval encodes the whole text, and the context without trailing spaces
                for text in (context + continuation, context.rstrip()):
                    texts[text] = self._special_tokens_option(text)
        self._encoder.add(texts)
        pairs = []
        for context, continuation in requests:
            if context:
                pairs.append(self._encode_pair(context, continuation))
            else:  # lm_eval.api.model.TemplateLM.loglikelihood
                ids = self.tok_encode(continuation, add_special_tokens=False)
                has_prefix = ids[:1] == [self.prefix_token_id]
                pairs.append((ids[:1], ids[1:]) if has_prefix else ([self.prefix_token_id], ids))
        return EncodedRequests.of(pairs)

    def _special_tokens_option(self, text: str) -> bool | None:
        if has_bos_prefix(text, self._prefix_text):
            return False
        return self.add_bos_token  # type: ignore[no-any-return]
