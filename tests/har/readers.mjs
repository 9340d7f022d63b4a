// What other readers make of HAR documents: the schema of `har-validator`, and the importer of Chrome's
// developer tools, bundled as `chrome-har.mjs`. Both lie in a folder that .ci/long makes.
//
//     node readers.mjs FOLDER session.har...
//
// Each document must be valid, and each entry become a request of the same meaning in Chrome. To be sure that
// they look, both are also given documents with a fault in them.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {pathToFileURL} from 'node:url';

const [folder, ...paths] = process.argv.slice(2);
const {har: validate} = createRequire(`${folder}/`)('har-validator');
const {HARFormat, Importer} = await import(pathToFileURL(`${folder}/chrome-har.mjs`));

const toChrome = document => Importer.Importer.requestsFromHARLog(new HARFormat.HARRoot(document).log);

// Times in seconds, since 1970 with a fraction, are doubles to a microsecond.
function assertClose(one, other, what) {
  assert(Math.abs(one - other) < 2e-6, `${what}: ${one} is not ${other}`);
}

function assertSame(request, entry) {
  const {timings, response} = entry;
  assert.equal(request.requestMethod, entry.request.method);
  assert.equal(request.url(), entry.request.url);
  assert.equal(request.statusCode, response.status);
  assert.equal(request.statusText, response.statusText);
  assert.equal(request.protocol, response.httpVersion.toLowerCase());
  assert.equal(request.connectionId, entry.connection ?? '');
  const pairs = fields => fields.map(({name, value}) => [name, value]);
  assert.deepEqual(pairs(request.requestHeaders()), pairs(entry.request.headers));
  assert.deepEqual(pairs(request.responseHeaders), pairs(response.headers));
  if (response.headersSize >= 0 && response.bodySize >= 0) {
    assert.equal(request.transferSize, response.headersSize + response.bodySize);
  }
  const issued = Date.parse(entry.startedDateTime) / 1000;
  assertClose(request.endTime, issued + entry.time / 1000, 'end');
  const {timing} = request;
  const parts = [['dns', 'dnsStart', 'dnsEnd'], ['connect', 'connectStart', 'connectEnd'], ['ssl', 'sslStart', 'sslEnd'],
    ['send', 'sendStart', 'sendEnd'], ['wait', 'receiveHeadersStart', 'receiveHeadersEnd']];
  for (const [name, start, end] of parts) {
    if (timings[name] > 0) {
      assertClose((timing[end] - timing[start]) / 1000, timings[name] / 1000, name);
    }
  }
  assertClose(timing.receiveHeadersEnd / 1000, (entry.time - timings.receive) / 1000, 'response');
}

async function assertTheyLook(document) {
  const spoilt = change => {
    const copy = structuredClone(document);
    change(copy.log.entries[0]);
    return copy;
  };
  const faults = [
    entry => delete entry.timings.wait,
    entry => entry.response.status = 'error',
    entry => entry.startedDateTime = 'yesterday',
  ];
  for (const fault of faults) {
    await assert.rejects(validate(spoilt(fault)), undefined, `${fault}`);
    assert.throws(() => toChrome(spoilt(fault)), undefined, `${fault}`);
  }
}

async function readAll() {
  assert(paths.length > 0, 'no documents');
  for (const path of paths) {
    const text = readFileSync(path, 'utf8');
    const document = JSON.parse(text);
    await validate(document);
    const {entries} = JSON.parse(text).log; // the importer changes what it is given
    const requests = toChrome(document);
    assert(entries.length > 0, path);
    assert.equal(requests.length, entries.length);
    requests.forEach((request, number) => assertSame(request, entries[number]));
    await assertTheyLook(JSON.parse(text));
    console.log(`${path}: ${entries.length} entries, as the schema and Chrome want them`);
  }
}

await readAll().catch(error => {
  console.error(error.errors ?? error);
  process.exit(1);
});
