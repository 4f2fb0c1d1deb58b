"""Random conversations, for hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from study.tuning.data.sources import Turn

# Texts as people write them: tags that look like the template's, white space, other scripts.
WORDS = "the fox 42 + user assistant <|user|> <|assistant|> [INST] \n Übermut café 東京 a . ? <"
CONTENT = st.lists(st.sampled_from(WORDS.split(" ")), min_size=1, max_size=8).map(" ".join)


def conversations() -> st.SearchStrategy[tuple[Turn, ...]]:
    """Conversations of one to three pairs of turns, some with a system turn."""
    pairs = st.lists(st.tuples(CONTENT, CONTENT), min_size=1, max_size=3)

    def turns(contents: list[tuple[str, str]], system: str | None) -> tuple[Turn, ...]:
        conversation = [Turn("system", system)] if system else []
        for user, assistant in contents:
            conversation += [Turn("user", user), Turn("assistant", assistant)]
        return tuple(conversation)

    return st.builds(turns, pairs, st.one_of(st.none(), CONTENT))
