import test from 'ava';
import fc from 'fast-check';
import {
  type Heartbeat,
  heartbeatText,
  MAX_HEARTBEAT_BYTES,
  readHeartbeat,
} from '../../../src/domain/fleet/heartbeat.js';
import { distinctId, replicaIdOf } from '../../../src/domain/fleet/replica-id.js';
import { REPLICA_ID } from '../../../src/domain/registry/subject-rules.js';
import { runs } from '../../helpers/depth.js';
import { heartbeat } from './heartbeats.js';

const bytes = (json: unknown): Uint8Array => Buffer.from(JSON.stringify(json));

test('HEARTBEAT-1: members of later versions are ignored, and a replica that doubts itself is understood', (t) => {
  t.like(readHeartbeat(bytes({ ...heartbeat(), kv: { created: 1 }, private: ['x@v1'] })), heartbeat());
  t.is(readHeartbeat(bytes(heartbeat({ suspect: true })))?.suspect, true);
  t.deepEqual(readHeartbeat(bytes(heartbeat({ proto: [1, 3], scope: 'shared' })))?.proto, [1, 3]);
});

const wrong: Readonly<Record<string, unknown>> = {
  id: 'a.b',
  inc: 'x',
  seq: -1,
  version: 1,
  proto: [2, 1],
  host: '\u0000',
  pid: 1.5,
  http: 'javascript:alert(1)',
  up_s: null,
  revision: '7',
  scope: '',
  targets: Number.MAX_SAFE_INTEGER * 4,
  rps: -0.1,
  in_flight: [],
  lag_ms: '1',
  draining: 0,
  suspect: 'yes',
};
for (const [name, value] of Object.entries(wrong))
  test(`HEARTBEAT-1: ${name} ${JSON.stringify(value)} makes the message invalid`, (t) => {
    t.not(readHeartbeat(bytes(heartbeat())), null);
    t.is(readHeartbeat(bytes({ ...heartbeat(), [name]: value })), null);
    if (name === 'suspect') return;
    const { [name as keyof Heartbeat]: _, ...rest } = heartbeat();
    t.is(readHeartbeat(bytes(rest)), null, 'it may not be missing either');
  });

test('readHeartbeat: whatever arrives is a heartbeat or null, never an exception', (t) => {
  const text = JSON.stringify(heartbeat());
  const property = fc.property(
    fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.json().map((json) => Buffer.from(json)),
      fc.tuple(fc.nat(text.length), fc.nat(255)).map(([at, byte]) => {
        const body = Buffer.from(text);
        body[at] = byte;
        return body;
      }),
    ),
    (body) => {
      const read = readHeartbeat(body);
      return read === null || /^[0-9a-f]{32}$/.test(read.inc);
    },
  );
  t.notThrows(() => fc.assert(property, { numRuns: runs(800) }));
  t.is(readHeartbeat(Buffer.from(`[${'['.repeat(MAX_HEARTBEAT_BYTES - 2)}`)), null);
  t.is(readHeartbeat(Buffer.from(text + ' '.repeat(MAX_HEARTBEAT_BYTES))), null, 'too large');
  t.not(readHeartbeat(Buffer.from(text + ' '.repeat(MAX_HEARTBEAT_BYTES - text.length))), null);
});

test('HEARTBEAT-3: what is written has at most 1024 bytes, and is read again', (t) => {
  const long = fc.string({ unit: 'binary', maxLength: 400 });
  const number = fc.nat(Number.MAX_SAFE_INTEGER);
  const property = fc.property(long, long, long, number, (host, version, path, n) => {
    const http = `https://${'h'.repeat(Math.min(path.length, 150))}:65535`;
    const said = heartbeat({ id: 'i'.repeat(64), seq: n, host, version, http, rps: n / 7, lag_ms: n / 3, up_s: n / 9 });
    const written = Buffer.from(
      heartbeatText({ ...said, revision: n, targets: n, in_flight: n, pid: n, suspect: true }),
    );
    return written.length <= 1024 && readHeartbeat(written)?.seq === n;
  });
  t.notThrows(() => fc.assert(property, { numRuns: runs(500) }));
});

test('REPLICA-ID-1: a name is one token of 1 to 64 characters, whatever the machine is called', (t) => {
  const property = fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.nat(0xffff), (host, n) => {
    const id = replicaIdOf(host, n.toString(16).padStart(4, '0'));
    const distinct = distinctId(id, '0123456789abcdef');
    return [id, distinct].every((one) => new RegExp(REPLICA_ID).test(one)) && distinct.endsWith('-01234567');
  });
  t.notThrows(() => fc.assert(property, { numRuns: runs(500) }));
  t.is(replicaIdOf('web-1.example.org', '0a1b'), 'web-1-example-org-0a1b');
  t.is(replicaIdOf('…', '0a1b'), 'replica-0a1b');
});
