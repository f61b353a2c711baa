"""What `estimate` predicts and measures: Amdahl's law, over PPO that ends with the same agent."""

import contextlib
import json
import re

import gymnasium
import numpy as np
import pytest

torch = pytest.importorskip("torch")

import batchsim  # noqa: E402
from batchsim import __main__ as command  # noqa: E402
from batchsim import registry  # noqa: E402
from batchsim.torch import Hyperparameters, TimeSplit  # noqa: E402
from batchsim.torch import estimate as estimates  # noqa: E402
from batchsim.torch import estimate_report as report  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")

HOW = Hyperparameters(num_envs=4, steps=8, minibatches=2, epochs=1)
TINY = ["--num-envs", "4", "--set", "steps=8", "--set", "minibatches=2", "--iterations", "2"]
TINY += ["--repeats", "1", "--seconds", "0.01", "--threads", "1"]


@pytest.fixture(scope="module")
def found():
    settings = estimates.EstimateSettings(
        "CartPole-v1",
        HOW,
        iterations=2,
        repeats=2,
        seconds=0.01,
        rungs=("python", "soa-numpy", "driver", "fast"),
        threads=1,
    )
    doing = []
    result = estimates.estimate(settings, lambda what, done: doing.append((what, done)))
    shares = [done for _, done in doing]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert ("PPO on driver, 1 of 2", pytest.approx(6 / 12)) in doing
    return result


