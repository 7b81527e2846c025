"""Runs jobs of the census in processes that may be killed: loads everything once, then forks for each job.

Started as `python worker.py FOLDER`, a folder of its own. Reads one JSON object a line:

- {"job": ..., "month": ..., "source": ..., "environment": {...}} starts a job, and is answered by {"pid": ...};
- {"ended": pid} waits for it, and is answered by {"status": ..., "failures": [...], "checks": [...], ...}.
"""

import gc
import json
import os
import sys
import time
import uuid
from pathlib import Path

# Loaded here once, with all of the census but the definitions of its checks: these make Polars compute, whereupon it
# starts threads, which a fork leaves behind.
import altair  # noqa: F401
import dagster as dg
import dagster_duckdb  # noqa: F401
import duckdb  # noqa: F401
import great_expectations  # noqa: F401
import huggingface_hub  # noqa: F401
import pandas  # noqa: F401
import polars  # noqa: F401
import scipy.sparse.csgraph  # noqa: F401
import starlette.applications  # noqa: F401
import uvicorn  # noqa: F401
from dagster._core.execution import backfill  # noqa: F401

import assets
from pipeline.orchestration.home import prepare_home
from pipeline.orchestration.runs import end_abandoned_runs, held, report_from
from pipeline.schema.catalogue import modules_of

list(modules_of(assets))
THREADS = {task.joinpath("comm").read_text().strip() for task in Path("/proc/self/task").iterdir()}
assert "polars-0" not in THREADS, "a module computes with Polars where it is loaded: a fork would wait for its threads"


def hurry():
    """Retries follow one another at once."""
    sleep = time.sleep
    time.sleep = lambda seconds: sleep(min(seconds, 0.05))


def run(asked, said):
    os.environ.update(asked["environment"])
    if "WITHOUT_PAUSES" in asked["environment"]:
        hurry()
    prepare_home()
    from pipeline.definitions import defs

    instance = dg.DagsterInstance.get()
    end_abandoned_runs(instance)
    run_id = str(uuid.uuid4())
    resources = {"snapshot_source": {"config": {"source": asked["source"]}}} if asked["month"] else {}
    with held(run_id):
        result = defs.resolve_job_def(asked["job"]).execute_in_process(
            run_config={"resources": resources, "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            instance=instance,
            partition_key=asked["month"],
            run_id=run_id,
            raise_on_error=False,
        )
    report = report_from(result.all_events)
    errors = [str(check) for check in report.failed_checks if check.severity == "ERROR"]
    os.write(said, json.dumps({"failures": report.failures, "checks": errors}).encode())
    return 0 if result.success else 1


def tell(**facts):
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def start(asked):
    """The id of a new process that runs a job, and where it will tell how it ended."""
    heard, said = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(heard)
        os._exit(run(asked, said))
    os.close(said)
    return pid, heard


def end_of(pid, heard):
    with os.fdopen(heard) as pipe:
        report = json.loads(pipe.read() or '{"failures": [], "checks": []}')
    _, status, usage = os.wait4(pid, 0)
    return report | {
        "status": status,
        "megabytes": usage.ru_maxrss // 1024,
        "processor_seconds": usage.ru_utime + usage.ru_stime,
    }


def main():
    os.environ.update(CENSUS_HOME=sys.argv[1], DAGSTER_HOME=f"{sys.argv[1]}/dagster")
    prepare_home()
    dg.DagsterInstance.get().dispose()
    gc.freeze()
    tell(ready=True)
    running = {}
    for line in sys.stdin:
        asked = json.loads(line)
        if "ended" in asked:
            tell(**end_of(asked["ended"], running.pop(asked["ended"])))
        else:
            pid, heard = start(asked)
            running[pid] = heard
            tell(pid=pid)


if __name__ == "__main__":
    main()
