"""The record of where a table came from."""

import json

from canvas_reports_nb.frames.provenance import Provenance


def test_provenance_survives_json_and_later_versions() -> None:
    made = Provenance(
        host="canvas.example.edu",
        run_id=12340000000081234,
        parameters={"users": True, "enrollment_term_id": "sis_term_id:FÄ25"},
        zone=["-07:00", "-06:00"],
        notes={"score": "kept as text"},
        rows=3,
    )
    read = json.loads(json.dumps(made.to_dict()))
    assert Provenance.from_dict(read) == made
    assert Provenance.from_dict({**read, "of_2031": 1}) == made
    assert made.replace(table="users").table == "users"
    assert made.table is None
