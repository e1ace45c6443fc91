"""The classroom of these tests is a small one."""

from small_classroom import base, small

__all__ = ["base", "small"]
