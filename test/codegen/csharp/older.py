"""Writes C# 9 bindings down in C# 7.3, which older compilers take: no annotations of
what may be null, a type behind each `new`, a switch statement for the expression, and
classes for records. It knows the forms that the generator writes, and no others.

    older.py FROM TO
"""
import pathlib
import re
import sys

VALUES = {"bool", "sbyte", "byte", "short", "ushort", "int", "uint", "long", "ulong", "float", "double"}
OURS = {"RemoteTables", "RemoteReducers", "RemoteProcedures", "Reducer", "Procedure"}
READABLE = "global::SpacetimeDB.BSATN.IStructuralReadWrite"


def not_null(s):
    s = s.replace("#nullable enable", "")
    s = re.sub(r"([\w.]+|>)\?(?=[\s>,)])", lambda m: m[0] if m[1] in VALUES else m[1], s)
    return re.sub(r"(?<=[\w)])!(?=[;),.])", "", s)


def patterns(s):
    s = re.sub(r"case (\S+\.Status\.Failed)\(var (\w+)\):", r"case \1 failed: var \2 = failed.Failed_;", s)
    s = re.sub(r"case (\S+\.Status\.OutOfEnergy)\(var _\):", r"case \1 spent:", s)
    s = re.sub(r"return (\w+) switch\s*\{", r"switch (\1) {", s)
    s = re.sub(r"^(\s*)(Reducer\.(\w+)) args => (.*),$", r"\1case \2 is\3: { var args = is\3; return \4; }", s, flags=re.M)
    return re.sub(r"^(\s*)_ => (throw .*),\n(\s*)\};", r"\1default: \2;\n\3}", s, flags=re.M)


def types_of_new(s):
    s = re.sub(r"AddTable\((\w+) = new\(conn\)\)", r"AddTable(\1 = new \1Handle(conn))", s)
    s = re.sub(
        r"(?:public|private readonly) ([\w:.<>, ]+?) (\w+(?:\([^)]*\))?)( \{ get; \} =| =|\s*=>)\s*new\(",
        lambda m: m[0][:-4] + "new " + m[1] + "(",
        s,
    )
    declared = {}
    for m in re.finditer(r"public (?:override |readonly )*([\w:.<>,() ]+?) (\w+)(?: \{ get; \}|;)", s):
        declared.setdefault(m[2], m[1])
    return re.sub(r"(?m)^(\s*(?:this\.)?(\w+) = )new\(", lambda m: f"{m[1]}new {declared[m[2]]}(", s)


def generated(s):
    """What the SDK's source generator adds: types can be read."""
    s = re.sub(r"partial record (\w+) : .*;", r"partial class \1 : global::SpacetimeDB.TaggedEnum<object> {}", s)
    return re.sub(r"partial class (\w+)\n", lambda m: m[0] if m[1] in OURS else f"partial class {m[1]} : {READABLE}\n", s)


source, target = map(pathlib.Path, sys.argv[1:])
target.mkdir(parents=True)
for path in sorted(source.rglob("*.cs")):
    text = generated(types_of_new(patterns(not_null(path.read_text()))))
    (target / "_".join(path.relative_to(source).parts)).write_text(text)
