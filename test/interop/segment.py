"""Opens segments with pandas, as docs/segments.md shows, and prints what they hold as JSON."""

import glob
import json
import sys

import pandas

files = sorted(glob.glob(f"{sys.argv[1]}/segments/*/*/*.parquet"))
captures = pandas.concat(pandas.read_parquet(file) for file in files).sort_values("sequence")
print(
    json.dumps(
        {
            "columns": list(captures.columns),
            "dtypes": {name: str(kind) for name, kind in captures.dtypes.items()},
            "nulls": int(captures.isna().sum().sum()),
            "rows": [
                {
                    "id": row.id,
                    "receivedAtMs": row.received_at.timestamp() * 1000,
                    "path": row.path,
                    "status": row.status,
                    "requestBytes": len(row.request_body),
                    "request": json.loads(row.request_body) if row.request_body else None,
                    "response": json.loads(row.response_body) if row.response_body else None,
                    "requestHeaders": json.loads(row.request_headers),
                    "tags": json.loads(row.tags),
                    "redacted": json.loads(row.redacted),
                    "subject": row.subject,
                    "requestBodySha256": row.request_body_sha256,
                }
                for row in captures.itertuples()
            ],
        }
    )
)
