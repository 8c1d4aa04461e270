"""Which devices are found, what is proved on them, and what a device that does not work leads to."""

import re
import sys
from types import SimpleNamespace

import pytest
import torch

from torchnotes import kinds
from torchnotes.harness import devices, diagnosis, isolation
from torchnotes.record import reader


class Accelerator:
    """Stands in for `torch.accelerator`: it names what the build is for, whether or not there is one."""

    def __init__(self, name, available):
        self.name, self.available = name, available

    def is_available(self):
        return self.available

    def current_accelerator(self):
        return torch.device(self.name)


@pytest.mark.parametrize(
    ("name", "available", "names"),
    [
        ("cuda", True, ["cpu", "cuda"]),
        ("cuda", False, ["cpu"]),
        ("mps", True, ["cpu", "mps"]),
        ("xpu", True, ["cpu", "xpu"]),
    ],
)
def test_what_torch_accelerator_names_counts_only_if_it_is_available(monkeypatch, name, available, names):
    monkeypatch.setattr(torch, "accelerator", Accelerator(name, available), raising=False)

    assert devices.visible() == names


@pytest.mark.parametrize("there", [(), ("cuda",), ("mps",), ("xpu",), ("cuda", "xpu")])
def test_without_torch_accelerator_each_kind_is_asked(monkeypatch, there):
    monkeypatch.delattr(torch, "accelerator", raising=False)
    for name, module in {"cuda": torch.cuda, "mps": torch.backends.mps, "xpu": torch.xpu}.items():
        monkeypatch.setattr(module, "is_available", lambda name=name: name in there)

    assert devices.visible() == ["cpu", *there]


def test_a_torch_that_has_never_heard_of_xpu_has_none(monkeypatch):
    monkeypatch.delattr(torch, "accelerator", raising=False)
    monkeypatch.delattr(torch, "xpu", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    assert devices.visible() == ["cpu"]


@pytest.mark.parametrize("before", [None, "0"])
def test_asking_for_devices_does_not_initialise_a_driver_and_leaves_the_environment_alone(monkeypatch, before):
    name = "PYTORCH_NVML_BASED_CUDA_CHECK"
    if before is None:
        monkeypatch.delenv(name, raising=False)
    else:
        monkeypatch.setenv(name, before)
    seen = []

    class Asked(Accelerator):
        def is_available(self):
            seen.append(devices.os.environ[name])
            return False

    monkeypatch.setattr(torch, "accelerator", Asked("cuda", False), raising=False)
    devices.visible()

    assert seen == ["1"]
    assert devices.os.environ.get(name) == before


@pytest.mark.parametrize(("name", "arguments"), [("cuda", ()), ("cuda:0", ()), ("cuda:1", ("cuda:1",)), ("mps:0", ())])
def test_each_device_is_waited_for_and_not_only_the_first(monkeypatch, name, arguments):
    calls = []
    module = getattr(torch, name.partition(":")[0])
    monkeypatch.setattr(module, "synchronize", lambda *arguments: calls.append(arguments))

    devices.synchronize(name)

    assert calls == [arguments]


def test_the_cpu_computes():
    assert devices.probe("cpu") is None


def raising(error):
    def function(*arguments, **options):
        raise error

    return function


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (AssertionError(""), "AssertionError: AssertionError"),
        (RuntimeError("two\nlines"), "RuntimeError: two"),
    ],
)
def test_a_device_that_raises_does_not_compute(monkeypatch, error, cause):
    monkeypatch.setattr(torch, "arange", raising(error))

    assert devices.probe("cpu") == cause


def test_a_device_that_computes_something_else_does_not_count(monkeypatch):
    real = torch.arange
    monkeypatch.setattr(torch, "arange", lambda *a, **k: real(*a, **k) + 1)

    assert (
        devices.probe("cpu")
        == "a product of two small matrices gave [[14.0, 32.0], [32.0, 77.0]], not [[5, 14], [14, 50]]"
    )


