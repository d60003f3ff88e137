// Large JSON answers: sent in parts, so that none of them is built in one turn of the event loop.
//
// JSON-STREAM-1. Each part is made in a turn of the event loop of its own, when the client has taken the one before: a socket that takes all of
//     them immediately would otherwise get them in one turn.
// JSON-STREAM-2. What is larger than SMALL_CHARACTERS is compressed if the client accepts gzip, off the event loop.
import { pipeline, Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { createGzip } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from '#fastify';

/** Calls go before lists: however often lists are read, most of the time is left to calls. */
const PAUSE_MS = 1;
const SMALL_CHARACTERS = 16_384;

/** JSON-STREAM-1, JSON-STREAM-2. */
export function sendJson(request: FastifyRequest, reply: FastifyReply, parts: Generator<string>): FastifyReply {
  const vary = reply.getHeader('vary');
  reply.type('application/json; charset=utf-8');
  reply.header('vary', vary === undefined ? 'accept-encoding' : `${vary}, accept-encoding`);
  const first = parts.next();
  const second = parts.next();
  // It fits into one part: a stream would only cost time.
  if (first.done || (second.done && first.value.length <= SMALL_CHARACTERS)) return reply.send(first.value ?? '');
  const all = Readable.from(inTurns(first.value, second.done ? null : second.value, parts), { objectMode: false });
  if (!acceptsGzip(request.headers['accept-encoding'])) return reply.send(all);
  reply.header('content-encoding', 'gzip');
  // An error on either side, a client that left for one, ends both.
  return reply.send(pipeline(all, createGzip({ level: 1 }), () => undefined));
}

/** JSON-STREAM-1. */
async function* inTurns(first: string, second: string | null, others: Generator<string>): AsyncGenerator<Buffer> {
  yield Buffer.from(first);
  if (second !== null) yield Buffer.from(second);
  for (const part of others) {
    await setTimeout(PAUSE_MS);
    yield Buffer.from(part);
  }
}

/** `gzip` or `x-gzip` with a weight above 0; `*` stands for what is not named itself. */
function acceptsGzip(header: string | string[] | undefined): boolean {
  const codings = [header ?? []]
    .flat()
    .flatMap((value) => value.split(','))
    .map((one) => {
      const [coding = '', ...parameters] = one.split(';').map((part) => part.trim().toLowerCase());
      const weight = parameters.find((part) => part.startsWith('q='))?.slice(2);
      return { coding, isWanted: weight === undefined || Number(weight) !== 0 };
    });
  const named = codings.filter(({ coding }) => coding === 'gzip' || coding === 'x-gzip');
  const counting = named.length > 0 ? named : codings.filter(({ coding }) => coding === '*');
  return counting.some(({ isWanted }) => isWanted);
}
