"""A job with the files that `npm ci` makes: what they cost when they are left out, cached, or staged."""

import json
import os
import shutil
import subprocess
import time

from figures import Figures, in_turn
from report import OURS

NAME = "node_modules"
COPY, BYTES = "cp -a", "cp -a --reflink=never"
WITHOUT = f"{OURS}, a job without them"
EXCLUDED = f"{OURS}, `artifacts.exclude`"
STAGED, MATCHED = f"{OURS}, staged", f"{OURS}, staged, 100 patterns of `stage.exclude`"
RESTORED = f"{OURS}, restored from the cache"
# The last thing that a step does.
STAMP = "echo out >out; exec date +%s%N"


def make_small(path):
    """30,000 files of 0.4 to 4.4 KB."""
    for folder in range(300):
        os.makedirs(f"{path}/module-{folder}/lib")
        for file in range(100):
            with open(f"{path}/module-{folder}/lib/file-{file}.js", "w") as out:
                out.write("x" * (400 + file * 40))


def make_large(path):
    """100 files of 8 MiB."""
    os.makedirs(path)
    for file in range(100):
        with open(f"{path}/image-{file}", "wb") as out:
            out.write(os.urandom(8 << 20))


def dry_run(scene, name):
    """The result of one run of the job, and the moment when it stood on the volume, in seconds since 1970."""
    payload = f"{scene.place}/{name}.json"
    with open(payload, "w") as request:
        json.dump({"id": name}, request)
    shutil.rmtree(f"{scene.jobs}/{name}/results", ignore_errors=True)
    worker = scene.start(
        [scene.program("mqtt-fs-worker"), "--dry-run", "--payload", payload, "-j", scene.jobs, "-w", scene.workspaces,
         "--log-level", "error", "--cache-size", "8GiB"])
    # The times of files are those of the kernel's last tick.
    scene.finished(name)
    end = time.time()
    assert worker.wait() == 0
    with open(f"{scene.jobs}/{name}/results/result.json") as result:
        return json.load(result), end


def define(scene, step, **keys):
    name = scene.job(step)
    with open(f"{scene.jobs}/{name}/job.json", "w") as definition:
        json.dump({"steps": [step], **keys}, definition)
    return name


def sync(scene, source, rounds):
    """From the end of the step to the result."""
    jobs = {
        # The step makes them all the same, but not in the workspace.
        WITHOUT: define(scene, f"cp -a {source} $TMPDIR/{NAME}; {STAMP}"),
        EXCLUDED: define(scene, f"cp -a {source} {NAME}; {STAMP}", artifacts={"exclude": [f"{NAME}/"]}),
    }
    figures = {tool: Figures() for tool in jobs}

    def turn(tool):
        _, end = dry_run(scene, jobs[tool])
        with open(f"{scene.jobs}/{jobs[tool]}/results/step_0.log") as log:
            figures[tool].add(end - int(log.read()) / 1e9)

    in_turn(jobs, rounds, turn)
    scene.forget(*jobs.values())
    return figures


def staging(scene, source, rounds, *copies):
    """Copying them to the workspace, from the volume or from the cache, on one file system. `copies`: other tools for it."""
    patterns = [f"*.{number}.tmp" for number in range(50)] + [f"build/**/part-{number}" for number in range(50)]
    jobs = {
        RESTORED: define(scene, f"[ -e {NAME} ] || cp -a {source} {NAME}", artifacts={"exclude": [f"{NAME}/"]},
                         cache=[{"key": os.path.basename(source), "paths": [NAME]}]),
        STAGED: define(scene, "true"),
        MATCHED: define(scene, "true", stage={"exclude": patterns}),
    }
    for tool in (STAGED, MATCHED):
        subprocess.run(["cp", "-a", source, f"{scene.jobs}/{jobs[tool]}/{NAME}"], check=True)
    # The first run fills the cache.
    dry_run(scene, jobs[RESTORED])
    figures = {tool: Figures() for tool in (*copies, *jobs)}

    def turn(tool):
        if tool in copies:
            copy = f"{scene.workspaces}/copy"
            begin = time.monotonic()
            subprocess.run([*tool.split(), source, copy], check=True)
            figures[tool].add(time.monotonic() - begin)
            shutil.rmtree(copy)
            return
        result, _ = dry_run(scene, jobs[tool])
        if tool == RESTORED:
            assert result["caches"][0]["hit"] == "exact", result["caches"]
        figures[tool].add(result["timing"]["stageMs"] / 1000)

    in_turn(figures, rounds, turn)
    scene.forget(*jobs.values())
    return figures
