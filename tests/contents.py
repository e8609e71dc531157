"""What can be read in an object of any format that the product writes: a search for a value must not be fooled by compression."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Iterator

import numpy as np
import pyarrow.parquet as pq


def texts_in(content: bytes) -> Iterator[str]:
    """Yield every text in the content: of Parquet the values and the schema, of archives and compressed data what is inside."""
    if content.startswith(b"\x1f\x8b"):
        yield from texts_in(gzip.decompress(content))
    elif zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield name
                yield from texts_in(archive.read(name))
    elif content[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for entry in archive:
                yield entry.name
                if file := archive.extractfile(entry):
                    yield from texts_in(file.read())
    elif content.startswith(b"PAR1"):
        table = pq.read_table(io.BytesIO(content))
        yield json.dumps([table.schema.names, table.to_pylist()], ensure_ascii=False, default=str)
    elif content.startswith(b"\x93NUMPY"):
        array = np.load(io.BytesIO(content), allow_pickle=False)
        yield json.dumps(array.tolist(), ensure_ascii=False, default=str) if array.dtype.kind in "US" else ""
        yield content.decode("latin-1")
    else:
        yield content.decode("utf-8", errors="replace")
