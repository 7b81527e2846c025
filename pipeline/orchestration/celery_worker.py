"""What a worker runs: `celery -A pipeline.orchestration.celery_worker worker`.

Broker, queue and everything else come from the run launcher in the `dagster.yaml` of the worker's DAGSTER_HOME.
"""

from dagster import DagsterInstance
from dagster_celery.tasks import create_execute_job_task, create_resume_job_task

from pipeline.errors import CensusError
from pipeline.orchestration.celery_runs import CensusCeleryRunLauncher

with DagsterInstance.get() as instance:
    launcher = instance.run_launcher
if not isinstance(launcher, CensusCeleryRunLauncher):
    raise CensusError("the dagster.yaml of DAGSTER_HOME does not launch runs by Celery: use deploy/celery/dagster.yaml")
app = launcher.celery
execute_job = create_execute_job_task(app)
resume_job = create_resume_job_task(app)
