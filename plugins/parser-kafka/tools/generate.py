"""Writes `src/schema/generated.rs` from the message descriptions inside the jars of kafka-clients (Apache-2.0).

    python tools/generate.py kafka-clients-3.9.1.jar kafka-clients-4.1.0.jar > src/schema/generated.rs

The older jar still describes the versions that Kafka 4 dropped; both are merged, and every version that either of them
knows must read the same from the merged table as from its own jar, or nothing is written.
"""

from __future__ import annotations

import json
import re
import sys
import zipfile
from dataclasses import dataclass, field, replace

NEVER = 127
SIZES = {"bool": 1, "int8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "int64": 8, "float64": 8, "uuid": 16}
KINDS = {"string": "Text", "bytes": "Bytes", "records": "Records"}
ROLES = {  # of fields by their name, where the kind of the value fits
    "ErrorMessage": "ErrorMessage",
    "ThrottleTimeMs": "Throttle",
    "Acks": "Acks",
    "Mechanism": "Mechanism",
    "ClientSoftwareName": "SoftwareName",
    "ClientSoftwareVersion": "SoftwareVersion",
    "Records": "Records",
    "TopicId": "TopicId",
    "KeyType": "KeyType",
}
ENTITIES = {"topicName": "Topic", "groupId": "Group", "transactionalId": "Transaction"}
# Names of partitions' numbers; elsewhere (CreatePartitions' Count) a number means something else.
PARTITIONS = {"Partition", "PartitionIndex", "PartitionIndexes", "PartitionId", "PartitionIds", "Partitions", "Index"}


@dataclass
class Field:
    name: str
    kind: str  # Fixed, Text, Bytes, Records, Struct
    size: int
    role: str
    since: int
    until: int
    null_since: int = NEVER
    is_array: bool = False
    fields: list[Field] = field(default_factory=list)


@dataclass
class Message:
    name: str
    since: int
    until: int
    flexible: int
    fields: list[Field]


def versions(text: str) -> tuple[int, int]:
    if text == "none":
        return NEVER, -1
    match = re.fullmatch(r"(\d+)(\+|-(\d+))?", text)
    assert match, text
    since = int(match[1])
    return since, NEVER if match[2] == "+" else int(match[3] or since)


def role(item: dict, base: str, api: int, is_response: bool) -> str:
    name = item["name"]
    if base == "string" and item.get("entityType") in ENTITIES:
        return ENTITIES[item["entityType"]]
    if base == "string" and name in {"GroupId", "GroupsNames", "Groups"}:
        return "Group"
    if api == 10 and name in {"Key", "CoordinatorKeys"}:
        return "Key"
    if base == "int16" and name.endswith("ErrorCode"):
        return "Error"
    if base == "int32" and name in PARTITIONS:
        return "Partition"
    if base == "bytes" and (api, is_response) == (11, False) and name == "Metadata":
        return "Subscription"
    if base == "bytes" and api == 14 and name == "Assignment":
        return "Assignment"
    return ROLES.get(name, "None") if base in {"string", "int32", "int16", "int8", "uuid", "records"} else "None"


def read_fields(items: list, common: dict, api: int, is_response: bool) -> list[Field]:
    found = []
    for item in items:
        if "taggedVersions" in item:
            # Tagged fields are optional, and none of them tells what a record needs: the walker passes over them.
            tagged, whole = versions(item["taggedVersions"]), versions(item["versions"])
            assert tagged == whole, item
            continue
        assert "flexibleVersions" not in item, item
        base = item["type"].removeprefix("[]")
        since, until = versions(item["versions"])
        one = Field(item["name"], "Fixed", SIZES.get(base, 0), role(item, base, api, is_response), since, until)
        one.is_array = item["type"].startswith("[]")
        if base in KINDS:
            one.kind = KINDS[base]
        elif base not in SIZES:
            one.kind, one.role = "Struct", "None"
            one.fields = read_fields(item.get("fields") or common[base], common, api, is_response)
            if not one.is_array and "nullableVersions" in item:
                one.null_since = versions(item["nullableVersions"])[0]
        found.append(one)
    return found


def read(jar: str) -> dict[tuple[int, bool], Message]:
    found = {}
    with zipfile.ZipFile(jar) as archive:
        for entry in archive.namelist():
            if not re.fullmatch(r"common/message/\w+(Request|Response)\.json", entry):
                continue
            text = archive.read(entry).decode()
            data = json.loads("\n".join(re.sub(r"^\s*//.*$|\s//[^\"]*$", "", line) for line in text.splitlines()))
            since, until = versions(data["validVersions"])
            if "apiKey" not in data or until < 0:
                continue
            is_response = data["type"] == "response"
            common = {struct["name"]: struct["fields"] for struct in data.get("commonStructs", [])}
            found[data["apiKey"], is_response] = Message(
                re.sub(r"(Request|Response)$", "", data["name"]), since, until, versions(data["flexibleVersions"])[0],
                read_fields(data["fields"], common, data["apiKey"], is_response),
            )  # fmt: skip
    return found


def flat(fields: list[Field], version: int) -> list:
    return [
        (each.role, each.kind, each.size, each.is_array, each.null_since <= version, flat(each.fields, version))
        for each in fields
        if each.since <= version <= each.until
    ]


def merge_fields(old: list[Field], new: list[Field]) -> list[Field]:
    """The new fields, and between them the old ones that are gone."""
    merged: list[Field] = []
    rest = list(old)
    for each in new:
        position = next(
            (at for at, other in enumerate(rest) if other.name == each.name and other.kind == each.kind), None
        )
        if position is not None:
            merged += rest[:position]
            other = rest[position]
            rest = rest[position + 1 :]
            each = replace(each, since=min(each.since, other.since), until=max(each.until, other.until),
                           null_since=min(each.null_since, other.null_since),
                           fields=merge_fields(other.fields, each.fields))  # fmt: skip
        merged.append(each)
    return merged + rest


def clip(fields: list[Field], source: Message) -> list[Field]:
    """A description says nothing of versions outside of its own."""
    return [
        replace(each, since=max(each.since, source.since), until=min(each.until, source.until),
                fields=clip(each.fields, source))
        for each in fields
        if each.since <= source.until and each.until >= source.since
    ]  # fmt: skip


def merge(old: Message | None, new: Message | None) -> Message:
    if old is None or new is None:
        found = old or new
        assert found is not None
        return found
    if (new.since <= old.since and new.until >= old.until) or new.since > old.until:
        # The second: an early access of a new API, never served by a released broker unless asked to.
        return new
    merged = Message(new.name, min(old.since, new.since), max(old.until, new.until), min(old.flexible, new.flexible),
                     merge_fields(clip(old.fields, old), clip(new.fields, new)))  # fmt: skip
    for source in (old, new):
        for version in range(source.since, source.until + 1):
            assert flat(merged.fields, version) == flat(source.fields, version), (new.name, version)
    return merged


def packed(fields: list[Field]) -> list[Field]:
    """Neighbours of fixed size without a meaning become one."""
    found: list[Field] = []
    for each in fields:
        last = found[-1] if found else None
        plain = each.kind == "Fixed" and each.role == "None" and not each.is_array
        if plain and last and (last.kind, last.role, last.is_array, last.since, last.until) == (
            "Fixed", "None", False, each.since, each.until,
        ):  # fmt: skip
            last.size += each.size
        else:
            found.append(replace(each, fields=packed(each.fields)))
    return found


class Writer:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.names: dict[str, str] = {}

    def table(self, fields: list[Field]) -> str:
        body = "".join(f"    {self.one(each)},\n" for each in fields)
        if not body:
            return "&[]"
        if body not in self.names:
            self.names[body] = f"F{len(self.names)}"
            self.lines.append(f"const {self.names[body]}: &[Field] = &[\n{body}];\n")
        return self.names[body]

    def one(self, each: Field) -> str:
        kind = f"Kind::Fixed({each.size})" if each.kind == "Fixed" else f"Kind::{each.kind}"
        text = f"field({kind}, Role::{each.role}, {each.since}, {each.until})"
        if each.is_array:
            text += ".array()"
        if each.null_since != NEVER:
            text += f".nullable({each.null_since})"
        return text + (f".of({self.table(each.fields)})" if each.fields else "")


def main() -> None:
    older, newer = read(sys.argv[1]), read(sys.argv[2])
    writer = Writer()
    apis = []
    for key in sorted({key for key, _ in [*older, *newer]}):
        request, response = (merge(older.get((key, side)), newer.get((key, side))) for side in (False, True))
        assert request.flexible == response.flexible or request.until == 0, request.name
        sides = [writer.table(packed(side.fields)) for side in (request, response)]
        apis.append(
            f'    Api {{ key: {key}, name: "{request.name}", since: {request.since}, until: {request.until}, '
            f"flexible: {request.flexible}, request: {sides[0]}, response: {sides[1]} }},\n"
        )
    print("// Made by tools/generate.py from the message descriptions of kafka-clients; not to be edited.\n")
    print("use super::{field, Api, Field, Kind, Role};\n")
    print("\n".join(writer.lines))
    print(f"pub const APIS: [Api; {len(apis)}] = [\n{''.join(apis)}];")


main()
