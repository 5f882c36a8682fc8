from __future__ import annotations


def campaign_page(record) -> str:
    return ""


def example_page(artifact, path) -> str:
    return ""
