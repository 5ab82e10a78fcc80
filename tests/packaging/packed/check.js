// Behind the decoders of docs/packed.md in one file: the folder's packs are what is expected, and the others are refused.
const assert = require("node:assert");
const fs = require("node:fs");

const folder = process.argv[2];
let packs = 0, bad = 0;
const skipped = new Set();
for (const file of fs.readdirSync(folder).sort()) {
  const bytes = fs.readFileSync(`${folder}/${file}`);
  const mine = { decoders: { 1: lz4 } };
  if (file.endsWith(".bad")) {
    assert.throws(() => unpack(bytes, mine), file);
    bad += 1;
  } else if (file.endsWith(".pack")) {
    if (!known[bytes[5]] && !mine.decoders[bytes[5]]) {
      assert.throws(() => unpack(bytes, mine), /known here are 0,1,2/);
      skipped.add(`codec ${bytes[5]}`);
      continue;
    }
    const expected = JSON.parse(fs.readFileSync(`${folder}/${file.replace(/pack$/, "expected")}`));
    const got = unpack(bytes, mine).map((m) => ({
      payload: m.payload.toString("hex"), key: m.key ?? null, eventTime: m.eventTime ?? null, properties: { ...m.properties },
    }));
    assert.deepStrictEqual(got, expected, file);
    assert.throws(() => unpack(bytes, { ...mine, maxMessages: expected.length - 1 }), /over the limit/);
    packs += 1;
  }
}
assert.deepStrictEqual(JSON.parse(fs.readFileSync(`${folder}/array.json`)), [{ t: 21.5 }, [1, "caf\u00e9"], null]);
assert(packs >= 7 && bad > 200);
console.log(`node ${process.version}: ${packs} packs, ${bad} refused; not there: ${[...skipped].join(", ") || "none"}`);
