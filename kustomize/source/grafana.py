# SPDX-License-Identifier: Apache-2.0
"""The JSON of Grafana's dashboards, as far as boards.py needs it."""
import json
import re
import string
import urllib.parse

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24

# Of thresholds: (from which value, colour).
ERROR_SHARE = [(None, "green"), (0.01, "orange"), (0.05, "red")]
SECONDS = [(None, "green"), (0.5, "orange"), (1, "red")]
ANY_IS_BAD = [(None, "green"), (1e-9, "red")]
PLAIN = [(None, "green")]


def target(expr, legend="", **more):
    return {"datasource": SOURCE, "editorMode": "code", "expr": expr, "legendFormat": legend,
            "range": True, **more}


def instant(expr, **more):
    """For a column of a table."""
    return target(expr, format="table", instant=True, **more) | {"range": False}


def _targets(targets):
    return [{"refId": letter, **each} for letter, each in zip(string.ascii_uppercase, targets)]


def _thresholds(steps):
    return {"mode": "absolute", "steps": [{"value": v, "color": c} for v, c in steps]}


def _panel(kind, title, description, width, height, targets, defaults, options, **more):
    return {"type": kind, "title": title, "description": description, "datasource": SOURCE,
            "gridPos": {"w": width, "h": height}, "targets": _targets(targets),
            "fieldConfig": {"defaults": defaults, "overrides": []}, "options": options, **more}


