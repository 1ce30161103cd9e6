"""One job in one run, in three parts, on a Ray cluster of two nodes, and with one of these killed half-way: what each
costs, and that all come to the same.

    python benchmarks/machines.py RECORDINGS --out DIR [--workers 1 2] [--json FILE]

Processor seconds are those of all processes, those of the cluster included (Linux: they are found by a variable of
their environment, and looked at ten times a second). The cluster runs on this machine, a processor a node. Bytes of
.hst files, hashes of stores and reports of evaluate are compared; a difference ends the run. --workers instead encodes
with so many nodes in turn: how the clock runs. Needs the extra `ray`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hstmae import cli
from hstmae.atomic import write_json
from hstmae.data.store.reader import EpisodeStore
from hstmae.executor import on_ray

MARK = f"HSTMAE_BENCHMARK={os.getpid()}"
PARTS, TICK = 3, os.sysconf("SC_CLK_TCK")


def spent() -> dict[str, float]:
    """Processor seconds so far of each process that carries the mark, by its id and time of start."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if MARK.encode() in (place / "environ").read_bytes().split(b"\0"):
                fields = (place / "stat").read_text().rpartition(")")[2].split()
                found[f"{place.name} {fields[19]}"] = (int(fields[11]) + int(fields[12])) / TICK
        except (OSError, ValueError):
            pass  # it has just ended
    return found


class Clock:
    """Context manager: `seconds` by the clock, and of processors of all processes that carry the mark."""

    def __enter__(self) -> Clock:
        self._seen = self._before = spent()
        self._own, self._began = time.process_time(), time.perf_counter()
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()
        return self

    def _look(self) -> None:
        while not self._over.wait(0.1):
            self._seen = {**self._seen, **spent()}

    def __exit__(self, *_: object) -> None:
        self.clock = time.perf_counter() - self._began
        self._over.set()
        self._watch.join()
        self._seen = {**self._seen, **spent()}
        others = sum(value - self._before.get(name, 0.0) for name, value in self._seen.items())
        self.processors = others + time.process_time() - self._own


def run(line: str) -> None:
    if cli.main(line.split()):
        raise SystemExit(f"failed: {line}")


def in_processes(lines: list[str]) -> None:
    """Each as a command of its own, as on a machine of its own."""
    import subprocess

    for line in lines:
        command = [sys.executable, "-m", "hstmae", *line.split()]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def result(path: Path) -> str:
    """What has to be equal: the hash of a file, or of a store."""
    if path.is_dir():
        return EpisodeStore(path).hash
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Cluster:
    """A cluster on this machine, of nodes with a processor each."""

    def __init__(self, nodes: int) -> None:
        from ray.cluster_utils import Cluster as Nodes

        head = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}
        self._nodes = Nodes(initialize_head=True, head_node_args=head)
        self._more = [self._node() for _ in range(nodes - 1)]
        os.environ["RAY_ADDRESS"] = self._nodes.address

    def _node(self) -> Any:
        return self._nodes.add_node(num_cpus=1, object_store_memory=80 << 20)

    def killing(self, line: str, after: int) -> None:
        """Run a command, and kill the second node when so many tasks are done; then there is another one."""
        collect, done = on_ray.RayExecutor._collect, [0]

        def counted(executor: Any) -> None:
            collect(executor)
            done[0] += 1
            if done[0] == after:
                self._nodes.remove_node(self._more.pop(), allow_graceful=False)

        on_ray.RayExecutor._collect = counted  # type: ignore[method-assign, assignment]
        run(line)
        on_ray.RayExecutor._collect = collect  # type: ignore[method-assign]
        if done[0] < after or self._more:
            raise SystemExit(f"no node was killed: {line}")
        self._more = [self._node()]

    def close(self) -> None:
        self._nodes.shutdown()


def table(recordings: Path, out: Path) -> dict[str, Any]:
    store = out / "preprocess-one"
    forms = {
        "encode": (f"encode {recordings} {{}}", ".hst"),
        "preprocess": (f"preprocess --input_dir {recordings} --output_dir {{}}", ""),
        "evaluate": (
            f"evaluate --checkpoint hst-mae-nano --test_data {store} --clips 12 --clip 8 --device cpu --json {{}}",
            ".json",
        ),
    }
    figures: dict[str, Any] = {}
    equal: dict[str, set[str]] = {verb: set() for verb in forms}

    def measured(kind: str, verb: str, name: str, work: Callable[[], None]) -> None:
        with Clock() as clock:
            work()
        figures.setdefault(verb, {})[kind] = {"clock_s": clock.clock, "processor_s": clock.processors}
        if kind != "parts":
            equal[verb].add(result(out / name))
        print(f"{verb}, {kind}: {clock.clock:.1f} s, {clock.processors:.1f} s of processors", file=sys.stderr)

    for verb, (form, suffix) in forms.items():
        parts = [out / f"{verb}-{k}{suffix}" for k in range(1, PARTS + 1)]
        one = out / f"{verb}-one{suffix}"
        lines = [f"{form.format(part)} --part {k}/{PARTS} --workers 1" for k, part in enumerate(parts, 1)]
        joined = out / f"{verb}-joined{suffix}"
        measured("one", verb, one.name, lambda: in_processes([f"{form.format(one)} --workers 1"]))  # noqa: B023
        measured("parts", verb, "", lambda: in_processes(lines))  # noqa: B023
        measured("join", verb, joined.name, lambda: in_processes([f"join {joined} " + " ".join(map(str, parts))]))  # noqa: B023
    with Clock() as clock:
        cluster = Cluster(2)
    figures["cluster"] = {"clock_s": clock.clock, "processor_s": clock.processors}
    for verb, (form, suffix) in forms.items():
        ray, killed = (f"{verb}-{kind}{suffix}" for kind in ("ray", "killed"))
        command = form + " --executor ray"
        measured("ray", verb, ray, lambda: run(command.format(out / ray)))  # noqa: B023
        tasks = 6 if verb == "evaluate" else 12
        measured("killed", verb, killed, lambda: cluster.killing(command.format(out / killed), tasks))  # noqa: B023
    cluster.close()
    for verb, found in equal.items():
        if len(found) != 1:
            raise SystemExit(f"{verb}: {found}")
        figures[verb]["result"] = found.pop()
    return figures


def scaling(recordings: Path, out: Path, nodes: int) -> dict[str, Any]:
    cluster = Cluster(nodes)
    run(f"encode {recordings} {out}/warm-{nodes}.hst --executor ray")  # processes of Ray are started, files read
    with Clock() as clock:
        run(f"encode {recordings} {out}/nodes-{nodes}.hst --executor ray")
    cluster.close()
    return {"nodes": nodes, "clock_s": clock.clock, "processor_s": clock.processors}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, nargs="+")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    args.out.mkdir(parents=True)
    name, value = MARK.split("=")
    os.environ[name] = value
    if args.workers:
        figures: Any = [scaling(args.recordings.resolve(), args.out.resolve(), nodes) for nodes in args.workers]
    else:
        figures = table(args.recordings.resolve(), args.out.resolve())
    print(json.dumps(figures, indent=2))
    if args.json:
        write_json(args.json, figures)


if __name__ == "__main__":
    main()
