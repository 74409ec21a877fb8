"""What tells a model that does not answer from one that is busy."""

from __future__ import annotations

import asyncio

import pytest

from server.front_ends import Answer, Outcome
from server.leaf_watch import LeafPatience, LeafWatch

PATIENCE = LeafPatience(round=1, retry=1, errors=3, silence=5, stall=50)
CONFIG = {"input": [{"name": "TEXT", "data_type": "TYPE_STRING", "dims": [1]}]}


class FakeServer:
    """Has one model, which answers nobody until `answers` is set."""

    def __init__(self):
        self.answers = None
        self.answered = 0
        self.asked = 0

    async def ready_models(self):
        return {"model"}

    async def config(self, model):
        return CONFIG

    async def successes(self):
        return {"model": self.answered}

    async def ask(self, model, tensors, timeout):
        self.asked += 1
        while self.answers is None:
            await asyncio.sleep(0)
        return self.answers


class FakeStubs:
    def __init__(self):
        self.idle = True

    def in_service(self, model):
        return {1}

    def is_idle(self, pids, looks):
        return self.idle


@pytest.fixture
def server():
    return FakeServer()


@pytest.fixture
def stubs():
    return FakeStubs()


def faults_after(server, stubs, looks, meanwhile=lambda: None):
    """Look so often, doing something after each look; return the faults that are found."""

    async def watch():
        leaves = LeafWatch(server, stubs, PATIENCE)
        await leaves.find_models()
        for _ in range(looks):
            await leaves.look()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            meanwhile()
        faults = leaves.faults()
        leaves.close()
        return faults

    return asyncio.run(watch())


def test_a_silent_model_whose_processes_do_nothing_is_at_fault(server, stubs):
    assert faults_after(server, stubs, PATIENCE.silence + 2) == {"model": "unanswered"}


def test_a_late_probe_of_a_working_model_is_no_fault_for_a_while(server, stubs):
    stubs.idle = False
    assert faults_after(server, stubs, PATIENCE.stall - 2) == {}
    assert faults_after(server, stubs, PATIENCE.stall + 4) == {"model": "unanswered"}


def test_a_probe_that_waits_while_others_are_answered_is_no_fault(server, stubs):
    def answer_somebody():
        server.answered += 1

    assert faults_after(server, stubs, 2 * PATIENCE.stall, answer_somebody) == {}


def test_a_full_queue_is_no_fault(server, stubs):
    server.answers = Answer(Outcome.BUSY)
    assert faults_after(server, stubs, 20) == {}


def test_errors_count_only_of_a_model_that_has_answered_well(server, stubs):
    server.answers = Answer(Outcome.ERROR, "no")
    assert faults_after(server, stubs, 20) == {}

    def break_down():
        server.answers = Answer(Outcome.ERROR, "no") if server.asked else server.answers

    server.answers, server.asked = Answer(Outcome.GOOD), 0
    assert faults_after(server, stubs, 20, break_down) == {"model": "errors"}


def test_a_model_that_others_ask_is_not_probed(server, stubs):
    def answer_somebody():
        server.answered += 1

    server.answers, server.answered = Answer(Outcome.GOOD), 1
    faults_after(server, stubs, 20, answer_somebody)
    assert server.asked == 0
