// The reference: a forwarder with a hand-held inbox that decides nothing, passes headers as bytes, and keeps no timers.
import type { Msg } from '@nats-io/nats-core';
import type { MsgImpl } from '@nats-io/nats-core/internal';
import { BARE_SUBJECT, connectTo, EXTENSION_SUBJECT, RawHeaders, rawHeadersOf, report, serverUrl } from './wire.js';

const client = await connectTo(serverUrl(), 'bare');
const base = `_INBOX_bare.${process.pid}.`;
const callers: string[] = [];
const free: number[] = [];
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
    let slot = 0;
    for (let i = base.length; i < subject.length; i += 1) slot = slot * 10 + ((subject[i] as number) - 48);
    free.push(slot);
    pass(callers[slot] as string, '', message);
  },
});
client.subscribe(BARE_SUBJECT, {
  queue: 'bare',
  callback: (error, message) => {
    if (error !== null) return;
    const slot = free.pop() ?? callers.length;
    callers[slot] = message.reply ?? '';
    pass(EXTENSION_SUBJECT, base + slot, message);
  },
});
await client.flush();
report();
