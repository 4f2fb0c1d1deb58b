"""Training by a recipe: the model (model_setup, reference_model), the loss (objective,
embedding_noise), the steps (steps, packed_sequences, loop, checkpoints), measures (memorisation).
"""
