"""Reads metrics as Prometheus' own client does, and says of each URL what families it found, and what is wrong."""

import json
import sys
import urllib.request

from prometheus_client.parser import text_string_to_metric_families


def read(url):
    text = urllib.request.urlopen(url, timeout=10).read().decode("utf-8")
    families = {}
    faults = []
    for family in text_string_to_metric_families(text):
        if family.name in families:
            faults.append(f"{family.name} is there twice")
        if not family.documentation:
            faults.append(f"{family.name} has no help")
        seen = set()
        sums = {}
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            if key in seen:
                faults.append(f"{key} is there twice")
            seen.add(key)
            if family.type == "counter" and not sample.name.endswith("_total"):
                faults.append(f"{sample.name} is a counter and does not end in _total")
            if family.type == "histogram":
                labels = tuple(sorted((k, v) for k, v in sample.labels.items() if k != "le"))
                sums.setdefault(labels, []).append(sample)
        for labels, samples in sums.items():
            buckets = [s for s in samples if s.name.endswith("_bucket")]
            values = [s.value for s in sorted(buckets, key=lambda s: float(s.labels["le"]))]
            count = [s.value for s in samples if s.name.endswith("_count")]
            if values != sorted(values) or values[-1:] != count:
                faults.append(f"{family.name}{dict(labels)} does not add up: {values}, count {count}")
        families[family.name] = {
            "type": family.type,
            "samples": len(family.samples),
            "sum": sum(s.value for s in family.samples if s.name.endswith(("_total", "_count"))),
        }
    return {"families": families, "faults": faults}


print(json.dumps([read(url) for url in sys.argv[1:]]))
