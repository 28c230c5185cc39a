"""The red-black tree of struct iova: lib/rbtree.c, with the in-order neighbours threaded through the nodes.

The shape is the kernel's, node for node, so the number of nodes a descent looks at is too.
Threading makes rb_prev and rb_next one load each; it changes no answer.
"""

from __future__ import annotations

from typing import Any

ANCHOR_PFN = (1 << 64) - 1
"""IOVA_ANCHOR: both pfns of the node above all others."""


class Node:
    """struct iova and its rb_node; ``prev`` and ``next`` are its neighbours by address."""

    __slots__ = ("hi", "left", "lo", "next", "parent", "prev", "red", "right")
    left: Any  # Node or None, as for the next three; Any spares the reader a check at each turn of the tree
    right: Any
    parent: Any
    next: Any
    prev: Node

    def __init__(self, lo: int, hi: int) -> None:
        self.lo, self.hi = lo, hi
        self.left = self.right = self.parent = self.next = None
        self.prev = BOTTOM
        self.red = True


BOTTOM: Node = Node.__new__(Node)
"""What lies before the lowest node, where rb_prev() returns NULL: its pfns end every walk."""
BOTTOM.lo = BOTTOM.hi = -1


class Tree:
    """rb_root. It is never empty: the anchor stays."""

    __slots__ = ("root",)

    def __init__(self, anchor: Node) -> None:
        self.root = anchor
        anchor.red = False

    def find(self, pfn: int) -> tuple[Node | None, int]:
        """private_find_iova(): the node that holds ``pfn``, and how many nodes were looked at."""
        node: Node | None = self.root
        visits = 0
        while node is not None:
            visits += 1
            if pfn < node.lo:
                node = node.left
            elif pfn > node.hi:
                node = node.right
            else:
                break
        return node, visits

    def insert(self, new: Node, start: Node) -> tuple[bool, int]:
        """iova_insert_rbtree(): False if a node begins there already; and the nodes looked at from ``start`` down."""
        lo = new.lo
        node: Node | None = start
        visits = 0
        while node is not None:
            visits += 1
            parent = node
            if lo < node.lo:
                node = node.left
            elif lo > node.lo:
                node = node.right
            else:
                return False, visits
        new.parent = parent
        if lo < parent.lo:
            parent.left = new
            before, after = parent.prev, parent
        else:
            parent.right = new
            before, after = parent, parent.next
        new.prev, new.next = before, after
        if before is not BOTTOM:
            before.next = new
        if after is not None:
            after.prev = new
        self._insert_color(new)
        return True, visits

    def _insert_color(self, node: Node) -> None:
        """__rb_insert(): recolour and rotate until no red node has a red parent."""
        while True:
            parent = node.parent
            if parent is None:
                node.red = False
                return
            if not parent.red:
                return
            grand = parent.parent
            if parent is grand.left:
                uncle = grand.right
                if uncle is not None and uncle.red:
                    parent.red = uncle.red = False
                    grand.red = True
                    node = grand
                    continue
                if node is parent.right:
                    self._rotate_left(parent)
                    parent = node
                self._rotate_right(grand)
            else:
                uncle = grand.left
                if uncle is not None and uncle.red:
                    parent.red = uncle.red = False
                    grand.red = True
                    node = grand
                    continue
                if node is parent.left:
                    self._rotate_right(parent)
                    parent = node
                self._rotate_left(grand)
            parent.red = False
            grand.red = True
            return

    def erase(self, node: Node) -> None:
        """rb_erase(): a node with two children is replaced by its successor."""
        before, after = node.prev, node.next
        if before is not BOTTOM:
            before.next = after
        if after is not None:
            after.prev = before
        left, right, parent = node.left, node.right, node.parent
        if left is None or right is None:
            child = left if right is None else right
            self._replace(node, child)
            if child is not None:
                child.red = node.red
            elif not node.red and parent is not None:
                self._erase_color(None, parent)
            return
        heir = after  # the leftmost node of the right subtree
        child, removed_red = heir.right, heir.red
        if heir is right:
            parent = heir
        else:
            parent = heir.parent
            parent.left = child
            if child is not None:
                child.parent = parent
            heir.right = right
            right.parent = heir
        heir.left = left
        left.parent = heir
        self._replace(node, heir)
        heir.red = node.red
        if child is not None:
            child.red = False
        elif not removed_red:
            self._erase_color(None, parent)

    def _erase_color(self, node: Any, parent: Any) -> None:
        """____rb_erase_color(): ``node`` (None: an empty leaf) is one black node short."""
        while True:
            if node is parent.left:
                sibling = parent.right
                if sibling.red:
                    self._rotate_left(parent)
                    sibling.red, parent.red = False, True
                    sibling = parent.right
                far, near = sibling.right, sibling.left
                if far is None or not far.red:
                    if near is None or not near.red:
                        sibling.red = True
                        if parent.red or parent.parent is None:
                            parent.red = False
                            return
                        node, parent = parent, parent.parent
                        continue
                    self._rotate_right(sibling)
                    sibling.red = True
                    sibling, far = near, sibling
                self._rotate_left(parent)
            else:
                sibling = parent.left
                if sibling.red:
                    self._rotate_right(parent)
                    sibling.red, parent.red = False, True
                    sibling = parent.left
                far, near = sibling.left, sibling.right
                if far is None or not far.red:
                    if near is None or not near.red:
                        sibling.red = True
                        if parent.red or parent.parent is None:
                            parent.red = False
                            return
                        node, parent = parent, parent.parent
                        continue
                    self._rotate_left(sibling)
                    sibling.red = True
                    sibling, far = near, sibling
                self._rotate_right(parent)
            far.red = False
            sibling.red = parent.red
            parent.red = False
            return

    def _replace(self, node: Any, by: Any) -> None:
        """__rb_change_child(): ``by`` takes ``node``'s place below its parent."""
        parent = node.parent
        if parent is None:
            self.root = by
        elif parent.left is node:
            parent.left = by
        else:
            parent.right = by
        if by is not None:
            by.parent = parent

    def _rotate_left(self, node: Node) -> None:
        up = node.right
        node.right = up.left
        if up.left is not None:
            up.left.parent = node
        self._replace(node, up)
        up.left = node
        node.parent = up

    def _rotate_right(self, node: Node) -> None:
        up = node.left
        node.left = up.right
        if up.right is not None:
            up.right.parent = node
        self._replace(node, up)
        up.right = node
        node.parent = up
