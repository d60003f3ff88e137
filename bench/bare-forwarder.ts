// The reference: a forwarder with a hand-held inbox that decides nothing, passes headers as bytes, and keeps no timers.
// Its reply subjects are numbers that never repeat: one that used them again could hand a late answer to the wrong caller.
import type { Msg } from '#@nats-io/nats-core';
import type { MsgImpl } from '#@nats-io/nats-core/internal';
import { BARE_SUBJECT, connectTo, EXTENSION_SUBJECT, RawHeaders, rawHeadersOf, report, serverUrl } from './client.js';

const client = await connectTo(serverUrl(), 'bare');
const base = `_INBOX_bare.${process.pid}.`;
/** A ring of those who wait, by the low bits of their number; far more than the load keeps in flight. */
const RING = 4096;
const callers: string[] = new Array(RING).fill('');
const numbers = new Float64Array(RING);
let last = 0;
const raw = new RawHeaders();
const withHeaders = { headers: raw, reply: '' };
const withoutHeaders = { reply: '' };

function pass(subject: string, reply: string, message: Msg): void {
  const headers = rawHeadersOf(message);
  if (headers === null) {
    withoutHeaders.reply = reply;
    client.publish(subject, message.data, withoutHeaders);
  } else {
    raw.bytes = headers;
    withHeaders.reply = reply;
    client.publish(subject, message.data, withHeaders);
  }
}

client.subscribe(`${base}*`, {
  callback: (error, message) => {
    if (error !== null) return;
    const subject = (message as MsgImpl)._msg.subject;
    let number = 0;
    for (let i = base.length; i < subject.length; i += 1) number = number * 10 + ((subject[i] as number) - 48);
    const slot = number % RING;
    if (numbers[slot] !== number) return;
    numbers[slot] = 0;
    pass(callers[slot] as string, '', message);
  },
});
client.subscribe(BARE_SUBJECT, {
  queue: 'bare',
  callback: (error, message) => {
    if (error !== null) return;
    last += 1;
    const slot = last % RING;
    numbers[slot] = last;
    callers[slot] = message.reply ?? '';
    pass(EXTENSION_SUBJECT, base + last, message);
  },
});
await client.flush();
report();
