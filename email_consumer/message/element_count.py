"""Whether a payload has more values than anybody needs, found out without making any of them.

A megabyte can hold a million values, and can announce many more; each would cost up to a hundred times its bytes.
Keys and values count, nested ones included.
"""

_MARKS = b",:[{"
"""Each of JSON's stands before one more key or value; what closes a list or an object doesn't."""
_NEITHER_MARK_NOR_QUOTE = bytes(set(range(256)) - set(_MARKS + b'"'))

_BEGINNING = 8
"""Bytes of a document, for each key or value that it may have, that are counted first."""

_FIXED = {0xC0: 0, 0xC1: 0, 0xC2: 0, 0xC3: 0, 0xCA: 4, 0xCB: 8, 0xD8: 17} | {
    first + power: 2**power + kind
    for first, kind in ((0xCC, 0), (0xD0, 0), (0xD4, 1))  # unsigned, signed, extensions (they name a kind)
    for power in range(4)
}
"""MessagePack's values of known size, by their first byte: how many bytes follow."""
_SIZED = {0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0)} | {0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1)}
_SIZED |= {0xD9: (1, 0), 0xDA: (2, 0), 0xDB: (4, 0)}
"""Those that announce their size (binary, extensions, text): in how many bytes, and how many more than it follow."""
_CONTAINERS = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}
"""Arrays and maps: in how many bytes they announce their length, and how many values each entry has."""
_SMALL_MAP, _SMALL_ARRAY, _SMALL_TEXT, _FIRST_LARGE, _NEGATIVE = 0x80, 0x90, 0xA0, 0xC0, 0xE0


def json_exceeds(document: bytes, limit: int) -> bool:
    """Whether a JSON document has more than `limit` keys and values."""
    if len(document) - len(document.translate(None, _MARKS)) < limit:
        return False
    # A document that has far too many shows it at its beginning.
    return _json_exceeds(document[: _BEGINNING * limit], limit) or _json_exceeds(document, limit)


def _json_exceeds(document: bytes, limit: int) -> bool:
    # Texts contain marks too, so they must be distinguished. All of it in C: a loop over sixteen megabytes would take long.
    bare = document.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _NEITHER_MARK_NOR_QUOTE)
    bare = bare.replace(b'""', b"")  # a text without marks, since there is a mark between any two texts
    if bare.count(b'"') // 2 > limit:  # each text is a key or a value
        return True
    return 1 + sum(map(len, bare.split(b'"')[::2])) > limit


def packed_exceeds(packed: bytes, limit: int) -> bool:
    """Whether a MessagePack value has, or announces, more than `limit` keys and values.

    Goes from value to value; one that is cut off or wrong is left for the reader to find.
    """
    position, announced, seen = 0, 1, 0
    while seen < announced <= limit and position < len(packed):
        first = packed[position]
        position += 1
        seen += 1
        if first < _SMALL_MAP or first >= _NEGATIVE:
            continue
        if first < _SMALL_ARRAY:
            announced += 2 * (first - _SMALL_MAP)
        elif first < _SMALL_TEXT:
            announced += first - _SMALL_ARRAY
        elif first < _FIRST_LARGE:
            position += first - _SMALL_TEXT
        elif first in _FIXED:
            position += _FIXED[first]
        elif first in _SIZED:
            width, more = _SIZED[first]
            position += width + int.from_bytes(packed[position : position + width]) + more
        else:
            width, each = _CONTAINERS[first]
            announced += each * int.from_bytes(packed[position : position + width])
            position += width
    return announced > limit
