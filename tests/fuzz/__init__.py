"""Fuzzers: generated mutants of each kind of input, which are read rightly or refused clearly.

`make fuzz` runs all of them and prints counts; `make test` runs a small sample of each. A kind of
input is a module `fuzz_<kind>.py` with a class that derives from `Fuzzer`; it is found by its name.
"""
