"""Reads JUnit files by junitparser and prints what it made of them, as JSON."""

import json
import sys

from junitparser import Error, Failure, JUnitXml


def outcome(case):
    for result in case.result:
        if isinstance(result, Failure):
            return "failure"
        if isinstance(result, Error):
            return "error"
    return "passed"


def suites(path):
    xml = JUnitXml.fromfile(path)
    return [
        {
            "name": suite.name,
            "tests": suite.tests,
            "failures": suite.failures,
            "errors": suite.errors,
            "timestamp": suite.timestamp,
            "properties": {p.name: p.value for p in suite.properties()},
            "cases": [{"name": case.name, "outcome": outcome(case)} for case in suite],
        }
        for suite in xml
    ]


print(json.dumps([suites(path) for path in sys.argv[1:]]))
