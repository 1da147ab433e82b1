"""The messages, by their descriptors. What goes into the journal stays for ever, so nothing that names a person may go
in open: a string or bytes field that Record reaches is inside a Sealed, or listed in proto/strings.allow with the reason
why it is harmless (`Message.field  reason`). And the shape: proto2, nothing required, no group, extension or cycle,
repeated scalars packed."""
import sys

from google.protobuf import descriptor_pb2

Field = descriptor_pb2.FieldDescriptorProto
TEXT = {Field.TYPE_STRING, Field.TYPE_BYTES}
NOT_PACKABLE = TEXT | {Field.TYPE_MESSAGE, Field.TYPE_GROUP}

complaints = []


def messages_of(prefix, messages):
    """full name -> descriptor, nested ones too"""
    for m in messages:
        yield f"{prefix}.{m.name}", m
        yield from messages_of(f"{prefix}.{m.name}", m.nested_type)


def shape(name, message):
    if message.extension or message.extension_range:
        complaints.append(f"{name}: extensions")
    for f in message.field:
        if f.label == Field.LABEL_REQUIRED:
            complaints.append(f"{name}.{f.name}: required can never be taken back")
        if f.type == Field.TYPE_GROUP:
            complaints.append(f"{name}.{f.name}: a group")
        if f.label == Field.LABEL_REPEATED and f.type not in NOT_PACKABLE and not f.options.packed:
            complaints.append(f"{name}.{f.name}: repeated, and not [packed = true]")


def cycles(everything):
    """A message that contains itself could be nested deeper than any stack."""
    clear = set()

    def walk(name, path):
        if name in path:
            complaints.append("cycle: " + " > ".join(path[path.index(name):] + [name]))
        elif name not in clear:
            for f in everything[name].field:
                if f.type == Field.TYPE_MESSAGE:
                    walk(f.type_name, path + [name])
            clear.add(name)

    for name in everything:
        walk(name, [])


def open_texts(everything, root, sealed):
    """Message.field of every text in the open that root reaches"""
    todo, seen, found = [root], {sealed}, set()
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        for f in everything[name].field:
            if f.type == Field.TYPE_MESSAGE:
                todo.append(f.type_name)
            elif f.type in TEXT:
                found.add(f"{name[len(root) - len('Record'):]}.{f.name}")
    return found


def allow(found):
    try:
        lines = [line.split(None, 1) for line in open("proto/strings.allow", encoding="utf-8")]
    except FileNotFoundError:
        lines = []
    listed = {words[0]: words[1:] for words in lines if words and not words[0].startswith("#")}
    for name in sorted(found - set(listed)):
        complaints.append(f"{name}: open text in the journal; seal it, or say in proto/strings.allow why not")
    for name in sorted(set(listed) - found):
        complaints.append(f"proto/strings.allow: {name} is no such field of a Record")
    for name in sorted(n for n, reason in listed.items() if not reason):
        complaints.append(f"proto/strings.allow: {name} has no reason")


def main(path):
    files = descriptor_pb2.FileDescriptorSet()
    files.ParseFromString(open(path, "rb").read())
    everything = {}
    for f in files.file:
        if f.syntax not in ("", "proto2") or f.extension:
            complaints.append(f"{f.name}: not plain proto2")
        everything.update(messages_of("." + f.package, f.message_type))
    for name, message in everything.items():
        shape(name, message)
    cycles(everything)
    package = "." + files.file[-1].package
    if f"{package}.Record" not in everything:
        complaints.append("there is no message Record: what goes into the journal?")
    else:
        allow(open_texts(everything, f"{package}.Record", f"{package}.Sealed"))
    print("\n".join(complaints), end="\n" if complaints else "")
    return bool(complaints)


sys.exit(main(sys.argv[1]))
