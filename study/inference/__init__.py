"""The lm-eval model `shared-prefix`: computes the tokens that prompts have in common only once.

Few-shot prompts of a task mostly have the same beginning. This model arranges the requests of a
call in a prefix tree, packs the tree into few forward passes, and returns what lm-eval's `hf` model
would return. It knows nothing of studies; any user of lm-eval can take it alone:

    import study.inference
    lm_eval.simple_evaluate(model="shared-prefix", model_args={"pretrained": ...}, ...)

Modules, in the order in which data passes through them:

- `lm_eval_model`: lm-eval's interface, with the encoding of texts and the plain path
- `probe`: whether a loaded model can be packed, by comparing numbers
- `loglikelihood`, `generation`: the two kinds of request; `loglikelihood.forking` is for models
  that are not packed, whose states it copies
- `prefix_tree`: which tokens are computed, and in which forward pass
- `engine`, `memory`, `vocabulary_head`: forward passes within a budget of memory, and their logits
- `attention`: attention over keys and values that several sequences share
"""

from study.inference.lm_eval_model.encoding.cache import EncodingCache
from study.inference.lm_eval_model.shared_prefix import SharedPrefixLM

__all__ = ["EncodingCache", "SharedPrefixLM"]
