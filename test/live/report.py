"""Judges what a replayer of the recorded suite printed.

    report.py NAME CASES LOG

NAME names the file in the list of what is left for later (test/live/later).
Prints every failure that is not on the list, every entry of the list that passes
by now, the checklist items whose cases all passed, and a closing line of counts.
"""

import fnmatch
import json
import re
import sys

name, cases_file, log_file = sys.argv[1:4]
cases = json.load(open(cases_file))["cases"]
log = open(log_file, errors="replace").read()

failed = set()
for line in log.splitlines():
    if line.startswith("FAIL "):
        for case in cases:
            if re.match(r"FAIL %s( \[|:)" % re.escape(case["name"]), line):
                failed.add(case["name"])

later = []
for line in open(__file__.replace("report.py", "later")):
    line = line.split("#")[0].strip()
    if line:
        file, pattern = line.split(None, 1)
        if file == name:
            later.append(pattern)


def listed(case):
    return any(fnmatch.fnmatchcase(case, p) for p in later)


closing = re.findall(r"^(\d+) passed, (\d+) failed.*$", log, re.M)
if not closing:
    print("the replayer did not come to its end:")
    print(log[-2000:])
    print("0 passed, 1 failed")
    sys.exit(1)

unexpected = sorted(f for f in failed if not listed(f))
for line in log.splitlines():
    if line.startswith("FAIL ") and any(re.match(r"FAIL %s( \[|:)" % re.escape(u), line) for u in unexpected):
        print(line[:600])
stale = [p for p in later if not any(fnmatch.fnmatchcase(f, p) for f in failed)]
for p in stale:
    print(f"passes by now, take it off test/live/later: {name} {p}")

items = {}
for case in cases:
    skipped = bool(case.get("differs")) and "ours" not in case or case.get("needs") == "key"
    for item in case.get("spec", []):
        ok, bad = items.setdefault(item, [0, 0])
        if case["name"] in failed or skipped:
            items[item][1] += 1
        else:
            items[item][0] += 1
proven = sorted(i for i, (ok, bad) in items.items() if ok and not bad)
if proven:
    print("covers: " + " ".join(proven))
total = int(closing[-1][0])
print(f"{name}: the replayer says {closing[-1][0]} passed, {closing[-1][1]} failed; {len(failed) - len(unexpected)} cases fail that test/live/later lists")
print(f"{total} passed, {len(unexpected) + len(stale)} failed")
sys.exit(bool(unexpected or stale))
