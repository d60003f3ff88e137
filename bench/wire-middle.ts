// Our wire without decisions: the daemon's intake, codec and requester, with a handler that knows one route.
// What it costs over the bare forwarder is what the wire contract costs; the rest of the daemon's cost is routing and breakers.
import type { AttemptEnd, AttemptListener, Invocation, Reply } from '../src/actors/ports/transport.js';
import { BrokerConnection } from '../src/nats/connection/connection.js';
import { CONTEXT_SOURCES } from '../src/nats/intake/caller-context.js';
import { Intake } from '../src/nats/intake/intake.js';
import { Replies } from '../src/nats/intake/replies.js';
import { Requester } from '../src/nats/requester.js';
import { createRandomHex } from '../src/nats/wire/random-hex.js';
import { createPrepareRoute } from '../src/nats/wire/routes.js';
import { Subjects } from '../src/nats/wire/subjects.js';
import { silentLogger } from '../src/telemetry/log.js';
import { EXTENSION_ID, EXTENSION_SUBJECT, report, serverUrl, WIRE_PREFIX } from './client.js';

const TIMEOUT_MS = 5000;

const clock = {
  now: () => performance.now(),
  setTimeout: (fn: () => void, ms: number) => setTimeout(fn, ms),
  clearTimeout: (id: unknown) => clearTimeout(id as NodeJS.Timeout),
};
const subjects = new Subjects(WIRE_PREFIX);
const connection = BrokerConnection.open({ url: serverUrl(), name: 'wire-middle' }, silentLogger);
const randomHex = createRandomHex();
const replies = new Replies(connection, clock, randomHex);
const requester = new Requester(connection, clock, silentLogger, randomHex);
const route = createPrepareRoute(null, { ownPrefix: subjects.prefix, allowedPrefixes: [] })({
  extensionId: EXTENSION_ID,
  version: 'v1',
  instanceId: null,
  subject: EXTENSION_SUBJECT,
  config: null,
});

class Call implements AttemptListener {
  constructor(private readonly invocation: Invocation) {}

  attemptEnded(end: AttemptEnd, reply: Reply | null): void {
    if (reply === null) this.invocation.refuse({ code: 'extension_unavailable', message: end });
    else this.invocation.succeed(route, reply, 1, clock.now() - this.invocation.arrivedMs, Number.POSITIVE_INFINITY);
  }
}

const intake = new Intake(
  connection,
  replies,
  subjects,
  clock,
  silentLogger,
  {
    replyPrefixes: ['_INBOX'],
    minBudgetMs: 10,
    maxBudgetMs: 60_000,
    maxBodyBytes: null,
    context: { from: CONTEXT_SOURCES, bodyMaxBytes: 65_536, environment: null },
    takesSelfCheck: () => false,
  },
  (invocation) => requester.send(route, invocation, 1, TIMEOUT_MS, TIMEOUT_MS, new Call(invocation)),
);
intake.start();
await connection.firstConnected;
await connection.flush();
report();
