#!/usr/bin/env python3
"""Measures how long a trace by its id takes through HTTP, one request after the other over one connection.

    python3 docs/measure/trace_by_id.py [http://127.0.0.1:16686] [requests]

Takes the ids from all over the stored data by SQL, checks that every answer has the trace that was asked for, then asks for ids that
do not exist. Needs nothing but Python.
"""

import http.client
import json
import random
import statistics
import sys
import time
import urllib.parse


def get(connection, path):
    """Status, body, and milliseconds from sending the request to having the whole answer."""
    began = time.perf_counter()
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    return answer.status, body, (time.perf_counter() - began) * 1e3


def say(what, times, note):
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    print(f"{what:14} {len(times)} requests  p50 {cuts[49]:.2f} ms  p99 {cuts[98]:.2f} ms  max {max(times):.2f} ms  {note}")


def sql(connection, query):
    status, body, _ = get(connection, "/api/v1/sql?" + urllib.parse.urlencode({"query": query}))
    if status != 200:
        sys.exit(f"no ids: {status} {body.decode(errors='replace')}")
    return json.loads(body)["rows"]


def stored_ids(connection, wanted):
    """About as many ids as wanted. Those with the same digits in the middle lie all over the data; neighbours would share what is cached."""
    # Different ids of very many spans do not fit in memory; about ten spans to a trace are near enough.
    count = sql(connection, "SELECT count(*) AS n FROM spans")[0]["n"] // 10
    digits = 0
    while count > wanted * 16 ** (digits + 1):
        digits += 1
    middle = "".join(random.choice("0123456789abcdef") for _ in range(digits))
    rows = sql(connection, f"SELECT DISTINCT trace_id FROM spans WHERE trace_id LIKE '{'_' * 8}{middle}%' LIMIT 10000")
    return [row["trace_id"] for row in rows]


def main():
    address = urllib.parse.urlsplit(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:16686")
    wanted = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    connection = http.client.HTTPConnection(address.hostname, address.port or 80, timeout=60)

    ids = stored_ids(connection, wanted)
    if not ids:
        sys.exit("nothing is stored; send something first: throughline load --spans 1000000")
    asked = [random.choice(ids) for _ in range(wanted)]

    for trace_id in ids[:20]:  # the first requests of a connection and of a process are not what is asked for
        get(connection, f"/api/v1/traces/{trace_id}")
    times, spans = [], []
    for trace_id in asked:
        status, body, took = get(connection, f"/api/v1/traces/{trace_id}")
        answer = json.loads(body)
        if status != 200 or answer["trace_id"] != trace_id or not answer["spans"]:
            sys.exit(f"a wrong answer for {trace_id}: {status}")
        times.append(took)
        spans.append(len(answer["spans"]))
    say("trace by id", times, f"{statistics.median(spans):.0f} spans in the middle one")

    times = []
    for _ in range(wanted):
        trace_id = f"{random.getrandbits(128) | 1:032x}"
        status, _, took = get(connection, f"/api/v1/traces/{trace_id}")
        if status != 404:
            sys.exit(f"{trace_id} was made up, and the answer is {status}")
        times.append(took)
    say("absent id", times, "")


if __name__ == "__main__":
    main()
