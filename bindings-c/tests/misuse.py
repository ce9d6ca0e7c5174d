#!/usr/bin/env python3
"""Writes misuse.c from junfeiai.h: every function with NULL for everything, for each argument in turn, with bad UTF-8, empty
and huge strings, and absurd numbers. What an argument may be is what its comment says, so the comments are tested too.

    tests/misuse.py include/junfeiai.h > misuse.c
"""

import argparse
import re

HEADER = re.compile(r"/\*\*((?:(?!\*/).)*)\*/\s*(?:JFAI_NODISCARD )?JFAI_API\s+([^;{]*);", re.S)

# A valid value for each type that is handed in. `_free` is called with NULL only.
VALID = {
    "const char *": '"x"', "const uint8_t *": "bytes", "uint8_t *": "bytes", "void *": "NULL",
    "size_t": "sizeof bytes", "uint64_t": "1", "int64_t": "1", "uint32_t": "1", "int32_t": "1", "int": "1", "double": "1",
    "bool": "true", "const char *const *": "texts", "const jfai_request *const *": "requests", "jfai_status": "0",
}
# Functions whose valid call would do something that this test is not about.
SKIP_VALID = {"jfai_set_log"}


def functions(text):
    found = []
    for doc, prototype in HEADER.findall(text):
        prototype = " ".join(prototype.replace("struct ", "").split())
        match = re.fullmatch(r"(.*?)(jfai_\w+)\((.*)\)", prototype)
        returns, name, inside = match.group(1).strip(), match.group(2), match.group(3)
        parameters = []
        for part in inside.split(",") if inside != "void" else []:
            kind, parameter = re.fullmatch(r"\s*(.*?)(\w+)", part).groups()
            parameters.append((kind.strip(), parameter))
        doc = " ".join(line.strip(" *") for line in doc.splitlines())
        found.append((name, returns, parameters, doc))
    assert len(found) > 200, f"{len(found)} functions are found in the header"

    return found


def optional(doc):
    """The arguments that the comment allows to be NULL."""
    names = set()
    for sentence in re.findall(r"((?:`\w+`(?:,| and)? ?)+)(?:\()?may be NULL", doc):
        names.update(re.findall(r"`(\w+)`", sentence))
    return names


def handle(kind):
    match = re.fullmatch(r"(?:const )?(jfai_\w+) \*", kind)
    return match and match.group(1)


def out(kind):
    match = re.fullmatch(r"((?:(?!const \*).)*?)\s?\*\*|(size_t|uint64_t|int64_t|bool) \*", kind)
    return bool(match)


