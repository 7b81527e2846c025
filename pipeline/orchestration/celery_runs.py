"""Runs as tasks of Celery workers, one run a task: Dagster's own launcher, which here also sees that a machine is gone.

The extra `cluster` of the distribution brings what this module imports; nothing else of the census does.
"""

from dagster import DagsterRun
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG
from kombu.exceptions import OperationalError
from kombu.utils.url import maybe_sanitize_url

from pipeline.errors import TemporaryError

SECONDS_FOR_AN_ANSWER = 10
ATTEMPTS = 2


class CensusCeleryRunLauncher(CeleryRunLauncher):
    """Launches each run as one task; the run monitor of Dagster's daemon asks it whether a run's worker is alive.

    A task that was begun is `STARTED` for ever if its machine went away: Dagster's launcher would believe it. This one
    asks the worker as well; a run whose worker does not answer is failed by the monitor and started again elsewhere.
    """

    def launch_run(self, context: LaunchRunContext) -> None:
        """Sends the run to the broker.

        Raises:
            TemporaryError: the broker cannot be reached; nothing of the run has begun.
        """
        try:
            # Asked first: what keeps the results would wait for a lost broker for minutes, and tell it in other words.
            with self.celery.connection_for_write() as broker:
                broker.ensure_connection(max_retries=ATTEMPTS, interval_start=1)
            super().launch_run(context)
        except OperationalError as error:
            raise TemporaryError(
                f"the broker {maybe_sanitize_url(self.broker)} cannot be reached, the run was not begun: start it, or "
                "set CENSUS_BROKER_URL to another, and launch the run again"
            ) from error

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """As Celery says of the task, and as the worker that began it answers."""
        health = super().check_run_worker_health(run)
        if health.status != WorkerStatus.RUNNING:
            return health
        worker = self.celery.AsyncResult(run.tags[DAGSTER_CELERY_TASK_ID_TAG]).info["hostname"]
        if self.celery.control.ping(destination=[worker], timeout=SECONDS_FOR_AN_ANSWER):
            return health
        return CheckRunHealthResult(WorkerStatus.FAILED, f"its worker {worker} does not answer")
