// Rows of the benchmark: the steps of a call that have a counterpart in nats.js, and the reading of headers; 32 messages at a time.
import { MsgImpl, Parser, type ParserEvent } from '#@nats-io/nats-core/internal';
import { Outbox } from '../src/nats/connection/outbox.js';
import { readCallerHeaders } from '../src/nats/wire/caller-headers.js';
import { FrameReader } from '../src/nats/wire/frame-reader.js';
import { HeaderBlock } from '../src/nats/wire/header-block.js';
import type { BrokerMessage } from '../src/nats/wire/message.js';
import {
  BLOCK,
  BODY,
  CALLS,
  flush,
  Headers,
  REQUESTS,
  REQUESTS_SID,
  silentProtocol,
  unexpected,
} from './hot-path-rows.js';
import type { Row } from './turns.js';

/** Steps of a call, by what takes them. */
export const STEPS = [
  'read a message with three headers: nats.js',
  'read a message with three headers: this daemon',
  'read what its headers say',
  'write a message with three headers: nats.js',
  'write a message with three headers: this daemon',
] as const;

export function stepRows(): readonly Row[] {
  const taken = { characters: 0 };
  const take = (characters: number): void => {
    taken.characters += characters;
  };
  const parser = new Parser({ push: (event) => take(charactersOf(event as ParserEvent)) });
  const reader = new FrameReader(
    { isBetweenFrames: true, parse: unexpected },
    new Map([[REQUESTS_SID, ({ reply }: BrokerMessage) => take(reply.length)]]),
  );
  const block = HeaderBlock.of(BLOCK);
  const nothing = { tenant: false, environment: false, others: false };
  const protocol = silentProtocol(() => undefined);
  const headers = new Headers();
  headers.bytes = Buffer.from(BLOCK);
  const outbox = new Outbox(() => undefined);
  const steps: Readonly<Record<(typeof STEPS)[number], () => void>> = {
    'read a message with three headers: nats.js': () => parser.parse(REQUESTS),
    'read a message with three headers: this daemon': () => reader.read(REQUESTS),
    'read what its headers say': () => {
      for (let i = 0; i < CALLS; i += 1) readCallerHeaders(block, nothing);
    },
    'write a message with three headers: nats.js': () => {
      for (let i = 0; i < CALLS; i += 1) protocol.publish('ext.a', BODY, { reply: `_INBOX.x7fQ2mPz.${i}`, headers });
      flush(protocol);
    },
    'write a message with three headers: this daemon': () => {
      for (let i = 0; i < CALLS; i += 1) outbox.put('ext.a', `_INBOX.x7fQ2mPz.${i}`, BLOCK, BODY);
      outbox.flush();
    },
  };
  return STEPS.map((name) => ({
    name,
    run: (times) => {
      for (let i = 0; i < times; i += 1) steps[name]();
    },
  }));
}

function charactersOf({ msg, data }: ParserEvent): number {
  const message = new MsgImpl(msg as never, data as Uint8Array, {} as never);
  return message.subject.length + (message.reply as string).length + message.data.length;
}