def main(path):
    table = functions(open(path).read())
    handles = sorted({handle(kind) for _, _, parameters, _ in table for kind, _ in parameters if handle(kind)} - {"jfai_error"})
    lines = ['#include "check.h"', "", "static uint8_t bytes[16];", "static char *huge;", "static const char *texts[16];",
             "static const jfai_request *requests[16];"]
    lines += [f"static {name} *a_{name};" for name in handles]
    lines += ["", "#define IS(status, call) CHECK((call) == (status))", ""]
    calls, count = [], 0

    def call(name, returns, arguments, expect, doc=""):
        text = f"{name}({', '.join(arguments)})"
        if returns == "jfai_status" and expect is not None:
            calls.append(f"  IS({expect}, {text});")
        elif match := re.search(r"@return .*; (\S+) where .*is NULL\.", doc):
            # What its comment says that it returns for a handle that is NULL.
            calls.append(f"  CHECK({text} == {match[1]});")
        else:
            calls.append(f"  (void){text};\n  passed++;")

    for name, returns, parameters, doc in table:
        free = name.endswith("_free")
        fallible = returns == "jfai_status" and parameters and parameters[-1] == ("jfai_error **", "err")
        may = optional(doc) | {"err", "user"}
        null = ["NULL" if "*" in kind or kind.endswith("_fn") else ("NAN_" if kind == "double" else "0") for kind, _ in parameters]
        null = [value.replace("NAN_", "-1.0") for value in null]
        call(name, returns, null, "JFAI_ERR_ARGUMENT" if fallible else None, doc)
        if fallible:
            calls.append(f"  EXPECT(JFAI_ERR_ARGUMENT, {name}({', '.join([*null[:-1], '&err'])}));")
        for value in ("UINT64_MAX", "0"):
            absurd = [("-1e300" if kind == "double" else f"({kind}){value}") if v != "NULL" else v for (kind, _), v in zip(parameters, null)]
            call(name, returns, absurd, "JFAI_ERR_ARGUMENT" if fallible else None)
        if free or not parameters:
            continue
        valid = []
        for kind, parameter in parameters:
            of = handle(kind)
            if kind == "jfai_error **":
                valid.append("&err")
            elif out(kind):
                valid.append(None)
            elif of == "jfai_error":
                valid.append("NULL")
            elif of:
                valid.append(f"a_{of}")
            elif kind.endswith("_fn"):
                valid.append("NULL")
            else:
                valid.append(VALID[kind])
        places = [i for i, value in enumerate(valid) if value is None]
        for i in places:
            calls.append(f"  {parameters[i][0][:-1].strip()} out_{count}_{i} = 0;")
            valid[i] = f"&out_{count}_{i}"
        if fallible and name not in SKIP_VALID:
            for i, (kind, parameter) in enumerate(parameters):
                pointer = "*" in kind or kind.endswith("_fn")
                if not pointer or parameter in may or (kind.endswith("_fn") and "NULL for" in doc):
                    continue
                # A value of C that may be NULL when its length is 0 has a length here.
                broken = [*valid]
                broken[i] = "NULL"
                calls.append(f"  EXPECT(JFAI_ERR_ARGUMENT, {name}({', '.join(broken)}));")
                if kind == "const char *" and parameter not in ("file", "folder", "path"):
                    broken[i] = '"a\\xff\\xfe"'
                    calls.append(f"  EXPECT(JFAI_ERR_ARGUMENT, {name}({', '.join(broken)}));")
                if kind in ("const uint8_t *", "uint8_t *", "const char *const *", "const jfai_request *const *"):
                    broken = [*valid]
                    broken[i + 1] = "SIZE_MAX"
                    calls.append(f"  EXPECT(JFAI_ERR_ARGUMENT, {name}({', '.join(broken)}));")
            for i in places:
                calls.append(f"  CHECK(out_{count}_{i} == 0); /* written only on success */")
            # Setters and look-ups with an empty and a huge string: any status, no harm.
            if "_set_" in name or "_add_" in name or name in ("jfai_request_new", "jfai_task_by_id", "jfai_video_at", "jfai_client_options_trust_host"):
                for i, (kind, _) in enumerate(parameters):
                    if kind == "const char *":
                        for value in ('""', "huge"):
                            broken = [*valid]
                            broken[i] = value
                            calls.append(f"  survive({name}({', '.join(broken)}), &err);")
                            for place in places:
                                made = parameters[place][0][:-3].strip()
                                calls.append(f"  {made}_free({valid[place][1:]});\n  {valid[place][1:]} = NULL;")
        count += 1
    lines += ["static jfai_error *err;", "static void survive(jfai_status status, jfai_error **e) {",
              "  CHECK((status == JFAI_OK) == (*e == NULL));", "  jfai_error_free(*e);", "  *e = NULL;", "}", ""]
    # In pieces: one function of thousands of lines makes compilers slow.
    bodies = [calls[i:i + 60] for i in range(0, len(calls), 60)]
    # A variable and its uses stay together.
    lines.append("static void all(void) {")
    lines += calls
    lines += ["}", "", "int main(void) {", "  jfai_client *client = emulator_client();", "  a_jfai_client = client;",
              "  huge = malloc((1u << 20) + 1);", "  memset(huge, 'x', 1u << 20);", "  huge[1u << 20] = 0;"]
    made = {
        "jfai_client_options": "jfai_client_options_new(&a_jfai_client_options, &err)",
        "jfai_request": 'jfai_request_new("a ball", &a_jfai_request, &err)',
        "jfai_cancel": "jfai_cancel_new(&a_jfai_cancel, &err)", "jfai_queue": "jfai_queue_new(&a_jfai_queue, &err)",
        "jfai_wait_options": "jfai_wait_options_new(&a_jfai_wait_options, &err)",
        "jfai_save_options": "jfai_save_options_new(&a_jfai_save_options, &err)",
        "jfai_task": 'jfai_get(client, "task_life", NULL, &a_jfai_task, &err)',
        "jfai_video": 'jfai_video_by_id(client, "task_life", &a_jfai_video, &err)',
        "jfai_watch": "jfai_watch_new(a_jfai_task, NULL, &a_jfai_watch, &err)",
        "jfai_wait_step": "jfai_task_wait_state(a_jfai_task, NULL, &a_jfai_wait_step, &err)",
        "jfai_batch": "jfai_wait_all(client, NULL, 0, &a_jfai_batch, &err)",
        "jfai_reader": "jfai_reader_open(a_jfai_video, NULL, &a_jfai_reader, &err)",
    }
    for name, how in made.items():
        if name in handles:
            lines.append(f"  EXPECT(JFAI_OK, {how});")
    lines.append("  all();")
    lines += [f"  {name}_free(a_{name});" for name in reversed(handles)]
    lines += ["  free(huge);", '  return finished("misuse");', "}"]
    assert bodies
    print("\n".join(lines))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("header", help="junfeiai.h")
    main(parser.parse_args().header)