def test_a_device_whose_gradients_are_wrong_does_not_count(monkeypatch):
    backward = torch.Tensor.backward
    monkeypatch.setattr(torch.Tensor, "backward", lambda tensor, **options: backward(3 * tensor, **options))

    assert devices.probe("cpu") == "the gradient of 2x gave [6.0, 6.0], not [2, 2]"


def test_a_kernel_that_fails_late_is_found_by_the_probe(monkeypatch):
    monkeypatch.setattr(devices, "synchronize", raising(RuntimeError("an illegal memory access was encountered")))

    assert devices.probe("cpu") == "RuntimeError: an illegal memory access was encountered"


@pytest.fixture
def a_broken_gpu(monkeypatch):
    monkeypatch.setattr(devices, "visible", lambda: ["cpu", "cuda"])
    monkeypatch.setattr(devices, "probe", lambda name: "its driver is too old" if name == "cuda" else None)


NOTE = "def test_it(device):\n    assert torch.ones(2, device=device).sum() == 2\n"


def test_a_device_that_is_visible_and_broken_is_one_failure(project, a_broken_gpu):
    project.note(NOTE + NOTE.replace("test_it", "test_that"))

    result = project.run()

    assert result.code == pytest.ExitCode.TESTS_FAILED
    assert result.counts == {"passed": 2}  # on the cpu
    assert "cpu computes; cuda cannot compute: its driver is too old" in result.out
    assert result.out.count("FAILED: ") == 1
    assert "FAILED: cuda cannot compute: its driver is too old: it is visible, so this is a failure" in result.out


def test_a_cpu_that_computes_wrong_stops_the_run(project, monkeypatch):
    monkeypatch.setattr(devices, "visible", lambda: ["cpu"])
    monkeypatch.setattr(devices, "probe", lambda name: "a product of two small matrices gave 0")
    project.note(NOTE)

    result = project.run()

    assert result.code == pytest.ExitCode.USAGE_ERROR
    assert result.refusal.startswith(
        "ERROR: cpu cannot compute: a product of two small matrices gave 0; this torch is broken"
    )


def test_a_device_that_is_asked_for_and_broken_stops_the_run(project, a_broken_gpu):
    project.note(NOTE)

    result = project.run("--device", "cuda")

    assert result.code == pytest.ExitCode.USAGE_ERROR
    assert result.refusal == "ERROR: --device cuda cannot compute: its driver is too old"


def test_a_broken_device_that_is_not_chosen_does_not_matter(project, a_broken_gpu):
    project.note(NOTE)

    assert project.run("--device", "cpu").code == 0


@pytest.mark.parametrize(
    ("names", "counts", "expected"),
    [
        (["cpu"], {}, [("cpu", "meta")]),
        (["cpu", "cuda"], {"cuda": 1}, [("cpu", "meta"), ("cpu", "cuda")]),
        (["cpu", "cuda"], {"cuda": 4}, [("cpu", "meta"), ("cpu", "cuda"), ("cuda:0", "cuda:1")]),
        (["cuda"], {"cuda": 2}, [("cpu", "cuda"), ("cuda:0", "cuda:1")]),
        (["cpu", "mps"], {"mps": 1}, [("cpu", "meta"), ("cpu", "mps")]),
    ],
)
def test_pairs_of_devices(monkeypatch, names, counts, expected):
    monkeypatch.setattr(devices, "count", lambda name: counts.get(name, 1))

    assert devices.pairs([devices.Device(name) for name in names]) == expected


def test_a_pair_with_a_stand_in_is_reported_as_one(project, monkeypatch):
    monkeypatch.setattr(devices, "visible", lambda: ["cpu"])
    project.note(
        """
def test_they_do_not_mix(device_pair):
    one, another = device_pair
    assert [one.type, another.type] == ["cpu", "meta"]
    with pytest.raises(RuntimeError):
        torch.ones(2, device=one) + torch.ones(2, device=another)
"""
    )

    result = project.run("-v")

    assert result.code == 0
    assert "test_they_do_not_mix[cpu+meta] PASSED" in result.out
    assert "\nsection cpu+meta\n01 first 1\n" in re.sub(" +", " ", result.out)
    assert "(meta stands in for a second device: the rule is proved, but not on an accelerator)" in result.out


