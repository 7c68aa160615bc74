"""What is printed of the results."""

import json
import sys
import time

MARKS = {"passed": "ok", "failed": "FAILED", "skipped": "skipped"}


def run(site, groups, require, left_out=()):
    """The results of these groups, told as they come, and their sum.

    With `require` what is skipped has failed, but for the checks that are `left_out`: those must not pass, else the list is old.
    """
    started, results = time.monotonic(), []
    for group in groups:
        for result in group(site).run():
            if result.state == "skipped" and require and result.id not in left_out:
                result.state = "failed"
            elif result.state != "skipped" and result.id in left_out:
                result.state, result.reason = "failed", "it is on the list of what is left out, and is not skipped: take it off"
            tell(result)
            results.append(result)
    return results, summary(results, time.monotonic() - started)


def as_json(results, summary):
    return json.dumps(summary | {"checks": [result.told() for result in results]}, indent=2)


def tell(result):
    """One line of a result as it comes."""
    reason = f": {result.reason}" if result.reason else ""
    print(f"{MARKS[result.state]:8} {result.id}{reason}", file=sys.stderr, flush=True)


def summary(results, seconds):
    counts = {state: sum(result.state == state for result in results) for state in MARKS}
    return {"total": len(results)} | counts | {"seconds": round(seconds, 1)}


def by_group(results):
    groups = {}
    for result in results:
        groups.setdefault(result.id.split(".")[0], []).append(result)
    return groups


def print_table(results, summary):
    """A line for each group, and below what did not pass."""
    width = max((len(name) for name in by_group(results)), default=5)
    print(f"{'group':{width}}  passed  failed  skipped")
    for name, of_group in by_group(results).items():
        counts = [sum(result.state == state for result in of_group) for state in MARKS]
        print(f"{name:{width}}  {counts[0]:6}  {counts[1]:6}  {counts[2]:7}")
    for state in ("failed", "skipped"):
        for result in results:
            if result.state == state:
                print(f"\n{state} {result.id}: {result.says}\n  {result.reason}")
    print(
        f"\n{summary['total']} checks: {summary['passed']} passed, {summary['failed']} failed, {summary['skipped']} skipped; {summary['seconds']} s"
    )


def print_list(groups):
    for group in groups:
        print(f"{group.name}: {group.says}")
        for check in group.checks():
            covers = f" [{', '.join(map(str, check.covers))}]" if check.covers else ""
            print(f"  {check.id}: {check.says}{covers}")
