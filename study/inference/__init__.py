"""Few-shot prompts scored at the speed of their unshared tokens, as a model for lm-eval.

    import study.inference
    lm_eval.simple_evaluate(model="shared-prefix", model_args={"pretrained": ...}, ...)

The rooms, in the order that the data takes: `encoding` (texts to tokens), `tree` (the prefix tree
of a call), `packing` (what one forward pass computes), `attending`, `kernels`, `prefill` and
`decoding` (attention over shared keys), `engine` (the passes, within memory), `answering` and
`continuing` (scored and generated requests), `probe` (which models allow it), `model` (lm-eval's
interface).
"""

from study.inference.model import SharedPrefixLM

__all__ = ["SharedPrefixLM"]
