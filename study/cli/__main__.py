"""`python -m study.cli`: the command `study`, for processes that start it themselves."""

from study.cli.main import main

main()
