"""The short forms of Tests/Benchmarks/faults and Tests/Benchmarks/deploys."""

import deploy_run
import fault_run


def test_what_is_killed_under_load_is_told_and_replaced(new_system):
    system = new_system().serve()
    fault_run.check(*fault_run.run(system, seconds=12))
    assert system.stop() == 0


def test_no_request_notices_a_deploy(new_system):
    system = new_system().serve()
    load, verdicts = deploy_run.run(system, deploys=16)
    deploy_run.check(load, deploys=16)
    assert sum(verdicts.values()) == 16
    assert system.stop() == 0
