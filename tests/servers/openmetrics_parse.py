#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Reads a page of OpenMetrics with the parser of Debian's python3-prometheus-client, which shares
nothing with sidelight's encoder: standard input is the page, standard output are its exemplars, as
JSON: [name, labels of the sample, labels of the exemplar, its value, its time]; with "created",
when counters and histograms began: [name of the family, labels, time], and for each family with
none of that [name, null, null]. Status 1 and the parser's own error for a page that it refuses.
"""
import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

found = []
for family in text_string_to_metric_families(sys.stdin.read()):
    if sys.argv[1:] == ["created"]:
        created = [[family.name, s.labels, float(s.value)] for s in family.samples
                   if s.name == family.name + "_created"]
        found += created or [[family.name, None, None]]
        continue
    for sample in family.samples:
        if sample.exemplar:
            exemplar = sample.exemplar
            found.append([sample.name, sample.labels, exemplar.labels, exemplar.value,
                          float(exemplar.timestamp)])
json.dump(found, sys.stdout)
