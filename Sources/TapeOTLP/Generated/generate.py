"""Makes the Swift code of the OTLP messages that the export sends.

usage: generate.py PROTOC_GEN_SWIFT

The definitions are those of the PyPI package opentelemetry-proto, which carries them compiled; `make protos` runs this
with the version that the end-to-end tests decode with. protoc is Debian's protobuf-compiler.
"""
import os, pathlib, subprocess, sys, tempfile

from google.protobuf import descriptor_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

HERE = pathlib.Path(__file__).resolve().parent
MODULES = [common_pb2, resource_pb2, trace_pb2, trace_service_pb2]

files = descriptor_pb2.FileDescriptorSet()
for module in MODULES:
    module.DESCRIPTOR.CopyToProto(files.file.add())

with tempfile.TemporaryDirectory() as folder:
    definitions = os.path.join(folder, "otlp.bin")
    pathlib.Path(definitions).write_bytes(files.SerializeToString())
    subprocess.run(
        ["protoc", f"--plugin=protoc-gen-swift={sys.argv[1]}", f"--descriptor_set_in={definitions}",
         "--swift_opt=FileNaming=DropPath", "--swift_opt=Visibility=Internal",
         "--swift_opt=UseAccessLevelOnImports=true", f"--swift_out={HERE}"]
        + [file.name for file in files.file],
        check=True)
