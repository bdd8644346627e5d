#!/usr/bin/env python3
"""Processor time that a server spends on questions, which does not depend on what else the machine does.

    python3 docs/measure/cpu_of_questions.py http://127.0.0.1:16686 $PID 50 '/api/v1/map?from=now-3h' '/api/v1/services?from=now-3h'

Each question is asked once, then so many times; the server must have nothing else to do. Times are in milliseconds.
"""

import statistics
import sys
import time
import urllib.error
import urllib.request


def cpu_ms(pid):
    """Of the whole process, threads that have ended included: its own clock, as clock_getcpuclockid(3) names it on Linux."""
    return time.clock_gettime((~pid << 3) | 2) * 1e3


def ask(url):
    began = time.perf_counter()
    try:
        with urllib.request.urlopen(url) as answer:
            size = len(answer.read())
    except urllib.error.HTTPError as refusal:
        size = len(refusal.read())
    return (time.perf_counter() - began) * 1e3, size


def main():
    base, pid, times = sys.argv[1].rstrip("/"), int(sys.argv[2]), int(sys.argv[3])
    for path in sys.argv[4:]:
        before = cpu_ms(pid)
        ask(base + path)
        between = cpu_ms(pid)
        answers = [ask(base + path) for _ in range(times)]
        each = (cpu_ms(pid) - between) / times
        took = sorted(wall for wall, _ in answers)
        print(
            f"{path}\n    first {between - before:.1f} CPU-ms, then {each:.2f} CPU-ms; "
            f"wall p50 {statistics.median(took):.2f}, least {took[0]:.2f}; {answers[0][1]} bytes"
        )


if __name__ == "__main__":
    main()
