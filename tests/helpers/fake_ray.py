"""As much of Ray as the executor uses, in this process."""

from __future__ import annotations

from typing import Any

from hstmae.executor import on_ray


class Task:
    """A task that was begun, or its result."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments


class FakeRay:
    """Tasks finish when they are asked for, the newest first.

    Attributes:
        lost: numbers of tasks, from 0, whose machines are lost.
    """

    class exceptions:
        class RayError(Exception):
            pass

    def __init__(self) -> None:
        self.cancelled: list[Task] = []
        self.lost: set[int] = set()
        self.begun: list[Task] = []

    def is_initialized(self) -> bool:
        return True

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 2.0}

    def put(self, value: Any) -> Any:
        return value

    def cancel(self, task: Task, force: bool) -> None:
        self.cancelled.append(task)

    def remote(self, **options: Any) -> Any:
        assert options == {"num_cpus": 1, "max_retries": on_ray.TRIES}

        class Begin:
            @staticmethod
            def remote(*arguments: Any) -> Task:
                self.begun.append(Task(*arguments))
                return self.begun[-1]

        return lambda function: Begin

    def wait(self, tasks: list[Task], num_returns: int) -> tuple[list[Task], list[Task]]:
        assert num_returns == 1
        return tasks[-1:], tasks[:-1]

    def get(self, task: Task) -> Any:
        if self.begun.index(task) in self.lost:
            raise self.exceptions.RayError("node died")
        return on_ray._carry_out(*task.arguments)
