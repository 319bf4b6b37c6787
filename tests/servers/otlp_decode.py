#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Decodes a metrics export request of OTLP with the protobuf library of Debian's Python, which shares
nothing with sidelight's encoder: standard input is the message, standard output is JSON. Status 1,
after a line that says why, for whatever the protocol does not allow: unknown fields, missing or
ambiguous values, an attribute twice, buckets that are not those of the bounds.

The messages are described below by hand, with the numbers and types of opentelemetry-proto 1.x.
"""
import json
import sys

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

Field = descriptor_pb2.FieldDescriptorProto
SCALARS = {name: getattr(Field, f"TYPE_{name.upper()}")
           for name in ("string", "bytes", "bool", "double", "int64", "sint32", "uint32", "uint64",
                        "fixed64", "sfixed64")}

# field: number, type; * is repeated (packed if it is a scalar).
MESSAGES = {
    "Request": {"resource_metrics": (1, "*ResourceMetrics")},
    "ResourceMetrics": {"resource": (1, "Resource"), "scope_metrics": (2, "*ScopeMetrics"),
                        "schema_url": (3, "string")},
    "Resource": {"attributes": (1, "*KeyValue"), "dropped_attributes_count": (2, "uint32")},
    "ScopeMetrics": {"scope": (1, "Scope"), "metrics": (2, "*Metric"), "schema_url": (3, "string")},
    "Scope": {"name": (1, "string"), "version": (2, "string"), "attributes": (3, "*KeyValue"),
              "dropped_attributes_count": (4, "uint32")},
    "Metric": {"name": (1, "string"), "description": (2, "string"), "unit": (3, "string"),
               "gauge": (5, "Gauge"), "sum": (7, "Sum"), "histogram": (9, "Histogram"),
               "exponential_histogram": (10, "ExponentialHistogram")},
    "Gauge": {"data_points": (1, "*NumberPoint")},
    "Sum": {"data_points": (1, "*NumberPoint"), "aggregation_temporality": (2, "uint32"),
            "is_monotonic": (3, "bool")},
    "Histogram": {"data_points": (1, "*HistogramPoint"), "aggregation_temporality": (2, "uint32")},
    "NumberPoint": {"start_time_unix_nano": (2, "fixed64"), "time_unix_nano": (3, "fixed64"),
                    "as_double": (4, "double"), "as_int": (6, "sfixed64"),
                    "attributes": (7, "*KeyValue"), "flags": (8, "uint32")},
    "HistogramPoint": {"start_time_unix_nano": (2, "fixed64"), "time_unix_nano": (3, "fixed64"),
                       "count": (4, "fixed64"), "sum": (5, "double"),
                       "bucket_counts": (6, "*fixed64"), "explicit_bounds": (7, "*double"),
                       "attributes": (9, "*KeyValue"), "flags": (10, "uint32"),
                       "exemplars": (8, "*Exemplar"), "min": (11, "double"), "max": (12, "double")},
    "Exemplar": {"filtered_attributes": (7, "*KeyValue"), "time_unix_nano": (2, "fixed64"),
                 "as_double": (3, "double"), "as_int": (6, "sfixed64"), "span_id": (4, "bytes"),
                 "trace_id": (5, "bytes")},
    "ExponentialHistogram": {"data_points": (1, "*ExponentialPoint"),
                             "aggregation_temporality": (2, "uint32")},
    "ExponentialPoint": {"attributes": (1, "*KeyValue"), "start_time_unix_nano": (2, "fixed64"),
                         "time_unix_nano": (3, "fixed64"), "count": (4, "fixed64"),
                         "sum": (5, "double"), "scale": (6, "sint32"), "zero_count": (7, "fixed64"),
                         "positive": (8, "Buckets"), "negative": (9, "Buckets"),
                         "flags": (10, "uint32"), "exemplars": (11, "*Exemplar"),
                         "min": (12, "double"), "max": (13, "double"),
                         "zero_threshold": (14, "double")},
    "Buckets": {"offset": (1, "sint32"), "bucket_counts": (2, "*uint64")},
    "KeyValue": {"key": (1, "string"), "value": (2, "AnyValue")},
    "AnyValue": {"string_value": (1, "string"), "bool_value": (2, "bool"),
                 "int_value": (3, "int64"), "double_value": (4, "double")},
}


def request_class():
    file = descriptor_pb2.FileDescriptorProto(name="otlp.proto", package="t", syntax="proto2")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            is_repeated, kind = kind.startswith("*"), kind.lstrip("*")
            one = message.field.add(name=field, number=number)
            one.label = Field.LABEL_REPEATED if is_repeated else Field.LABEL_OPTIONAL
            if kind in SCALARS:
                one.type = SCALARS[kind]
                if is_repeated:
                    one.options.packed = True
            else:
                one.type, one.type_name = Field.TYPE_MESSAGE, f".t.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    descriptor = pool.FindMessageTypeByName("t.Request")
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory(pool).GetPrototype(descriptor)


def insist(claim, what):
    if not claim:
        sys.exit(f"otlp_decode: {what}")


def walk(message):
    """The message and all in it: none has a field that is not described."""
    have = message.SerializeToString(deterministic=True)
    message.DiscardUnknownFields()
    insist(message.SerializeToString(deterministic=True) == have, "an unknown field")


def attributes_of(message):
    found = {}
    for pair in message.attributes:
        set_fields = [field.name for field, _ in pair.value.ListFields()]
        insist(pair.key and len(set_fields) == 1, f"the value of attribute {pair.key!r}")
        insist(pair.key not in found, f"attribute {pair.key!r} twice")
        found[pair.key] = getattr(pair.value, set_fields[0])
    return found


def exemplars_of(point, kind):
    """Of explicit buckets one for each at most, of a value that the bucket counts."""
    found = {}
    for number, exemplar in enumerate(point.exemplars):
        insist(len(exemplar.trace_id) == 16 and any(exemplar.trace_id), "no trace")
        insist(len(exemplar.span_id) == 8 and any(exemplar.span_id), "no span")
        insist(exemplar.HasField("as_double") and not exemplar.HasField("as_int"), "not one value")
        insist(point.start_time_unix_nano < exemplar.time_unix_nano <= point.time_unix_nano,
               "an exemplar of another time")
        bucket = number
        if kind == "histogram":
            bucket = sum(exemplar.as_double > bound for bound in point.explicit_bounds)
            insist(point.bucket_counts[bucket], "an exemplar of no bucket")
        insist(bucket not in found, "two exemplars of a bucket")
        found[bucket] = {"trace": exemplar.trace_id.hex(), "span": exemplar.span_id.hex(),
                         "value": exemplar.as_double, "time": exemplar.time_unix_nano}
    return list(found.values())


def point_of(point, kind):
    one = {"attributes": attributes_of(point), "time": point.time_unix_nano,
           "start": point.start_time_unix_nano}
    insist(point.time_unix_nano > 0, "a point without time")
    if kind == "histogram":
        one |= {"count": point.count, "sum": point.sum, "buckets": list(point.bucket_counts),
                "bounds": list(point.explicit_bounds), "exemplars": exemplars_of(point, kind)}
        insist(len(one["buckets"]) == len(one["bounds"]) + 1, "buckets that are not of the bounds")
        insist(sum(one["buckets"]) == one["count"], "buckets that are not the count")
        insist(one["bounds"] == sorted(set(one["bounds"])), "bounds that do not ascend")
        insist(point.HasField("sum"), "no sum")
    elif kind == "exponential_histogram":
        one |= {"count": point.count, "sum": point.sum, "scale": point.scale,
                "zero_count": point.zero_count, "zero_threshold": point.zero_threshold,
                "offset": point.positive.offset, "buckets": list(point.positive.bucket_counts),
                "exemplars": exemplars_of(point, kind)}
        insist(sum(one["buckets"]) + point.zero_count == point.count, "buckets that are not the count")
        insist(not point.negative.bucket_counts and -10 <= point.scale <= 20, "odd buckets")
        insist(point.HasField("sum"), "no sum")
    else:
        insist(point.HasField("as_int") != point.HasField("as_double"), "not one value")
        one["value"] = point.as_int if point.HasField("as_int") else point.as_double
        one["is_int"] = point.HasField("as_int")
    if kind != "gauge":
        insist(0 < one["start"] <= one["time"], "a point that ends before it begins")
    return one


def metric_of(metric):
    kinds = [kind for kind in ("gauge", "sum", "histogram", "exponential_histogram")
             if metric.HasField(kind)]
    insist(metric.name and len(kinds) == 1, f"the data of metric {metric.name!r}")
    data = getattr(metric, kinds[0])
    one = {"name": metric.name, "description": metric.description, "unit": metric.unit,
           "kind": kinds[0], "points": [point_of(point, kinds[0]) for point in data.data_points]}
    insist(one["points"], f"{metric.name} has no point")
    keys = [json.dumps(point["attributes"], sort_keys=True) for point in one["points"]]
    insist(len(set(keys)) == len(keys), f"{metric.name} has a point twice")
    if kinds[0] != "gauge":
        insist(data.aggregation_temporality == 2, f"{metric.name} is not cumulative")
    if kinds[0] == "sum":
        one["is_monotonic"] = data.is_monotonic
    return one


def main():
    request = request_class()()
    body = sys.stdin.buffer.read()
    insist(request.ParseFromString(body) == len(body), "not all was read")
    walk(request)
    resources = []
    for resource in request.resource_metrics:
        insist(len(resource.scope_metrics) == 1, "not one scope")
        scope = resource.scope_metrics[0]
        metrics = [metric_of(metric) for metric in scope.metrics]
        names = [metric["name"] for metric in metrics]
        insist(len(set(names)) == len(names), "a metric twice in a resource")
        resources.append({
            "attributes": attributes_of(resource.resource),
            "scope": [scope.scope.name, scope.scope.version],
            "metrics": metrics,
        })
    json.dump(resources, sys.stdout)


if __name__ == "__main__":
    main()
