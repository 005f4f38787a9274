"""Our client and canvasapi see the same reports and runs."""

from collections.abc import Iterator
from typing import Any

import pytest
from canvasapi import Canvas
from canvasapi.account import Account
from canvasapi.exceptions import ResourceDoesNotExist

from canvas_reports_nb.catalog.schemas import schema
from canvas_reports_nb.exceptions import UnknownRunError


@pytest.fixture
def both(canvas: Any) -> Iterator[tuple[Any, Account]]:
    connection = canvas(duration=600)
    # canvasapi warns about plain http to any host, loopback included.
    with pytest.warns(UserWarning, match="HTTP"):
        client = Canvas(connection.url, connection.server.token)
    yield connection, client.get_account(1)
    client._Canvas__requester._session.close()


def test_both_clients_list_the_same_reports(both: tuple[Any, Account]) -> None:
    ours, theirs = both
    listed = {report.report: report for report in theirs.get_reports()}
    assert sorted(listed) == sorted(ours.reports()["report"])
    for report in ("grade_export_csv", "provisioning_csv"):
        offer = ours.report(report)
        assert offer.title == listed[report].title
        required = {name: parameter.required for name, parameter in offer.parameters.items()}
        hidden = {name for name, known in schema(report).parameters.items() if not known.advertised}
        assert {name: required[name] for name in required.keys() - hidden} == {
            name: facts["required"] for name, facts in listed[report].parameters.items()
        }
        assert hidden <= required.keys()


def test_both_clients_see_the_same_run_until_it_is_deleted(both: tuple[Any, Account]) -> None:
    ours, theirs = both
    root = ours.account(1)
    made = theirs.create_report("grade_export_csv", parameters={"enrollment_term_id": "current"})
    job = root.attach("grade_export_csv", made.id)
    assert job.status == made.status == "created"
    assert dict(job.run.parameters) == made.parameters == {"enrollment_term_id": "current"}
    job.wait(progress=False)
    (there,) = list(theirs.get_index_of_reports("grade_export_csv"))
    assert there.id == job.run.id == root.history("grade_export_csv")["run_id"][0]
    assert there.status == job.status == "complete"
    assert (
        there.attachment["size"] == job.run.attachment.size == job.result(progress=False).path.stat().st_size
    )
    again = theirs.get_report("grade_export_csv", made.id)
    assert again.ended_at_date == job.run.ended_at
    assert again.delete_report().status == "deleted"
    assert root.history("grade_export_csv").empty
    with pytest.raises(UnknownRunError):
        job.refresh()
    with pytest.raises(ResourceDoesNotExist):
        theirs.get_report("grade_export_csv", made.id)


def test_canvasapi_sees_a_run_that_we_start(both: tuple[Any, Account]) -> None:
    ours, theirs = both
    job = ours.account(1).start("provisioning_csv", users=True, xlist=True)
    (there,) = list(theirs.get_index_of_reports("provisioning_csv"))
    assert there.id == job.run.id
    assert there.parameters == {"users": True, "xlist": True, "skip_message": True}