@pytest.fixture
def run(capsys, monkeypatch):
    """Call the command; return its exit status, standard output and standard error."""

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["batchsim", "estimate", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            command.main()
        return (end.value.code or 0, *capsys.readouterr())

    return call


def test_both_sides_of_an_id_with_texts_have_tokens():
    pytest.importorskip("minigrid")
    settings = estimates.EstimateSettings("MiniGrid-Fetch-5x5-N2-v0", HOW)
    theirs = estimates._make(settings, "baseline")
    with contextlib.closing(
        batchsim.make_vec(settings.env_id, 4, text_mode="tokens", backend="reference")
    ) as ours:
        assert theirs.single_observation_space == ours.single_observation_space
        assert theirs.observation_space == ours.observation_space
        found, expected = theirs.reset(seed=1)[0], ours.reset(seed=1)[0]
    np.testing.assert_array_equal(found["mission"], expected["mission"])
    assert found["mission"].dtype == expected["mission"].dtype
    theirs.close()


def test_the_baseline_of_an_id_that_gymnasium_lacks_is_the_one_brought_along(monkeypatch):
    settings = estimates.EstimateSettings("EgoBasic-v0", HOW)
    envs = estimates._make(settings, "baseline")
    assert {env.spec.id for env in envs.envs} == {"batchsim-baseline/EgoBasic-v0"}
    envs.close()
    monkeypatch.setitem(registry._entries, "Mine-v0", registry.Entry("nowhere"))
    with pytest.raises(ValueError, match="Mine-v0 has no per-object environment"):
        estimates.EstimateSettings("Mine-v0", HOW)


@pytest.mark.parametrize(
    ("environment", "expected"), [(6.0, 1.0), (0.0, 10 / 4), (3.0, 10 / 7), (12.0, 10 / 16)]
)
def test_with_the_baselines_own_rest_the_prediction_is_amdahls_law(environment, expected):
    baseline = TimeSplit(environment=6.0, policy=1.0, learning=2.5, rest=0.5)
    assert estimates.predict(baseline, 4.0, environment) == pytest.approx(expected)


def test_the_rest_is_taken_from_the_record(found):
    rest = found.record.whole - found.record.environment
    own = found.baseline.whole - found.baseline.environment
    for one in found.predictions:
        assert one.speedup == found.baseline.whole / (rest + one.environment)
        assert one.amdahl == found.baseline.whole / (own + one.environment)


def test_the_limit_is_the_prediction_for_no_time_at_all(found):
    rest = found.record.whole - found.record.environment
    assert found.limit == pytest.approx(found.baseline.whole / rest)
    assert all(one.speedup <= found.limit for one in found.predictions)


def test_a_record_returns_what_was_recorded():
    envs = estimates.Recorded(gymnasium.make_vec("CartPole-v1", 3, vectorization_mode="sync"))
    rng = np.random.default_rng(0)
    expected = [envs.reset(seed=1)]
    expected += [envs.step(rng.integers(0, 2, 3)) for _ in range(60)]
    record = estimates.Record(envs)
    for _ in range(2):
        found = [record.reset(seed=1), *(record.step(np.zeros(3, int)) for _ in range(60))]
        for one, other in zip(found, expected, strict=True):
            for left, right in zip(one[:4], other[:4], strict=True):
                np.testing.assert_array_equal(left, right)
    envs.close()


def test_the_agent_is_the_same_on_either_simulator(found):
    assert found.same_agent


def test_only_rungs_that_train_are_measured_as_a_whole(found):
    measured = {one.name for one in found.predictions if one.measured is not None}
    assert measured == {"driver", "fast"}
    for one in found.predictions:
        if one.measured is None:
            assert (one.measured_speedup, one.error) == (None, None)
        else:
            assert one.measured_speedup == found.baseline.whole / one.measured.whole
            assert one.error == one.speedup / one.measured_speedup - 1.0


def test_a_rung_takes_as_long_as_its_steps_do(found):
    assert found.settings.steps == 2 * 4 * 8
    for one in found.predictions:
        assert one.environment > 0.0


def test_the_document_has_everything(found):
    document = json.loads(estimates.to_json(found))
    assert document["schema"] == 1
    assert document["env_id"] == "CartPole-v1"
    assert document["same_agent"] is True
    assert document["steps"] == 64
    for split in ("baseline", "record"):
        assert set(document[split]) == {"environment", "policy", "learning", "rest"}
    assert 0.0 < document["environment_share"] < 1.0
    assert document["versions"]["torch"] == torch.__version__
    names = [rung["name"] for rung in document["rungs"]]
    assert names == ["python", "soa-numpy", "driver", "fast"]
    assert document["rungs"][0]["measured"] is None
    assert document["rungs"][2]["error"] is not None


def test_the_table_goes_between_its_markers(found, tmp_path):
    path = tmp_path / "page.md"
    path.write_text("before\n<!-- estimate -->\nold\n<!-- /estimate -->\nafter\n")
    report.write_markdown(found, path)
    text = path.read_text()
    assert text.startswith("before\n<!-- estimate -->\n")
    assert text.endswith("<!-- /estimate -->\nafter\n")
    assert "old" not in text
    rows = re.findall(r"^\| (\S+) \|", text, re.MULTILINE)
    assert rows == ["environments", "---", "baseline", "python", "soa-numpy", "driver", "fast"]


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_plot_has_a_bar_for_each_process(found, tmp_path, suffix):
    pytest.importorskip("matplotlib")
    path = tmp_path / f"plot.{suffix}"
    report.draw(found, path)
    assert path.stat().st_size > 5000
    assert len(report._bars(found.predictions[0], found.record)) == 1
    assert len(report._bars(found.predictions[2], found.record)) == 2


def test_the_command_prints_and_writes(run, tmp_path):
    files = {name: tmp_path / f"e.{name}" for name in ("json", "markdown")}
    options = [text for name, path in files.items() for text in (f"--{name}", path)]
    status, out, err = run("CartPole-v1", *TINY, "--rungs", "driver", *options)
    assert (status, err) == (0, "")
    assert "What faster environments buy: CartPole-v1" in out
    assert re.search(r"baseline .*×1\.00", out)
    assert "the same parameters, bit for bit" in " ".join(out.split())
    assert json.loads(files["json"].read_text())["rungs"][0]["name"] == "driver"
    assert "| driver |" in files["markdown"].read_text()


def test_a_rung_that_cannot_be_measured_says_why(run):
    status, out, _ = run("FrozenLake-v1", *TINY, "--rungs", "cython,driver")
    assert status == 0
    assert "cython: written by hand for" in " ".join(out.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["CartPol-v1"], "did you mean 'CartPole-v1'?"),
        (["CartPole-v1", "--num-envs", "0"], "num_envs is 0; expected a positive whole number."),
        (["CartPole-v1", "--iterations", "0"], "iterations is 0; expected"),
        (["CartPole-v1", "--repeats", "-1"], "repeats is -1; expected"),
        (["CartPole-v1", "--seconds", "0"], "--seconds is 0.0; expected a positive number."),
        (["CartPole-v1", "--rungs", "drivr"], "did you mean 'driver'?"),
        (["CartPole-v1", "--threads", "0"], "threads is 0; expected"),
        (["CartPole-v1", "--set", "gama=1"], "did you mean 'gamma'?"),
        (["CartPole-v1", "--set", "gamma"], "--set is 'gamma'; expected name=value"),
        (["CartPole-v1", "--seed", "-1"], "seed is -1; expected"),
        (["CartPole-v1", "--plot", "plot.txt"], "expected a name that ends in .png or .svg."),
        (["CartPole-v1", "--json", "no/such/place.json"], "cannot be written"),
    ],
)
def test_bad_input_is_one_sentence(run, arguments, message):
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
