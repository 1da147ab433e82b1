#!/usr/bin/python3
"""Is the schema of today still able to read what was written under the frozen one?

    check_descriptor.py FROZEN NOW        two binary FileDescriptorSets

What the frozen one has must be in the one of today: every message, field, oneof and enumerator under its name, with its
number, type and label. Fields are found by number on the wire and by name in JSON, so neither may change. Additions are
fine; they are listed, and `make proto-freeze` takes them into the frozen file when a version is released.

Exit status: 0 compatible, 1 not, 2 could not tell."""
import sys

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorSet
from google.protobuf.message import DecodeError


def scope_of(path):
    with open(path, "rb") as file:
        files = FileDescriptorSet.FromString(file.read()).file
    if not files:
        raise DecodeError("holds no schema")
    words = {}
    for file in files:
        package = file.package
        for enum in file.enum_type:
            add_enum(words, package, enum)
        for message in file.message_type:
            add_message(words, package, message)
    return words


def add_enum(words, scope, enum):
    name = f"{scope}.{enum.name}"
    words[name] = {"is": "enum"}
    for value in enum.value:
        words[f"{name}.{value.name}"] = {"is": "enumerator", "number": value.number}


def add_message(words, scope, message):
    name = f"{scope}.{message.name}"
    words[name] = {"is": "message"}
    for field in message.field:
        words[f"{name}.{field.name}"] = {
            "is": "field",
            "number": field.number,
            "type": field.type_name or FieldDescriptorProto.Type.Name(field.type),
            "label": FieldDescriptorProto.Label.Name(field.label),
            "packed": field.options.packed,
            "default": field.default_value,
            "oneof": message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else "",
        }
    for enum in message.enum_type:
        add_enum(words, name, enum)
    for nested in message.nested_type:
        add_message(words, name, nested)


def differences(frozen, now):
    """What breaks readers: sentences, each naming the word."""
    for word, was in sorted(frozen.items()):
        have = now.get(word)
        if have is None:
            yield f"{word}: the {was['is']} is gone (removed or renamed)"
            continue
        for property_, value in was.items():
            if have.get(property_) != value:
                yield f"{word}: {property_} was {value or 'none'} and is {have.get(property_) or 'none'}"


def reused(frozen, now):
    """A new word under the number of an old one: the old bytes would be read as something else."""
    taken = {(word.rpartition(".")[0], was["number"]): word for word, was in frozen.items() if "number" in was}
    for word, have in sorted(now.items()):
        old = taken.get((word.rpartition(".")[0], have.get("number")))
        if old and old != word:
            yield f"{word}: has number {have['number']}, which is {old}'s"


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        frozen, now = (scope_of(path) for path in sys.argv[1:])
    except (OSError, DecodeError) as fault:
        print(f"cannot read a schema: {fault}", file=sys.stderr)
        return 2
    broken = list(differences(frozen, now)) + list(reused(frozen, now))
    for sentence in broken:
        print(sentence)
    added = sorted(set(now) - set(frozen))
    if broken:
        print(f"{len(broken)} changes that would make old bytes unreadable; the frozen schema is {sys.argv[1]}")
        return 1
    print(f"compatible: {len(frozen)} words are as they were")
    if added:
        print(f"{len(added)} new: {', '.join(added[:8])}{' ...' if len(added) > 8 else ''}; "
              "freeze them with `make proto-freeze` when they are released")
    return 0


if __name__ == "__main__":
    sys.exit(main())
