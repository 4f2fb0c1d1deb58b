"""A model hub on this machine: what huggingface_hub asks of the real one, for a folder of models.

It speaks over a socket, counts the bytes that it gave, and can break a download off in its midst.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

API = "/api/(models|datasets)/([^/]+/[^/]+)"
LARGE = ".safetensors"
"Files of this ending are named by sha256, as large ones are; others as git names them."


class Hub:
    """Models and data sets by their name, `org/name`, each a folder."""

    def __init__(self, models: dict[str, Path], data_sets: dict[str, Path] | None = None) -> None:
        self.models = models
        self.folders = {**models, **(data_sets or {})}
        self.given: list[tuple[str, int]] = []
        "(model and file, bytes) of each answer."
        self.breaks_after: int | None = None
        "Bytes of a large file after which the connection is cut."
        hub = self

        class Handler(_Handler):
            of = hub

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def commit(self, model: str) -> str:
        """Forty digits that change with any file."""
        digest = hashlib.sha1()
        for path in sorted(self.folders[model].iterdir()):
            digest.update(path.name.encode() + path.read_bytes())
        return digest.hexdigest()

    def about(self, model: str) -> dict[str, Any]:
        files = sorted(self.folders[model].iterdir())
        return {
            "id": model,
            "modelId": model,
            "gated": False,
            "disabled": False,
            "sha": self.commit(model),
            "private": False,
            "tags": [],
            "siblings": [{"rfilename": f.name, "size": f.stat().st_size} for f in files],
        }

    def tree(self, model: str) -> list[dict[str, Any]]:
        files = sorted(self.folders[model].iterdir())
        return [
            {"type": "file", "path": f.name, "size": f.stat().st_size, "oid": name(f)}
            for f in files
        ]

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def name(file: Path) -> str:
    content = file.read_bytes()
    if file.suffix == LARGE:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    of: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_POST(self) -> None:
        """Which of some files there are."""
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        found = re.fullmatch(API + "/paths-info/[^/]+", self.path.partition("?")[0])
        assert found
        wanted = parse_qs(asked).get("paths") or json.loads(asked)["paths"]
        self._json([entry for entry in self.of.tree(found[2]) if entry["path"] in wanted])

    def _answer(self, *, body: bool) -> None:
        path = self.path.partition("?")[0]
        if found := re.fullmatch(API + "(?:/revision/[^/]+)?", path):
            if found[2] in self.of.folders:
                return self._json(self.of.about(found[2]))
        elif found := re.fullmatch(API + "/tree/[^/]+(/.+)?", path):
            if not found[3]:
                return self._json(self.of.tree(found[2]))
            return self._nothing("EntryNotFound")
        elif found := re.fullmatch(r"/(?:datasets/)?([^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
            file = self.of.folders.get(found[1], Path("/nowhere")) / found[2]
            if file.is_file():
                return self._file(found[1], file, body=body)
            if found[1] in self.of.folders:
                return self._nothing("EntryNotFound")
        return self._nothing("RepoNotFound")

    def _nothing(self, why: str) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", why)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _json(self, content: Any) -> None:
        text = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _file(self, model: str, file: Path, *, body: bool) -> None:
        content = file.read_bytes()
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        self.send_response(206 if asked else 200)
        self.send_header("X-Repo-Commit", self.of.commit(model))
        self.send_header("ETag", f'"{name(file)}"')
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(content) - start))
        if asked:
            last = len(content) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(content)}")
        self.end_headers()
        if not body:
            return
        part = content[start:]
        if self.of.breaks_after is not None and file.suffix == LARGE:
            part = part[: self.of.breaks_after]
            self.close_connection = True
        self.of.given.append((f"{model}/{file.name}", len(part)))
        self.wfile.write(part)
