"""The classroom of these tests is a small one, and so is their cluster."""

from small_classroom import base, small
from small_cluster import cluster

__all__ = ["base", "cluster", "small"]
