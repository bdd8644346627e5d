#!/usr/bin/env python3
"""Measures how much of its speed ingest keeps while heavy questions run.

    python3 docs/measure/ingest_under_queries.py target/release/throughline [http://127.0.0.1:4318] [http://127.0.0.1:16686] [spans] [rounds]

Sends spans with `throughline load`, alone and while four clients ask one heavy question after the other, in turn, and prints both rates
of every round and the ratio of the medians. Needs nothing but Python and a running server with some data in it (a million spans or more
make the questions heavy).
"""

import json
import statistics
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

QUESTIONS = [
    "/api/v1/sql?" + urllib.parse.urlencode({"query": "SELECT name, count(*) AS n, avg(duration) AS d FROM spans GROUP BY name ORDER BY n DESC"}),
    "/api/v1/map?from=now-24h",
    "/api/v1/traces?" + urllib.parse.urlencode({"q": "no-such-text-anywhere", "from": "now-24h"}),
    "/api/v1/sql?" + urllib.parse.urlencode({"query": "SELECT service_name, max(duration) AS d FROM spans GROUP BY service_name"}),
]
CLIENTS = 4


def ask(base, question, stop, answers):
    while not stop.is_set():
        began = time.perf_counter()
        try:
            with urllib.request.urlopen(base + question, timeout=90) as answer:
                answer.read()
                answers.append((time.perf_counter() - began, answer.status))
        except urllib.error.HTTPError as error:
            answers.append((time.perf_counter() - began, error.code))


def load(program, otlp, spans):
    report = subprocess.run([program, "load", "--endpoint", otlp, "--spans", str(spans), "--json"], capture_output=True, check=True, text=True)
    report = json.loads(report.stdout)
    return report["spans"]["per_second"]


def main():
    program = sys.argv[1]
    otlp = sys.argv[2] if len(sys.argv) > 2 else "http://127.0.0.1:4318"
    base = sys.argv[3] if len(sys.argv) > 3 else "http://127.0.0.1:16686"
    spans = int(sys.argv[4]) if len(sys.argv) > 4 else 500_000
    rounds = int(sys.argv[5]) if len(sys.argv) > 5 else 5
    alone, under = [], []
    answers = []
    for number in range(rounds):
        alone.append(load(program, otlp, spans))
        stop = threading.Event()
        clients = [threading.Thread(target=ask, args=(base, QUESTIONS[n % len(QUESTIONS)], stop, answers)) for n in range(CLIENTS)]
        for client in clients:
            client.start()
        under.append(load(program, otlp, spans))
        stop.set()
        for client in clients:
            client.join()
        print(f"round {number + 1}: alone {alone[-1]:,.0f}/s  under {CLIENTS} questions {under[-1]:,.0f}/s")
    good = [seconds for seconds, status in answers if status == 200]
    print(f"ingest keeps {100 * statistics.median(under) / statistics.median(alone):.0f} % of its speed")
    print(f"{len(good)} of {len(answers)} questions answered, median {1e3 * statistics.median(good):.0f} ms" if good else "no question was answered")


main()
