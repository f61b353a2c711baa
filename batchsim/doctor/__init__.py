"""`python -m batchsim doctor`: what this machine and installation are, and what to change."""

from __future__ import annotations

from batchsim.doctor.diagnosis import Diagnosis, examine
from batchsim.doctor.findings import Finding

__all__ = ["Diagnosis", "Finding", "examine"]
