"""Tests of the adapters, world by world."""
