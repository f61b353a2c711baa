"""New objects of the author's classes."""

from __future__ import annotations

import ast
import dataclasses
import types

from batchsim.convert import kinds
from batchsim.convert.attributes import lookup
from batchsim.convert.methods import Methods
from batchsim.convert.refusal import at
from batchsim.convert.values import Known, Made, Self, Value

__all__ = ["Objects"]


class Objects(Methods):
    """New objects of the author's classes."""

    def new(self, node: ast.expr) -> Value:
        """Return what is put into a list: a new object by its fields, if it only has some."""
        cls = self.whole.seen.things.get(getattr(getattr(node, "func", None), "k", -1))
        if (
            isinstance(node, ast.Call)
            and isinstance(cls, type)
            and cls in self.whole.seen.own
            and isinstance(self.seen_kind(node), kinds.Object)
        ):
            fields = self._fields_of_new(cls, node)
            if fields is not None:
                return Made(fields, cls)
        return self.expr(node)

    def _fields_of_new(self, cls: type, node: ast.Call) -> dict[str, Value] | None:
        """Return what a new object holds; None if making it does more than to assign that."""
        init, after = (
            found[1] if found is not None else None
            for found in (lookup(cls, "__init__"), lookup(cls, "__post_init__"))
        )
        if self.whole.program.definition(after) is not None:
            return None
        tree = self.whole.program.definition(init)
        if tree is None:
            return self._fields_of_dataclass(cls, node) if dataclasses.is_dataclass(cls) else None
        assert isinstance(tree, ast.FunctionDef)
        sources = _assignments(tree)
        if sources is None:
            return None
        keywords = self._keywords(node)
        values = self._bound_arguments(init, tree, Self(), node.args, keywords, node)
        held = {name: self._held(self.expr_of(value), node) for name, value in values[1:]}
        before, self.names = self.names, held
        try:
            return {name: self.expr(source) for name, source in sources.items()}
        finally:
            self.names = before

    def make(self, cls: type, node: ast.Call) -> Value:
        """Return the place of a new object of the author's, in working space."""
        kind = self.seen_kind(node)
        if not isinstance(kind, kinds.Object):
            raise at(
                node,
                cls.__name__,
                "no such object was made while episodes were watched",
                "Watch more steps with --steps.",
            )
        place = self.scratch_place(
            f"new_{cls.__name__.lower()}_{node.lineno}_{node.col_offset}", kind, node
        )
        found = lookup(cls, "__init__")
        if dataclasses.is_dataclass(cls) and (
            found is None or self.whole.program.definition(found[1]) is None
        ):
            values = self._fields_of_dataclass(cls, node)
            for key, value in values.items():
                part = self.field(place, key)
                if part is not None:
                    self.assign(part, value, node)
            after = lookup(cls, "__post_init__")
            if after is not None:
                self.call_function(after[1], place, [], {}, node)
            return place
        if found is not None and isinstance(found[1], types.FunctionType):
            self.call_function(found[1], place, node.args, self._keywords(node), node)
        return place

    def _fields_of_dataclass(self, cls: type, node: ast.Call) -> dict[str, Value]:
        fields = [field for field in dataclasses.fields(cls) if field.init]
        values: dict[str, Value] = {
            field.name: value
            for field, value in zip(fields, self.in_order(node.args), strict=False)
        }
        for key, part in self._keywords(node).items():
            values[key] = self.expr(part)
        for field in dataclasses.fields(cls):
            if field.name not in values:
                made = (
                    field.default_factory()
                    if field.default_factory is not dataclasses.MISSING
                    else field.default
                )
                if made is not dataclasses.MISSING:
                    values[field.name] = Known(made)
        return values


def _assignments(init: ast.FunctionDef) -> dict[str, ast.expr] | None:
    """Return what a constructor assigns, if it does no more, and of its arguments alone."""
    names = [argument.arg for argument in (*init.args.args, *init.args.kwonlyargs)]
    found: dict[str, ast.expr] = {}
    for node in init.body:
        match node:
            case ast.Expr(value=ast.Constant()):
                continue
            case ast.Assign(targets=[ast.Attribute() as target], value=value):
                pass
            case ast.AnnAssign(target=ast.Attribute() as target, value=ast.expr() as value):
                pass
            case _:
                return None
        read = [part for part in ast.walk(value) if isinstance(part, ast.Name | ast.Call)]
        if (
            not isinstance(target.value, ast.Name)
            or target.value.id != names[0]
            or target.attr in found
            or any(not isinstance(part, ast.Name) or part.id not in names[1:] for part in read)
        ):
            return None
        found[target.attr] = value
    return found