def test_a_note_that_needs_an_accelerator_is_named_where_there_is_none(project, monkeypatch):
    monkeypatch.setattr(devices, "visible", lambda: ["cpu"])
    project.note("def test_fast(accelerator):\n    assert False\n\ndef test_it():\n    pass\n")

    result = project.run()

    assert result.code == 0
    assert "2 claims: 1 held, 0 failed, 1 could not be checked" in result.out
    assert "  only an accelerator can show this, and there is none here\n    01 first: test_fast\n" in result.out


def test_the_fixture_is_the_device_that_tensors_report(project):
    project.note("def test_it(device):\n    assert torch.ones(1, device=device).device == device\n")

    assert project.run().counts == {"passed": 1}


@pytest.mark.parametrize("fixture", ["device", "device_pair", "accelerator"])
def test_the_note_that_launched_a_faulty_kernel_is_the_one_that_fails(project, monkeypatch, fixture):
    monkeypatch.setattr(devices, "visible", lambda: ["cpu", "cuda"])
    monkeypatch.setattr(devices, "count", lambda name: 1)
    monkeypatch.setattr(devices, "probe", lambda name: None)
    monkeypatch.setattr(devices, "canonical", torch.device)
    launched = []

    def synchronize(name):
        if launched and name == "cuda":
            raise RuntimeError(f"the kernel of {launched.pop()} failed")

    monkeypatch.setattr(devices, "synchronize", synchronize)
    monkeypatch.setattr(devices, "launched", launched, raising=False)
    project.note(
        f"""
from torchnotes.harness.devices import launched

def test_before({fixture}):
    pass

def test_guilty({fixture}):
    launched.append("test_guilty")

def test_innocent({fixture}):
    pass
"""
    )

    result = project.run("--device", "cuda")

    assert result.code == 1
    assert result.counts == {"passed": 3, "error": 1}
    assert "ERROR at teardown of test_guilty[" in result.out
    assert "3 claims: 2 held, 1 failed" in result.out


@pytest.mark.parametrize(
    ("names", "chosen", "gpus", "reason"),
    [
        (["cpu"], [], None, "there is none here"),
        (["cpu"], [], ["NVIDIA H200"], "torch sees none here: a reason"),
        (["cpu", "cuda"], ["--device", "cpu"], ["NVIDIA H200"], "none was chosen"),
        (["cpu", "cuda"], [], ["NVIDIA H200"], "cuda cannot compute: it is broken"),
    ],
)
def test_why_there_is_no_accelerator_is_said_beside_what_it_alone_can_show(
    project, monkeypatch, names, chosen, gpus, reason
):
    monkeypatch.setattr(devices, "visible", lambda: names)
    monkeypatch.setattr(devices, "probe", lambda name: "it is broken" if name == "cuda" else None)
    monkeypatch.setattr(diagnosis, "gpus_of_the_driver", lambda: gpus)
    monkeypatch.setattr(diagnosis, "of_absence", lambda device_type: "a reason")
    project.note("def test_fast(accelerator):\n    pass\n\ndef test_it():\n    pass\n")

    result = project.run(*chosen)

    assert f"  only an accelerator can show this, and {reason}\n    01 first: test_fast\n" in result.out


