// Server-sent events over one answer: the wire format, and when it ends.
//
// EVENT-STREAM-1. What is sent leaves immediately: not compressed, and not kept by a proxy that heeds `X-Accel-Buffering`.
// EVENT-STREAM-2. A client that is gone, or a socket that fails, ends its own stream and nothing else.
// EVENT-STREAM-3. A client that is slow is no fault as long as the stream lasts. Once that is ended, the client has as long as for any other
//     answer to read the rest, and is cut then, whatever it sends meanwhile.
import type { FastifyReply } from '#fastify';
import type { LiveSink } from '../../actors/ports/live.js';

const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'x-accel-buffering': 'no',
  connection: 'keep-alive',
};

/** Of a socket without a timeout. */
const DEFAULT_SLOW_MS = 30_000;

/** `open` takes the sink, and returns what to call when the client is gone; nothing of the answer is sent before. */
export function sendEvents(reply: FastifyReply, open: (sink: LiveSink) => () => void): FastifyReply {
  const { raw } = reply;
  const { socket } = raw;
  const slowMs = socket?.timeout || DEFAULT_SLOW_MS;
  const write = (text: string): void => {
    if (!raw.headersSent) {
      for (const [name, value] of Object.entries(reply.getHeaders()))
        if (value !== undefined) raw.setHeader(name, value);
      raw.writeHead(200, HEADERS);
      // EVENT-STREAM-3.
      socket?.setTimeout(0);
    }
    raw.write(text);
  };
  const onGone = open({
    get waitingBytes() {
      return raw.writableLength;
    },
    send: (event, data, id) => write(`${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${data}\n\n`),
    ping: () => write(': ping\n\n'),
    end: () => {
      raw.end();
      const cut = setTimeout(() => socket?.destroy(), slowMs).unref();
      raw.once('close', () => clearTimeout(cut));
    },
  });
  reply.hijack();
  // EVENT-STREAM-2. 'close' follows.
  raw.on('error', () => undefined);
  raw.on('close', onGone);
  if (raw.destroyed) onGone();
  return reply;
}
