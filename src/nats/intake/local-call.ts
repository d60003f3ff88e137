// Calls that are made in this process, by an operator over the admin API: they enter by the intake as a caller's message does.
//
// LOCAL-CALL-1. Context, headers, budget and body are read as those of a message are, so a call is refused for the same reasons.
// LOCAL-CALL-2. A header that the daemon sets, or takes for its own, is refused by name: it would be dropped in silence.
// LOCAL-CALL-3. The call ends with its budget, whether a client still waits for it or not.
import type { InvokeAnswer, InvokeExtension, InvokeOrder } from '../../actors/ports/invoke.js';
import type { Reply, Route } from '../../actors/ports/transport.js';
import { quoted } from '../../domain/quoted.js';
import type { WireError } from '../wire/error-reply.js';
import { HeaderBlock } from '../wire/header-block.js';
import { HeaderLines } from '../wire/header-lines.js';
import { decodeValue, headerIn, headerValue, isHeaderName, STATUS_LINE, soughtHeader } from '../wire/headers.js';
import { contextHeader } from './caller-context.js';

/** How a call in this process is answered. */
export interface LocalAnswer {
  succeeded(route: Route, reply: Reply, attempts: number, durationMs: number): void;
  refused(error: WireError, durationMs: number): void;
}

/** Of the intake. `tenant`: as in a subject; null: none. False: it takes no calls. */
export type TakeLocalCall = (
  extensionId: string,
  tenant: string | null,
  block: HeaderBlock,
  body: Uint8Array,
  answer: LocalAnswer,
) => boolean;

const OURS = /^(extreg|nats)-/i;
const OF_A_CALLER = /^Extreg-(Policy-Id|Environment|Routing-Key|Ctx-.+)$/;
const TENANT_KEY = 'tenant_id';
const INSTANCE_HEADER = soughtHeader('Extreg-Instance-Id');

/** `usualMs`: the budget of a call that names none. */
export const localCalls =
  (take: TakeLocalCall, usualMs: number): InvokeExtension =>
  async (order) => {
    const block = blockOf(order, order.timeoutMs ?? usualMs);
    if ('problem' in block) return { kind: 'invalid_request', message: block.problem };
    return new Promise<InvokeAnswer>((resolve) => {
      const nothing = { version: null, instanceId: null, attempts: null, headers: {}, body: new Uint8Array() };
      const isTaken = take(
        order.extensionId,
        order.context[TENANT_KEY] ?? null,
        HeaderBlock.of(block.text),
        order.body,
        {
          succeeded: (route, reply, attempts, durationMs) =>
            resolve({
              ...{ kind: 'answered', error: null, version: route.version, attempts, durationMs, body: reply.body },
              instanceId: headerIn(route.replyBlock(order.extensionId, '', attempts, durationMs), INSTANCE_HEADER),
              headers: headersIn(reply.forwardedHeaders),
            }),
          refused: (error, durationMs) => resolve({ kind: 'answered', error, durationMs, ...nothing }),
        },
      );
      if (!isTaken) resolve({ kind: 'shutting_down', message: 'the daemon takes no calls now; /readyz says why' });
    });
  };

/** LOCAL-CALL-1, LOCAL-CALL-2. */
function blockOf(
  { context, headers }: InvokeOrder,
  timeoutMs: number,
): { readonly text: string } | { readonly problem: string } {
  const lines: [name: string, value: string][] = [];
  for (const [name, value] of Object.entries(headers)) {
    if (!isHeaderName(name))
      return { problem: `headers: a name is printable ASCII without blanks and colons, got ${quoted(name)}` };
    if (OURS.test(name) && !OF_A_CALLER.test(name))
      return {
        problem: `headers: ${quoted(name)} is set by the daemon alone; the tenant is context.tenant_id, the budget timeout_ms`,
      };
    lines.push([name, value]);
  }
  for (const [key, value] of Object.entries(context)) {
    if (value.trim() === '') return { problem: `context: ${quoted(key)} must not be blank` };
    if (key === TENANT_KEY) continue;
    const header = contextHeader(key);
    if (header === null) return { problem: `context: no header can carry the key ${quoted(key)}` };
    lines.push([header.name, value]);
  }
  const broken = lines.find(([, value]) => /[\r\n\0]/.test(value));
  if (broken !== undefined) return { problem: `${quoted(broken[0])}: a value has no line ends` };
  lines.push(['Extreg-Timeout-Ms', String(timeoutMs)]);
  return { text: `${STATUS_LINE}${lines.map(([name, value]) => `${name}: ${headerValue(value)}\r\n`).join('')}\r\n` };
}

/** Of whole lines. */
function headersIn(forwarded: string): Record<string, string> {
  const found = new Map<string, string>();
  const lines = new HeaderLines(HeaderBlock.of(`${STATUS_LINE}${forwarded}\r\n`));
  while (lines.next()) {
    const name = lines.name();
    const value = decodeValue(lines.value());
    const before = found.get(name);
    found.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return Object.fromEntries(found);
}
