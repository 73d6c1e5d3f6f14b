"""What happened since a moment is what was told since, and what nobody read is no data."""

from __future__ import annotations

from offswitch.guard.sensors.activity import ActivityLog


def test_readings_rise_from_the_last_one_before_and_signs_add_up() -> None:
    log = ActivityLog()
    for at, cpu in [(0.0, 1.0), (5.0, 2.0), (9.0, 2.5)]:
        log.read(at, "cpu", cpu)
        log.read(at, "processes", 3 + at)
    log.sign(4.0, "copies")
    log.sign(6.0, "persistence", 2)
    found = log.since(5.0, 10.0)
    assert (found.seconds, found.cpu_s, found.processes) == (5.0, 0.5, 4)
    assert (found.copies, found.persistence) == (0, 2)


def test_without_a_reading_on_both_sides_there_is_none() -> None:
    log = ActivityLog()
    log.read(6.0, "cpu", 2.0)
    log.read(7.0, "processes", None)
    found = log.since(5.0, 10.0)
    assert found.cpu_s is None
    assert found.processes is None


def test_old_readings_are_forgotten() -> None:
    log = ActivityLog(keep_s=10.0)
    for at in range(100):
        log.read(float(at), "cpu", 1.0)
        log.sign(float(at), "copies")
    assert log.since(0.0, 99.0).copies == 11
