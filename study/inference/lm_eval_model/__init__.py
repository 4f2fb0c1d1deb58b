"""lm-eval's interface: the model `shared-prefix`, its encoding of texts, and the plain path."""