@pytest.mark.parametrize(
    ("kinds", "built_for", "ran"),
    [
        ('"cpu"', "12.4", ["cpu"]),
        ('"cuda"', "12.4", ["cuda"]),
        ('"cuda"', None, ["cuda"]),  # a build for AMD calls its devices cuda too
        ('"nvidia"', "12.4", ["cuda"]),
        ('"nvidia"', None, []),
        ('"cpu", "cuda"', "12.4", ["cpu", "cuda"]),
        ('"mps"', "12.4", []),
    ],
)
def test_a_note_about_some_kinds_of_device_is_unchecked_on_the_others(project, monkeypatch, kinds, built_for, ran):
    monkeypatch.setattr(devices, "visible", lambda: ["cpu", "cuda"])
    monkeypatch.setattr(devices, "count", lambda name: 1)
    monkeypatch.setattr(devices, "probe", lambda name: None)
    monkeypatch.setattr(devices, "canonical", lambda name: torch.device("cpu"))
    monkeypatch.setattr(devices, "synchronize", lambda name: None)
    monkeypatch.setattr(torch.version, "cuda", built_for)
    marker = f"@pytest.mark.only({kinds}, because='a reason')"
    project.note(f"{marker}\ndef test_it(device):\n    pass\n\ndef test_other():\n    pass\n")

    result = project.run("-v")

    assert [name for name in ("cpu", "cuda") if f"::test_it[{name}] PASSED" in result.out] == ran
    for name in {"cpu", "cuda"} - set(ran):
        assert f"  not on {name}: a reason\n    01 first: test_it\n" in result.out


@pytest.fixture
def a_gpu_that_dies(monkeypatch):
    """cuda is the CPU in disguise; from the first note on that calls `die`, nothing on it works any more."""
    dead = []

    def synchronize(name):
        if dead and name == "cuda":
            raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(devices, "visible", lambda: ["cpu", "cuda"])
    monkeypatch.setattr(devices, "count", lambda name: 1)
    monkeypatch.setattr(devices, "probe", lambda name: "device-side assert" if dead and name == "cuda" else None)
    monkeypatch.setattr(devices, "canonical", lambda name: torch.device("cpu"))
    monkeypatch.setattr(devices, "synchronize", synchronize)
    monkeypatch.setattr(devices, "dead", dead, raising=False)
    monkeypatch.setattr(isolation, "seed_everything", lambda seed, accelerators: None)


MORTAL = """
from torchnotes.harness.devices import dead

def test_before(device):
    pass

def test_guilty(accelerator):
    dead.append(True)

def test_after(device):
    pass

def test_pair(device_pair):
    pass

def test_anywhere():
    pass
"""


def test_after_a_device_is_lost_one_note_failed_and_the_others_say_so_in_one_line(project, a_gpu_that_dies):
    project.note(MORTAL)

    result = project.run()

    assert result.code == 1
    # before, guilty, after and pair on the cpu, and anywhere; cuda: before, then the guilty one, then after and pair
    assert result.counts == {"passed": 6, "error": 1, "skipped": 2}
    reason = "cuda stopped computing in test_guilty[cuda]: device-side assert"
    assert f"  {reason}\n    01 first: test_after\n    01 first: test_pair\n" in result.out
    assert f"FAILED: {reason}; 2 later runs of notes on it were left out" in result.out
    assert "5 claims: 4 held, 1 failed, 0 could not be checked" in result.out


def test_an_error_that_a_device_survives_costs_only_the_note_that_made_it(project, a_gpu_that_dies, monkeypatch):
    monkeypatch.setattr(devices, "probe", lambda name: None)
    project.note(MORTAL.replace("dead.append(True)", "assert False"))

    assert project.run().counts == {"passed": 7, "failed": 1}


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["one process", "two processes"])
@pytest.mark.parametrize(("number", "code"), [(2, 0), (3, 1)])
def test_a_run_can_state_how_many_notes_must_have_run_on_a_device(project, monkeypatch, options, number, code):
    monkeypatch.setattr(devices, "visible", lambda: ["cpu"])
    project.note(
        """
@pytest.mark.parametrize("number", [1, 2, 3])
def test_one(device, number):
    pass

def test_two(device):
    pass

def test_three():
    pass
"""
    )

    result = project.run("--at-least", f"cpu={number}", *options)

    assert result.code == code
    assert ("FAILED: --at-least cpu=3: 2 notes ran on it" in result.out) is (code == 1)


