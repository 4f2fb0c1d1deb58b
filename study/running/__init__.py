"""Running a plan: dispatching jobs to executors, evaluating cells, status, cancel and doctor."""
