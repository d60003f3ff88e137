// What the benchmark's processes share: the connection, the raw header bytes of a message, and the talk with the orchestrator.
import { type Msg, MsgHdrsImpl, type NatsConnection } from '#@nats-io/nats-core';
import type { MsgImpl } from '#@nats-io/nats-core/internal';
import { connect } from '#@nats-io/transport-node';

export const EXTENSION_SUBJECT = 'bench.extension';
/** Where the extension answers with an error of its own. */
export const FAILING_SUBJECT = 'bench.failing';
export const BARE_SUBJECT = 'bench.bare';
/** Prefixes of the two middle processes that are ours. */
export const WIRE_PREFIX = 'bench.wire';
export const DAEMON_PREFIX = 'bench.daemon';
export const EXTENSION_ID = 'bench';
/** Three versions with rules, four weighted instances. */
export const EVERYTHING_ID = 'bench-everything';
export const BODY_BYTES = 256;

export function connectTo(url: string, name: string): Promise<NatsConnection> {
  return connect({ servers: url, name, noAsyncTraces: true, inboxPrefix: `_INBOX_${name}` });
}

/** Header bytes as they came, sent on as they are. */
export class RawHeaders extends MsgHdrsImpl {
  bytes: Uint8Array = new Uint8Array(0);

  override encode(): Uint8Array {
    return this.bytes;
  }
}

/** Null without headers. */
export function rawHeadersOf(message: Msg): Uint8Array | null {
  const { _msg: frame, _rdata: bytes } = message as MsgImpl;
  return frame.hdr > 0 ? bytes.subarray(0, frame.hdr) : null;
}

/** Tells the orchestrator that this process is ready, answers its questions about CPU time, and ends with it. */
export function report(): void {
  process.on('message', (message) => {
    if (message === 'cpu') {
      const { user, system } = process.cpuUsage();
      process.send?.({ cpuMicros: user + system });
    }
  });
  process.on('disconnect', () => process.exit(0));
  process.send?.('ready');
}

export function serverUrl(): string {
  const url = process.argv[2];
  if (url === undefined) throw new Error('usage: node <role>.js <nats url>');
  return url;
}
