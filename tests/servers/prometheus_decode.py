#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Decodes a page in Prometheus' protobuf exposition format with the protobuf library of Debian's
Python, which shares nothing with sidelight's encoder: standard input is the page, standard output
is JSON. Status 1, after a line that says why, for whatever the format does not allow: unknown
fields, a family or a series twice, buckets that are not the count. With an argument, only of
families whose name begins so.

The messages are described below by hand, with the numbers and types of client_model's metrics.proto.
"""
import json
import sys
import time

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

Field = descriptor_pb2.FieldDescriptorProto
SCALARS = {name: getattr(Field, f"TYPE_{name.upper()}")
           for name in ("string", "double", "int32", "int64", "sint32", "sint64", "uint32", "uint64")}

# field: number, type; * is repeated.
MESSAGES = {
    "MetricFamily": {"name": (1, "string"), "help": (2, "string"), "type": (3, "int32"),
                     "metric": (4, "*Metric"), "unit": (5, "string")},
    "Metric": {"label": (1, "*LabelPair"), "gauge": (2, "Value"), "counter": (3, "Counter"),
               "untyped": (5, "Value"), "timestamp_ms": (6, "int64"), "histogram": (7, "Histogram")},
    "LabelPair": {"name": (1, "string"), "value": (2, "string")},
    "Value": {"value": (1, "double")},
    "Counter": {"value": (1, "double"), "created_timestamp": (3, "Timestamp")},
    "Timestamp": {"seconds": (1, "int64"), "nanos": (2, "int32")},
    "Histogram": {"sample_count": (1, "uint64"), "sample_sum": (2, "double"),
                  "bucket": (3, "*Bucket"), "schema": (5, "sint32"), "zero_threshold": (6, "double"),
                  "zero_count": (7, "uint64"), "negative_span": (9, "*BucketSpan"),
                  "negative_delta": (10, "*sint64"), "positive_span": (12, "*BucketSpan"),
                  "positive_delta": (13, "*sint64"), "created_timestamp": (15, "Timestamp")},
    "Bucket": {"cumulative_count": (1, "uint64"), "upper_bound": (2, "double")},
    "BucketSpan": {"offset": (1, "sint32"), "length": (2, "uint32")},
}
KINDS = {0: "counter", 1: "gauge", 4: "histogram"}


def family_class():
    file = descriptor_pb2.FileDescriptorProto(name="page.proto", package="t", syntax="proto2")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            is_repeated, kind = kind.startswith("*"), kind.lstrip("*")
            one = message.field.add(name=field, number=number)
            one.label = Field.LABEL_REPEATED if is_repeated else Field.LABEL_OPTIONAL
            if kind in SCALARS:
                one.type = SCALARS[kind]
            else:
                one.type, one.type_name = Field.TYPE_MESSAGE, f".t.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    descriptor = pool.FindMessageTypeByName("t.MetricFamily")
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory(pool).GetPrototype(descriptor)


def insist(claim, what):
    if not claim:
        sys.exit(f"prometheus_decode: {what}")


def cut(page):
    """The bytes of the family that the page begins with, and the rest."""
    length = shift = at = 0
    while True:
        insist(at < len(page) and shift < 35, "a length that does not end")
        length |= (page[at] & 0x7f) << shift
        shift += 7
        at += 1
        if page[at - 1] < 0x80:
            break
    insist(at + length <= len(page), "a family that does not end")
    return page[at:at + length], page[at + length:]


def created_of(message):
    insist(message.HasField("created_timestamp"), "a counter that never began")
    created = message.created_timestamp
    insist(0 <= created.nanos < 10 ** 9, "nanoseconds beyond a second")
    seconds = created.seconds + created.nanos / 1e9
    insist(0 < seconds <= time.time(), "a counter that begins in the future")
    return seconds


def native_of(h):
    """{number of a bucket: its count}"""
    insist(not h.negative_span and not h.negative_delta, "negative buckets")
    insist(-4 <= h.schema <= 8 and h.zero_threshold > 0, "odd buckets")
    buckets, at, count, deltas = {}, 0, 0, list(h.positive_delta)
    for i, span in enumerate(h.positive_span):
        insist(span.length > 0 and (i == 0 or span.offset > 0), "spans that do not ascend")
        at += span.offset
        for _ in range(span.length):
            insist(deltas, "fewer deltas than the spans have buckets")
            count += deltas.pop(0)
            insist(count >= 0, "a negative count")
            buckets[at] = count
            at += 1
    insist(not deltas, "more deltas than the spans have buckets")
    insist(sum(buckets.values()) + h.zero_count == h.sample_count, "buckets that are not the count")
    return {"schema": h.schema, "zero_threshold": h.zero_threshold, "zero_count": h.zero_count,
            "buckets": buckets}


def histogram_of(h):
    one = {"count": h.sample_count, "sum": h.sample_sum, "created": created_of(h),
           "classic": [[b.upper_bound, b.cumulative_count] for b in h.bucket], "native": None}
    bounds, counts = [b for b, _ in one["classic"]], [c for _, c in one["classic"]]
    insist(bounds == sorted(set(bounds)), "bounds that do not ascend")
    insist(counts == sorted(counts) and all(c <= h.sample_count for c in counts),
           "cumulative counts that fall")
    if h.HasField("schema"):
        one["native"] = native_of(h)
    return one


def series_of(metric, kind):
    labels = {pair.name: pair.value for pair in metric.label}
    insist(len(labels) == len(metric.label), "a label twice")
    # A Pushgateway adds an empty instance.
    insist(all(value or name == "instance" for name, value in labels.items()), "an empty label")
    have = [name for name in ("gauge", "counter", "histogram") if metric.HasField(name)]
    insist(have == [kind] and not metric.HasField("timestamp_ms"), f"not one {kind}")
    one = {"labels": labels}
    if kind == "histogram":
        return one | histogram_of(metric.histogram)
    one["value"] = getattr(metric, kind).value
    if kind == "counter":
        insist(one["value"] >= 0, "a negative counter")
        one["created"] = created_of(metric.counter)
    return one


def family_of(message):
    insist(message.name and message.help and message.type in KINDS, f"family {message.name!r}")
    kind = KINDS[message.type]
    series = [series_of(metric, kind) for metric in message.metric]
    keys = [json.dumps(one["labels"], sort_keys=True) for one in series]
    insist(keys and len(set(keys)) == len(keys), f"{message.name}: no series, or one twice")
    return {"name": message.name, "help": message.help, "kind": kind, "series": series}


def main():
    page = sys.stdin.buffer.read()
    kind = family_class()
    families = []
    while page:
        one, page = cut(page)
        message = kind()
        insist(message.ParseFromString(one) == len(one), "not all was read")
        if not message.name.startswith(sys.argv[1] if len(sys.argv) > 1 else ""):
            continue
        have = message.SerializeToString(deterministic=True)
        message.DiscardUnknownFields()
        insist(message.SerializeToString(deterministic=True) == have, "an unknown field")
        families.append(family_of(message))
    names = [family["name"] for family in families]
    insist(len(set(names)) == len(names), "a family twice")
    json.dump(families, sys.stdout)


if __name__ == "__main__":
    main()