def test_no_note_on_a_device_is_fewer_than_any_number(project, monkeypatch):
    monkeypatch.setattr(devices, "visible", lambda: ["cpu"])
    project.note(NOTE)

    result = project.run("--at-least", "cuda=1")

    assert result.code == 1
    assert "FAILED: --at-least cuda=1: no notes ran on it" in result.out


@pytest.mark.parametrize("text", ["cuda", "cuda=", "=3", "cuda=many", "cuda=-1"])
def test_a_number_of_notes_that_is_none_is_refused(project, text):
    result = project.run("--at-least", text)

    assert result.code == pytest.ExitCode.USAGE_ERROR
    assert f"{text!r}: write DEVICE=NUMBER, such as cuda=300" in result.text


@pytest.mark.parametrize(
    ("variable", "options", "ran"),
    [
        ("cpu", [], ["cpu"]),
        ("cpu cuda", [], ["cpu", "cuda"]),
        ("all", [], ["cpu", "cuda"]),
        ("", [], ["cpu", "cuda"]),
        ("cuda", ["--device", "cpu"], ["cpu"]),
    ],
)
def test_the_environment_chooses_devices_where_the_command_line_does_not(project, monkeypatch, variable, options, ran):
    monkeypatch.setattr(devices, "visible", lambda: ["cpu", "cuda"])
    monkeypatch.setattr(devices, "count", lambda name: 1)
    monkeypatch.setattr(devices, "probe", lambda name: None)
    monkeypatch.setattr(devices, "canonical", lambda name: torch.device("cpu"))
    monkeypatch.setattr(devices, "synchronize", lambda name: None)
    monkeypatch.setenv("NOTES_DEVICE", variable)
    project.note(NOTE)

    result = project.run("-v", *options)

    assert [name for name in ("cpu", "cuda") if f"::test_it[{name}] PASSED" in result.out] == ran


def test_a_device_that_the_environment_names_is_required_too(project, monkeypatch):
    monkeypatch.setattr(devices, "visible", lambda: ["cpu"])
    monkeypatch.setenv("NOTES_DEVICE", "mps")
    project.note(NOTE)

    result = project.run()

    assert result.code == pytest.ExitCode.USAGE_ERROR
    assert "the environment variable NOTES_DEVICE stands for --device mps: not a device of this" in result.refusal


def test_a_new_kind_of_device_is_one_entry(project, monkeypatch):
    """The walk of whoever adds a kind: `--device`, `only`, the head, a refusal and a record all know it from there."""
    there = ["cpu", "abacus"]
    abacus = kinds.Kind(
        is_there=lambda torch: True,
        describe=lambda torch, name: f"{name} with 10 beads",
        absence=lambda torch: "nobody lent one",
    )
    monkeypatch.setitem(kinds.KINDS, "abacus", abacus)
    monkeypatch.setitem(sys.modules, "torch.abacus", SimpleNamespace(manual_seed=lambda seed: None))
    monkeypatch.setattr(devices, "visible", lambda: there)
    monkeypatch.setattr(devices, "probe", lambda name: None)
    monkeypatch.setattr(devices, "canonical", lambda name: name)
    monkeypatch.setattr(devices, "synchronize", lambda name: None)
    project.note(
        """
@pytest.mark.only("abacus", because="only beads can be counted")
def test_it(device):
    assert device == "abacus"
"""
    )

    everywhere, alone = project.run("-v", "--record", "record.json"), project.run("--device", "abacus")
    there.remove("abacus")
    refused = project.run("--device", "abacus")

    assert everywhere.counts == {"passed": 1, "skipped": 1}
    assert "not on cpu: only beads can be counted" in everywhere.out
    assert "abacus computes" in everywhere.out
    found = reader.read(project.path / "record.json").environment["devices"]
    assert {"name": "abacus", "description": "abacus with 10 beads", "problem": None} in found
    assert alone.counts == {"passed": 1}
    assert "not a device of this machine, which has cpu (nobody lent one)" in refused.refusal
