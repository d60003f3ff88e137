// What replicas of a fleet say of themselves, once per second and when they come and go; and what is accepted of it.
//
// HEARTBEAT-1. Members that this version does not know are ignored; one that it knows and that is of another kind makes the whole
//     message invalid.
// HEARTBEAT-2. Nothing in it is a time of a clock: ages alone, so that no clock of one machine is compared with another's.
// HEARTBEAT-3. What this version writes has at most 1024 bytes, whatever the machine and the daemon are called.
import { type Static, Type } from '#typebox';
import { Compile, type Validator } from '#typebox/compile';
import { REPLICA_ID } from '../registry/subject-rules.js';

/** Versions of the messages that this release speaks. */
export const PROTOCOL = { min: 1, max: 1 } as const;

/** What is larger is dropped unread: later versions may add members, none may flood. */
export const MAX_HEARTBEAT_BYTES = 4096;

const count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const amount = Type.Number({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const text = (maxLength: number) => Type.String({ maxLength, pattern: '^[^\\p{C}]*$' });
const protocol = Type.Integer({ minimum: 1, maximum: 1000 });

export type Heartbeat = Static<typeof heartbeatSchema>;
const heartbeatSchema = Type.Object({
  id: Type.String({ pattern: REPLICA_ID }),
  /** One life of a replica: 128 bits, random. */
  inc: Type.String({ pattern: '^[0-9a-f]{32}$' }),
  /** Grows with each message of this life. */
  seq: count,
  version: text(64),
  /** Lowest and highest version of the messages that it speaks. */
  proto: Type.Tuple([protocol, protocol]),
  host: text(255),
  pid: count,
  /** Of its admin API. */
  http: Type.String({ pattern: '^https?://[^\\s\\p{C}]{1,300}$' }),
  /** Seconds since it started. */
  up_s: amount,
  /** Of the registry in force there; null before the first reading. */
  revision: Type.Union([count, Type.Null()]),
  /** Whose word its breakers obey. */
  scope: Type.String({ pattern: '^[a-z_]{1,20}$' }),
  targets: count,
  /** Calls per second. */
  rps: amount,
  in_flight: count,
  /** How late its event loop is, 99th percentile. */
  lag_ms: amount,
  /** It leaves: it accepts no new calls. */
  draining: Type.Boolean(),
  /** Written by later versions: it doubts what it measures. */
  suspect: Type.Optional(Type.Boolean()),
});

/** Made when the first message comes: commands never need it. */
let validator: Validator | null = null;

/** null: not a heartbeat. Never throws. */
export function readHeartbeat(body: Uint8Array): Heartbeat | null {
  if (body.length > MAX_HEARTBEAT_BYTES) return null;
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    return null;
  }
  validator ??= Compile(heartbeatSchema);
  if (!validator.Check(json)) return null;
  const heartbeat = json as Heartbeat;
  return heartbeat.proto[0] <= heartbeat.proto[1] ? heartbeat : null;
}

const MAX_HOST_LENGTH = 64;
const MAX_HTTP_LENGTH = 200;
const MAX_VERSION_LENGTH = 40;

/** HEARTBEAT-3. What is too long of a name is cut off. */
export function heartbeatText(heartbeat: Heartbeat): string {
  return JSON.stringify({
    ...heartbeat,
    version: plain(heartbeat.version).slice(0, MAX_VERSION_LENGTH),
    host: plain(heartbeat.host).slice(0, MAX_HOST_LENGTH),
    http: heartbeat.http.slice(0, MAX_HTTP_LENGTH),
  });
}

/** Printable ASCII, one byte per character: what else a machine's name has is shown as `?`. */
const plain = (name: string): string => name.replaceAll(/[^ -!#-[\]-~]/g, '?');
