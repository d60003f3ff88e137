// An extension with nats.js: node examples/javascript/extension.mjs [subject] [queue group]
//
// Answers {"text": "Hi", "delay_ms": 0} with {"text": "HI", …}; a request without a text with a service error 400, the text "fail" with 500.
// SIGTERM and SIGINT: no new requests; those in hand are answered; then it ends.
import { setTimeout as sleep } from 'node:timers/promises';
import { headers } from '@nats-io/transport-node';
import { connectToDaemon } from './connect.mjs';

const [subject = 'beamline.ext.pre.upper.v1', queue = 'upper'] = process.argv.slice(2);
const connection = await connectToDaemon();
const inHand = new Set();

/** A service error. Below 500 it is the request's fault; from 500 on it is ours, and counts against our health. */
function reject(message, code, description) {
  const head = headers();
  head.set('Nats-Service-Error-Code', String(code));
  head.set('Nats-Service-Error', description);
  // The body is for callers that do not read headers.
  message.respond(JSON.stringify({ error: description }), { headers: head });
}

function readRequest(message) {
  try {
    const request = message.json();
    return typeof request?.text === 'string' ? request : null;
  } catch {
    return null;
  }
}

/** Exactly one reply, whatever happens. */
async function answer(message) {
  try {
    // An active check of the daemon.
    if (message.headers?.get('Extreg-Probe') === '1') return message.respond();
    const request = readRequest(message);
    if (request === null) return reject(message, 400, 'text is missing');
    if (request.text === 'fail') return reject(message, 500, 'asked to fail');
    await sleep(request.delay_ms ?? 0);
    const body = {
      text: request.text.toUpperCase(),
      version: message.headers.get('Extreg-Version'),
      tenant: message.headers.get('Extreg-Tenant-Id'),
      attempt: Number(message.headers.get('Extreg-Attempt')),
      has_time: Number(message.headers.get('Extreg-Timeout-Ms')) > 0,
      trace: message.headers.get('traceparent').slice(0, 35),
    };
    const head = headers();
    head.set('Example-Language', 'javascript');
    message.respond(JSON.stringify(body), { headers: head });
  } catch (error) {
    // A bug here is no reason to let the caller wait.
    console.error(`extension: ${error.stack}`);
    reject(message, 500, 'internal error');
  }
}

const subscription = connection.subscribe(subject, {
  queue, // the processes of one extension share its requests
  callback(error, message) {
    if (error) return console.error(`extension: ${error.message}`);
    const answering = answer(message).finally(() => inHand.delete(answering));
    inHand.add(answering);
  },
});
await connection.flush();
console.log(`answers on ${subject} (queue group ${queue})`);

const drain = async () => {
  await subscription.drain(); // all that the server sent before is in hand now
  await Promise.all(inHand);
  await connection.drain(); // and all answers are with the server
  console.log('drained');
};
process.once('SIGTERM', drain).once('SIGINT', drain);
