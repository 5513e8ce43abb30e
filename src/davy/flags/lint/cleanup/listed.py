"""Items between commas."""

from tree_sitter import Node

from davy.flags.lint.cleanup.edit import Edit, line_end, line_start


def without_item(item: Node, source: bytes) -> Edit:
    """Take one of several items away, with one of the commas beside it, and its line where it has one."""
    behind, before = item.next_sibling, item.prev_sibling
    if behind is not None and behind.type == ",":
        end = behind.end_byte
        start, stop = line_start(source, item.start_byte), line_end(source, end)
        if not source[start : item.start_byte].strip() and not source[end:stop].strip():
            return Edit(start, stop)
        while source[end : end + 1] in (b" ", b"\t"):
            end += 1
        return Edit(item.start_byte, end)
    assert before is not None, "there is no other item"
    return Edit(before.start_byte, item.end_byte)
