"""What one waiting trivial job costs, from the start of the worker to its end."""

from figures import Figures, in_turn
from report import OURS
from scene import SHELL


def run(scene, rounds):
    topics = {SHELL: "jobs/shell", OURS: "jobs/ours"}
    tools = {SHELL: scene.shell("cycle-shell", topics[SHELL]), OURS: scene.ours("cycle-ours", topic=topics[OURS])}
    figures = {tool: Figures() for tool in tools}
    scene.subscribe("cycle-shell", topics[SHELL])
    scene.subscribe("cycle-ours", topics[OURS])

    def turn(tool):
        name = scene.job()
        scene.send(name, topics[tool])
        scene.measure(tools[tool], figures[tool])
        scene.forget(name)

    in_turn(tools, rounds, turn)
    return figures
