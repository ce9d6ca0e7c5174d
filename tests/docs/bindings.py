"""Every binding has what the core has. What one cannot have, or has under another name, is listed here and nowhere else."""

import re

import truths
from truths import between, source

# Not for users: the bindings set them themselves, each in its own way.
INTERNAL_OPTIONS = {"environment"}
# Not for users of this binding: `env` and `sdk_name` are set by the binding itself.
PYTHON_OPTIONS = {"env", "sdk_name"}
# Node and browsers bring connections, proxies and certificates of their own; there is no journal in JavaScript, and no own budget.
TYPESCRIPT_OPTIONS = {"env", "sdk_name", "connect_timeout", "request_rate", "request_burst", "max_in_flight_creates", "journal", "journal_prompts",
                      "proxy", "ca_file"}
C_OPTIONS = {"env": "use_env", "base_url": "set_endpoint", "endpoints": "add_endpoint", "trusted_hosts": "trust_host", "request_burst": "set_request_rate"}
C_FIELDS = {"prompt": "new", "duration": "set_seconds", "image": "set_image_url", "images": "add_reference_url", "extra": "set_extra_json"}

# Variants of a verb that takes their options itself in the other languages, and what only the bindings call.
EVERYWHERE = {"check_with", "video_of", "tracked"}
TYPESCRIPT_VERBS = EVERYWHERE | {"wait_all", "pending", "forget", "resolve_unknown", "resume_pending"}
C_VERBS = {"balance": "get_balance", "task": "task_by_id", "video": "video_by_id", "pending": "list_pending", "as_completed": "wait_all"}


def camel(name):
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name).replace("Url", "URL")


def verbs():
    """What a client and its `videos` can do in the core."""
    found = re.findall(r"pub async fn (\w+)", between(source("core/src/client/mod.rs"), "impl Client {", "\n}"))
    for path in ("client/videos.rs", "client/many.rs", "client/pending.rs", "client/resume.rs"):
        found += re.findall(r"pub (?:async )?fn (\w+)", between(source(f"core/src/{path}"), "impl Videos {", "\n}"))
    return found


def options():
    """The client's options of the core, as the bindings hand them over."""
    return [name for name in truths.json_options("ClientBuilder", "from_json") if name not in INTERNAL_OPTIONS]


def problems():
    fields = truths.request_fields()
    python = set(truths.python_arguments("Client", "__new__")) | PYTHON_OPTIONS
    yield from (f"Python has no client option {name}" for name in options() if name not in python)
    typescript = set(truths.typescript_fields("bindings-wasm/ts/options.ts", "ClientOptions"))
    for name in options():
        if name not in TYPESCRIPT_OPTIONS and not {camel(name), f"{camel(name)}Ms"} & typescript:
            yield f"TypeScript has no client option {name}"
    functions = set(re.findall(r"\bjfai_(\w+)\(", source("bindings-c/include/junfeiai.h")))
    for name in options():
        if not {f"client_options_{C_OPTIONS.get(name, f'set_{name}')}{unit}" for unit in ("", "_ms")} & functions:
            yield f"C has no client option {name}"
    yield from (f"C has no request field {name}" for name in fields if f"request_{C_FIELDS.get(name, f'set_{name}')}" not in functions)
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
