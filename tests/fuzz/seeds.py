#!/usr/bin/env python3
"""Writes the first inputs of every fuzz target into corpus/, from the vectors in tests/vectors.

    seeds.py [FOLDER]      default: corpus/ beside this file

The bytes that mean something are documented at the top of each target; nothing here is random, so a seed's name says
which vector it stands for.
"""

import argparse
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VECTORS = HERE.parent / "vectors"
# In this order the targets read them, too: an index means the same vector on both sides.
ANSWERS = ("create", "query", "errors")


def vectors(name):
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))["vectors"]


def text(value):
    # Lone surrogates stand in some vectors on purpose.
    return value.encode("utf-8", "surrogatepass")


def answers():
    """Status in two bytes, header lines, an empty line, the body."""
    for name in ANSWERS:
        for vector in vectors(name):
            given = vector["input"]
            head = "".join(f"{key}: {value}\n" for key, value in given["headers"])
            yield f"{name}-{vector['name']}", given["status"].to_bytes(2, "big") + text(f"{head}\n{given['body']}")


def requests():
    """A request as the bindings hand it over: the body of an answer with status 0."""
    for vector in vectors("requests"):
        given = {key: value for key, value in vector["input"].items() if key != "validate"}
        yield f"request-{vector['name']}", b"\0\0\n" + text(json.dumps(given))


def content_range():
    for name in ("content_range", "retry_after"):
        for vector in vectors(name):
            yield f"{name}-{vector['name']}", text(vector["input"]["value"] or "")
    for ranges in ("0-0", "0-1023,2048-4095", "5-9,11-12,100-18446744073709551614"):
        yield f"ranges-{ranges[:8]}", text(ranges)


def urls():
    """A URL, a line feed, a `Location`."""
    for vector in vectors("urls"):
        given = vector["input"]
        if vector["what"] == "endpoint":
            yield vector["name"], text(f"{given}\n/other")
        elif vector["what"] == "resolve":
            yield vector["name"], text(f"{given['from']}\n{given['location']}")
        else:
            yield vector["name"], text(f"{given['url']}\n{given['url']}")


def trust():
    """Lines: entries and trusted hosts with commas between them, video host, the URL asked for, and one `Location` a line."""
    listed = [vector["input"] for vector in vectors("urls") if vector["what"] == "credential"]
    for index, vector in enumerate(v for v in vectors("urls") if v["what"] == "credential"):
        given = vector["input"]
        lines = [",".join(given["base_urls"]), ",".join(given["trusted_hosts"]), given["video_base_url"] or "", given["url"]]
        lines += [other["url"] for other in listed[index + 1:index + 3]]
        yield vector["name"], text("\n".join(lines))
    for vector in (v for v in vectors("urls") if v["what"] == "resolve"):
        given = vector["input"]
        yield vector["name"], text("\n".join([given["from"], "", "", given["from"], given["location"]]))


def box(kind, body=b""):
    return (8 + len(body)).to_bytes(4, "big") + kind + body


def words(*numbers):
    return b"".join(number.to_bytes(4, "big") for number in numbers)


