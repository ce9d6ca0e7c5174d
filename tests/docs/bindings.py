"""Every binding has what the core has. What one cannot have, or has under another name, is listed here and nowhere else."""

import re

from truths import between, source

# Variants of a verb that takes their options itself in the other languages, and what only the bindings call.
EVERYWHERE = {"check_with", "generate_many_with", "reconcile_with", "video_of", "tracked", "pending_task", "timeout", "refresh"}
TYPESCRIPT_VERBS = EVERYWHERE | {"wait_all"}
C_VERBS = {"balance": "get_balance", "estimate": "get_estimate", "spending": "get_spending", "task": "task_by_id", "video": "video_by_id", "pending": "list_pending", "key": "find_key", "as_completed": "wait_all"}


def camel(name):
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name).replace("Url", "URL")


def verbs():
    """What a client and its `videos` can do in the core."""
    found = re.findall(r"pub async fn (\w+)", between(source("core/src/client/mod.rs"), "impl Client {", "\n}"))
    for path in ("client/videos.rs", "client/many.rs", "client/pending.rs", "client/reconcile.rs", "client/spending.rs", "client/resume.rs", "client/saving.rs"):
        found += re.findall(r"pub (?:async )?fn (\w+)", between(source(f"core/src/{path}"), "impl Videos {", "\n}"))
    return found


def problems():
    functions = set(re.findall(r"\bjfai_(\w+)\(", source("bindings-c/include/junfeiai.h")))
    stubs, client = source("bindings-python/python/junfeiai/_native.pyi"), source("bindings-wasm/ts/client.ts")
    wrapper = re.sub(r"//.*|/\*[\s\S]*?\*/", "", source("bindings-c/include/junfeiai.hpp"))
    for name in verbs():
        if name not in EVERYWHERE and not re.search(rf"^    def {name}\(", stubs, re.M):
            yield f"Python has no {name}"
        if name not in TYPESCRIPT_VERBS and not re.search(rf"^  (?:async )?\*?{camel(name)}\(", client, re.M):
            yield f"TypeScript has no {camel(name)}"
        if name not in EVERYWHERE and C_VERBS.get(name, name) not in functions:
            yield f"C has no jfai_{C_VERBS.get(name, name)}"
        if name not in EVERYWHERE and not re.search(rf"\bjfai_{C_VERBS.get(name, name)}\(", wrapper):
            yield f"C++ has no {name}"
