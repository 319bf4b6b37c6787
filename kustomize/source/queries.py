# SPDX-License-Identifier: Apache-2.0
"""Queries of the dashboards: what of a metric is asked."""
from promql import ERROR, one_copy, quantile, share, total


def rate(metric, labels):
    return one_copy("rate(%s[$__rate_interval])", metric, labels)


def increase(metric, labels):
    return one_copy("increase(%s[$__rate_interval])", metric, labels)


def now(metric, labels):
    return one_copy("%s", metric, labels)


def errors(by, histogram, labels):
    """The share of requests that have an error_type."""
    return share(total(by, rate(f"{histogram}_count", f"{labels},{ERROR}")),
                 total(by, rate(f"{histogram}_count", labels)))


def requests(by, histogram, labels):
    return total(by, rate(f"{histogram}_count", labels))


def duration(q, by, histogram, labels):
    return quantile(q, by, rate(f"{histogram}_bucket", labels))


def heat(histogram, labels):
    return total("le", increase(f"{histogram}_bucket", labels))


def top(n, expr):
    return f"topk({n}, {expr})"


def average(by, histogram, labels):
    return (f"{total(by, rate(f'{histogram}_sum', labels))} "
            f"/ ({total(by, rate(f'{histogram}_count', labels))} > 0)")
