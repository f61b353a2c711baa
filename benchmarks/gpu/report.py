"""What was measured, as tables."""

from __future__ import annotations

from typing import Any

__all__ = ["measured", "tables"]

HEADINGS = {
    "kernels": "What is compiled first",
    "collector": "Rollouts with a policy on the device",
    "idle": "How much of an iteration of PPO the device is idle",
    "train": "Trainings, killed and resumed",
    "scaling": "Environments alone, over cores",
    "tests": "Tests that need the device",
}
SORTED = ("env", "num_envs", "num_splits", "cuda_graph", "cores")


def measured(found: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the cases of a part that were measured, in order."""
    part = found["parts"].get(name, {"cases": []})
    cases = [case for case in part["cases"] if "failed" not in case]
    return sorted(cases, key=lambda case: [case.get(key, 0) for key in SORTED])


def tables(found: dict[str, Any]) -> str:
    """Return a Markdown table a part, with what failed below it."""
    blocks = []
    for name, part in found["parts"].items():
        lines = [f"## {HEADINGS[name]}", ""]
        cases = measured(found, name)
        if cases:
            columns = [key for key, value in cases[0].items() if not isinstance(value, dict)]
            rows = [columns, ["---"] * len(columns)]
            rows += [[_show(case.get(key, "")) for key in columns] for case in cases]
            lines += [f"| {' | '.join(row)} |" for row in rows]
        if part["failed"]:
            lines += ["", f"The part failed: {part['failed']}."]
        for case in part["cases"]:
            if "failed" in case:
                which = ", ".join(f"{key} {case[key]}" for key in case if key != "failed")
                lines += ["", f"Failed: {which or name}: {case['failed']}."]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def _show(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
