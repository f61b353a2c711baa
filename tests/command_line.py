"""Runs command lines in the process of the tests."""

import sys

import pytest


def status_of(main, *arguments):
    """Return the exit status of a command line, given what starts it and its arguments."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["command", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
    return ended.value.code or 0
