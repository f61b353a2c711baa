"""The command `list`: the environments that there are."""

from __future__ import annotations

import typer

from batchsim import registry

__all__ = ["list_environments"]


def list_environments() -> None:
    """List the environments: id, time limit and what each is."""
    names = registry.environments()
    width = max(map(len, names))
    for name in names:
        limit = registry.find(name)[1].max_episode_steps
        steps = f"{limit:,} steps" if limit is not None else "no limit"
        typer.echo(f"{name:<{width}}  {steps:>12}  {_first_sentence(registry.load(name).doc)}")


def _first_sentence(doc: str) -> str:
    """Return the first sentence below the heading of an environment's docstring."""
    paragraphs = [part for part in doc.split("\n\n") if not part.startswith("#")]
    sentence, stop, _ = " ".join(paragraphs[0].split()).partition(". ")
    return sentence + stop.strip()
