"""Check the Kibana saved objects without a Kibana: that they hold together and fit the indices."""

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from bp_faust.search.templates import ALERT_PROPERTIES, ANOMALY_PROPERTIES, REFUSAL_PROPERTIES, Properties
from bp_faust.settings.fields import Settings

DIRECTORY = Path(__file__).parents[2] / "kibana"
LINES = [orjson.loads(line) for file in sorted(DIRECTORY.glob("*.ndjson")) for line in file.read_bytes().splitlines()]
OBJECTS: dict[tuple[str, str], dict[str, Any]] = {(line["type"], line["id"]): line for line in LINES if "id" in line}
VISUALISATIONS = [saved for (kind, _), saved in OBJECTS.items() if kind == "visualization"]
#: The fields of each index, by the name that it has out of the box.
INDICES: dict[str, Properties] = {
    Settings.model_fields["elasticsearch_index"].default: ANOMALY_PROPERTIES,
    Settings.model_fields["elasticsearch_alerts_index"].default: ALERT_PROPERTIES,
    Settings.model_fields["elasticsearch_refusals_index"].default: REFUSAL_PROPERTIES,
}

#: The newest saved-object migrations that Kibana 8.9 knows or has surpassed; it refuses objects from a later one.
MIGRATIONS = {"index-pattern": "8.0.0", "visualization": "8.5.0", "dashboard": "8.7.0"}
#: What may stand in each place, by Kibana's own editor.
AGGREGATIONS = {
    "metric": {"count": set(), "median": {"float"}},
    "segment": {"terms": {"keyword"}, "date_histogram": {"date"}},
    "group": {"terms": {"keyword"}},
    "bucket": {"terms": {"keyword"}},
}


def _vis_state(saved: dict[str, Any]) -> dict[str, Any]:
    state: dict[str, Any] = orjson.loads(saved["attributes"]["visState"])
    return state


def test_every_line_is_an_object_and_the_last_counts_them() -> None:
    assert len(OBJECTS) == len(LINES) - 1, "two objects share type and id"
    assert LINES[-1]["exportedCount"] == len(OBJECTS)
    assert LINES[-1]["missingReferences"] == []


@pytest.mark.parametrize("saved", OBJECTS.values(), ids=lambda saved: saved["id"])
def test_every_reference_resolves_and_every_object_is_one_that_kibana_8_9_takes(saved: dict[str, Any]) -> None:
    assert saved["typeMigrationVersion"] == MIGRATIONS[saved["type"]]
    assert saved["coreMigrationVersion"] == "8.8.0"
    for reference in saved["references"]:
        assert (reference["type"], reference["id"]) in OBJECTS


def test_the_data_views_are_of_our_indices_and_their_times() -> None:
    views = [saved["attributes"] for (kind, _), saved in OBJECTS.items() if kind == "index-pattern"]
    assert {view["title"] for view in views} == set(INDICES)
    assert len({view["name"] for view in views}) == len(views)
    for view in views:
        if "timeFieldName" in view:
            assert INDICES[view["title"]][view["timeFieldName"]]["type"] == "date"


def _fields_of(saved: dict[str, Any]) -> Properties:
    """Return the fields of the index that a visualisation searches."""
    (reference,) = saved["references"]
    return INDICES[OBJECTS["index-pattern", reference["id"]]["attributes"]["title"]]


@pytest.mark.parametrize("saved", VISUALISATIONS, ids=lambda saved: saved["id"])
def test_every_visualisation_searches_the_data_view_for_fields_of_the_mapping(saved: dict[str, Any]) -> None:
    source = orjson.loads(saved["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
    assert [reference["name"] for reference in saved["references"]] == [source["indexRefName"]]
    assert source["query"]["language"] == "kuery"
    properties = _fields_of(saved)
    if source["query"]["query"]:
        match = re.fullmatch(r'(?:not )?(\w+) : "(Hypertension|resolved)"', source["query"]["query"])
        assert match
        assert properties[match[1]]["type"] == "keyword"
    for aggregation in _vis_state(saved)["aggs"]:
        allowed = AGGREGATIONS[aggregation["schema"]][aggregation["type"]]
        field = aggregation["params"].get("field")
        assert (field is None) == (not allowed)
        if field is not None:
            assert properties[field]["type"] in allowed


@pytest.mark.parametrize("saved", VISUALISATIONS, ids=lambda saved: saved["id"])
def test_every_visualisation_is_whole(saved: dict[str, Any]) -> None:
    state = _vis_state(saved)
    assert state["title"] == saved["attributes"]["title"]
    assert state["type"] in ("histogram", "horizontal_bar", "table")
    identities = [aggregation["id"] for aggregation in state["aggs"]]
    assert len(set(identities)) == len(identities)
    for aggregation in state["aggs"]:
        assert aggregation["params"].get("orderBy", identities[0]) in identities
    for series in state["params"].get("seriesParams", ()):
        assert series["data"]["id"] in identities
        assert series["valueAxis"] in [axis["id"] for axis in state["params"]["valueAxes"]]
    assert orjson.loads(saved["attributes"]["uiStateJSON"]) == {}


def test_the_three_visualisations_of_the_seed_are_there_and_two_each_of_alerts_and_of_refusals() -> None:
    made = {
        (
            _vis_state(saved)["type"],
            *(
                (one["type"], one["params"].get("field"), one["params"].get("size"))
                for one in _vis_state(saved)["aggs"]
            ),
        )
        for saved in VISUALISATIONS
    }
    assert made == {
        ("horizontal_bar", ("median", "systolic_pressure", None), ("terms", "patient_id", 10)),
        ("table", ("count", None, None), ("terms", "anomaly_type", 5), ("terms", "patient_id", 5)),
        ("histogram", ("count", None, None), ("date_histogram", "timestamp", None), ("terms", "anomaly_type", 5)),
        ("horizontal_bar", ("count", None, None), ("terms", "severity", 5)),
        ("histogram", ("count", None, None), ("date_histogram", "opened", None), ("terms", "severity", 5)),
        ("horizontal_bar", ("count", None, None), ("terms", "reasons", 50)),
        ("histogram", ("count", None, None), ("date_histogram", "timestamp", None), ("terms", "reasons", 10)),
    }
    (table,) = [_vis_state(saved) for saved in VISUALISATIONS if _vis_state(saved)["type"] == "table"]
    assert all(one["params"]["otherBucket"] for one in table["aggs"][1:])
    for histogram in [_vis_state(saved) for saved in VISUALISATIONS if _vis_state(saved)["type"] == "histogram"]:
        assert [series["mode"] for series in histogram["params"]["seriesParams"]] == ["stacked"]


def test_the_dashboard_shows_all_visualisations_side_by_side() -> None:
    (board,) = [saved for (kind, _), saved in OBJECTS.items() if kind == "dashboard"]
    names = {reference["name"]: reference["id"] for reference in board["references"]}
    panels = orjson.loads(board["attributes"]["panelsJSON"])
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        assert panel["gridData"]["i"] == panel["panelIndex"]
        assert f"{panel['panelIndex']}:{panel['panelRefName']}" in names
        place = panel["gridData"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert all(x < 48 for x, _ in cells), "Kibana's grid is 48 columns wide"
        assert not cells & taken
        taken |= cells
    assert sorted(names.values()) == sorted(saved["id"] for saved in VISUALISATIONS)
    assert len(panels) == len(names)
