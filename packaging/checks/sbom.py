"""Compares an SBOM with the crates that the binary itself lists: sbom.py SBOM BINARY"""

import json
import re
import subprocess
import sys
import zlib

bom = json.load(open(sys.argv[1]))
sections = subprocess.run(["readelf", "-SW", sys.argv[2]], check=True, capture_output=True, text=True).stdout
offset, size = (int(n, 16) for n in re.search(r"\.dep-v0\s+PROGBITS\s+\w+\s+(\w+)\s+(\w+)", sections).groups())
audit = json.loads(zlib.decompress(open(sys.argv[2], "rb").read()[offset : offset + size]))

listed = {(c["name"], c["version"]) for c in bom["components"]}
linked = {(p["name"], p["version"]) for p in audit["packages"] if not p.get("root")}
assert bom["bomFormat"] == "CycloneDX" and bom["metadata"]["component"]["name"] == "connect-cache"
assert listed == linked, f"only in the SBOM: {listed - linked}; only in the binary: {linked - listed}"
for component in bom["components"]:
    assert component["licenses"] and component["hashes"] and component["purl"], component
text = open(sys.argv[1]).read()
assert "file://" not in text and "/tmp" not in text, "a path of this machine"
print(f"{len(listed)} crates, the same as the binary's own list, each with license and checksum")
