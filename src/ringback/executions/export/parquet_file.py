"""Parquet through pyarrow, the optional extra `parquet`: typed columns, row groups of bounded size.

Times are UTC timestamps, costs exact decimals of a cent so that their sums reconcile, JSON is text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from ringback.executions.export.columns import COLUMNS, Column, Kind, cells, utf8

_TYPES: Final = {
    Kind.TEXT: pa.string(),
    Kind.FLAG: pa.bool_(),
    Kind.WHOLE: pa.int64(),
    Kind.NUMBER: pa.float64(),
    Kind.CENTS: pa.decimal128(18, 4),
    Kind.TIME: pa.timestamp("ms", tz="UTC"),
    Kind.JSON: pa.string(),
}
SCHEMA: Final = pa.schema([(column.name, _TYPES[column.kind]) for column in COLUMNS])

_GROUP_BYTES: Final = 6 * 1024 * 1024
"""Of executions in a row group, which is whole in memory before it is written. Of each that was written pyarrow
keeps 60 kB for the end of the file: smaller groups would save memory in short files and cost it in long ones."""
_PAGE_BYTES: Final = 64 * 1024

# The default pool sets aside 20 MB more than it hands out.
pa.set_memory_pool(pa.system_memory_pool())


class ParquetEncoder:
    """One file. Its methods are not to be called at the same time."""

    def __init__(self) -> None:
        self._sink = _Sink()
        # The end of the file, which grows in memory, holds the statistics of every row group: only for what
        # readers skip row groups by.
        self._writer = pq.ParquetWriter(
            pa.PythonFile(self._sink, mode="w"),
            SCHEMA,
            compression="zstd",
            write_statistics=[column.name for column in COLUMNS if column.kind is Kind.TIME],
            use_dictionary=False,
            data_page_size=_PAGE_BYTES,
        )
        self._waiting: list[Any] = []
        self._waiting_bytes = 0

    def opening(self) -> bytes:
        return self._sink.taken()

    def encode(self, bodies: Sequence[bytes]) -> bytes:
        if bodies:
            arrays = [_array(column, found) for column, found in zip(COLUMNS, cells(bodies), strict=True)]
            self._waiting.append(pa.record_batch(arrays, schema=SCHEMA))
            self._waiting_bytes += sum(map(len, bodies))
        if self._waiting_bytes >= _GROUP_BYTES:
            self._write_group()
        return self._sink.taken()

    def closing(self) -> bytes:
        if self._waiting:
            self._write_group()
        self._writer.close()
        return self._sink.taken()

    def _write_group(self) -> None:
        table = pa.Table.from_batches(self._waiting, SCHEMA)
        self._waiting, self._waiting_bytes = [], 0
        self._writer.write_table(table, row_group_size=table.num_rows)


def _array(column: Column, values: Sequence[Any]) -> Any:
    match column.kind:
        case Kind.TEXT | Kind.JSON:
            return pa.array([None if value is None else utf8(value) for value in values], pa.string())
        case Kind.CENTS:
            return pa.array(values, pa.float64()).cast(_TYPES[Kind.CENTS])
        case Kind.TIME:
            return pa.array(values, pa.string()).cast(_TYPES[Kind.TIME])
        case kind:
            return pa.array(values, _TYPES[kind])


class _Sink:
    """A file that hands over what was written to it."""

    closed = False

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._chunks.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """pyarrow calls it."""

    def close(self) -> None:
        """Likewise."""

    def taken(self) -> bytes:
        chunks, self._chunks = self._chunks, []
        return b"".join(chunks)
