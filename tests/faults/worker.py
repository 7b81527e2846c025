"""Runs jobs of the census in processes that may be killed: loads everything once, then forks for each job.

Started as `python worker.py HOME`; reads one JSON object a line, {"job": ..., "month": ..., "source": ...}, writes
{"pid": ...} when the job's process is there, and {"status": ..., "failures": [...]} when it has ended.
"""

import json
import os
import sys
import time
import uuid

# Loaded here once. Not the census itself: Polars starts threads when it first computes, which a fork leaves behind.
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


def hurry():
    """Retries follow one another at once."""
    sleep = time.sleep
    time.sleep = lambda seconds: sleep(min(seconds, 0.05))


def run(asked, said):
    if "WITHOUT_PAUSES" in asked["environment"]:
        hurry()
    from pipeline.definitions import defs
    from pipeline.orchestration.abandoned_runs import end_abandoned_runs, held
    from pipeline.orchestration.run_report import report_from

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
    os.write(said, json.dumps(report.failures + errors).encode())
    return 0 if result.success else 1


def tell(**facts):
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def main():
    for name, value in {"CENSUS_HOME": sys.argv[1], "DAGSTER_HOME": f"{sys.argv[1]}/dagster"}.items():
        os.environ[name] = value
    from pipeline.orchestration.home import prepare_home

    prepare_home()
    tell(ready=True)
    for line in sys.stdin:
        asked = json.loads(line)
        os.environ.update(asked["environment"])
        heard, said = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(heard)
            os._exit(run(asked, said))
        os.close(said)
        tell(pid=pid)
        with os.fdopen(heard) as pipe:
            failures = pipe.read()
        _, status, usage = os.wait4(pid, 0)
        tell(status=status, failures=json.loads(failures or "[]"), megabytes=usage.ru_maxrss // 1024)


if __name__ == "__main__":
    main()
