"""The schema that `bawn config schema` prints, held against the parser: the same values are good and bad
to both, for every row of both tables; and the sample files are good to the schema. Part of tests/docs/run.
"""
import glob
import json
import os
import re
import subprocess

import jsonschema

TYPES = ("BOOLEAN", "INTEGER", "SECONDS", "SIZE", "STRING", "WORD", "STRINGS", "STRING_TABLE", "TABLE", "WORD_OR_TABLE",
         "BOOLEAN_OR_TABLE", "ACCESS_TABLE", "WORDS", "BOOLEAN_TABLE", "TABLES", "COMMANDS", "ANY")

# TOML values of every kind, and those that a type draws a line between. Left out: dates and 1.0, which
# JSON does not tell from strings and 1.
VALUES = ['true', '0', '1', '-1', '7', '4097', '100001', '1.5', '-0.5', '""', '"x"', '"true"', '"read-only"',
          '"512M"', '"1000"', '"7B"', '"1KB"', '"2TB"', '"3k"', '"1KiBs"', '"2 GiB"', '"2GiBs"', '"G"', '"-1K"', '"1.5G"', '" 1K"', '"a\\u0000b"',
          '[]', '["x"]', '["x", "y"]', '[1]', '["x", 1]', '[[]]', '["../x"]', '["a/../b"]', '["a/b/"]', '["a//b"]',
          '["/x"]', '["~/x"]', '["*.x"]', '["x[1]"]', '[""]', '["."]', '["..x"]', '["a/.b"]', '["a\\u0000"]', '[{}]', '[{ a = 1 }]',
          '[{}, 1]', '[["x"]]', '[["x", ""], ["y", "-z/"]]', '[[""]]', '[["a/b"]]', '[["x", 1]]', '[[1]]', '[["x"], "y"]',
          '[["x"], []]', '[["a\\u0000"]]', '[["x", "a\\u0000"]]', '[[["x"]]]', '{}', '{ zz = "x" }', '{ zz = true }', '{ zz = 1 }', '{ zz = {} }', '{ zz = "read" }',
          '{ zz = "a\\u0000b" }',
          '"https://c.test:1/x"', '"http://"', '"ftp://c.test"', '"${X}/y"', '"a\\nb"', '"' + 33 * "a" + '"',
          '"' + 257 * "a" + '"']


class Row:
    def __init__(self, line):
        self.table, self.name, kind, self.flags, least, most, self.fallback, *self.words = line.split("\t")
        self.type = TYPES[int(kind)]
        self.least, self.most = int(least), int(most)

    def values(self):
        yield from VALUES
        for w in self.words:
            yield from (f'"{w}"', f'["{w}"]', f'["{w}", "x"]', f'"{w}x"', f'"{w.upper()}"')
        if self.fallback:
            yield self.fallback
        for n in {self.least, self.most} - {0}:
            yield from (str(n - 1), str(n), str(n + 1))

    def document(self, value):
        return ".".join("anything" if p == "*" else p for p in self.name.split(".")) + f" = {value}"


def compile_helper(directory, build):
    # Twice: the libraries of these rooms need one another.
    libs = [f"{build}/src/{r}/lib{r}.a" for r in ("config", "permissions", "config", "base")]
    return subprocess.run(["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-Isrc", "-include", "src/base/banned.h", "-o",
                           f"{directory}/check_key", "tests/docs/check_key.c", *[l for l in libs if os.path.exists(l)],
                           "-lm"], capture_output=True, text=True)


def rows_agree(check, helper, rows, validators):
    cases = [(row, v) for row in rows for v in row.values()]
    text = "".join(f"{row.table}\t{row.name}\t{row.document(v)}\n" for row, v in cases)
    out = subprocess.run([helper], input=text, capture_output=True, text=True).stdout.splitlines()
    check(len(out) == len(cases), "every value is judged", f"{len(out)} of {len(cases)}")
    # The JSON of a value that the parser refuses comes from the same document under no key of a table.
    plain = subprocess.run([helper], capture_output=True, text=True,
                           input="".join(f"config\thooks\thooks = {v}\n" for _, v in cases)).stdout.splitlines()
    wrong, good, bad = {}, {}, {}
    for (row, v), said, whole in zip(cases, out, plain):
        document = value = json.loads(whole[3:])["hooks"]
        for part in reversed(row.name.split(".")):
            document = {"anything" if part == "*" else part: document}
        parser, schema = said.startswith("ok"), validators[row.table].is_valid(document)
        # The words in a table of paths are looked at when a profile is resolved.
        if parser != schema and not (row.type == "ACCESS_TABLE" and parser and isinstance(value, dict)):
            wrong.setdefault(row, []).append(f"{v}: parser {said[:80]}, schema {'ok' if schema else 'no'}")
        (good if parser else bad).setdefault(row, []).append(v)
    for row in rows:
        check(row not in wrong, f"{row.table}: {row.name}: schema and parser agree", "\n".join(wrong.get(row, [])))
        check(row in good and (row in bad or row.type == "ANY"), f"{row.table}: {row.name}: good and bad values were tried")


def schema_shape(check, table, schema, rows):
    def described(node, parts):
        for part in parts:
            for one in [node, *node.get("oneOf", [])]:
                inner = one.get("additionalProperties") if part == "*" else one.get("properties", {}).get(part)
                if inner is not None:
                    break
            if inner is None:
                return None
            node = inner
        return node
    for row in rows:
        node = described(schema, row.name.split("."))
        check(node and node.get("description"), f"{table}: the schema describes {row.name}")
        if row.fallback:
            check("default" in (node or {}), f"{table}: the schema has the default of {row.name}")
    check("$schema" in schema and "2020-12" in schema["$schema"], f"{table}: the schema says its draft")


def samples(check, helper, validators):
    files = sorted(glob.glob("tests/config/samples/*.toml"))
    check(len(files) >= 3, "there are sample files")
    for path in files:
        with open(path, "rb") as f:
            r = subprocess.run([helper, "--json"], stdin=f, capture_output=True, text=True)
        check(r.returncode == 0, f"{path} is TOML", r.stderr)
        if r.returncode:
            continue
        document = json.loads(r.stdout)
        table = "requirements" if re.search(r"requirements[^/]*\.toml$", path) else "config"
        faults = [f"{e.json_path}: {e.message}" for e in validators[table].iter_errors(document)]
        check(not faults, f"{path} is good to the schema", "\n".join(faults))
        # A schema that takes anything would pass, too.
        document["sandbox_mode" if table == "config" else "allowed_sandbox_modes"] = ["everything"]
        check(not validators[table].is_valid(document), f"{path} with a bad value is not")


def run(check, bawn, build, directory):
    r = compile_helper(directory, build)
    check(r.returncode == 0, "the parser's judge compiles", r.stderr)
    if r.returncode:
        return
    helper = f"{directory}/check_key"
    rows = [Row(line) for line in subprocess.run([helper, "--rows"], capture_output=True, text=True).stdout.splitlines()]
    validators = {}
    for table in ("config", "requirements"):
        r = subprocess.run([bawn, "config", "schema", table], capture_output=True, text=True)
        check(r.returncode == 0, f"bawn config schema {table}", r.stderr)
        try:
            schema = json.loads(r.stdout)
            jsonschema.Draft202012Validator.check_schema(schema)
        except (ValueError, jsonschema.SchemaError) as e:
            check(False, f"{table}: what is printed is a schema", e)
            return
        validators[table] = jsonschema.Draft202012Validator(schema)
        schema_shape(check, table, schema, [row for row in rows if row.table == table])
    rows_agree(check, helper, rows, validators)
    samples(check, helper, validators)
