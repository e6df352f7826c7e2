"""Every flag that a result can carry has words for who reads it."""

import ast
import functools
import re
from pathlib import Path

import excitability
from excitability.html_report._flags import FLAGS, flag_in_words

SOURCE = Path(excitability.__file__).parent
#: Names of variables, arguments, columns and functions that hold or make flags.
HOLDERS = {"flag", "flags", "join_flags"}
#: Texts beside them that are none: columns, arguments, other functions, beginnings.
NO_FLAGS = {"flag", "sdc_from", "mep_amplitude", "mep_amplitude_corrected", "ci_low", "ci_high", "threshold_tracking",
            "bad_channels", "bads", "sound", "course", "trial_mean", "usual", "resample", "second",
            "serial_tracking", "at"}  # fmt: skip


@functools.cache
def walked(tree: ast.AST) -> list[ast.AST]:
    """The parts of a module that can hold a flag."""
    wanted = (ast.Call, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Dict, ast.FunctionDef, ast.ClassDef, ast.Module)
    return [node for node in ast.walk(tree) if isinstance(node, wanted)]


def constants(node: ast.AST) -> set[str]:
    """Texts that an expression may have as its value: not what it compares with, looks up or asks."""
    if isinstance(node, ast.Constant):
        return set(node.value.split(";")) if isinstance(node.value, str) else set()
    if isinstance(node, ast.IfExp):
        return constants(node.body) | constants(node.orelse)
    if isinstance(node, ast.BinOp):
        return constants(node.left) | constants(node.right)
    if isinstance(node, ast.BoolOp):
        return set().union(*map(constants, node.values))
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return set().union(*map(constants, node.elts)) if node.elts else set()
    if isinstance(node, ast.Starred):
        return constants(node.value)
    if isinstance(node, ast.Call) and name_of(node.func) in HOLDERS | {"where"}:
        return set().union(set(), *map(constants, node.args))
    return set()


def name_of(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript):
        key = node.slice.value if isinstance(node.slice, ast.Constant) else None
        return key if isinstance(key, str) else name_of(node.value)
    return ""


def holds(name: str) -> bool:
    return name in HOLDERS or name.endswith(("_flag", "_flags"))


def helpers_of(tree: ast.AST) -> set[str]:
    """Functions whose answer is handed on as a flag."""
    given: list[ast.AST] = []
    for node in walked(tree):
        if isinstance(node, ast.Call):
            given += node.args if holds(name_of(node.func)) else []
            given += [word.value for word in node.keywords if word.arg and holds(word.arg)]
            given += node.args[4:5] if name_of(node.func) == "Estimate" else []
        elif isinstance(node, ast.Assign) and any(holds(name_of(target)) for target in node.targets):
            given.append(node.value)
    return {name_of(node.func) for node in given if isinstance(node, ast.Call)} - {""}


def flags_of(tree: ast.AST, helpers: frozenset[str] = frozenset()) -> set[str]:
    """Flags that a module gives."""
    found: set[str] = set()
    for node in walked(tree):
        if isinstance(node, ast.Call):
            called = name_of(node.func)
            if holds(called):
                found |= constants(node)
            if called == "Estimate" and len(node.args) > 4:
                found |= constants(node.args[4])
            onto = name_of(node.func.value) if isinstance(node.func, ast.Attribute) else ""
            if called in ("append", "extend", "add") and holds(onto):
                found |= set().union(*map(constants, node.args))
            named = [word.value for word in node.keywords if word.arg and holds(word.arg)]
            found |= set().union(set(), *map(constants, named))
        elif (isinstance(node, ast.Assign) and any(holds(name_of(target)) for target in node.targets)) or (
            isinstance(node, ast.AnnAssign | ast.AugAssign) and node.value is not None and holds(name_of(node.target))
        ):
            found |= constants(node.value)
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                found |= constants(value) if isinstance(key, ast.Constant) and key.value == "flag" else set()
        elif isinstance(node, ast.FunctionDef) and (holds(node.name) or node.name in helpers):
            for part in ast.walk(node):
                if isinstance(part, ast.Return) and part.value is not None:
                    found |= constants(part.value)
    return {word for word in found if word and word.replace("_", "a").replace(".", "0").isalnum() and word.islower()}


def documented(tree: ast.AST) -> set[str]:
    """Flags that the docstrings of a module name."""
    found: set[str] = set()
    for node in walked(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
            for part in (ast.get_docstring(node) or "").split("\n\n"):
                _, told, after = part.partition("Flags:")
                found |= set(re.findall(r"``([a-z][a-z0-9_.]+)``", after)) if told else set()
    return found


def all_flags() -> dict[str, list[str]]:
    """Every flag with the files that give it."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(SOURCE.rglob("*.py"))}
    helpers = frozenset().union(*map(helpers_of, trees.values()))
    found: dict[str, list[str]] = {}
    for path, tree in trees.items():
        own = flags_of(tree, helpers) | documented(tree)
        if path.stem.endswith("_flags"):  # pairs of a flag and the trials that have it
            pairs = [node for node in ast.walk(tree) if isinstance(node, ast.Tuple) and len(node.elts) == 2]
            own |= set().union(set(), *(constants(node.elts[0]) for node in pairs))
        for word in own - NO_FLAGS:
            found.setdefault(word, []).append(path.name)
    return found


def test_every_flag_has_words():
    found = all_flags()
    assert len(found) > 130  # what is looked for is found
    must = {"shared_test_trials", "coupled", "judged_by_own_spread", "not_randomised", "not_estimable", "sdc_raised"}
    assert must <= set(found) | set(FLAGS)
    without = {flag: where for flag, where in found.items() if flag_in_words(flag) == flag.replace("_", " ")}
    assert not without, f"say in html_report/_flags.py what these flags mean: {without}"


def test_a_flag_without_words_is_found():
    source = 'def f(n):\n    flag = "brand_new" if n else ""\n    return Estimate(1, 0, 2, n, join_flags(flag, _g()))\n'
    source += 'def _g():\n    return "another_one"\n'
    tree = ast.parse(source)
    assert flags_of(tree, frozenset(helpers_of(tree))) == {"brand_new", "another_one"}
