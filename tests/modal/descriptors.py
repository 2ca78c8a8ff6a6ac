"""Compares serialized descriptors of proto/ with those that the package `modal` ships.

usage: descriptors.py OURS.fds

Every message, field, enum value and RPC of ours must be in theirs with the same number, type, label, presence and
oneof. Ours is a subset, so what only they have is fine. One line for each difference; exit code 1 if there is one.
"""
import sys

from google.protobuf import descriptor_pb2
from modal_proto import api_pb2, task_command_router_pb2


def theirs():
    """The package's files, as one set."""
    files = descriptor_pb2.FileDescriptorSet()
    for module in (api_pb2, task_command_router_pb2):
        module.DESCRIPTOR.CopyToProto(files.file.add())
    return files


def index(files):
    """Everything that is on the wire, as {name: what it is}. JSON names, options and comments are not."""
    found = {}

    def enum(e, scope):
        for value in e.value:
            found[f"value {scope}.{e.name}.{value.name}"] = str(value.number)

    def message(m, scope):
        name = f"{scope}.{m.name}"
        found[f"message {name}"] = ""
        for f in m.field:
            oneof = ""
            if f.HasField("oneof_index") and not f.proto3_optional:
                oneof = m.oneof_decl[f.oneof_index].name
            found[f"field {name}.{f.name}"] = (
                f"number {f.number}, type {f.type} {f.type_name}, repeated {f.label == f.LABEL_REPEATED}, "
                f"optional {f.proto3_optional}, oneof {oneof!r}"
            )
        for e in m.enum_type:
            enum(e, name)
        for nested in m.nested_type:
            message(nested, name)

    for file in files.file:
        if not file.package.startswith("modal."):
            continue
        for m in file.message_type:
            message(m, file.package)
        for e in file.enum_type:
            enum(e, file.package)
        for service in file.service:
            for rpc in service.method:
                streams = f"{rpc.client_streaming} {rpc.server_streaming}"
                found[f"rpc {file.package}.{service.name}.{rpc.name}"] = f"{rpc.input_type} {rpc.output_type} {streams}"
    return found


def main():
    with open(sys.argv[1], "rb") as file:
        ours = index(descriptor_pb2.FileDescriptorSet.FromString(file.read()))
    modal = index(theirs())
    different = [name for name in sorted(ours) if modal.get(name) != ours[name]]
    for name in different:
        print(f"{name}: ours {ours[name]!r}, Modal's {modal.get(name)!r}")
    print(f"{len(ours)} compared")
    sys.exit(1 if different else 0)


main()
