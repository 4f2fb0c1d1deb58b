"""A model hub on this machine: what huggingface_hub requests of the real one.

In: folders of models and data sets. Out: a server on a local port, which counts the bytes that it
served, and can cut a connection in the middle of a download.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs

API = "/api/(models|datasets)/([^/]+/[^/]+)"
LARGE = ".safetensors"
"Suffix of files that are named by sha256, as large ones are; others are named as git names them."


class Hub:
    """Models and data sets by name, `org/name`, each a folder."""

    def __init__(self, models: dict[str, Path], data_sets: dict[str, Path] | None = None) -> None:
        self.models = models
        self.folders = {**models, **(data_sets or {})}
        self.served: list[tuple[str, int]] = []
        "(name and file, bytes) of each response with a file."
        self.cut_after: int | None = None
        "Bytes of a large file after which the connection is cut."
        handler = type("Handler", (_Handler,), {"hub": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def commit(self, name: str) -> str:
        """Forty digits that change with any file."""
        digest = hashlib.sha1()
        for path in sorted(self.folders[name].iterdir()):
            digest.update(path.name.encode() + path.read_bytes())
        return digest.hexdigest()

    def info(self, name: str, *, sizes: bool) -> dict[str, Any]:
        """What the API says about a repository; the sizes of its files only on request."""
        files = sorted(self.folders[name].iterdir())
        return {
            "id": name,
            "modelId": name,
            "gated": False,
            "disabled": False,
            "sha": self.commit(name),
            "private": False,
            "tags": [],
            "siblings": [
                {"rfilename": f.name, **({"size": f.stat().st_size} if sizes else {})}
                for f in files
            ],
        }

    def tree(self, name: str) -> list[dict[str, Any]]:
        """The files of a repository."""
        files = sorted(self.folders[name].iterdir())
        return [
            {"type": "file", "path": f.name, "size": f.stat().st_size, "oid": digest_of(f)}
            for f in files
        ]

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def digest_of(file: Path) -> str:
    """The hub's name for a file's content."""
    content = file.read_bytes()
    if file.suffix == LARGE:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    hub: ClassVar[Hub]
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._respond(body=False)

    def do_GET(self) -> None:
        self._respond(body=True)

    def do_POST(self) -> None:
        """Which of some files exist."""
        content = self.rfile.read(int(self.headers["Content-Length"])).decode()
        match = re.fullmatch(API + "/paths-info/[^/]+", self.path.partition("?")[0])
        assert match
        paths = parse_qs(content).get("paths") or json.loads(content)["paths"]
        self._send_json([entry for entry in self.hub.tree(match[2]) if entry["path"] in paths])

    def _respond(self, *, body: bool) -> None:
        path = self.path.partition("?")[0]
        if match := re.fullmatch(API + "(?:/revision/[^/]+)?", path):
            if match[2] in self.hub.folders:
                return self._send_json(self.hub.info(match[2], sizes="blobs=" in self.path))
        elif match := re.fullmatch(API + "/tree/[^/]+(/.+)?", path):
            if not match[3]:
                return self._send_json(self.hub.tree(match[2]))
            return self._send_error("EntryNotFound")
        elif match := re.fullmatch(r"/(?:datasets/)?([^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
            file = self.hub.folders.get(match[1], Path("/nowhere")) / match[2]
            if file.is_file():
                return self._send_file(match[1], file, body=body)
            if match[1] in self.hub.folders:
                return self._send_error("EntryNotFound")
        return self._send_error("RepoNotFound")

    def _send_error(self, code: str) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send_json(self, content: Any) -> None:
        text = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _send_file(self, name: str, file: Path, *, body: bool) -> None:
        content = file.read_bytes()
        ranged = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        start = int(ranged[1]) if ranged else 0
        self.send_response(206 if ranged else 200)
        self.send_header("X-Repo-Commit", self.hub.commit(name))
        self.send_header("ETag", f'"{digest_of(file)}"')
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(content) - start))
        if ranged:
            last = len(content) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(content)}")
        self.end_headers()
        if not body:
            return
        part = content[start:]
        if self.hub.cut_after is not None and file.suffix == LARGE:
            part = part[: self.hub.cut_after]
            self.close_connection = True
        self.hub.served.append((f"{name}/{file.name}", len(part)))
        self.wfile.write(part)