def graph(title, description, unit, *targets, width=8, height=8, steps=None, stacked=False,
          most=None, links=()):
    """Lines over time; with `steps`, the thresholds are dashed lines."""
    defaults = {
        "unit": unit, "min": 0, "color": {"mode": "palette-classic"}, "links": list(links),
        "custom": {
            "drawStyle": "line", "lineWidth": 1, "fillOpacity": 40 if stacked else 8,
            "showPoints": "never", "spanNulls": False,
            "stacking": {"group": "A", "mode": "normal" if stacked else "none"},
            "thresholdsStyle": {"mode": "dashed" if steps else "off"},
        },
        "thresholds": _thresholds(steps or PLAIN),
    }
    if most is not None:
        defaults["max"] = most
    options = {
        "legend": {"displayMode": "table", "placement": "bottom", "showLegend": True,
                   "calcs": ["mean", "max", "lastNotNull"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return _panel("timeseries", title, description, width, height, targets, defaults, options)


def stat(title, description, unit, expr, *, steps=PLAIN, width=4, **more):
    """One number, with its course behind it."""
    defaults = {"unit": unit, "color": {"mode": "thresholds"}, "thresholds": _thresholds(steps)}
    options = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
               "colorMode": "value", "graphMode": "area", "textMode": "auto",
               "justifyMode": "auto", "orientation": "auto"}
    return _panel("stat", title, description, width, 4, [target(expr, **more)], defaults, options)


def heatmap(title, description, unit, expr, width=8, height=8, **more):
    """How many of each bucket; `expr` is the increase by `le`, to whose query more goes."""
    options = {
        "calculate": False, "cellGap": 1, "showValue": "never",
        "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5,
                  "fill": "dark-orange", "reverse": False},
        "yAxis": {"unit": unit, "axisPlacement": "left"}, "rowsFrame": {"layout": "auto"},
        "filterValues": {"le": 1e-9}, "legend": {"show": True},
        "tooltip": {"mode": "single", "yHistogram": True, "showColorScale": False},
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
    }
    return _panel("heatmap", title, description, width, height,
                  [target(expr, "{{le}}", format="heatmap", **more)], {}, options)


class Column:
    """A column of a table: a value (its query) or, without one, a label."""

    def __init__(self, name, expr=None, unit="short", steps=None, url=None):
        self.name, self.expr, self.unit, self.steps, self.url = name, expr, unit, steps, url


def table(title, description, labels, columns, width=24, height=8, order=0):
    """
    One row for each tuple of labels, {label: Column}; the columns' queries are sums by these
    labels. Sorted by the column of that number, the largest value first.
    """
    values = {f"Value #{letter}": c for letter, c in zip(string.ascii_uppercase, columns)}
    overrides = []
    for column in [*labels.values(), *columns]:
        properties = [{"id": "unit", "value": column.unit}] if column.expr else []
        if column.steps:
            properties += [{"id": "thresholds", "value": _thresholds(column.steps)},
                           {"id": "custom.cellOptions", "value": {"type": "color-text"}}]
        if column.url:
            link = {"title": "Look at it", "url": column.url}
            properties.append({"id": "links", "value": [link]})
        overrides.append({"matcher": {"id": "byName", "options": column.name},
                          "properties": properties})
    names = {name: c.name for name, c in {**labels, **values}.items()}
    panel = _panel(
        "table", title, description, width, height, [instant(c.expr) for c in columns],
        {"custom": {"filterable": True}, "thresholds": _thresholds(PLAIN)},
        {"showHeader": True, "cellHeight": "sm",
         "sortBy": [{"displayName": columns[order].name, "desc": True}]},
        transformations=[
            {"id": "merge", "options": {}},
            {"id": "organize", "options": {
                "excludeByName": {"Time": True}, "renameByName": names,
                "indexByName": {name: i for i, name in enumerate(names)}}},
        ])
    panel["fieldConfig"]["overrides"] = overrides
    return panel


def row(title, *panels):
    return [{"type": "row", "title": title, "collapsed": False, "panels": [],
             "gridPos": {"w": WIDTH, "h": 1}}, *panels]


def _place(panels):
    """Numbers the panels, and puts them in lines of the dashboard's width, left to right."""
    x = y = height = 0
    for number, panel in enumerate(panels, 1):
        size = panel["gridPos"]
        if x + size["w"] > WIDTH:
            x, y, height = 0, y + height, 0
        panel["id"] = number
        panel["gridPos"] = {"x": x, "y": y, **size}
        x, height = x + size["w"], max(height, size["h"])
    return panels


def variable(name, metrics, label, chosen=""):
    """
    All values that a label has, in metrics of these names (a regular expression) and labels. `All`
    also means series that do not have the label.
    """
    selector = ",".join(filter(None, (f'__name__=~"{metrics}"', chosen)))
    query = f"label_values({{{selector}}}, {label})"
    return {"name": name, "label": name.capitalize(), "type": "query", "datasource": SOURCE,
            "query": query, "includeAll": True, "multi": True,
            "allValue": ".*", "refresh": 2, "sort": 1, "hide": 0, "regex": "", "options": [],
            "current": {"text": "All", "value": "$__all"}}


DATASOURCE = {"name": "datasource", "label": "Data source", "type": "datasource",
              "query": "prometheus", "includeAll": False, "multi": False, "refresh": 1, "hide": 0,
              "regex": "", "options": [], "current": {}}


# Where traces are. Without one, the link to it leads to an empty Explore.
TRACES = {**DATASOURCE, "name": "traces", "label": "Traces", "query": "tempo"}


def _traces_url():
    """Explore, with the traces that took longer than the value that was chosen."""
    source = "${traces}"
    panes = json.dumps({"traces": {
        "datasource": source,
        "queries": [{"refId": "A", "datasource": {"type": "tempo", "uid": source},
                     "queryType": "traceql", "query": "{duration>${__value.raw}s}"}],
        "range": {"from": "${__from}", "to": "${__to}"},
    }}, separators=(",", ":"))
    parts = re.split(r"(\$\{\w[^}]*\})", panes)  # Grafana's variables stay as they are
    return "/explore?schemaVersion=1&panes=" + "".join(
        part if part.startswith("${") else urllib.parse.quote(part, safe="") for part in parts)


# Of a graph of durations in seconds.
SLOWER = {"title": "Traces that took longer", "url": _traces_url(), "targetBlank": True}


def dashboard(name, title, description, variables, rows):
    return {
        "uid": f"sidelight-{name}",
        "title": f"sidelight: {title}",
        "description": description,
        "tags": ["sidelight"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": {"from": "now-30m", "to": "now"},
        "refresh": "30s",
        "annotations": {"list": []},
        "links": [{"type": "dashboards", "title": "sidelight", "tags": ["sidelight"],
                   "asDropdown": False, "includeVars": True, "keepTime": True,
                   "targetBlank": False, "icon": "external link", "tooltip": "", "url": ""}],
        "templating": {"list": [DATASOURCE, *variables]},
        "panels": _place([panel for each in rows for panel in each]),
    }
