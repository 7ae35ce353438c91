"""Which of several logs a key belongs to: the same everywhere, whatever the process."""

from zlib import crc32

from bloomish import Any, function


@function
def shard_of(key: Any, shards: int) -> int:
    """A number from 0 up to `shards`, by a checksum of the key."""
    return crc32(repr(key).encode()) % shards
