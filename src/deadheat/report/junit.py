"""A job as JUnit XML, for Jenkins, GitLab and others.

Rule: characters that XML cannot hold are shown as on a terminal.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from deadheat.files import media
from deadheat.report.cases import SERVER_IS_NOT, CaseStatus, cases_of

if TYPE_CHECKING:
    from deadheat.files.results import JobResult

# XML 1.0, production 2 (Char), turned round.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(result: JobResult) -> str:
    """The whole file: one suite, with a case for each regression and one for the search."""
    suite = TestSuite(_clean(f"deadheat {result.target}"))
    suite.add_property("seed", str(result.seed))
    suite.add_property("deterministic", SERVER_IS_NOT)
    for case in cases_of(result):
        shown = TestCase(_clean(case.name), classname="deadheat", time=round(case.seconds, 3))
        match case.ended:
            case CaseStatus.FAILED:
                failure = Failure(_clean(case.message), "divergence")
                failure.text = _clean(case.details)
                shown.result = [failure]
            case CaseStatus.ERROR:
                error = Error(_clean(case.message), "nothing-proven")
                error.text = _clean(case.details)
                shown.result = [error]
            case CaseStatus.SKIPPED:
                shown.result = [Skipped(_clean(case.message))]
            case CaseStatus.PASSED:
                shown.system_out = _clean(case.details)
        suite.add_testcase(shown)
    xml = JUnitXml("deadheat")
    xml.add_testsuite(suite)
    xml.update_statistics()  # type: ignore[no-untyped-call]
    xml._elem.attrib.pop("skipped", None)  # not at the root, says the schema of Jenkins's xUnit
    written: bytes = xml.tostring()  # type: ignore[no-untyped-call]
    return f'<?xml version="1.0" encoding="utf-8"?>\n{written.decode("utf-8")}\n'


def _clean(text: str) -> str:
    return _NOT_XML.sub("?", media.xml(text))
