"""Writes a draft as a profile in TOML, with a comment wherever a person has to look."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import tomlkit

from deadheat.drive.draft import Draft, Sent

if TYPE_CHECKING:
    from tomlkit.items import Table

    from deadheat.targets.openapi.collections import ApiCollection, ApiOperation


def draft_of(found: ApiCollection, before: str) -> Draft:
    """The draft of a collection in a document. ``before``: the path before every other."""

    def sent(one: ApiOperation) -> Sent:
        return Sent(one.method, before + one.path, one.body)

    calls = (("create", found.create), ("get", found.get), ("list", found.list))
    done = (*calls, ("delete", found.delete))
    return Draft(
        found.name,
        sent(found.create),
        sent(found.get),
        sent(found.list),
        sent(found.delete),
        None if found.rename is None else sent(found.rename),
        found.title,
        found.id,
        items_at=found.items,
        item_id_at=found.id,
        get_title_at=found.title or None,
        list_title_at=found.title or None,
        done=tuple((name, one.done[0]) for name, one in done if one.done),
    )


def profile_text(
    draft: Draft, *, url: str | None, command: tuple[str, ...] | None, source: str, probed: bool
) -> str:
    """The profile's text; ``url`` or ``command`` says where the server is."""
    whole = tomlkit.document()
    whole.add(tomlkit.comment(f"Drafted by `deadheat init` from {source}."))
    if not probed:
        whole.add(
            tomlkit.comment("CHECK: no server was asked, all of it is what the document says.")
        )
    whole.add(
        tomlkit.comment("Next: `deadheat check` with this file. CHECK marks what to look at.")
    )
    whole["name"] = re.sub(r"^[^A-Za-z0-9]+", "", draft.name) or "api"
    if command is None:
        whole["url"] = url or "http://127.0.0.1:8000"
        if url is None:
            whole["url"].comment("CHECK: where does it run?")
    else:
        server = tomlkit.table()
        server["command"] = list(command)
        server["probe"] = draft.list.path
        whole["server"] = server
    if not any(call in dict(draft.done) for call in ("list",)):
        whole.add(tomlkit.comment('CHECK: auth = { token = "{env:TOKEN}" } if it asks who we are'))
    calls = tomlkit.table(is_super_table=True)
    create = _call(draft, "create", draft.create)
    if draft.id_in_location:
        create["id-in-location"] = True
    else:
        create["id"] = draft.id_at
    calls["create"] = create
    get = _call(draft, "get", draft.get)
    if draft.get_title_at is not None:
        get["title"] = draft.get_title_at
    calls["get"] = get
    listed = _call(draft, "list", draft.list)
    if draft.items_at:
        listed["items"] = draft.items_at
    listed["id"] = draft.item_id_at
    if draft.list_title_at is not None:
        listed["title"] = draft.list_title_at
    calls["list"] = listed
    calls["delete"] = _call(draft, "delete", draft.delete_one)
    if draft.rename is not None:
        calls["rename"] = _call(draft, "rename", draft.rename)
    for call, why in draft.unsure:
        if call not in calls:
            whole.add(tomlkit.comment(f"CHECK: {call}: {why}."))
    whole["calls"] = calls
    promises = tomlkit.table()
    promises["delete"] = draft.delete or "exactly-once"
    why = {
        "idempotent": "a second delete succeeded, too",
        "exactly-once": "a second delete was told that it is gone",
        "": "CHECK: what does a second delete answer?",
    }[draft.delete]
    promises["delete"].comment(why)
    if draft.reused:
        promises["ids"] = "reused"
        promises["ids"].comment("the id of what was deleted was given again")
    promises.add(
        tomlkit.comment('CHECK: list = "snapshot" is assumed: all entries as of one instant.')
    )
    promises.add(tomlkit.comment('Weaker: "per-session", or "eventual" (right at rest).'))
    whole["promises"] = promises
    return tomlkit.dumps(whole)


def _call(draft: Draft, name: str, sent: Sent) -> Table:
    table = tomlkit.table()
    for call, why in draft.unsure:
        if call == name:
            table.add(tomlkit.comment(f"CHECK: {why}."))
    table["request"] = f"{sent.method} {sent.path}"
    if sent.body is not None:
        table["body"] = _inline(sent.body)
    done, absent = dict(draft.done).get(name), dict(draft.absent).get(name)
    if done is not None:
        table["done"] = [done]
    if absent is not None:
        table["absent"] = [absent]
    return table


def _inline(value: Any) -> Any:
    """A value as inline TOML; TOML has no null, so such a key is left out."""
    if isinstance(value, dict):
        table = tomlkit.inline_table()
        for key, inner in value.items():
            if inner is not None:
                table[key] = _inline(inner)
        return table
    if isinstance(value, list):
        return [_inline(inner) for inner in value if inner is not None]
    return value
