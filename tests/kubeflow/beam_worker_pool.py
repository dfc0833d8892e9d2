"""Stands in for a cluster's worker containers: Beam workers that have no more of our code than a job stages.

`python beam_worker_pool.py FOLDER` serves Beam's worker pool API (environment_type EXTERNAL) until it is
ended, and writes its port to FOLDER/port. Each worker is a process of its own. It does what Beam's container
does on its start (apache/beam, sdks/python/container/boot.go): asks for the job's options and files, installs
the package that came of `--setup_file`, and runs the SDK's main function. The packages of `requirements/` are
there already, as in the image. Only pip's check of them is left out.
"""

import contextlib
import hashlib
import io
import multiprocessing
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from concurrent import futures
from pathlib import Path

import grpc
from apache_beam.portability.api import (
    beam_artifact_api_pb2,
    beam_artifact_api_pb2_grpc,
    beam_fn_api_pb2,
    beam_fn_api_pb2_grpc,
    beam_provision_api_pb2,
    beam_provision_api_pb2_grpc,
    beam_runner_api_pb2,
    endpoints_pb2,
)
from google.protobuf import json_format, text_format

PACKAGE = "workflow.tar.gz"  # what Beam calls the source distribution
# What all workers import; forked from a process that has, they start in a second.
PRELOADED = ["apache_beam.runners.worker.sdk_worker_main", "tensorflow_transform", "tfx.components"]


class Pool(beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolServicer):
    """Starts workers."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(PRELOADED)

    def StartWorker(self, request, context):
        arguments = (
            str(self._folder),
            request.worker_id,
            request.provision_endpoint.url,
            request.artifact_endpoint.url,
            request.control_endpoint.url,
            request.logging_endpoint.url,
        )
        self._context.Process(target=work, args=arguments, daemon=True).start()
        return beam_fn_api_pb2.StartWorkerResponse()

    def StopWorker(self, request, context):
        return beam_fn_api_pb2.StopWorkerResponse()  # one ends with its job


def work(folder: str, worker_id: str, provision: str, artifacts: str, control: str, log: str):
    """A worker, from its start to the end of the job."""
    identity = (("worker_id", worker_id),)
    with grpc.insecure_channel(provision) as channel:
        info = (
            beam_provision_api_pb2_grpc.ProvisionServiceStub(channel)
            .GetProvisionInfo(beam_provision_api_pb2.GetProvisionInfoRequest(), metadata=identity)
            .info
        )
    with grpc.insecure_channel(artifacts) as channel:
        stub = beam_artifact_api_pb2_grpc.ArtifactRetrievalServiceStub(channel)
        packages = [fetched(stub, one) for one in info.dependencies if staged_name(one) == PACKAGE]
    assert len(packages) == 1, f"the job brings {len(packages)} packages"
    sys.path.insert(0, installed(packages[0], Path(folder)))

    def descriptor(url: str) -> str:
        return text_format.MessageToString(endpoints_pb2.ApiServiceDescriptor(url=url))

    os.environ.update(
        WORKER_ID=worker_id,
        PIPELINE_OPTIONS=json_format.MessageToJson(info.pipeline_options),
        CONTROL_API_SERVICE_DESCRIPTOR=descriptor(control),
        LOGGING_API_SERVICE_DESCRIPTOR=descriptor(log),
        SEMI_PERSISTENT_DIRECTORY=folder,
    )
    from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main([])


def staged_name(artifact: beam_runner_api_pb2.ArtifactInformation) -> str:
    role = beam_runner_api_pb2.ArtifactStagingToRolePayload.FromString(artifact.role_payload)
    return role.staged_name


def fetched(stub, artifact: beam_runner_api_pb2.ArtifactInformation) -> bytes:
    request = beam_artifact_api_pb2.GetArtifactRequest(artifact=artifact)
    return b"".join(part.data for part in stub.GetArtifact(request))


def installed(package: bytes, folder: Path) -> str:
    """The folder a package was installed to; done once for all workers, which share a machine here."""
    target = folder / f"installed-{content_hash(package)}"
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            source = Path(scratch, PACKAGE)
            source.write_bytes(package)
            pip = ["pip", "install", "--no-deps", "--no-build-isolation", "--no-index"]
            command = [sys.executable, "-m", *pip, "--target", f"{scratch}/packages", str(source)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            with contextlib.suppress(OSError):  # another worker was faster
                os.rename(f"{scratch}/packages", target)
    return str(target)


def content_hash(package: bytes) -> str:
    """Of what is in it: each job packs the same files anew, with the time."""
    digest = hashlib.sha256()
    with tarfile.open(fileobj=io.BytesIO(package)) as tar:
        for member in sorted(filter(tarfile.TarInfo.isfile, tar), key=lambda one: one.name):
            digest.update(member.name.encode())
            digest.update(tar.extractfile(member).read())
    return digest.hexdigest()[:16]


def main() -> None:
    folder = Path(sys.argv[1])
    sys.path[:] = [path for path in sys.path if not Path(path, "conftest.py").exists()]
    # Beam's channels ask for signs of life more often than a server allows by itself.
    options = [("grpc.http2.max_pings_without_data", 0), ("grpc.http2.max_ping_strikes", 0)]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1), options=options)
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(Pool(folder), server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    Path(folder, "port.part").write_text(str(port))
    os.rename(folder / "port.part", folder / "port")
    while os.getppid() > 1:  # the tests are still there
        time.sleep(1)


if __name__ == "__main__":
    main()
