// A caller with nats.js: node examples/javascript/caller.mjs <extension id>
//
// Calls it with headers, as a request that it refuses, as one that it fails, with too little time, and one that does not exist.
import { headers } from '@nats-io/transport-node';
import { connectToDaemon } from './connect.mjs';

const [, , extensionId] = process.argv;
const connection = await connectToDaemon();

/** One line about the one reply. We wait longer than the daemon: it answers when `Extreg-Timeout-Ms` is over. */
async function call(request, { extension = extensionId, timeoutMs = 5000, head = {} } = {}) {
  const given = headers();
  for (const [name, value] of Object.entries({ 'Extreg-Timeout-Ms': timeoutMs, ...head }))
    given.set(name, String(value));
  const options = { headers: given, timeout: timeoutMs + 2000 };
  const reply = await connection.request(`extreg.v1.invoke.${extension}`, JSON.stringify(request), options);
  const header = (name) => reply.headers?.get(name) ?? '';
  // The daemon's own word: an extension cannot send this header.
  if (header('Extreg-Error') !== '') {
    const { error } = reply.json();
    const again = error.retryable ? 'may be repeated' : 'must not be repeated blindly';
    return `error ${error.code} ${header('Nats-Service-Error-Code')}: ${again}`;
  }
  // The extension's word.
  if (header('Nats-Service-Error-Code') !== '')
    return `refused ${header('Nats-Service-Error-Code')}: ${header('Nats-Service-Error')}`;
  const { text, tenant, trace } = reply.json();
  return `ok ${header('Extreg-Version')} in ${header('Extreg-Attempts')} attempt: ${text} for ${tenant}, trace ${trace}`;
}

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
console.log(await call({ text: 'hello' }, { head: { 'Extreg-Tenant-Id': 'acme', traceparent } }));
console.log(await call({ no: 'text' }));
console.log(await call({ text: 'fail' }));
console.log(await call({ text: 'slow', delay_ms: 1500 }, { timeoutMs: 300 }));
console.log(await call({ text: 'hello' }, { extension: 'no_such_extension' }));
await connection.drain();
