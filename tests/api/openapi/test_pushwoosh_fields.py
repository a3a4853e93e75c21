"""The fields that the document gives a Pushwoosh method are those that the method reads."""

from __future__ import annotations

from contextlib import closing, suppress

import pytest

from airtally.vendors.pushwoosh.call import Call
from airtally.vendors.pushwoosh.errors import Fault
from airtally.vendors.pushwoosh.forms import DEVICE_FORMS, READ_FORMS
from airtally.vendors.pushwoosh.methods import METHODS
from fixtures.push import Push

FORMS = {**READ_FORMS, **DEVICE_FORMS}


class ReadFields(dict):
    """A request that notes which of its fields are looked at."""

    def __init__(self, fields):
        super().__init__(fields)
        self.read = set()

    def get(self, name, default=None):
        self.read.add(name)
        return super().get(name, default)


@pytest.fixture(scope="module")
def push(api_server):
    with closing(Push(api_server)) as push:
        push.declare()
        yield push


def test_each_method_has_a_form():
    assert set(FORMS) == set(METHODS)


@pytest.mark.parametrize("name", FORMS)
def test_the_fields_are_those_that_are_read(push, name):
    form = FORMS[name]
    own = {"auth": push.token, "application": push.x, "applications": [push.x]}
    request = ReadFields(form.example | {each: value for each, value in own.items() if each in form.example})
    with suppress(Fault):  # the example's event and tag exist already, its result does not
        METHODS[name](Call(push.server.services, request))
    assert request.read == set(form.fields)
    assert set(form.optional) <= set(form.fields)
