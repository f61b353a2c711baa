"""PPO in one file learns the same, bit for bit, over Gymnasium's environments and batchsim's."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

SCRIPT = Path(__file__).parents[1] / "docs" / "examples" / "cleanrl_ppo.py"
PAGE = SCRIPT.parents[1] / "training-libraries.md"


@pytest.fixture
def ppo(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    threads = torch.get_num_threads()
    yield importlib.import_module("cleanrl_ppo")
    sys.modules.pop("cleanrl_ppo", None)
    torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("name", "steps", "seed"),
    [("CartPole-v1", 14_000, 1), ("CartPole-v1", 6_000, 7), ("MountainCar-v0", 16_000, 3)],
)
def test_the_weights_are_the_same_bit_for_bit(ppo, name, steps, seed):
    settings = {"env_id": name, "total_steps": steps, "seed": seed}
    agents, episodes = zip(
        *(
            ppo.train(ppo.Arguments(simulator=simulator, **settings))
            for simulator in ("gymnasium", "batchsim")
        ),
        strict=True,
    )
    assert len(episodes[0]) > 40
    assert episodes[0] == episodes[1]
    for (key, one), other in zip(
        agents[0].state_dict().items(), agents[1].state_dict().values(), strict=True
    ):
        assert one.numpy().tobytes() == other.numpy().tobytes(), key
    untrained = ppo.train(ppo.Arguments(total_steps=0, num_steps=1, seed=seed, env_id=name))[0]
    assert not torch.equal(untrained.actor[0].weight, agents[0].actor[0].weight)


def test_it_learns_cartpole(ppo):
    _, episodes = ppo.train(ppo.Arguments())
    assert np.mean(episodes[:50]) < 60.0
    assert np.mean(episodes[-50:]) > 350.0


def test_it_runs_from_the_command_line():
    command = [sys.executable, str(SCRIPT), "--simulator", "batchsim", "--total-steps", "4096"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert re.fullmatch(
        r"[\d,]+ steps/s, \d+ episodes\nmean return of the last 50: [\d.]+\n", done.stdout
    )


def test_one_line_tells_the_simulators_apart():
    lines = SCRIPT.read_text().splitlines()
    makers = [line.strip() for line in lines if "make_vec(" in line]
    assert makers == [
        "envs = batchsim.make_vec(args.env_id, args.num_envs)",
        'envs = gym.make_vec(args.env_id, args.num_envs, vectorization_mode="sync")',
    ]
    code = [line for line in lines if "simulator" in line and "python docs" not in line]
    assert len(code) == 3  # the argument, its choices, and the `if` around these lines
    page = PAGE.read_text(encoding="utf-8")
    assert all(line in page for line in makers)
