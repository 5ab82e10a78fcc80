# Behind the decoder of docs/packed.md in one file: the folder's packs are what is expected, and the others are refused.
import json
import pathlib
import sys

folder = pathlib.Path(sys.argv[1])
packs, bad, missing = 0, 0, set()
for file in sorted(folder.iterdir()):
    data = file.read_bytes()
    try:
        if file.suffix == ".bad":
            try:
                unpack(data)
            except ValueError:
                bad += 1
                continue
            sys.exit(file.name + ": it was not refused")
        if file.suffix == ".pack":
            expected = json.loads(file.with_suffix(".expected").read_text(encoding="utf-8"))
            got = [
                {"payload": m.payload.hex(), "key": m.key, "eventTime": m.event_time, "properties": m.properties}
                for m in unpack(data)
            ]
            assert got == expected, file.name
            packs += 1
    except ImportError as e:
        missing.add(e.name)
assert json.loads((folder / "array.json").read_bytes()) == [{"t": 21.5}, [1, "caf\u00e9"], None]
assert packs >= 5 and bad > 100, (packs, bad)
print("python %s: %d packs, %d refused; not there: %s" % (sys.version.split()[0], packs, bad, ", ".join(sorted(missing)) or "none"))
