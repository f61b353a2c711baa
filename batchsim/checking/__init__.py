"""The author's kit: examines an environment and says what is wrong, with file and line.

- `examine`: `check`, the order of the stages;
- `contract`: names, arguments, fields and spaces;
- `source`: what the source of the functions shows;
- `guards`, `trials`: the functions run as plain Python, every read and write watched;
- `episodes`: what only shows in whole episodes;
- `backends`: compiled runs compared, and the compiler's words explained;
- `problems`: what is reported.
"""

from __future__ import annotations

from batchsim.checking.examine import check
from batchsim.checking.problems import KINDS, CheckError, Problem, Report

__all__ = ["KINDS", "CheckError", "Problem", "Report", "check"]
