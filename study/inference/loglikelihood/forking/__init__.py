"""Log-likelihoods of models with recurrent states, which are copied where sequences branch."""