def movie(at, fragments=b""):
    """A movie box whose one picture has six bytes at this place; none where fragments bring them."""
    count = 0 if fragments else 1
    entry = bytes(24) + (1280).to_bytes(2, "big") + (720).to_bytes(2, "big") + bytes(50) + box(b"pasp", words(1, 1))
    stbl = box(b"stsd", words(0, 1) + box(b"avc1", entry)) + box(b"stts", words(0, count, 1, 6000)[:8 + 8 * count])
    stbl += box(b"stsc", words(0, count, 1, 1, 1)[:8 + 12 * count]) + box(b"stsz", words(0, 0, count, 6)[:12 + 4 * count])
    stbl += box(b"stco", words(0, count, at)[:8 + 4 * count])
    mdia = box(b"mdhd", words(0, 0, 0, 1000, 6000, 0)) + box(b"hdlr", words(0, 0) + b"vide" + bytes(13))
    mdia += box(b"minf", box(b"vmhd", words(1, 0, 0)) + box(b"stbl", stbl))
    unity = words(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    tkhd = box(b"tkhd", words(7, 0, 0, 1, 0, 6000, 0, 0, 0, 0) + unity + words(1280 << 16, 720 << 16))
    mvhd = box(b"mvhd", words(0, 0, 0, 1000, 6000, 0x10000, 0x1000000, 0, 0) + unity + bytes(28))
    return box(b"moov", mvhd + box(b"trak", tkhd + box(b"mdia", mdia)) + fragments)


def mp4():
    ftyp, mdat = box(b"ftyp", b"isom\0\0\2\0isommp41"), box(b"mdat", b"frames")
    front = len(ftyp) + len(movie(0)) + 8
    long = (1).to_bytes(4, "big") + b"mdat" + (22).to_bytes(8, "big") + b"frames"
    rest = (0).to_bytes(4, "big") + b"mdat" + b"frames"
    traf = box(b"tfhd", words(0x20000, 1)) + box(b"trun", words(0x301, 1, 84, 500, 6))
    moof = box(b"moof", box(b"mfhd", words(0, 1)) + box(b"traf", traf))
    mvex = box(b"mvex", box(b"mehd", words(0, 1000)) + box(b"trex", words(0, 1, 1, 0, 0, 0)))
    tfra = box(b"tfra", words(0, 1, 0, 1, 0, len(ftyp) + len(movie(0, mvex))) + bytes([1, 1, 1]))
    sidx = box(b"sidx", words(0, 1, 1000, 0, 0, 1, len(moof) + len(mdat), 1000, 0))
    yield "front", ftyp + movie(front) + mdat
    yield "back", ftyp + box(b"free", bytes(9)) + mdat + movie(len(ftyp) + 17 + 8)
    yield "long", ftyp + movie(front + 8) + long
    yield "to-the-end", ftyp + movie(front) + rest
    yield "fragments", ftyp + movie(0, mvex) + moof + mdat + moof + mdat + box(b"mfra", tfra)
    yield "index", ftyp + movie(0, mvex) + sidx + moof + mdat + moof + mdat
    yield "cut", (ftyp + movie(front) + mdat)[:-3]
    yield "tail", ftyp + movie(front) + mdat + bytes(9)
    yield "page", b"<!doctype html><title>502</title>"


def machine(kinds):
    """Machines read their setting from the first bytes and then events; one seed holds some of each kind."""
    for first in kinds:
        yield f"events-{first}", bytes([first, 3, 5, 7]) * 4 + bytes((first * 31 + n * 7) % 251 for n in range(240))


def call():
    """Eight bytes of setting, then events: 0 with the number of a vector is an answer."""
    numbered = [vector for name in ANSWERS for vector in vectors(name)]
    for index, vector in enumerate(numbered):
        for safety in (0, 1):
            yield f"{safety}-{vector['name']}", bytes([safety, 4, 0, 8, 0, 0, 0, 1]) + b"\0" + index.to_bytes(2, "big") + b"\x02\0\1\1"


def wait():
    """Eight bytes of setting, then events: 0 with the number of a vector is what a poll brought."""
    numbered = [vector for name in ANSWERS for vector in vectors(name)]
    for index, vector in enumerate(numbered):
        yield vector["name"], bytes([5, 10, 30, index % 2, 20, 0, 0, 1]) + b"\0" + index.to_bytes(2, "big") * 2 + b"\0\1\2"


def wait_state():
    """States of durable waits, and such as somebody made up."""
    policy = {"poll_interval": 5, "max_poll_interval": 10, "timeout": 1800, "poll_timeout": 30, "max_poll_errors": 20, "visible_after": 30}
    state = {
        "junfeiai_wait": 1, "task_id": "task_1", "saved": 1749999990.5, "due": 1749999995.5, "deadline": 1750001790.5, "created": 1749999980,
        "asked": 1749999990, "interval": 6.25, "polls": 3, "errors": 1, "not_found": 0, "status": "in_progress", "error": "it went wrong",
        "seed": "00000000deadbeef", "policy": policy,
    }
    yield "good", text(json.dumps(state))
    yield "endless", text(json.dumps({**state, "deadline": None, "policy": {**policy, "timeout": None}}))
    for name in state:
        for number, value in enumerate((None, -1, 0, 1e300, "x", [], {}, 1 << 63)):
            yield f"{name}-{number}", text(json.dumps({**state, name: value}))
    for name in policy:
        for number, value in enumerate((None, -1, 0, 1e300, "x")):
            yield f"policy-{name}-{number}", text(json.dumps({**state, "policy": {**policy, name: value}}))


def records():
    """The first byte says which reader: 0 the state beside a part file, 1 a journal, 2 its first line."""
    head = '{"junfeiai":1,"task_id":"task_1","validators":{"etag":"\\"a\\"","last_modified":null,"total":1000},"source":"https://a.b/c"'
    yield "part-front", text(f"\0{head}}}\n")
    yield "part-sparse", text(f"\0{head}}}\n{head},\"sparse\":true}}\n+ 0-99\n+ 500-549\n+ 100-1")
    header = '{"junfeiai_journal":1,"generation":"1f"}\n'
    order = '"fingerprint":"00","model":"grok-image-video","seconds":"6"'
    lines = [
        f'{{"v":1,"at":1,"event":"intent","intent":"a",{order}}}',
        f'{{"v":1,"at":1,"event":"intent","intent":"b",{order},"process":{{"pid":7}}}}',
        '{"v":1,"at":2,"event":"created","intent":"a","task_id":"task_1","model":"grok-image-video"}',
        '{"v":1,"at":3,"event":"unknown","intent":"b","reason":"timeout"}',
        '{"v":1,"at":4,"event":"finished","task_id":"task_1","status":"succeeded"}',
        '{"v":1,"at":5,"event":"saved","task_id":"task_1","path":"/v.mp4","bytes":9}',
        '{"v":1,"at":6,"event":"forgotten","name":"b"}',
        '{"v":1,"at":6,"event":"refused","intent":"b","reason":"connect"}',
    ]
    yield "journal-header", text(f"\2{header}")
    for count in range(1, len(lines) + 1):
        yield f"journal-{count}", text("\1" + "\n".join(lines[:count]) + "\n")
        yield f"journal-torn-{count}", text("\1" + "\n".join(lines[:count])[:-4])
    for vector in vectors("create"):
        expected = vector["expect"].get("ok")
        if expected:
            created = {"v": 1, "at": 2, "event": "created", "intent": "x", "task_id": expected["task_id"], "model": "m"}
            yield f"journal-{vector['name']}", b"\1" + text(json.dumps(created)) + b"\n"


TARGETS = {
    "answers": lambda: [*answers(), *requests()],
    "call": call,
    "content_range": content_range,
    "download": lambda: machine(range(16)),
    "mp4": mp4,
    "records": records,
    "schedule": lambda: machine(range(16)),
    "trust": trust,
    "urls": urls,
    "wait": wait,
    "wait_state": wait_state,
}


def main(folder):
    for target, seeds in TARGETS.items():
        into = folder / target
        into.mkdir(parents=True, exist_ok=True)
        count = 0
        for name, data in seeds():
            (into / f"seed-{name}").write_bytes(data)
            count += 1
        print(f"{target}: {count} seeds")
    missing = {path.stem for path in (HERE / "fuzz_targets").glob("*.rs")} - set(TARGETS) - {"shared"}
    if missing:
        sys.exit(f"no seeds are written for {', '.join(sorted(missing))}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=HERE / "corpus", metavar="FOLDER", help="corpus/ beside this file")
    main(parser.parse_args().folder)
